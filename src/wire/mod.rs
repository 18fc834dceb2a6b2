//! S3's dialect of HTTP. Pure: no state, no I/O, no clock.
//!
//! Owns the parsed request ([`request`], [`target`]), the answer ([`response`], [`error`]), and the
//! formats inside them: XML, forms, checksums, conditions, ranges, dates, copy sources, CORS,
//! notifications, ACLs. [`crate::auth`] owns signatures, [`crate::ops`] the operations.

pub(crate) mod acl;
pub mod checksum;
pub mod conditions;
pub mod copy_source;
pub mod cors;
pub mod date;
pub mod encoding;
pub mod error;
pub mod form;
pub(crate) mod notification;
pub(crate) mod object_headers;
pub mod observed;
pub mod own_headers;
pub mod range;
pub mod request;
pub mod response;
pub mod target;
pub mod xml;

pub use error::{Error, ErrorCode, Result};
pub use request::Head;
pub use response::{Body, Response};
pub use target::Address;
