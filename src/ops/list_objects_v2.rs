//! ListObjectsV2: keys and common prefixes, page by page, with opaque tokens.

use crate::ops::listing;
use crate::ops::listing::Keys;
use crate::request::Call;
use crate::store::ListQuery;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result};

/// Answers with one page.
///
/// # Errors
/// InvalidArgument for a bad `max-keys`, `encoding-type` or `continuation-token`.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    let keys = Keys::of_request(head)?;
    let max = listing::page_size(head, "max-keys")?;
    let delimiter = head.query.non_empty("delimiter").map(str::to_owned);
    // An empty token is echoed and means the beginning.
    let token = head.query.get("continuation-token");
    let start_after = head.query.non_empty("start-after");
    // A token wins over `start-after`: it is a later place.
    let after = match token {
        Some(token) if !token.is_empty() => Some(listing::parse_token(token)?),
        _ => start_after.map(str::to_owned),
    };
    let prefix = listing::text(head, "prefix").to_owned();
    let query = ListQuery { prefix, delimiter: delimiter.clone(), after, max };
    let permit = call.permit()?;
    let page = call.context.run(call.context.store.list_objects(&permit, query)).await?;

    let mut xml = Writer::document("ListBucketResult");
    xml.text("Name", call.bucket().as_str());
    xml.text("Prefix", keys.text(listing::text(head, "prefix")));
    xml.optional("StartAfter", start_after.map(|key| keys.text(key)));
    xml.optional("ContinuationToken", token);
    if page.truncated {
        xml.optional("NextContinuationToken", listing::last_of(&page.entries).map(listing::token));
    }
    xml.display("KeyCount", page.entries.len());
    xml.display("MaxKeys", max);
    xml.optional("Delimiter", delimiter.as_deref().map(|delimiter| keys.text(delimiter)));
    xml.display("IsTruncated", page.truncated);
    keys.note(&mut xml);
    let with_owner = head.query.get("fetch-owner") == Some("true");
    listing::entries(&mut xml, keys, &page.entries, with_owner);
    Ok(Response::xml(xml.finish()))
}
