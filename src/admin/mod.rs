//! Management interface under `/_partita/v1/`: a table of rows of its own, answered in JSON.
//!
//! This file holds the table and its routing. `call`, `failure`, `fields`, `json` and `path` hold
//! what handlers share; each other file holds the handlers of one noun. The gateway calls [`route`]
//! for requests over the network and the control socket; a command without a server calls [`ask`].
//!
//! **Invariants**
//! - Each row has an `Audience`: health is open to everyone; what a signed row does is
//!   authorized for the key that signed, like an operation of S3; every other row needs the control
//!   socket, which only the owner of the data folder can open.
//! - A secret is in one response only, that of the request that created it.
//! - Fields are in camelCase, in requests, responses and the output of `--json`. The name of a time
//!   ends in `At`.
//! - Each document has its schema in `docs/schemas`.
//! - The commands of `partita` use these rows, with and without a server.

mod accounts;
mod call;
mod check;
mod failure;
mod fields;
mod grants;
pub mod health;
mod json;
mod path;
mod upload_actions;
mod uploads;
mod webhooks;

use std::pin::Pin;

use bytes::Bytes;
use http::{Method, StatusCode};

pub use call::Channel;
pub use path::{PREFIX, matches};

use call::AdminCall;
use failure::{Answer, Failure};
use path::captured;

use crate::access::{Origin, Principal};
use crate::request::{Caller, Context};
use crate::wire::target::Query;
use crate::wire::{Body, Error, Response};

/// Longest body of a request in bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// Callers that a row accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Audience {
    /// Everyone, without a signature.
    Anybody,
    /// Signed requests, within the rights of their key; and the control socket.
    Signed,
    /// The control socket only.
    Control,
}

type Handler = for<'a> fn(&'a AdminCall) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A row of the table. `{}` in the path stands for one decoded segment.
struct Row {
    method: Method,
    path: &'static str,
    audience: Audience,
    handler: Handler,
}

const fn row(method: Method, path: &'static str, audience: Audience, handler: Handler) -> Row {
    Row { method, path, audience, handler }
}

use Audience::{Anybody, Control, Signed};

/// All rows of the interface.
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
    row(Method::POST, "uploads/clean", Signed, |call| Box::pin(upload_actions::clean(call))),
    row(Method::GET, "uploads/{}", Signed, |call| Box::pin(uploads::show(call))),
    row(Method::PUT, "uploads/{}", Signed, |call| Box::pin(upload_actions::act(call))),
    row(Method::GET, "buckets/{}/uploads", Signed, |call| Box::pin(uploads::totals(call))),
    row(Method::GET, "webhooks", Control, |call| Box::pin(webhooks::list(call))),
    row(Method::PUT, "webhooks/{}", Control, |call| Box::pin(webhooks::change(call))),
    row(Method::GET, "webhooks/{}/deliveries", Control, |call| {
        Box::pin(webhooks::deliveries(call))
    }),
    row(Method::POST, "webhooks/{}/resend", Control, |call| Box::pin(webhooks::resend(call))),
    row(Method::POST, "webhooks/{}/test", Control, |call| Box::pin(webhooks::test(call))),
    row(Method::POST, "check", Control, |call| Box::pin(check::check(call))),
];

/// A request whose row is known and whose sender is authenticated.
pub struct Request {
    /// The sender: the holder of a key, the operator, or an anonymous client.
    pub principal: Principal,
    /// The decoded query.
    pub query: Query,
    /// The Host header.
    pub host: String,
    /// True for a connection over TLS.
    pub secure: bool,
    /// The whole body, at most [`BODY_BYTES_MAX`] bytes.
    pub body: Bytes,
    /// Request id and peer, for events.
    pub origin: Origin,
}

/// The row that answers a request.
pub struct Route {
    channel: Channel,
    row: &'static Row,
    name: String,
}

impl Route {
    /// The path of the row, for the log.
    pub fn path(&self) -> &'static str {
        self.row.path
    }

    /// True if the row is open to everyone: the health.
    pub fn is_for_anybody(&self) -> bool {
        self.row.audience == Anybody
    }

    /// True if the request must be signed.
    pub fn wants_signature(&self) -> bool {
        self.row.audience == Signed && !self.channel.control
    }

    /// Answers the request. An error of the handler becomes a JSON document.
    pub async fn answer(self, gateway: &Context, request: Request) -> Response {
        if request.body.len() > BODY_BYTES_MAX {
            let message = format!("the body is longer than {BODY_BYTES_MAX} bytes");
            return Failure::invalid(message).into_response();
        }
        let call = AdminCall {
            store: gateway.store.clone(),
            channel: self.channel,
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

/// The row of a request. `path` is as received, without the query; [`matches()`] must be true for
/// it.
///
/// # Errors
/// The response to a request that no row takes: 404, 403 or 405.
pub fn route(
    channel: Channel,
    method: &Method,
    path: &str,
) -> std::result::Result<Route, Box<Response>> {
    match find(channel, method, path) {
        Ok((row, name)) => Ok(Route { channel, row, name }),
        Err(failure) => Err(Box::new(failure.into_response())),
    }
}

/// An error of the pipeline as a response of this interface.
pub fn render(error: Error) -> Response {
    Failure::from(error).into_response()
}

/// The response to a HEAD request: that to GET, without its body.
pub fn head_only(mut response: Response) -> Response {
    if let Body::Full(bytes) = &response.body {
        let length = bytes.len().to_string();
        response.set("content-length", length);
        response.body = Body::Empty;
    }
    response
}

/// Answers a request of the operator, for a command that has opened the store itself. `target` is a
/// path with its query. Gives the status and the document, which is empty if there is none.
pub async fn ask(
    gateway: &Context,
    method: &Method,
    target: &str,
    body: Bytes,
) -> (StatusCode, Bytes) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let channel = Channel { control: true, draining: false };
    let response = match (route(channel, method, path), Query::parse(query)) {
        (Ok(route), Ok(query)) => {
            let (principal, host) = (Principal::operator(), String::new());
            let origin = Origin { request_id: String::new(), peer: "command".into() };
            let request = Request { principal, query, host, secure: false, body, origin };
            route.answer(gateway, request).await
        }
        (Err(response), _) => *response,
        (_, Err(error)) => render(error),
    };
    match response.body {
        Body::Full(document) => (response.status, document),
        Body::Empty | Body::Stream(_) | Body::Deferred(_) => (response.status, Bytes::new()),
    }
}

/// The row of a request, and the segment that its `{}` stands for.
fn find(channel: Channel, method: &Method, path: &str) -> Result<(&'static Row, String), Failure> {
    let path = path.strip_prefix(PREFIX).unwrap_or_default();
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let rows: Vec<_> =
        ROWS.iter().filter_map(|row| Some((row, captured(row.path, path)?))).collect();
    if rows.is_empty() {
        return Err(Failure::new(StatusCode::NOT_FOUND, "NotFound", "there is no such path"));
    }
    if !channel.control && rows.iter().all(|(row, _)| row.audience == Control) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "this path is only available over the control socket in the data folder",
        ));
    }
    let row = rows
        .into_iter()
        .find(|(row, _)| row.method == *method && (channel.control || row.audience != Control));
    let (row, name) = row.ok_or_else(|| {
        let message = format!("this path does not support {method}");
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    })?;
    Ok((row, name.unwrap_or_default()))
}

#[cfg(test)]
mod tests;
