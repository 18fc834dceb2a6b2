//! XML of S3: a writer that escapes every value, and a reader with limits.
//!
//! **Invariants**
//! - Text is escaped here and nowhere else. A character that XML 1.0 does not allow (most control
//!   characters) is written as a numeric reference such as `&#x1;`, as on S3, and read back.
//! - The memory of the reader is a small multiple of the document. The caller bounds the document;
//!   the reader bounds depth, number of elements, attributes and length of names.
//! - The reader resolves only the five entities of XML and numeric references, and refuses a
//!   DOCTYPE.

mod characters;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use characters::is_control;
pub use reader::{Element, parse};
pub use writer::{DECLARATION, NAMESPACE, Writer};
