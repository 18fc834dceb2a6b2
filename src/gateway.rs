//! THE pipeline, once: request id → limits → route → authenticate → authorize → handle → render.
//! A preflight leaves it before the route: it is answered by the bucket's CORS rules.
//!
//! **Invariants**
//! - No byte of a body is read before the request is authenticated, authorized and known to be one
//!   that the row takes; hyper sends `100 Continue` when a handler first asks for the body. The one
//!   exception are the fields of a form, few and bounded, in which its signature stands.
//! - Every request ends in one answer and one line in the access log, also when the client hangs up
//!   or a handler panics.

mod cors;
mod form;
mod late;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;

use crate::access::{Origin, Principal};
use crate::access_log::Entry;
use crate::admin;
use crate::auth::{self, Authenticated, Mechanism, Payload};
use crate::clock;
use crate::config::Config;
use crate::ops;
use crate::request::body::Form;
use crate::request::body::Incoming;
use crate::request::operation::{Accepts, Operation};
use crate::request::{Call, Caller, Context};
use crate::store::Store;
use crate::transfer::{document, send};
use crate::wire::observed::{Observer, observed};
use crate::wire::own_headers;
use crate::wire::response::Stream;
use crate::wire::{Address, Body, Error, ErrorCode, Head, Response, Result, xml};

/// What the socket knows of a request.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The peer's address, or `control` for the control socket.
    pub peer: String,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Whether it came over the control socket, whose file only the operator can open.
    pub control: bool,
    /// Whether the server is draining: readiness fails, requests are still served.
    pub draining: bool,
}

/// A request whose signature has been checked, and whose file or body has not been read.
struct Signed {
    head: Head,
    principal: Principal,
    mechanism: Mechanism,
    body: Incoming,
    form: Option<Form>,
}

/// The gateway: everything between the sockets and the operations. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    context: Context,
    signatures: Arc<auth::SignatureSettings>,
}

impl Gateway {
    /// A gateway over an open store.
    pub fn new(config: Arc<Config>, store: Store) -> Self {
        let signatures = Arc::new(config.signature_settings());
        Self { context: Context::new(config, store), signatures }
    }

    /// The store behind the gateway.
    pub fn store(&self) -> &Store {
        &self.context.store
    }

    /// The server takes no more connections: those who wait for a later request wait in vain.
    pub fn start_shutdown(&self) {
        self.context.shutdown.start();
    }

    /// Serves one request. Never fails: every error becomes an answer.
    pub async fn serve(
        &self,
        arrival: Arrival,
        request: http::Request<Stream>,
    ) -> http::Response<Stream> {
        let (parts, body) = request.into_parts();
        let body_ended = Arc::<AtomicBool>::default();
        let body = observed(body, BodyEnd(Arc::clone(&body_ended)));
        let request_id = request_id();
        let mut entry = Entry::begin(&arrival.peer, &request_id, &parts);
        let head_only = parts.method == http::Method::HEAD;
        let resource = parts.uri.path().to_owned();
        let is_ours = admin::matches(&resource) && !self.names_a_bucket(&parts);
        let verdict = cors::decide(&parts, &self.context);

        let handling = async {
            check_limits(&parts, &self.context.config)?;
            check_authority(&parts)?;
            check_coding(&parts)?;
            match is_ours {
                true => self.manage(&arrival, &request_id, parts, body, &mut entry).await,
                false => {
                    self.handle(&arrival, &request_id, parts, body, &verdict, &mut entry).await
                }
            }
        };
        let outcome = CatchPanic(Box::pin(handling))
            .await
            .unwrap_or_else(|panic| Err(Error::new(ErrorCode::InternalError).caused_by(panic)));
        let outcome = late::settle(self, outcome, &resource, &request_id, entry.late()).await;
        let mut response = match outcome {
            Ok(response) => response,
            Err(error) => {
                entry.error(&error);
                match is_ours {
                    true => admin::render(error),
                    false => self.render(error, &resource, &request_id),
                }
            }
        };
        verdict.mark(&mut response);
        self.finish(response, &request_id, head_only, &body_ended, entry)
    }

    /// The pipeline itself, for the operations of S3.
    async fn handle(
        &self,
        arrival: &Arrival,
        request_id: &str,
        parts: http::request::Parts,
        body: Stream,
        verdict: &cors::Verdict,
        entry: &mut Entry,
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
            entry.operation("Preflight");
            return verdict.preflight(&head);
        }
        let row = ops::route(&head)?;
        let operation: &Operation = row;
        entry.operation(operation.name);

        let key = |id: &str| self.context.store.credential(id);
        let authenticated = auth::authenticate(&head, &key, clock::now(), &self.signatures)?;
        let content_length = head.content_length()?;
        check_mechanism(&authenticated, operation, &head)?;
        let Authenticated { principal, mechanism, payload } = authenticated;
        let body = Incoming::new(body, payload, content_length);
        check_payload(&body, operation)?;
        let signed = Signed { head, principal, mechanism, body, form: None };
        let signed = match operation.accepts {
            Accepts::Form => form::open(self, signed).await?,
            Accepts::Nothing | Accepts::Document(_) | Accepts::Content => signed,
        };
        let Signed { head, principal, mechanism, body, form } = signed;
        own_headers::check(operation.name, operation.own_headers, &head)?;
        entry.principal(principal.label());

        let origin = Origin { request_id: request_id.into(), peer: arrival.peer.clone() };
        let caller = Caller::new(principal, self.context.store.clone(), origin);
        let decisions = caller.decide(operation, &head)?;
        let context = self.context.clone();
        let call = Call { context, operation, head, mechanism, caller, decisions, body, form };
        row.handle(call).await
    }

    /// The management interface, in the order of the pipeline. A body is read only of who has
    /// signed it, and of the operator over the control socket.
    async fn manage(
        &self,
        arrival: &Arrival,
        request_id: &str,
        parts: http::request::Parts,
        body: Stream,
        entry: &mut Entry,
    ) -> Result<Response> {
        let connection = admin::Connection { control: arrival.control, draining: arrival.draining };
        let route = match admin::route(connection, &parts.method, parts.uri.path()) {
            Ok(route) => route,
            Err(answer) => return Ok(*answer),
        };
        entry.operation(route.path());
        let (method, path) = (parts.method.clone(), parts.uri.path());
        let raw_query = parts.uri.query().unwrap_or_default();
        let head = Head::unaddressed(method, path, raw_query, parts.headers, arrival.secure)?;
        let (principal, body) = if arrival.control {
            (Principal::operator(), document::receive_small(body, admin::BODY_BYTES_MAX).await?)
        } else if route.wants_signature() {
            let (principal, payload) = self.signed(&head)?;
            entry.principal(principal.label());
            let body = Incoming::new(body, payload, head.content_length()?);
            (
                principal,
                document::receive_signed(&self.context.limits, &head, body, admin::BODY_BYTES_MAX)
                    .await?,
            )
        } else {
            (Principal::Anonymous, Bytes::new())
        };
        let Head { method, query, host, secure, .. } = head;
        let origin = Origin { request_id: request_id.into(), peer: arrival.peer.clone() };
        let request = admin::Request { principal, query, host, secure, body, origin };
        let response = route.answer(&self.context, request).await;
        Ok(if method == http::Method::HEAD { admin::head_only(response) } else { response })
    }

    /// Who has signed a request of the management interface, and how its body is verified: with an
    /// Authorization header that covers the body, and in no other way.
    fn signed(&self, head: &Head) -> Result<(Principal, Payload)> {
        let key = |id: &str| self.context.store.credential(id);
        let authenticated = auth::authenticate(head, &key, clock::now(), &self.signatures)?;
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

    /// Whether Host names a bucket, where `/_partita/…` is an ordinary key.
    fn names_a_bucket(&self, parts: &http::request::Parts) -> bool {
        let host = parts.headers.get("host").and_then(|host| host.to_str().ok());
        let domains = &self.context.config.domains;
        host.is_some_and(|host| crate::wire::target::bucket_of_host(host, domains).is_some())
    }

    /// An error as S3 tells it.
    fn render(&self, error: Error, resource: &str, request_id: &str) -> Response {
        let mut document = xml::Writer::bare("Error");
        document.text("Code", error.code.as_str());
        document.text("Message", legible(&error.message));
        for (name, value) in &error.fields {
            document.text(name, legible(value));
        }
        document.text("Resource", resource);
        document.text("RequestId", request_id);
        document.text("HostId", HOST_ID);
        let mut response = Response::xml(document.finish());
        response.status = error.code.status();
        response.set("x-amz-bucket-region", &self.context.config.region);
        for (name, value) in &error.headers {
            response.set(name, value);
        }
        response
    }

    /// From our answer to HTTP's, with the headers that every answer bears.
    fn finish(
        &self,
        mut response: Response,
        request_id: &str,
        head_only: bool,
        body_ended: &AtomicBool,
        mut entry: Entry,
    ) -> http::Response<Stream> {
        response.set("x-amz-request-id", request_id);
        response.set("x-amz-id-2", HOST_ID);
        response.set("server", "Partita");
        if !body_ended.load(Ordering::Acquire) {
            // hyper will close a connection with an unread body, but does not say so.
            response.set("connection", "close");
        }
        let without_body =
            matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
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
        entry.status(response.status);
        let body = match response.body {
            _ if head_only || without_body => entry.watch(empty()),
            Body::Empty => entry.watch(empty()),
            Body::Full(bytes) => entry.watch(full(bytes)),
            Body::Stream(stream) => entry.watch(stream),
            Body::Deferred(_) => unreachable!("late answers are settled before"),
        };
        let mut answer = http::Response::new(body);
        *answer.status_mut() = response.status;
        *answer.headers_mut() = response.headers;
        answer
    }
}

/// `x-amz-id-2` and `<HostId>`: there is one host.
const HOST_ID: &str = "partita";

fn empty() -> Stream {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed()
}

fn full(bytes: Bytes) -> Stream {
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// A client's text with its control characters replaced: XML 1.0 does not allow them, and an error
/// that no parser reads tells nothing.
fn legible(text: &str) -> String {
    let shown = |c: char| if xml::is_control(c) { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

/// Sixteen hexadecimal digits, upper case, as S3's are: ascending, and not given twice by one run.
/// They count up from the time of the first request, so a later run begins above this one's last,
/// as long as the clock is not set back.
fn request_id() -> String {
    /// Requests that a run may serve in each millisecond without meeting the numbers of the next.
    const IDS_PER_MS: u64 = 1 << 20;
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(clock::now().millis() * IDS_PER_MS));
    format!("{:016X}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A target in absolute form names a host too. It must be Host's, or we and whoever passed the
/// request on could read two addresses in it.
fn check_authority(parts: &http::request::Parts) -> Result<()> {
    let Some(authority) = parts.uri.authority() else { return Ok(()) };
    let host = parts.headers.get("host").map(http::HeaderValue::as_bytes);
    if host.is_none_or(|host| host.eq_ignore_ascii_case(authority.as_str().as_bytes())) {
        return Ok(());
    }
    let message = "The request target and the Host header name different hosts.";
    Err(Error::because(ErrorCode::BadRequest, message))
}

/// hyper takes off the chunks of HTTP and no other coding, so a body in another one would be stored
/// in it.
fn check_coding(parts: &http::request::Parts) -> Result<()> {
    let mut codings = parts.headers.get_all("transfer-encoding").iter();
    let chunked = |coding: &http::HeaderValue| {
        coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")
    };
    if codings.next().is_none_or(chunked) && codings.next().is_none() {
        return Ok(());
    }
    let message = "Of transfer codings, only chunked is implemented.";
    Err(Error::because(ErrorCode::NotImplemented, message))
}

/// The limits of a head that are ours and not hyper's.
fn check_limits(parts: &http::request::Parts, config: &Config) -> Result<()> {
    let header_bytes: usize =
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if header_bytes > config.header_bytes_max {
        return Err(Error::new(ErrorCode::RequestHeaderSectionTooLarge)
            .field("MaxSizeAllowed", config.header_bytes_max.to_string()));
    }
    let uri_bytes = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if uri_bytes > config.uri_bytes_max {
        let message = "The request target is too long.";
        return Err(Error::because(ErrorCode::InvalidURI, message)
            .field("MaxSizeAllowed", config.uri_bytes_max.to_string()));
    }
    Ok(())
}

/// SigV2 signs a fixed list of sub-resources and no header of ours: it may select nothing else. No
/// signature at all covers no override of a stored header.
fn check_mechanism(
    authenticated: &Authenticated,
    operation: &Operation,
    head: &Head,
) -> Result<()> {
    match authenticated.mechanism {
        Mechanism::PresignedV2 => {}
        Mechanism::Anonymous => return send::refuse_overrides(head),
        Mechanism::HeaderV4 | Mechanism::PresignedV4 | Mechanism::Form => return Ok(()),
    }
    let signed = |word: &str| auth::sigv2::SUB_RESOURCES.contains(&word);
    let words = ops::words(head);
    let unsigned_word = words.iter().find(|word| !signed(word));
    let own_header = head.headers.keys().find(|name| name.as_str().starts_with("x-partita-"));
    if let Some(word) = unsigned_word.map(String::as_str).or(own_header.map(|n| n.as_str())) {
        let message = format!("A SigV2 signature does not cover {word} of {}.", operation.name);
        return Err(Error::because(ErrorCode::AccessDenied, message));
    }
    Ok(())
}

/// aws-chunked is legal only where an object's or a part's bytes come in.
fn check_payload(body: &Incoming, operation: &Operation) -> Result<()> {
    if body.is_chunked() && operation.accepts != Accepts::Content {
        let message = format!("{} does not take a STREAMING payload.", operation.name);
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// Notes that a body was read to its end; an unread one ends the connection.
struct BodyEnd(Arc<AtomicBool>);

impl Observer for BodyEnd {
    fn on_end(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A future whose panic is an error: one request may fail, the server goes on.
struct CatchPanic<F>(Pin<Box<F>>);

/// What a handler panicked with.
#[derive(Debug)]
struct Panicked(String);

impl std::fmt::Display for Panicked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a handler panicked: {}", self.0)
    }
}

impl std::error::Error for Panicked {}

impl<F: Future> Future for CatchPanic<F> {
    type Output = std::result::Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        // The future is dropped after a panic and never polled again.
        let inner = self.0.as_mut();
        match std::panic::catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => {
                let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
                Poll::Ready(Err(Panicked(text.unwrap_or_default())))
            }
        }
    }
}
