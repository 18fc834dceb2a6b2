//! Fields of a form, and the head of the write that they ask for.
//!
//! **Invariant:** the head has the headers of the form's fields and none of the request. Headers
//! and query of a form are not signed, so those that would change the write are refused; those that
//! every browser sends are ignored.

use futures_util::stream::{self, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};

use super::framing::next_data;
use crate::auth::{self, Payload};
use crate::request::body::Incoming;
use crate::types::{KEY_BYTES_MAX, KeyError, ObjectKey};
use crate::wire::form::{Delimiter, FieldsReader, FormFields, ParsedForm};
use crate::wire::object_headers;
use crate::wire::target::Query;
use crate::wire::{Address, Error, ErrorCode, Head, Result, conditions};

/// Reads the fields; what is left of the body is the file.
///
/// # Errors
/// PreconditionFailed for a body that is no form; MalformedPOSTRequest and what else
/// [`FieldsReader::push`] finds; IncompleteBody, RequestTimeout.
pub async fn read(head: &Head, body: Incoming) -> Result<(FormFields, Incoming)> {
    refuse_unsigned(head)?;
    let delimiter = Delimiter::of(head.header("content-type")?.unwrap_or_default())?;
    if !body.is_plain() {
        let message = "x-amz-content-sha256 of a form must be UNSIGNED-PAYLOAD.";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    let Incoming { mut stream, content_length, .. } = body;
    let mut opening = FieldsReader::new(&delimiter);
    let mut taken = 0;
    let ParsedForm { fields, file, buffered: begun } = loop {
        let Some(data) = next_data(&mut stream).await? else { return Err(opening.ended()) };
        taken += data.len() as u64;
        if let Some(opened) = opening.push(&data)? {
            break opened;
        }
    };
    let left = content_length.map(|length| length.saturating_sub(taken) + begun.len() as u64);
    // The beginning of the file was read with the fields: it comes first.
    let begun = Some(begun).filter(|begun| !begun.is_empty());
    let begun = stream::iter(begun.map(|begun| Ok(Frame::data(begun))));
    let body = StreamBody::new(begun.chain(BodyStream::new(stream)));
    let stream = BodyExt::boxed(body);
    Ok((fields, Incoming::new(stream, Payload::Form(Box::new(file)), left)))
}

/// The head of the write that a form asks for.
///
/// # Errors
/// InvalidArgument without a key, and for a field that no header can hold; KeyTooLongError;
/// NotImplemented for a field that would ask for another operation.
pub fn head_of(head: Head, fields: &FormFields) -> Result<Head> {
    let key = key(auth::form::required(fields, "key")?)?;
    let bucket = head.bucket().clone();
    let mut headers = HeaderMap::new();
    if let Some(host) = head.headers.get("host") {
        headers.insert("host", host.clone());
    }
    for (name, value) in fields.iter() {
        let Some(header) = header_of(name)? else { continue };
        let value = value.trim_matches([' ', '\t']);
        let illegal = || Error::argument(name, value, "The field cannot stand in a header.");
        let header = HeaderName::from_bytes(header.as_bytes()).map_err(|_| illegal())?;
        let legal = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| illegal())?;
        if headers.insert(header, legal).is_some() {
            return Err(Error::argument(name, value, "The form says this twice."));
        }
    }
    let (query, address) = (Query::default(), Address::Object(bucket, key));
    Ok(Head { headers, query, address, ..head })
}

/// Fields of the signature: none of them is a header of the write.
const SIGNATURE: [&str; 5] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
];
/// Headers that make another operation or another body of a write.
const NO_FIELDS: [&str; 5] = [
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-decoded-content-length",
    "x-amz-trailer",
];

/// The header that a field becomes, if it becomes one.
fn header_of(field: &str) -> Result<Option<&str>> {
    if NO_FIELDS.contains(&field) {
        let message = format!("The field {field} is not implemented.");
        return Err(Error::because(ErrorCode::NotImplemented, message).field("Header", field));
    }
    Ok(match field {
        "acl" => Some("x-amz-acl"),
        "tagging" => Some("x-amz-tagging"),
        "content-md5" => Some(field),
        _ if SIGNATURE.contains(&field) => None,
        _ if field.starts_with("x-amz-") || field.starts_with("x-partita-") => Some(field),
        _ if object_headers::STORED.contains(&field) => Some(field),
        _ => None,
    })
}

fn key(text: &str) -> Result<ObjectKey> {
    ObjectKey::parse(text.as_bytes()).map_err(|error| match error {
        KeyError::TooLong => Error::new(ErrorCode::KeyTooLongError)
            .field("Size", text.len().to_string())
            .field("MaxSizeAllowed", KEY_BYTES_MAX.to_string()),
        KeyError::Invalid => {
            Error::argument("key", text, "User key must have a length greater than 0.")
        }
    })
}

/// Headers that say nothing about the write, though their names begin like those that do.
const HARMLESS: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-user-agent"];

/// Refuses headers and words of the query that would mean something in a signed request.
fn refuse_unsigned(head: &Head) -> Result<()> {
    let binds = |name: &str| {
        let ours = name.starts_with("x-amz-") || name.starts_with("x-partita-");
        (ours && !HARMLESS.contains(&name)) || name == "content-md5"
    };
    let of_headers = head.headers.keys().map(|name| name.as_str().to_owned());
    let of_query = head.query.pairs().iter().map(|(name, _)| name.to_ascii_lowercase());
    if let Some(name) = of_headers.chain(of_query).find(|name| binds(name)) {
        let message = format!("{name} must be a field of the form.");
        return Err(Error::because(ErrorCode::InvalidRequest, message).field("Header", name));
    }
    if !conditions::write(head)?.is_empty() {
        let message = "Conditions on a form are not implemented.";
        return Err(Error::because(ErrorCode::NotImplemented, message));
    }
    Ok(())
}
