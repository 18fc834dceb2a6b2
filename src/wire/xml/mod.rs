//! The XML of S3: a writer that cannot make a bad document, a reader that trusts none.
//!
//! **Invariants**
//! - Text is escaped here and nowhere else. A character that XML 1.0 has no room for (most control
//!   characters) becomes a numeric reference such as `&#x1;`, as on S3, and is read back as one.
//! - The reader's memory is a small multiple of the document, whose size the caller bounds; depth,
//!   number of elements, attributes and length of names have limits of their own. It resolves no
//!   entity but the five of XML and numeric ones, and refuses a DOCTYPE.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Element, parse};
pub use writer::{DECLARATION, NAMESPACE, Writer};
