//! Access log: one line per request, written when the request is over, however it ended.
//!
//! The gateway fills an [`AccessRecord`] step by step. Dropping the record writes the line, to the
//! target `access` of the log.
//!
//! **Invariants**
//! - `code` is the code of the error that was sent to the client. `late` is true if it was sent
//!   inside a 200, after the head. A client that disconnects earlier has neither.
//! - A line repeats at most `TEXT_BYTES_MAX` bytes of a path or of a message, `AGENT_BYTES_MAX` of
//!   a User-Agent, and of the query, which may contain a signature, only the part number.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::StatusCode;

use crate::limits::quota::Slot;
use crate::types::decimal;
use crate::wire::observed::{Observer, observed};
use crate::wire::response::Stream;
use crate::wire::{Error, ErrorCode};

/// Longest path or message that a line repeats, in bytes.
const TEXT_BYTES_MAX: usize = 1024;
/// Longest User-Agent that a line repeats, in bytes.
const AGENT_BYTES_MAX: usize = 256;
/// Status of a request whose client disconnected before there was a response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Line of one request. It is written on drop: after the last byte of the response, or when the
/// client disconnects.
pub struct AccessRecord {
    peer: String,
    request_id: String,
    method: String,
    path: String,
    principal: String,
    operation: &'static str,
    status: Option<StatusCode>,
    code: &'static str,
    deferred_error: DeferredError,
    part: Option<u16>,
    user_agent: String,
    received: Arc<ReceivedBody>,
    bytes: u64,
    complete: bool,
    started: Instant,
    /// Share of the requests of a user, held until the request is over.
    _slot: Option<Slot>,
}

/// Progress of the body of a request, which is observed.
#[derive(Default)]
pub struct ReceivedBody {
    bytes: AtomicU64,
    has_ended: AtomicBool,
}

impl Observer for Arc<ReceivedBody> {
    fn on_data(&mut self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn on_end(&mut self) {
        self.has_ended.store(true, Ordering::Release);
    }
}

impl ReceivedBody {
    /// True if the body was read to its end.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}

/// Slot for the code of an error that is sent inside the body of a 200. Cheap to clone; every clone
/// is the same slot.
#[derive(Clone, Default)]
pub struct DeferredError(Arc<OnceLock<&'static str>>);

impl DeferredError {
    /// Sets the code. Only the first call has an effect.
    pub fn set(&self, code: ErrorCode) {
        let _ = self.0.set(code.as_str());
    }
}

/// The beginning of a text that a client may have written: at most `TEXT_BYTES_MAX` bytes.
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// The number of the part that the query names.
fn part_number(parts: &http::request::Parts) -> Option<u16> {
    let words = parts.uri.query()?.split('&');
    words.filter_map(|word| word.strip_prefix("partNumber=")).next().and_then(decimal::parse)
}

/// The beginning of the User-Agent.
fn user_agent(parts: &http::request::Parts) -> String {
    let agent = parts.headers.get(http::header::USER_AGENT);
    let agent = agent.map_or("-".into(), |agent| String::from_utf8_lossy(agent.as_bytes()));
    agent[..agent.floor_char_boundary(AGENT_BYTES_MAX)].to_owned()
}

impl AccessRecord {
    /// A record of a request that starts now, and of whose body `received` will have been read.
    pub fn start(
        peer: &str,
        request_id: &str,
        parts: &http::request::Parts,
        received: &Arc<ReceivedBody>,
    ) -> Self {
        let path = cut(parts.uri.path()).to_owned();
        Self {
            peer: peer.to_owned(),
            request_id: request_id.to_owned(),
            method: parts.method.to_string(),
            path,
            principal: "-".to_owned(),
            operation: "-",
            status: None,
            code: "-",
            deferred_error: DeferredError::default(),
            part: part_number(parts),
            user_agent: user_agent(parts),
            received: Arc::clone(received),
            bytes: 0,
            complete: false,
            started: Instant::now(),
            _slot: None,
        }
    }

    /// Sets the name of the operation.
    pub fn operation(&mut self, name: &'static str) {
        self.operation = name;
    }

    /// Sets the principal: an access key id, never a secret.
    pub fn principal(&mut self, label: &str) {
        label.clone_into(&mut self.principal);
    }

    /// Holds a share of the user's requests until the request is over.
    pub fn hold(&mut self, slot: Option<Slot>) {
        self._slot = slot;
    }

    /// Sets the status of the response.
    pub fn status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Sets the code of an error. Logs its source, which is not sent to the client.
    pub fn error(&mut self, error: &Error) {
        self.code = error.code.as_str();
        // A 501 is the client's error: it asks for what does not exist. At a limit, clients could
        // fill the log.
        let is_ours = error.code.status().is_server_error()
            && error.code.status() != StatusCode::NOT_IMPLEMENTED
            && error.code != ErrorCode::SlowDown;
        if is_ours || error.source.is_some() {
            let source = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(
                request_id = self.request_id,
                operation = self.operation,
                code = self.code,
                source,
                "{}",
                cut(&error.message)
            );
        }
    }

    /// The slot for an error that is sent after the status.
    pub fn deferred_error(&self) -> DeferredError {
        self.deferred_error.clone()
    }

    /// The body of the response, observed: its bytes are counted, and its end writes the line.
    pub fn observe(self, body: Stream) -> Stream {
        observed(body, self)
    }
}

impl Observer for AccessRecord {
    fn on_data(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    fn on_end(&mut self) {
        self.complete = true;
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        let status = self.status.map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16());
        let late = self.deferred_error.0.get();
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
            part = self.part,
            bytes_in = self.received.bytes.load(Ordering::Relaxed),
            bytes = self.bytes,
            milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            complete = self.complete,
            user_agent = self.user_agent,
        );
    }
}
