//! Fields of open uploads, read from the server and formatted for people.

use clap::ArgMatches;
use http::Method;
use indicatif::HumanBytes;
use serde_json::Value;

use super::failure::Failure;
use super::session::{Session, segment};

/// Uploads per request.
const PAGE: u64 = 1000;

/// Id of the upload that a command names.
pub(super) fn id_of(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("id").expect("it is required")
}

/// All pages of the uploads that the flags `--bucket` and `--prefix` select.
pub(super) fn all(session: &Session, matches: &ArgMatches) -> Result<Vec<Value>, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let (bucket, prefix) = (segment(text("bucket")), segment(text("prefix")));
    let (mut uploads, mut marker) = (Vec::new(), String::new());
    loop {
        let path = format!("uploads?bucket={bucket}&prefix={prefix}&limit={PAGE}&marker={marker}");
        let mut page = session.ask(Method::GET, &path, Value::Null)?;
        if let Value::Array(more) = page["uploads"].take() {
            uploads.extend(more);
        }
        match page["nextMarker"].as_str() {
            Some(next) => marker = segment(next),
            None => return Ok(uploads),
        }
    }
}

/// Received bytes: `12.0 MiB of 25.0 MiB (48 %)`.
pub(super) fn received(upload: &Value) -> String {
    let bytes = number(upload, "receivedBytes");
    match upload["totalSize"].as_u64() {
        None => HumanBytes(bytes).to_string(),
        Some(total) => {
            let share = if total == 0 { 0 } else { u128::from(bytes) * 100 / u128::from(total) };
            format!("{} of {} ({share} %)", HumanBytes(bytes), HumanBytes(total))
        }
    }
}

/// Received parts: `3/5`.
pub(super) fn parts(upload: &Value) -> String {
    let received = number(upload, "receivedParts");
    match upload["partCount"].as_u64() {
        None => received.to_string(),
        Some(count) => format!("{received}/{count}"),
    }
}

/// Rate: `4.0 MiB/s`.
pub(super) fn rate(upload: &Value) -> String {
    match number(upload, "bytesPerSecond") {
        0 => "-".into(),
        bytes => format!("{}/s", HumanBytes(bytes)),
    }
}

/// A number in a document; 0 if it is absent.
pub(super) fn number(document: &Value, field: &str) -> u64 {
    document[field].as_u64().unwrap_or_default()
}
