//! Rules that do not depend on the database engine. Pure: no I/O, no clock, no SQL.

pub(crate) mod complete;
pub(crate) mod manifest;
