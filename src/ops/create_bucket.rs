//! CreateBucket: makes a bucket that belongs to the caller.

use crate::access::CreateBucket;
use crate::request::Call;
use crate::store::CreatedBucket;
use crate::transfer::document;
use crate::wire::object_headers;
use crate::wire::{Error, ErrorCode, Response, Result, xml};

/// The region whose buckets are made without a LocationConstraint, and where making one's own
/// bucket once more is no error.
const CLASSIC_REGION: &str = "us-east-1";

/// Reads the location constraint, if there is a body, and makes the bucket.
///
/// # Errors
/// BucketAlreadyExists for another's bucket; BucketAlreadyOwnedByYou for one's own, but for 200 in
/// us-east-1, as on AWS; TooManyBuckets; IllegalLocationConstraintException for another region.
pub async fn handle(call: Call) -> Result<Response> {
    let permit = call.permit::<CreateBucket>()?;
    refuse_unsupported(&call)?;
    let (document, call) = document::receive(call).await?;
    let region = &call.context.config.region;
    let constraint = location_constraint(&document)?;
    if constraint.as_deref().is_some_and(|constraint| !same_region(constraint, region)) {
        let constraint = constraint.unwrap_or_default();
        let message = format!(
            "The {constraint} location constraint is incompatible for the region specific endpoint \
             this request was sent to."
        );
        return Err(Error::because(ErrorCode::IllegalLocationConstraintException, message));
    }
    let created = call.context.store.create_bucket(&permit, region).await?;
    let name = permit.bucket_name();
    match created {
        CreatedBucket::Created(_) => {}
        CreatedBucket::Exists(bucket) if bucket.owner.id != permit.user().id => {
            return Err(
                Error::new(ErrorCode::BucketAlreadyExists).field("BucketName", name.as_str())
            );
        }
        CreatedBucket::Exists(_) if region == CLASSIC_REGION => {}
        CreatedBucket::Exists(_) => {
            return Err(
                Error::new(ErrorCode::BucketAlreadyOwnedByYou).field("BucketName", name.as_str())
            );
        }
    }
    Ok(Response::ok().header("location", format!("/{name}")))
}

fn same_region(constraint: &str, region: &str) -> bool {
    // `EU` is the old spelling of eu-west-1, and `US` that of us-east-1.
    match constraint {
        "EU" => region == "eu-west-1",
        "US" | "" => region == CLASSIC_REGION,
        other => other == region,
    }
}

fn location_constraint(document: &[u8]) -> Result<Option<String>> {
    if document.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let root = xml::parse(document, "CreateBucketConfiguration")?;
    for name in ["Bucket", "Location", "Tags"] {
        if root.child(name).is_some_and(|element| !element.children.is_empty()) {
            let message = format!("{name} of a new bucket is not implemented.");
            return Err(Error::because(ErrorCode::NotImplemented, message));
        }
    }
    let constraint = root.text_of("LocationConstraint").map(str::trim);
    Ok(constraint.filter(|text| !text.is_empty()).map(str::to_owned))
}

fn refuse_unsupported(call: &Call) -> Result<()> {
    let lock = call.head.header_or_query("x-amz-bucket-object-lock-enabled")?.unwrap_or_default();
    if lock.eq_ignore_ascii_case("true") {
        let message = "Object Lock is not implemented.";
        return Err(Error::because(ErrorCode::NotImplemented, message));
    }
    let ownership = call.head.header_or_query("x-amz-object-ownership")?.unwrap_or_default();
    if !matches!(ownership, "" | "BucketOwnerEnforced") {
        let message = "Of object ownerships, only BucketOwnerEnforced is implemented.";
        return Err(Error::because(ErrorCode::NotImplemented, message));
    }
    object_headers::refuse_unsupported(&call.head)
}
