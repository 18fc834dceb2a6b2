//! The access log: one line per request, written when the request is over, however it ended.
//!
//! `code` is that of the error that the client was told; `late` says that it stands in a 200, whose
//! head was sent before. A client that hangs up before it is told has neither.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::StatusCode;

use crate::wire::observed::{Observer, observed};
use crate::wire::response::Stream;
use crate::wire::{Error, ErrorCode};

/// Longest text from a client that a line repeats, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// One line, while its request is under way. It is written when this is dropped: after the last
/// byte of the body, or when the client hangs up.
pub struct Entry {
    peer: String,
    request_id: String,
    method: String,
    path: String,
    principal: String,
    operation: &'static str,
    status: Option<StatusCode>,
    code: &'static str,
    late: Late,
    bytes: u64,
    complete: bool,
    begun: Instant,
}

/// Where the body of an answer notes the code of an error that stands in it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Late(Arc<OnceLock<&'static str>>);

impl Late {
    /// Notes the code, the first time.
    pub fn error(&self, code: ErrorCode) {
        let _ = self.0.set(code.as_str());
    }
}

impl Entry {
    /// Begins the line of a request. The query stays out: it may carry a signature.
    pub fn begin(peer: &str, request_id: &str, parts: &http::request::Parts) -> Self {
        let mut path = parts.uri.path().to_owned();
        if path.len() > TEXT_BYTES_MAX {
            let cut = (0..=TEXT_BYTES_MAX).rev().find(|&at| path.is_char_boundary(at));
            path.truncate(cut.unwrap_or(0));
        }
        Self {
            peer: peer.to_owned(),
            request_id: request_id.to_owned(),
            method: parts.method.to_string(),
            path,
            principal: "-".to_owned(),
            operation: "-",
            status: None,
            code: "-",
            late: Late::default(),
            bytes: 0,
            complete: false,
            begun: Instant::now(),
        }
    }

    /// Notes the operation.
    pub fn operation(&mut self, name: &'static str) {
        self.operation = name;
    }

    /// Notes who asks: an access key id, never more.
    pub fn principal(&mut self, label: &str) {
        label.clone_into(&mut self.principal);
    }

    /// Notes the status of the answer.
    pub fn status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Notes the code of an error, and writes its source, which the client is not told.
    pub fn error(&mut self, error: &Error) {
        self.code = error.code.as_str();
        if error.code.status().is_server_error() || error.source.is_some() {
            let source = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(
                request_id = self.request_id,
                operation = self.operation,
                code = self.code,
                source,
                "{}",
                error.message
            );
        }
    }

    /// Where an error is noted that comes after the status.
    pub fn late(&self) -> Late {
        self.late.clone()
    }

    /// The body of the answer, watched: its bytes are counted, and the line is written at its end.
    pub fn watch(self, body: Stream) -> Stream {
        observed(body, self)
    }
}

impl Observer for Entry {
    fn on_data(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    fn on_end(&mut self) {
        self.complete = true;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let status = self.status.map_or(499, |status| status.as_u16());
        let late = self.late.0.get();
        tracing::info!(
            target: "access",
            request_id = self.request_id,
            peer = self.peer,
            principal = self.principal,
            operation = self.operation,
            method = self.method,
            path = self.path,
            status,
            code = late.unwrap_or(&self.code),
            late = late.is_some(),
            bytes = self.bytes,
            milliseconds = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            complete = self.complete,
        );
    }
}
