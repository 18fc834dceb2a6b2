//! The steps of a request in their order. [`Gateway::serve`] is the only entry.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::StatusCode;
use http_body_util::BodyExt;

use super::arrival::Arrival;
use super::cors::CorsDecision;
use super::panics::Panicked;
use super::request_ids::RequestIds;
use super::signed::SignedRequest;
use super::{checks, cors, deferred, error_document, form};
use crate::access::{Origin, Principal};
use crate::access_log::{AccessRecord, ReceivedBody};
use crate::admin;
use crate::auth::{self, Authenticated, Mechanism, Payload};
use crate::config::Config;
use crate::limits::RETRY_SOON_SECONDS;
use crate::ops;
use crate::request::body::Incoming;
use crate::request::operation::{Accepts, Operation};
use crate::request::{Call, Caller, Context};
use crate::store::Store;
use crate::transfer::document;
use crate::wire::observed::observed;
use crate::wire::own_headers;
use crate::wire::response::Stream;
use crate::wire::{Address, Body, Error, ErrorCode, Head, Response, Result};

/// The gateway: everything between the sockets and the operations. Cheap to clone; every clone is
/// the same gateway.
#[derive(Clone)]
pub struct Gateway {
    context: Context,
    signatures: Arc<auth::SignatureSettings>,
    request_ids: Arc<RequestIds>,
}

impl Gateway {
    /// A gateway over an open store. Its request ids start at the current time.
    pub fn new(config: Arc<Config>, store: Store) -> Self {
        let signatures = Arc::new(config.signature_settings());
        let request_ids = Arc::new(RequestIds::starting_at(store.now()));
        Self { context: Context::new(config, store), signatures, request_ids }
    }

    /// The store behind the gateway.
    pub fn store(&self) -> &Store {
        &self.context.store
    }

    /// Starts the shutdown: handlers that wait for another request return.
    pub fn start_shutdown(&self) {
        self.context.shutdown.start();
    }

    /// Serves one request. Never fails: every error becomes a response.
    pub async fn serve(
        &self,
        arrival: Arrival,
        request: http::Request<Stream>,
    ) -> http::Response<Stream> {
        let (parts, body) = request.into_parts();
        let received = Arc::<ReceivedBody>::default();
        let body = observed(body, Arc::clone(&received));
        let request_id = self.request_ids.next();
        let mut record = AccessRecord::start(&arrival.peer, &request_id, &parts, &received);
        let head_only = parts.method == http::Method::HEAD;
        let resource = parts.uri.path().to_owned();
        let is_ours = admin::matches(&resource) && !self.names_a_bucket(&parts);
        let cors = cors::decide(&parts, &self.context);

        let handling = async {
            checks::limits(&parts, &self.context.config)?;
            checks::authority(&parts)?;
            checks::transfer_coding(&parts)?;
            match is_ours {
                true => self.manage(&arrival, &request_id, parts, body, &mut record).await,
                false if arrival.refused => Err(no_place()),
                false => self.handle(&arrival, &request_id, parts, body, &cors, &mut record).await,
            }
        };
        // After a panic the future is dropped and never polled again.
        let outcome = AssertUnwindSafe(Box::pin(handling)).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|payload| {
            Err(Error::new(ErrorCode::InternalError).caused_by(Panicked::from(payload)))
        });
        let pending = deferred::Request {
            config: &self.context.config,
            resource: &resource,
            request_id: &request_id,
            error: record.deferred_error(),
        };
        let mut response = match deferred::resolve(outcome, pending).await {
            Ok(response) => response,
            Err(error) => {
                record.error(&error);
                let region = &self.context.config.region;
                match is_ours {
                    true => admin::render(error),
                    false => error_document::response(error, region, &resource, &request_id),
                }
            }
        };
        cors.set_headers(&mut response);
        if arrival.refused {
            // The next request may find a place.
            response.set("connection", "close");
        }
        finish(response, &request_id, head_only, &received, record)
    }

    /// Handles a request of S3.
    async fn handle(
        &self,
        arrival: &Arrival,
        request_id: &str,
        parts: http::request::Parts,
        body: Stream,
        cors: &CorsDecision,
        record: &mut AccessRecord,
    ) -> Result<Response> {
        let config = &self.context.config;
        let raw_query = parts.uri.query().unwrap_or_default();
        let head = Head::new(
            parts.method,
            parts.uri.path(),
            raw_query,
            parts.headers,
            &config.domains,
            arrival.secure,
        )?;
        if head.method == http::Method::OPTIONS && head.address != Address::Service {
            record.operation("Preflight");
            return cors.preflight(&head);
        }
        let row = ops::route(&head)?;
        let operation: &Operation = row;
        record.operation(operation.name);

        let key = |id: &str| self.context.store.credential(id);
        let authenticated =
            auth::authenticate(&head, &key, self.context.store.now(), &self.signatures)?;
        let content_length = head.content_length()?;
        checks::mechanism(&authenticated, operation, &head)?;
        let Authenticated { principal, mechanism, payload } = authenticated;
        let body = Incoming::new(body, payload, content_length);
        checks::payload(&body, operation)?;
        let signed = SignedRequest { head, principal, mechanism, body, form: None };
        let signed = match operation.accepts {
            Accepts::Form => form::open(&self.context, &self.signatures, signed).await?,
            Accepts::Nothing | Accepts::Document(_) | Accepts::Content => signed,
        };
        let SignedRequest { head, principal, mechanism, body, form } = signed;
        own_headers::check(operation.name, operation.own_headers, &head)?;
        record.principal(principal.label());
        record.hold(self.context.take_request_slot(&principal)?);

        let origin = Origin { request_id: request_id.into(), peer: arrival.peer.clone() };
        let caller = Caller::new(principal, self.context.store.clone(), origin);
        let decisions = caller.decide(operation, &head)?;
        let context = self.context.clone();
        let call = Call { context, operation, head, mechanism, caller, decisions, body, form };
        row.handle(call).await
    }

    /// Handles a request of the management interface, with the same steps in the same order. A body
    /// is read only from a sender with a valid signature, or from the control socket.
    async fn manage(
        &self,
        arrival: &Arrival,
        request_id: &str,
        parts: http::request::Parts,
        body: Stream,
        record: &mut AccessRecord,
    ) -> Result<Response> {
        let channel = admin::Channel { control: arrival.control, draining: arrival.draining };
        let route = match admin::route(channel, &parts.method, parts.uri.path()) {
            Ok(route) => route,
            Err(response) => return Ok(*response),
        };
        record.operation(route.path());
        if arrival.refused && !route.is_for_anybody() {
            return Err(no_place());
        }
        let (method, path) = (parts.method.clone(), parts.uri.path());
        let raw_query = parts.uri.query().unwrap_or_default();
        let head = Head::unaddressed(method, path, raw_query, parts.headers, arrival.secure)?;
        let (principal, body) = if arrival.control {
            (Principal::operator(), document::receive_small(body, admin::BODY_BYTES_MAX).await?)
        } else if route.wants_signature() {
            let (principal, payload) = self.authenticate_admin(&head)?;
            record.principal(principal.label());
            let body = Incoming::new(body, payload, head.content_length()?);
            let limits = &self.context.limits;
            let max = admin::BODY_BYTES_MAX;
            let document = document::receive_signed(limits, &principal, &head, body, max).await?;
            (principal, document)
        } else {
            (Principal::Anonymous, Bytes::new())
        };
        let Head { method, query, host, secure, .. } = head;
        let origin = Origin { request_id: request_id.into(), peer: arrival.peer.clone() };
        let request = admin::Request { principal, query, host, secure, body, origin };
        let response = route.answer(&self.context, request).await;
        Ok(if method == http::Method::HEAD { admin::head_only(response) } else { response })
    }

    /// The sender of a management request, and the digest that its body must have. Only SigV4 in an
    /// Authorization header that covers the body is accepted.
    fn authenticate_admin(&self, head: &Head) -> Result<(Principal, Payload)> {
        let key = |id: &str| self.context.store.credential(id);
        let authenticated =
            auth::authenticate(head, &key, self.context.store.now(), &self.signatures)?;
        if authenticated.mechanism != Mechanism::HeaderV4 {
            let message = "The request must be signed with SigV4, in an Authorization header.";
            return Err(Error::because(ErrorCode::AccessDenied, message));
        }
        if !matches!(authenticated.payload, Payload::Sha256(_)) {
            let message = "x-amz-content-sha256 must be the SHA-256 of the body.";
            return Err(Error::because(ErrorCode::InvalidRequest, message));
        }
        Ok((authenticated.principal, authenticated.payload))
    }

    /// True if Host names a bucket. There, `/_partita/…` is an ordinary key.
    fn names_a_bucket(&self, parts: &http::request::Parts) -> bool {
        let host = parts.headers.get("host").and_then(|host| host.to_str().ok());
        let domains = &self.context.config.domains;
        host.is_some_and(|host| crate::wire::target::bucket_of_host(host, domains).is_some())
    }
}

/// The HTTP response, with the headers that every response has. Its body writes the access log.
fn finish(
    mut response: Response,
    request_id: &str,
    head_only: bool,
    received: &ReceivedBody,
    mut record: AccessRecord,
) -> http::Response<Stream> {
    response.set("x-amz-request-id", request_id);
    response.set("x-amz-id-2", error_document::HOST_ID);
    response.set("server", "Partita");
    if !received.has_ended() {
        // hyper closes a connection with an unread body, but does not announce it.
        response.set("connection", "close");
    }
    let without_body = matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = match &response.body {
        Body::Empty => Some(0),
        Body::Full(bytes) => Some(bytes.len()),
        Body::Stream(_) | Body::Deferred(_) => None,
    };
    if let Some(length) = length
        && !without_body
        && !response.headers.contains_key("content-length")
    {
        response.set("content-length", length.to_string());
    }
    if without_body {
        response.headers.remove("content-length");
    }
    record.status(response.status);
    let body = match response.body {
        _ if head_only || without_body => record.observe(empty()),
        Body::Empty => record.observe(empty()),
        Body::Full(bytes) => record.observe(full(bytes)),
        Body::Stream(stream) => record.observe(stream),
        Body::Deferred(_) => unreachable!("deferred responses are resolved before"),
    };
    let mut http_response = http::Response::new(body);
    *http_response.status_mut() = response.status;
    *http_response.headers_mut() = response.headers;
    http_response
}

fn empty() -> Stream {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed()
}

fn full(bytes: Bytes) -> Stream {
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// Error of a request on a connection beyond the places of the server.
fn no_place() -> Error {
    let message = "Too many connections are open. Please reduce your request rate.";
    Error::slow_down(message, RETRY_SOON_SECONDS)
}
