//! DeleteObjects: up to 1,000 keys at once, each deleted or refused on its own.

use crate::request::Call;
use crate::transfer::document;
use crate::types::ObjectKey;
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Error, ErrorCode, Response, Result};

/// Most keys in one request (S3: 1,000).
const KEYS_MAX: usize = 1000;

struct Doomed {
    key: String,
    version: Option<String>,
    /// What is to be deleted, or why it is not.
    verdict: std::result::Result<ObjectKey, Error>,
}

/// Deletes each key of the document; a key that is not there counts as deleted.
///
/// # Errors
/// MalformedXML for no or too many keys; InvalidRequest without Content-MD5 or checksum.
pub async fn handle(call: Call) -> Result<Response> {
    demand_a_digest(&call)?;
    // The row's demand was DeleteObject on the bucket; the same permit covers every key in it.
    let permit = call.permit().clone();
    let (document, call) = document::receive(call).await?;
    let (quiet, doomed) = document::parse(&call.context.limits, document, read).await?;
    let keys: Vec<ObjectKey> =
        doomed.iter().filter_map(|one| one.verdict.as_ref().ok().cloned()).collect();
    // Whether a key was there does not matter; a failure is the whole request's, to be sent again.
    call.context.store.delete_objects(&permit, keys).await?;

    let mut xml = Writer::document("DeleteResult");
    for one in &doomed {
        let failure = match &one.verdict {
            Err(error) => Some((error.code, error.message.clone())),
            Ok(_) => None,
        };
        answer(&mut xml, one, failure, quiet);
    }
    Ok(Response::xml(xml.finish()))
}

/// Whether only failures are to be told, and the keys.
fn read(document: &[u8]) -> Result<(bool, Vec<Doomed>)> {
    let root = xml::parse(document, "Delete")?;
    let quiet = root.text_of("Quiet").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
    let mut doomed = Vec::new();
    for object in root.children("Object") {
        if doomed.len() == KEYS_MAX {
            return Err(ErrorCode::MalformedXML.into());
        }
        doomed.push(doom(object)?);
    }
    if doomed.is_empty() {
        return Err(ErrorCode::MalformedXML.into());
    }
    Ok((quiet, doomed))
}

fn doom(object: &Element) -> Result<Doomed> {
    let key = object.text_of("Key").filter(|key| !key.is_empty());
    let key = key.ok_or(ErrorCode::MalformedXML)?.to_owned();
    let version = object.text_of("VersionId").map(|text| text.trim().to_owned());
    let conditional = ["ETag", "LastModifiedTime", "Size"];
    let verdict = if conditional.iter().any(|name| object.child(name).is_some()) {
        let message = "Conditional deletes are not implemented.";
        Err(Error::because(ErrorCode::NotImplemented, message))
    } else if version.as_deref().is_some_and(|version| !matches!(version, "" | "null")) {
        Err(ErrorCode::NoSuchVersion.into())
    } else {
        ObjectKey::parse(key.as_bytes()).map_err(|_| ErrorCode::KeyTooLongError.into())
    };
    Ok(Doomed { key, version, verdict })
}

fn answer(xml: &mut Writer, one: &Doomed, failure: Option<(ErrorCode, String)>, quiet: bool) {
    let element = if failure.is_some() { "Error" } else { "Deleted" };
    if failure.is_none() && quiet {
        return;
    }
    xml.element(element, |xml| {
        xml.text("Key", &one.key);
        xml.optional("VersionId", one.version.as_deref().filter(|version| !version.is_empty()));
        if let Some((code, message)) = &failure {
            xml.text("Code", code.as_str());
            xml.text("Message", message);
        }
    });
}

/// AWS SDKs send a checksum, older clients Content-MD5; a body signed by its SHA-256 is as safe.
fn demand_a_digest(call: &Call) -> Result<()> {
    let names = call.head.headers.keys();
    let checksum = names.map(|name| name.as_str()).any(|name| {
        name == "content-md5" || crate::digest::ChecksumAlgorithm::from_header(name).is_some()
    });
    if checksum || call.body.is_signed() {
        return Ok(());
    }
    let message = "Missing required header for this request: Content-MD5";
    Err(Error::because(ErrorCode::InvalidRequest, message))
}
