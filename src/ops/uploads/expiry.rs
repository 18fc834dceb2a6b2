//! Expiry of an open upload, in S3's headers of a lifecycle rule.

use crate::store::UploadRecord;
use crate::wire::{Response, date};

/// Name of the rule that every bucket has.
const RULE: &str = "partita-idle";

/// Adds the time at which the upload is aborted if it stays idle.
pub fn announce(response: &mut Response, upload: &UploadRecord) {
    response.set("x-amz-abort-date", date::http_date(upload.expires));
    response.set("x-amz-abort-rule-id", RULE);
}
