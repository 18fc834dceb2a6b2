//! Errors as S3 documents.

use crate::wire::{Error, Response, xml};

/// Value of `x-amz-id-2` and `<HostId>`. There is one host.
pub(super) const HOST_ID: &str = "partita";

/// Response with an `<Error>` document, the status of the error's code and the error's headers.
pub(super) fn response(error: Error, region: &str, resource: &str, request_id: &str) -> Response {
    let mut document = xml::Writer::bare("Error");
    document.text("Code", error.code.as_str());
    document.text("Message", printable(&error.message));
    for (name, value) in &error.fields {
        document.text(name, printable(value));
    }
    document.text("Resource", resource);
    document.text("RequestId", request_id);
    document.text("HostId", HOST_ID);
    let mut response = Response::xml(document.finish());
    response.status = error.code.status();
    response.set("x-amz-bucket-region", region);
    for (name, value) in &error.headers {
        response.set(name, value);
    }
    response
}

/// `text` with its control characters replaced by U+FFFD. XML 1.0 does not allow them, and texts
/// of clients may contain them.
fn printable(text: &str) -> String {
    let replaced = |c: char| if xml::is_control(c) { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(replaced).collect()
}
