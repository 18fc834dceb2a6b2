//! Headers of Partita's own that a request may bear: one row for each, with the operations that
//! understand it.
//!
//! **Invariant:** a header of ours means something for the operation, or the request is refused. It
//! narrows or binds what is done; whoever signed `x-partita-max-bytes` into a URL and misspelt it,
//! or put it where nobody reads it, must hear of it before anything is stored.

use crate::events::callback;
use crate::ops::Operation;
use crate::wire::{Error, Head, Result};

/// Bytes of the whole file.
pub const OBJECT_SIZE: &str = "x-partita-object-size";
/// Bytes of every part but the last.
pub const PART_SIZE: &str = "x-partita-part-size";
/// SHA-256 of the whole file, in hexadecimal digits.
pub const CONTENT_SHA256: &str = "x-partita-content-sha256";
/// MD5 of the whole file, in hexadecimal digits.
pub const CONTENT_MD5: &str = "x-partita-content-md5";
/// The most bytes that a body may have.
pub const MAX_BYTES: &str = "x-partita-max-bytes";
/// Below which keys of the same bucket the request may find its content: a list of prefixes,
/// separated by commas, each percent-encoded. (A signature does not tell two headers from one with
/// a comma, so both must mean the same.)
pub const INSTANT_PREFIX: &str = "x-partita-instant-prefix";
/// As [`INSTANT_PREFIX`], for what may be given for a proof of possession; `*` is the whole bucket.
/// Without it the other one narrows that too.
pub const PROOF_PREFIX: &str = "x-partita-proof-prefix";

/// What all our headers begin with.
const PREFIX: &str = "x-partita-";

/// Every header of ours that a request may bear, and the operations that read it.
#[rustfmt::skip]
const EXTENSIONS: &[(&str, &[&str])] = &[
    (OBJECT_SIZE,      &["CreateMultipartUpload", "CompleteMultipartUpload"]),
    (PART_SIZE,        &["CreateMultipartUpload"]),
    (CONTENT_SHA256,   &["CreateMultipartUpload", "CompleteMultipartUpload"]),
    (CONTENT_MD5,      &["CreateMultipartUpload", "CompleteMultipartUpload"]),
    (MAX_BYTES,        &["PutObject", "PostObject", "UploadPart"]),
    (INSTANT_PREFIX,   &["CreateMultipartUpload", "CompareUploadBlocks", "PutObject",
                         "UploadPart"]),
    (PROOF_PREFIX,     &["CreateMultipartUpload"]),
    (callback::HEADER, &["CreateMultipartUpload", "PutObject", "PostObject", "CopyObject"]),
];

/// Refuses a header of ours, or a parameter that stands in for one, that the operation does not
/// read.
///
/// # Errors
/// InvalidArgument, naming it.
pub fn check(operation: &Operation, head: &Head) -> Result<()> {
    let headers = head.headers.keys().map(|name| name.as_str());
    let parameters = head.query.pairs().iter().map(|(name, _)| name.as_str());
    match headers.chain(parameters).find(|name| is_ours(name) && !reads(operation, name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("{name} has no meaning for {}.", operation.name);
            let value = head.header_or_query(name)?.unwrap_or_default();
            Err(Error::argument(name, value, message))
        }
    }
}

fn is_ours(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

fn reads(operation: &Operation, name: &str) -> bool {
    let row = EXTENSIONS.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
    row.is_some_and(|(_, operations)| operations.contains(&operation.name))
}

#[cfg(test)]
mod tests {
    use super::EXTENSIONS;
    use crate::ops::OPERATIONS;

    #[test]
    fn every_row_names_operations_that_there_are() {
        for (header, operations) in EXTENSIONS {
            for name in *operations {
                assert!(OPERATIONS.iter().any(|row| row.name == *name), "{header}: {name}");
            }
        }
    }
}
