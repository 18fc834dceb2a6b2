//! Canned access control lists, and grants: the list as the headers of a write name it.

use crate::wire::{Error, ErrorCode, Head, Result};

/// Canned ACLs that say no more than that the owner has full control.
const CANNED_WITHOUT_EFFECT: &[&str] =
    &["private", "bucket-owner-full-control", "bucket-owner-read"];
/// The other canned ACLs of S3.
const CANNED_WITH_EFFECT: &[&str] = &[
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "log-delivery-write",
];

/// Whether the headers name a list, which is then the only one there can be.
///
/// # Errors
/// AccessControlListNotSupported for any other list; InvalidArgument for a word S3 does not know.
pub fn of_headers(head: &Head) -> Result<bool> {
    let grants = |name: &str| name.to_ascii_lowercase().starts_with("x-amz-grant-");
    let hoisted = head.query.pairs().iter().any(|(name, _)| grants(name));
    if hoisted || head.headers.keys().any(|name| grants(name.as_str())) {
        return Err(ErrorCode::AccessControlListNotSupported.into());
    }
    match head.header_or_query("x-amz-acl")?.unwrap_or_default() {
        "" => Ok(false),
        canned if CANNED_WITHOUT_EFFECT.contains(&canned) => Ok(true),
        canned if CANNED_WITH_EFFECT.contains(&canned) => {
            Err(ErrorCode::AccessControlListNotSupported.into())
        }
        other => Err(Error::argument("x-amz-acl", other, "Unknown canned ACL.")),
    }
}
