//! When an open upload ends by itself, in S3's headers for its lifecycle rule.

use crate::store::UploadRecord;
use crate::wire::{Response, date};

/// The name of the one rule that every bucket has.
const RULE: &str = "partita-idle";

/// Tells when the upload will be aborted if nothing happens to it.
pub fn announce(response: &mut Response, upload: &UploadRecord) {
    response.set("x-amz-abort-date", date::http_date(upload.expires));
    response.set("x-amz-abort-rule-id", RULE);
}
