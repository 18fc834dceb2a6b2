//! Rules that do not depend on the database engine. Pure: no I/O, no clock, no SQL.
//!
//! A second engine would use them as SQLite does.

pub(crate) mod claims;
pub(crate) mod complete;
pub(crate) mod fingerprint;
pub(crate) mod fold;
pub(crate) mod headers;
pub(crate) mod manifest;
