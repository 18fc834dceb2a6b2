//! Access control lists where the bucket's owner owns every object: the one list that there can be.
//!
//! A request may name that list, in any of S3's ways; one that asks for another list is refused,
//! because a 200 would promise what is not done.

use super::canned::of_headers;
use super::{Call, document};
use crate::access::Owner;
use crate::ops::DOCUMENT_BYTES_MAX;
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{ErrorCode, Response, Result};

/// Serves PutBucketAcl and PutObjectAcl: the list is read, in headers or in the body, and must be
/// the one that is there.
///
/// # Errors
/// Those of [`of_headers`]; MalformedXML; MissingRequestBodyError when there is no list at all.
pub async fn put(call: Call, owner: &Owner) -> Result<Response> {
    let named = of_headers(&call.head)?;
    let document = document::receive(&call.head, call.body, DOCUMENT_BYTES_MAX).await?;
    if !named {
        of_document(&document, owner)?;
    }
    Ok(Response::ok())
}

fn of_document(document: &[u8], owner: &Owner) -> Result<()> {
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

/// The list, as GetBucketAcl and GetObjectAcl tell it.
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
