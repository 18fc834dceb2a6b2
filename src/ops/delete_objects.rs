//! DeleteObjects: up to 1,000 keys at once, each deleted or refused on its own.

use crate::access::{Action, DeleteObject, DeleteObjects, Permit};
use crate::request::Call;
use crate::request::call::DECISIONS_MAX;
use crate::store::DeleteOutcome;
use crate::transfer::document;
use crate::types::ObjectKey;
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Error, ErrorCode, Response, Result};

/// Most keys in one request (S3: 1,000).
const DELETE_KEYS_MAX: usize = 1000;

struct Deletion {
    key: String,
    version: Option<String>,
    /// The key to delete, or the error of this entry.
    outcome: std::result::Result<ObjectKey, Error>,
}

/// Deletes each key of the document; a key that is not there counts as deleted.
///
/// # Errors
/// MalformedXML for no or too many keys; InvalidRequest without Content-MD5 or checksum.
pub async fn handle(call: Call) -> Result<Response> {
    demand_a_digest(&call)?;
    // Nothing is read from a caller who may delete nothing in the bucket.
    call.permit::<DeleteObjects>()?;
    let (document, call) = document::receive(call).await?;
    let (quiet, mut deletions) = document::parse(&call.context.limits, document, read).await?;
    delete(&call, &mut deletions).await?;

    let mut xml = Writer::document("DeleteResult");
    for one in &deletions {
        let failure = match &one.outcome {
            Err(error) => Some((error.code, error.message.clone())),
            Ok(_) => None,
        };
        answer(&mut xml, one, failure, quiet);
    }
    Ok(Response::xml(xml.finish()))
}

/// Deletes the keys that can be deleted; a key that was not there counts as deleted. A key whose
/// object changed under the decision is decided again, [`DECISIONS_MAX`] times in all.
///
/// # Errors
/// A failure of the store, which is the whole request's: it can be sent again.
async fn delete(call: &Call, deletions: &mut [Deletion]) -> Result<()> {
    let mut left: Vec<usize> = (0..deletions.len()).collect();
    for _ in 0..DECISIONS_MAX {
        let (decided, permits) = permits(call, deletions, &left).await?;
        let outcomes = call.context.store.delete_objects(&permits).await?;
        let outcomes = decided.into_iter().zip(outcomes);
        left = outcomes.filter(|(_, of)| *of == DeleteOutcome::Changed).map(|(at, _)| at).collect();
        if left.is_empty() {
            break;
        }
    }
    for index in left {
        deletions[index].outcome = Err(ErrorCode::OperationAborted.into());
    }
    Ok(())
}

/// The permits for those of the entries `among` that can be deleted, and the indexes of these. The
/// outcome of an entry that is denied becomes its error.
async fn permits(
    call: &Call,
    deletions: &mut [Deletion],
    among: &[usize],
) -> Result<(Vec<usize>, Vec<Permit<DeleteObject>>)> {
    let (mut decided, mut permits) = (Vec::new(), Vec::with_capacity(among.len()));
    for index in among {
        let Ok(key) = &deletions[*index].outcome else { continue };
        let permit = call.caller.demand_write(Action::DeleteObject, call.bucket(), key.clone());
        match permit.await {
            Ok(permit) => {
                decided.push(*index);
                permits.push(permit);
            }
            Err(error) if error.code == ErrorCode::AccessDenied => {
                deletions[*index].outcome = Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok((decided, permits))
}

/// True if only failures are reported, and the entries.
fn read(document: &[u8]) -> Result<(bool, Vec<Deletion>)> {
    let root = xml::parse(document, "Delete")?;
    let quiet = root.text_of("Quiet").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
    let mut deletions = Vec::new();
    for object in root.children("Object") {
        if deletions.len() == DELETE_KEYS_MAX {
            return Err(ErrorCode::MalformedXML.into());
        }
        deletions.push(deletion(object)?);
    }
    if deletions.is_empty() {
        return Err(ErrorCode::MalformedXML.into());
    }
    Ok((quiet, deletions))
}

fn deletion(object: &Element) -> Result<Deletion> {
    let key = object.text_of("Key").filter(|key| !key.is_empty());
    let key = key.ok_or(ErrorCode::MalformedXML)?.to_owned();
    let version = object.text_of("VersionId").map(|text| text.trim().to_owned());
    let conditional = ["ETag", "LastModifiedTime", "Size"];
    let outcome = if conditional.iter().any(|name| object.child(name).is_some()) {
        let message = "Conditional deletes are not implemented.";
        Err(Error::because(ErrorCode::NotImplemented, message))
    } else if version.as_deref().is_some_and(|version| !matches!(version, "" | "null")) {
        Err(ErrorCode::NoSuchVersion.into())
    } else {
        ObjectKey::parse(key.as_bytes()).map_err(|_| ErrorCode::KeyTooLongError.into())
    };
    Ok(Deletion { key, version, outcome })
}

fn answer(xml: &mut Writer, one: &Deletion, failure: Option<(ErrorCode, String)>, quiet: bool) {
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
