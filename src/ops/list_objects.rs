//! ListObjects (version 1): still the list of rclone, s3cmd, s3fs and the container registry.

use crate::ops::listing;
use crate::ops::listing::Keys;
use crate::request::Call;
use crate::store::ListQuery;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result};

/// Answers with one page.
///
/// # Errors
/// InvalidArgument for a bad `max-keys` or `encoding-type`.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    let keys = Keys::of_request(head)?;
    let max = listing::page_size(head, "max-keys")?;
    let delimiter = head.query.non_empty("delimiter").map(str::to_owned);
    let query = ListQuery {
        prefix: listing::text(head, "prefix").to_owned(),
        delimiter: delimiter.clone(),
        after: head.query.non_empty("marker").map(str::to_owned),
        max,
    };
    let permit = call.permit()?;
    let page = call.context.run(call.context.store.list_objects(&permit, query)).await?;

    let mut xml = Writer::document("ListBucketResult");
    xml.text("Name", call.bucket().as_str());
    xml.text("Prefix", keys.echo(listing::text(head, "prefix")));
    xml.text("Marker", keys.text(listing::text(head, "marker")));
    // Only with a delimiter, as S3 does; without one, the last key is the next marker.
    if page.truncated && delimiter.is_some() {
        xml.optional("NextMarker", listing::last_of(&page.entries).map(|last| keys.text(last)));
    }
    xml.display("MaxKeys", max);
    xml.optional("Delimiter", delimiter.as_deref().map(|delimiter| keys.text(delimiter)));
    xml.display("IsTruncated", page.truncated);
    keys.note(&mut xml);
    listing::entries(&mut xml, keys, &page.entries, true);
    Ok(Response::xml(xml.finish()))
}
