//! ListObjectVersions: in a bucket that was never versioned, each object is its version `null`.
//!
//! Suites and clients empty buckets through this list.

use crate::ops::listing;
use crate::ops::listing::Keys;
use crate::request::Call;
use crate::store::{ListQuery, Listed};
use crate::wire::xml::Writer;
use crate::wire::{Error, Response, Result};

/// Answers with one page of versions.
///
/// # Errors
/// InvalidArgument for bad parameters and for a version marker without a key marker.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    let keys = Keys::of_request(head)?;
    let max = listing::page_size(head, "max-keys")?;
    let delimiter = head.query.non_empty("delimiter").map(str::to_owned);
    let key_marker = head.query.non_empty("key-marker");
    let version_marker = head.query.non_empty("version-id-marker");
    if let (Some(marker), None) = (version_marker, key_marker) {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(Error::argument("version-id-marker", marker, message));
    }
    // A key has one version, so the place after (key, null) is the place after the key.
    let query = ListQuery {
        prefix: listing::text(head, "prefix").to_owned(),
        delimiter: delimiter.clone(),
        after: key_marker.map(str::to_owned),
        max,
    };
    let permit = call.permit()?;
    let page = call.context.run(call.context.store.list_objects(&permit, query)).await?;

    let mut xml = Writer::document("ListVersionsResult");
    xml.text("Name", call.bucket().as_str());
    xml.text("Prefix", keys.text(listing::text(head, "prefix")));
    xml.text("KeyMarker", keys.text(key_marker.unwrap_or_default()));
    xml.text("VersionIdMarker", version_marker.unwrap_or_default());
    if page.truncated {
        let last = listing::last_of(&page.entries).unwrap_or_default();
        xml.text("NextKeyMarker", keys.text(last));
        if matches!(page.entries.last(), Some(Listed::Item(_))) {
            xml.text("NextVersionIdMarker", "null");
        }
    }
    xml.display("MaxKeys", max);
    xml.optional("Delimiter", delimiter.as_deref().map(|delimiter| keys.text(delimiter)));
    xml.display("IsTruncated", page.truncated);
    keys.note(&mut xml);
    for entry in &page.entries {
        match entry {
            Listed::Item(object) => xml.element("Version", |xml| {
                xml.text("VersionId", "null");
                xml.text("IsLatest", "true");
                listing::object(xml, keys, object, true);
            }),
            Listed::Prefix(prefix) => xml.element("CommonPrefixes", |xml| {
                xml.text("Prefix", keys.text(prefix));
            }),
        };
    }
    Ok(Response::xml(xml.finish()))
}
