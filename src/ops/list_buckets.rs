//! ListBuckets: the buckets that the caller owns, in order of name.

use crate::access::ListBuckets;
use crate::ops::listing;
use crate::request::Call;
use crate::types::decimal;
use crate::wire::xml::Writer;
use crate::wire::{Error, Response, Result, date};

/// Most buckets in one page when the client asks for pages (S3: 10,000).
const LIST_BUCKETS_MAX: usize = 10_000;

/// Answers with one page; without `max-buckets` a page is as long as S3 allows.
///
/// # Errors
/// InvalidArgument for a `max-buckets` that is not 1 to 10,000.
pub async fn handle(call: Call) -> Result<Response> {
    let permit = call.permit::<ListBuckets>()?;
    let user = permit.user();
    let query = &call.head.query;
    let max = match query.non_empty("max-buckets") {
        None => LIST_BUCKETS_MAX,
        Some(text) => match decimal::parse(text) {
            Some(n) if (1..=LIST_BUCKETS_MAX).contains(&n) => n,
            _ => {
                let message = "max-buckets must be an integer between 1 and 10000.";
                return Err(Error::argument("max-buckets", text, message));
            }
        },
    };
    let prefix = query.non_empty("prefix").unwrap_or_default();
    let after = query.non_empty("continuation-token").map(listing::parse_token).transpose()?;
    let (buckets, truncated) = call.context.store.buckets(&permit, prefix, after.as_deref(), max);

    let mut xml = Writer::document("ListAllMyBucketsResult");
    listing::owner(&mut xml, "Owner", &call.context.store.owner(&user.id));
    xml.element("Buckets", |xml| {
        for bucket in &buckets {
            xml.element("Bucket", |xml| {
                xml.text("Name", bucket.name.as_str());
                xml.text("CreationDate", date::iso8601(bucket.created));
                xml.text("BucketRegion", &bucket.region);
            });
        }
    });
    xml.optional("Prefix", query.non_empty("prefix"));
    let last = buckets.last().filter(|_| truncated);
    xml.optional("ContinuationToken", last.map(|bucket| listing::token(bucket.name.as_str())));
    Ok(Response::xml(xml.finish()))
}
