//! Forms in `multipart/form-data` (RFC 7578) as S3's POST Object takes them: fields, then one file.
//!
//! [`FieldsReader`] reads up to the first byte of the file. [`FileReader`] passes the bytes of the
//! file on and finds its end. Both are pure: they take pieces of the body and do no I/O.
//!
//! The parser is our own for two reasons. The crate multer (version 3) buffers whatever its stream
//! has ready, so its memory has no bound. And a form of S3 needs less: everything before the file
//! fits into [`FIELDS_BYTES_MAX`], and everything after the file is ignored.
//!
//! **Invariants**
//! - A field has one value. A name that was given more than once is refused.
//! - A line of the file ends the file only if it is a whole delimiter. A longer boundary
//!   (`--boundaryX`) is content.
//! - The work is linear in the bytes of the body, see `search.rs`.

mod delimiter;
mod errors;
mod fields;
mod fields_reader;
mod file_reader;
mod headers;
mod search;
#[cfg(test)]
mod tests;

pub use delimiter::Delimiter;
pub use errors::FIELDS_BYTES_MAX;
pub use fields::FormFields;
pub use fields_reader::{FieldsReader, ParsedForm};
pub use file_reader::FileReader;
