//! Errors of the management interface: `{"error": CODE, "message": SENTENCE}`.

use http::StatusCode;
use serde_json::json;

use super::json::json_response;
use crate::store;
use crate::wire::{Error, Response};

/// Result of a handler.
pub(super) type Answer = Result<Response, Failure>;

/// Error of a request.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(&'static str, String)>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    /// 400 InvalidRequest.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }

    pub(super) fn into_response(self) -> Response {
        let document = json!({ "error": self.code, "message": self.message });
        let response = json_response(self.status, &document);
        self.headers.iter().fold(response, |response, (name, value)| response.header(name, value))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let argument = error.fields.iter().find(|(name, _)| *name == "ArgumentName");
        let message = match argument {
            Some((_, argument)) => format!("{argument}: {}", error.message),
            None => error.message,
        };
        let (status, code) = (error.code.status(), error.code.as_str());
        Self { status, code, message, headers: error.headers }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let (status, code) = match &error {
            store::Error::Exists { .. } => (StatusCode::CONFLICT, "Exists"),
            store::Error::NotFound { .. } => (StatusCode::NOT_FOUND, "NotFound"),
            store::Error::Refused(_) => (StatusCode::CONFLICT, "Refused"),
            store::Error::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "DiskFull"),
            store::Error::Overloaded | store::Error::Poisoned | store::Error::Closed => {
                (StatusCode::SERVICE_UNAVAILABLE, "Unavailable")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%error, "a management request failed");
        }
        // Errors of the store reach only the owner of the data folder, so their text is sent whole.
        Self::new(status, code, error.to_string())
    }
}
