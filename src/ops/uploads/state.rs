//! State of an open upload as JSON: the answer and the request.

use crate::access::{SeesUpload, UploadHandle};
use serde::{Deserialize, Serialize};

use crate::ops::uploads::missing_parts;
use crate::request::Call;
use crate::wire::{Error, ErrorCode, Response, Result, date};

/// State that a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateRequest {
    /// Pause: take no parts.
    Pause,
    /// Resume: take parts again.
    Upload,
    /// Cancel, for all creators.
    Cancel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    status: StateRequest,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    upload_id: String,
    bucket: &'a str,
    key: &'a str,
    status: &'static str,
    paused_at: Option<String>,
    expires_at: String,
}

/// The requested state in a document.
///
/// # Errors
/// InvalidRequest when it is no such document.
pub fn state_request(document: &[u8]) -> Result<StateRequest> {
    serde_json::from_slice(document).map(|request: Request| request.status).map_err(|error| {
        let message = format!(
            "Expected {{\"status\":\"pause\"}}, {{\"status\":\"upload\"}} or \
             {{\"status\":\"cancel\"}}: {error}"
        );
        Error::because(ErrorCode::InvalidRequest, message)
    })
}

/// Answers with the state as it is now.
///
/// # Errors
/// NoSuchUpload.
pub async fn answer<R: SeesUpload>(call: &Call, handle: &UploadHandle<R>) -> Result<Response> {
    let upload = call.context.store.upload(handle).await?.upload;
    let document = Document {
        upload_id: handle.id().to_string(),
        bucket: call.bucket().as_str(),
        key: call.key().as_str(),
        status: missing_parts::status(upload.paused.is_some()),
        paused_at: upload.paused.map(date::iso8601),
        expires_at: date::iso8601(upload.expires),
    };
    let document = serde_json::to_string(&document).expect("texts can be written");
    Ok(Response::json(document))
}
