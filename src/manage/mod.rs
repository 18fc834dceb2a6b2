//! The management interface under `/_partita/v1/`: its own table of rows, answered in JSON.
//!
//! **Invariants**
//! - A row says who may call it. Health may be asked by anybody; everything else needs the control
//!   socket, which only the owner of the data folder can open.
//! - A secret leaves once, in the answer that made it.
//! - The commands of `partita` are these rows, whether a server runs or not, so there is one
//!   behaviour and one place for its rules.

mod accounts;
pub mod health;
mod maintenance;
mod webhooks;

use std::pin::Pin;

use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::store::{self, Store};
use crate::types::Timestamp;
use crate::wire::{Body, Response};

/// Everything below this path is ours, in path-style requests: no bucket can have that name.
pub const PREFIX: &str = "/_partita/v1/";
/// Longest body of a request in bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// Whether a path belongs to this interface.
pub fn matches(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// What the connection of a request tells.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// It came over the control socket.
    pub control: bool,
    /// The server is about to end.
    pub draining: bool,
}

/// Who may call a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    Anybody,
    Control,
}

type Answer = Result<Response, Failure>;
type Handler = for<'a> fn(&'a Call) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A row of the table; `{}` in the path stands for one decoded segment.
struct Row {
    method: Method,
    path: &'static str,
    access: Access,
    handler: Handler,
}

const fn row(method: Method, path: &'static str, access: Access, handler: Handler) -> Row {
    Row { method, path, access, handler }
}

use Access::{Anybody, Control};

const ROWS: &[Row] = &[
    row(Method::GET, "health", Anybody, |call| Box::pin(health::summary(call))),
    row(Method::GET, "health/live", Anybody, |call| Box::pin(health::live(call))),
    row(Method::GET, "health/ready", Anybody, |call| Box::pin(health::ready(call))),
    row(Method::GET, "users", Control, |call| Box::pin(accounts::list_users(call))),
    row(Method::POST, "users", Control, |call| Box::pin(accounts::create_user(call))),
    row(Method::DELETE, "users/{}", Control, |call| Box::pin(accounts::delete_user(call))),
    row(Method::GET, "users/{}/keys", Control, |call| Box::pin(accounts::list_keys(call))),
    row(Method::POST, "users/{}/keys", Control, |call| Box::pin(accounts::create_key(call))),
    row(Method::GET, "keys", Control, |call| Box::pin(accounts::list_keys(call))),
    row(Method::PUT, "keys/{}", Control, |call| Box::pin(accounts::change_key(call))),
    row(Method::DELETE, "keys/{}", Control, |call| Box::pin(accounts::delete_key(call))),
    row(Method::GET, "webhooks", Control, |call| Box::pin(webhooks::list(call))),
    row(Method::PUT, "webhooks/{}", Control, |call| Box::pin(webhooks::change(call))),
    row(Method::GET, "webhooks/{}/deliveries", Control, |call| {
        Box::pin(webhooks::deliveries(call))
    }),
    row(Method::POST, "webhooks/{}/resend", Control, |call| Box::pin(webhooks::resend(call))),
    row(Method::POST, "webhooks/{}/test", Control, |call| Box::pin(webhooks::test(call))),
    row(Method::POST, "check", Control, |call| Box::pin(maintenance::check(call))),
];

/// What a handler works on.
struct Call {
    store: Store,
    context: Context,
    /// The decoded segment that `{}` stands for, empty when the row has none.
    name: String,
    body: Bytes,
}

impl Call {
    /// The body as JSON; no body is an empty object.
    fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let body = if self.body.is_empty() { b"{}" } else { self.body.as_ref() };
        serde_json::from_slice(body).map_err(|error| Failure::invalid(error.to_string()))
    }
}

/// Answers a request for a path of which [`matches`] is true. `path` is as received, without the
/// query; `body` is whole and at most [`BODY_BYTES_MAX`] long.
pub async fn handle(
    store: &Store,
    context: Context,
    method: &Method,
    path: &str,
    body: Bytes,
) -> Response {
    let mut response = match respond(store, context, method, path, body).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    };
    response.set("cache-control", "no-store");
    if *method == Method::HEAD
        && let Body::Full(bytes) = &response.body
    {
        let length = bytes.len().to_string();
        response.set("content-length", length);
        response.body = Body::Empty;
    }
    response
}

/// As [`handle`], for a command that holds the store itself: the status and the document.
pub async fn ask(store: &Store, method: &Method, path: &str, body: Bytes) -> (StatusCode, Bytes) {
    let context = Context { control: true, draining: false };
    let response = handle(store, context, method, path, body).await;
    match response.body {
        Body::Full(document) => (response.status, document),
        Body::Empty | Body::Stream(_) | Body::Late(_) => (response.status, Bytes::new()),
    }
}

async fn respond(
    store: &Store,
    context: Context,
    method: &Method,
    path: &str,
    body: Bytes,
) -> Answer {
    if body.len() > BODY_BYTES_MAX {
        return Err(Failure::invalid(format!("the body is longer than {BODY_BYTES_MAX} bytes")));
    }
    let (row, name) = route(context, method, path)?;
    (row.handler)(&Call { store: store.clone(), context, name, body }).await
}

/// The row of a request, and the segment that its `{}` stands for.
fn route(context: Context, method: &Method, path: &str) -> Result<(&'static Row, String), Failure> {
    let path = path.strip_prefix(PREFIX).unwrap_or_default();
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let rows: Vec<_> =
        ROWS.iter().filter_map(|row| Some((row, captured(row.path, path)?))).collect();
    if rows.is_empty() {
        return Err(Failure::new(StatusCode::NOT_FOUND, "NotFound", "no such path"));
    }
    if !context.control && rows.iter().all(|(row, _)| row.access == Control) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "this can only be asked over the control socket in the data folder",
        ));
    }
    let row = rows
        .into_iter()
        .find(|(row, _)| row.method == *method && (context.control || row.access == Anybody));
    let (row, name) = row.ok_or_else(|| {
        let message = "this path has other methods";
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    })?;
    Ok((row, name.unwrap_or_default()))
}

/// Whether `path` fits `pattern`, and the segment that `{}` stands for.
fn captured(pattern: &str, path: &str) -> Option<Option<String>> {
    let mut name = None;
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected == "{}" {
            let decoded = percent_decode_str(segment).decode_utf8().ok()?;
            name = Some(decoded.into_owned()).filter(|name| !name.is_empty());
            name.as_ref()?;
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(name)
}

/// 200 (or another status) with a JSON document.
fn json_response(status: StatusCode, value: &impl Serialize) -> Response {
    let mut document = serde_json::to_vec(value).expect("our own documents have string keys");
    document.push(b'\n');
    Response::new(status)
        .header("content-type", "application/json")
        .with_body(Body::Full(document.into()))
}

/// The time as RFC 3339 writes it.
fn time(time: Timestamp) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map(|time| time.to_string()).unwrap_or_default()
}

/// Why a request failed: `{"error": CODE, "message": SENTENCE}`.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }
    fn into_response(self) -> Response {
        let document = json!({ "error": self.code, "message": self.message });
        json_response(self.status, &document)
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
        // Only the owner of the data folder gets here, so the sentence may say everything.
        Self::new(status, code, error.to_string())
    }
}

#[cfg(test)]
mod tests;
