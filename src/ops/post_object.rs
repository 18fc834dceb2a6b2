//! PostObject: an upload by HTML form, whose fields the gateway has read and allowed.
//!
//! **Invariants**
//! - Nothing is published unless the file has the length that the policy allows and its form is
//!   whole.
//! - Stored bytes never replace the file: the signer of the form allowed an upload, not the reading
//!   of other objects.

use crate::events::EventName;
use crate::request::Call;
use crate::request::body::Form;
use crate::store::NewObject;
use crate::transfer::publish;
use crate::transfer::publish::Stored;
use crate::transfer::receive;
use crate::types::{PUT_BYTES_MAX, WriteCondition};
use crate::wire::form::FormFields;
use crate::wire::object_headers;
use crate::wire::xml::Writer;
use crate::wire::{Error, ErrorCode, Response, Result, encoding};

/// Receives, verifies, publishes.
///
/// # Errors
/// EntityTooSmall, EntityTooLarge, MalformedPOSTRequest; those of PutObject.
pub async fn handle(mut call: Call) -> Result<Response> {
    let form = call.form.take();
    let Form { fields, bounds } =
        form.ok_or_else(|| Error::new(ErrorCode::InternalError).caused_by("no form was read"))?;
    object_headers::refuse_unsupported(&call.head)?;
    let headers = object_headers::of_request(&call.head, call.context.config.metadata_bytes_max)?;
    let callback_var = object_headers::callback_var(&call.head)?;
    let announced = receive::expected_file(&call.head, &call.body, PUT_BYTES_MAX, bounds)?;
    let object = NewObject {
        headers,
        checksum: None,
        condition: WriteCondition::default(),
        event: EventName::ObjectCreatedPost,
        callback_var,
    };
    let target = Target {
        location: encoding::object_url(&call.head, call.bucket().as_str(), call.key().as_str()),
        bucket: call.bucket().as_str().to_owned(),
        key: call.key().as_str().to_owned(),
    };
    let stored = publish::receive(call, announced, object).await?;
    Ok(render(&fields, &target, &stored))
}

/// Location, bucket and key of the written object, as the answer shows them.
struct Target {
    location: String,
    bucket: String,
    key: String,
}

/// The answer that the form asks for: a redirect before a status, 204 without either.
fn render(fields: &FormFields, target: &Target, stored: &Stored) -> Response {
    let etag = stored.published.etag.quoted();
    let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
    if let Some(url) = redirect.and_then(|url| redirect_url(url, target, &etag)) {
        let response = Response::new(http::StatusCode::SEE_OTHER).header("location", url);
        return stored.mark(response);
    }
    let response = match fields.get("success_action_status").map(str::trim) {
        Some("200") => Response::ok(),
        Some("201") => {
            let mut xml = Writer::bare("PostResponse");
            xml.text("Location", &target.location);
            xml.text("Bucket", &target.bucket);
            xml.text("Key", &target.key);
            xml.text("ETag", &etag);
            let mut response = Response::xml(xml.finish());
            response.status = http::StatusCode::CREATED;
            response
        }
        _ => Response::no_content(),
    };
    stored.mark(response.header("location", &target.location))
}

/// The URL to go on to, with what was written; as S3 has it, a URL that is none counts as absent.
fn redirect_url(url: &str, target: &Target, etag: &str) -> Option<String> {
    let url = url.trim();
    let parsed: http::Uri = url.parse().ok()?;
    let of_http = matches!(parsed.scheme_str(), Some("http" | "https"));
    if !of_http || parsed.host().is_none_or(str::is_empty) {
        return None;
    }
    let (url, fragment) = match url.split_once('#') {
        Some((url, fragment)) => (url, format!("#{fragment}")),
        None => (url, String::new()),
    };
    let join = if parsed.query().is_some() { '&' } else { '?' };
    let (bucket, key) = (encoding::url(&target.bucket), encoding::url(&target.key));
    let etag = encoding::url(etag);
    let url = format!("{url}{join}bucket={bucket}&key={key}&etag={etag}{fragment}");
    http::HeaderValue::from_str(&url).ok().map(|_| url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_http_are_gone_to() {
        let target =
            Target { location: String::new(), bucket: "bkt".into(), key: "a b/ü&c=d".into() };
        let to = |url: &str| redirect_url(url, &target, "\"e\"");
        let query = "bucket=bkt&key=a%20b/%C3%BC%26c%3Dd&etag=%22e%22";
        for (url, begin, end) in [
            ("http://h/ok", "http://h/ok?", ""),
            ("https://h:8443/ok?a=1", "https://h:8443/ok?a=1&", ""),
            (" http://h/ok#part ", "http://h/ok?", "#part"),
            ("HTTP://h", "HTTP://h?", ""),
        ] {
            assert_eq!(to(url), Some(format!("{begin}{query}{end}")), "{url}");
        }
        for none in [
            "",
            "/ok",
            "h/ok",
            "//h/ok",
            "javascript:alert(1)",
            "javascript://h/%0aalert(1)",
            "data:text/html,x",
            "ftp://h/ok",
            "http://",
            "http:///ok",
            "http://h/a b",
            "http://h/\r\nset-cookie: a=b",
            "http://h/\u{0}",
        ] {
            assert_eq!(to(none), None, "{none}");
        }
    }
}
