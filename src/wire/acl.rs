//! Access control lists in buckets with Object Ownership BucketOwnerEnforced: the only ACL is full
//! control for the owner.
//!
//! A request may state that ACL in any form of S3. A request for another ACL is refused, because
//! the server does not enforce it.

use super::request::Head;
use super::xml::{self, Element, Writer};
use super::{Error, ErrorCode, Result};
use crate::access::Owner;

/// Canned ACLs that are equal to full control for the owner.
const CANNED_WITHOUT_EFFECT: &[&str] =
    &["private", "bucket-owner-full-control", "bucket-owner-read"];
/// Other canned ACLs of S3.
const CANNED_WITH_EFFECT: &[&str] = &[
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "log-delivery-write",
];

/// True if the headers state an ACL, which is then full control for the owner.
///
/// # Errors
/// AccessControlListNotSupported for another ACL; InvalidArgument for an unknown canned ACL.
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

/// Checks that the document of an ACL states full control for the owner.
///
/// # Errors
/// MissingRequestBodyError for an empty document; MalformedXML; AccessControlListNotSupported for
/// another ACL.
pub fn require_owner_only(document: &[u8], owner: &Owner) -> Result<()> {
    if document.iter().all(u8::is_ascii_whitespace) {
        return Err(ErrorCode::MissingRequestBodyError.into());
    }
    let root = xml::parse(document, "AccessControlPolicy")?;
    let list = root.child("AccessControlList").ok_or(ErrorCode::MalformedXML)?;
    let is_owner = |element: Option<&Element>| {
        element.and_then(|element| element.text_of("ID")).map(str::trim) == Some(&owner.id)
    };
    let full_control = |grant: &Element| {
        is_owner(grant.child("Grantee"))
            && grant.text_of("Permission").map(str::trim) == Some("FULL_CONTROL")
    };
    let the_one = list.children.len() == 1 && list.children("Grant").all(full_control);
    match is_owner(root.child("Owner")) && the_one {
        true => Ok(()),
        false => Err(ErrorCode::AccessControlListNotSupported.into()),
    }
}

/// Document of GetBucketAcl and GetObjectAcl.
pub fn document(of: &Owner) -> Vec<u8> {
    const GRANTEE: &[(&str, &str)] = &[
        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
        ("xsi:type", "CanonicalUser"),
    ];
    let describe = |xml: &mut Writer| {
        xml.text("ID", &of.id);
        xml.text("DisplayName", &of.display_name);
    };
    let mut xml = Writer::document("AccessControlPolicy");
    xml.element("Owner", describe);
    xml.element("AccessControlList", |xml| {
        xml.element("Grant", |xml| {
            xml.element_with("Grantee", GRANTEE, describe);
            xml.text("Permission", "FULL_CONTROL");
        });
    });
    xml.finish()
}
