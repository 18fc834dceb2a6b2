//! JSON responses of the management interface.

use http::StatusCode;
use serde::Serialize;

use crate::types::Timestamp;
use crate::wire::{Body, Response};

/// Response with a JSON document and a final line feed. It must not be cached.
pub(super) fn json_response(status: StatusCode, value: &impl Serialize) -> Response {
    let mut document = serde_json::to_vec(value).expect("our own documents have string keys");
    document.push(b'\n');
    Response::new(status)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .with_body(Body::Full(document.into()))
}

/// A time in RFC 3339 with exactly three digits of milliseconds: `2026-11-21T08:00:00.000Z`.
pub(super) fn time(time: Timestamp) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}
