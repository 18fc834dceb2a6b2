//! S3's dialect of HTTP, pure: no state, no I/O, no clock.
//!
//! What a request says ([`request`]), what an answer looks like ([`response`], [`error`]), and the
//! small languages in between: XML, forms, checksums, conditions, ranges, dates, copy sources, CORS
//! rules.

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
pub mod xml;

pub use error::{Error, ErrorCode, Result};
pub use request::{Address, Head};
pub use response::{Body, Response};
