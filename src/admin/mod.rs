//! The management interface under `/_partita/v1/`: its own table of rows, answered in JSON.
//!
//! **Invariants**
//! - A row says who may call it. Health may be asked by anybody; what a signed row does is decided
//!   for the key that signed, like an operation of S3; everything else needs the control socket,
//!   which only the owner of the data folder can open.
//! - A secret leaves once, in the answer that made it.
//! - Fields are named in camelCase: in requests, in answers, and so in what `--json` prints. The
//!   name of a time ends in `At`.
//! - Each document has its schema in `docs/schemas`.
//! - The commands of `partita` are these rows, whether a server runs or not, so there is one
//!   behaviour and one place for its rules.

mod accounts;
mod changes;
mod fields;
mod grants;
pub mod health;
mod maintenance;
mod uploads;
mod webhooks;

use std::pin::Pin;

use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::access::{Origin, Principal};
use crate::request::{self, Caller};
use crate::store::{self, Store};
use crate::types::Timestamp;
use crate::wire::target::Query;
use crate::wire::{Body, Error, Response};

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
pub struct Connection {
    /// It came over the control socket.
    pub control: bool,
    /// The server is about to end.
    pub draining: bool,
}

/// Who may call a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    Anybody,
    /// Who signs the request, for what the key may do; and the operator over the control socket.
    Signed,
    Control,
}

type Answer = Result<Response, Failure>;
type Handler = for<'a> fn(&'a AdminCall) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

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

use Access::{Anybody, Control, Signed};

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
    row(Method::POST, "grants", Signed, |call| Box::pin(grants::create(call))),
    row(Method::GET, "grants/{}/parts", Signed, |call| Box::pin(grants::parts(call))),
    row(Method::GET, "uploads", Signed, |call| Box::pin(uploads::list(call))),
    row(Method::POST, "uploads/clean", Signed, |call| Box::pin(changes::clean(call))),
    row(Method::GET, "uploads/{}", Signed, |call| Box::pin(uploads::show(call))),
    row(Method::PUT, "uploads/{}", Signed, |call| Box::pin(changes::change(call))),
    row(Method::GET, "buckets/{}/uploads", Signed, |call| Box::pin(uploads::held(call))),
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
struct AdminCall {
    store: Store,
    connection: Connection,
    /// The decoded segment that `{}` stands for, empty when the row has none.
    name: String,
    body: Bytes,
    /// The store with the settings, as operations have it.
    gateway: request::Context,
    /// Who asks, and what is decided for whom.
    caller: Caller,
    query: Query,
    /// `http` or `https`, and what the client wrote into Host.
    address: (&'static str, String),
}

impl AdminCall {
    /// The body as JSON; no body is an empty object.
    fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let body = if self.body.is_empty() { b"{}" } else { self.body.as_ref() };
        serde_json::from_slice(body).map_err(|error| Failure::invalid(error.to_string()))
    }
}

/// A request whose row is known, and who sends it. Its body is whole.
pub struct Request {
    /// Who sends it: the holder of a key, the operator, or anybody.
    pub principal: Principal,
    /// The decoded query.
    pub query: Query,
    /// What stands in Host.
    pub host: String,
    /// Whether it came over TLS.
    pub secure: bool,
    /// At most [`BODY_BYTES_MAX`] bytes.
    pub body: Bytes,
    /// The request as events tell of it.
    pub origin: Origin,
}

/// The row that answers a request.
pub struct Route {
    connection: Connection,
    row: &'static Row,
    name: String,
}

impl Route {
    /// The path of the row, for the log.
    pub fn path(&self) -> &'static str {
        self.row.path
    }

    /// Whether the request must be signed.
    pub fn wants_signature(&self) -> bool {
        self.row.access == Signed && !self.connection.control
    }

    /// Answers the request.
    pub async fn answer(self, gateway: &request::Context, request: Request) -> Response {
        if request.body.len() > BODY_BYTES_MAX {
            let message = format!("the body is longer than {BODY_BYTES_MAX} bytes");
            return Failure::invalid(message).into_response();
        }
        let call = AdminCall {
            store: gateway.store.clone(),
            connection: self.connection,
            name: self.name,
            body: request.body,
            gateway: gateway.clone(),
            caller: Caller::new(request.principal, gateway.store.clone(), request.origin),
            query: request.query,
            address: (if request.secure { "https" } else { "http" }, request.host),
        };
        (self.row.handler)(&call).await.unwrap_or_else(Failure::into_response)
    }
}

/// The row of a request for a path of which [`matches`] is true, or the answer that there is none.
/// `path` is as received, without the query.
pub fn route(
    connection: Connection,
    method: &Method,
    path: &str,
) -> std::result::Result<Route, Box<Response>> {
    match find(connection, method, path) {
        Ok((row, name)) => Ok(Route { connection, row, name }),
        Err(failure) => Err(Box::new(failure.into_response())),
    }
}

/// An error of the pipeline, as this interface tells it.
pub fn render(error: Error) -> Response {
    Failure::from(error).into_response()
}

/// The answer to a HEAD: that to a GET, without its bytes.
pub fn head_only(mut response: Response) -> Response {
    if let Body::Full(bytes) = &response.body {
        let length = bytes.len().to_string();
        response.set("content-length", length);
        response.body = Body::Empty;
    }
    response
}

/// Asks in the name of the operator, for a command that holds the store itself: the status and the
/// document. `target` is a path with its query.
pub async fn ask(
    gateway: &request::Context,
    method: &Method,
    target: &str,
    body: Bytes,
) -> (StatusCode, Bytes) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let connection = Connection { control: true, draining: false };
    let response = match (route(connection, method, path), Query::parse(query)) {
        (Ok(route), Ok(query)) => {
            let (principal, host) = (Principal::operator(), String::new());
            let origin = Origin { request_id: String::new(), peer: "command".into() };
            let request = Request { principal, query, host, secure: false, body, origin };
            route.answer(gateway, request).await
        }
        (Err(answer), _) => *answer,
        (_, Err(error)) => render(error),
    };
    match response.body {
        Body::Full(document) => (response.status, document),
        Body::Empty | Body::Stream(_) | Body::Deferred(_) => (response.status, Bytes::new()),
    }
}

/// The row of a request, and the segment that its `{}` stands for.
fn find(
    connection: Connection,
    method: &Method,
    path: &str,
) -> Result<(&'static Row, String), Failure> {
    let path = path.strip_prefix(PREFIX).unwrap_or_default();
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let rows: Vec<_> =
        ROWS.iter().filter_map(|row| Some((row, captured(row.path, path)?))).collect();
    if rows.is_empty() {
        return Err(Failure::new(StatusCode::NOT_FOUND, "NotFound", "no such path"));
    }
    if !connection.control && rows.iter().all(|(row, _)| row.access == Control) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "this can only be asked over the control socket in the data folder",
        ));
    }
    let row = rows
        .into_iter()
        .find(|(row, _)| row.method == *method && (connection.control || row.access != Control));
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
        .header("cache-control", "no-store")
        .with_body(Body::Full(document.into()))
}

/// The time as RFC 3339 writes it; always with three digits of milliseconds, so that all times of
/// this interface have one form.
fn time(time: Timestamp) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

/// Why a request failed: `{"error": CODE, "message": SENTENCE}`.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(&'static str, String)>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }
    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }
    fn into_response(self) -> Response {
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
        // Only the owner of the data folder gets here, so the sentence may say everything.
        Self::new(status, code, error.to_string())
    }
}

#[cfg(test)]
mod tests;
