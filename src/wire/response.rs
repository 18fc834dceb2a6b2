//! [`Response`]: an answer before it becomes HTTP. It has a status, headers and a body.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::BoxBody;

/// Error of a body in transit. The connection is closed, so that no client takes the body for
/// complete.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// Body that arrives or leaves in pieces.
pub type Stream = BoxBody<Bytes, BodyError>;

/// Body of an answer.
pub enum Body {
    /// No body. `Content-Length` is 0 unless a header says otherwise (HEAD).
    Empty,
    /// Complete body.
    Full(Bytes),
    /// Body in pieces. The header `content-length` has the number of bytes.
    Stream(Stream),
    /// XML document that may take long. The future gives the whole answer.
    Deferred(DeferredResponse),
}

/// Future of an answer whose connection is kept alive until it is ready.
pub type DeferredResponse = Pin<Box<dyn Future<Output = super::Result<Response>> + Send>>;

/// Answer of a handler.
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers, without those of every answer (request id, date, server).
    pub headers: HeaderMap,
    /// Body.
    pub body: Body,
}

impl Response {
    /// Answer with this status and no body.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Empty }
    }
    /// 200 without a body.
    pub fn ok() -> Self {
        Self::new(StatusCode::OK)
    }
    /// 204.
    pub fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT)
    }
    /// 200 with an XML document.
    pub fn xml(document: Vec<u8>) -> Self {
        Self::ok().header("content-type", "application/xml").with_body(Body::Full(document.into()))
    }
    /// 200 with a JSON document.
    pub fn json(document: String) -> Self {
        Self::ok().header("content-type", "application/json").with_body(Body::Full(document.into()))
    }
    /// Answer that may take long. The work runs to its end also if the client disconnects. White
    /// space after the XML declaration keeps the connection alive. An error after that is in the
    /// body of a 200.
    pub fn deferred(work: impl Future<Output = super::Result<Self>> + Send + 'static) -> Self {
        Self::ok().with_body(Body::Deferred(Box::pin(work)))
    }
    /// Adds a header, or replaces it. An invalid value is left out.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut this = self;
        this.set(name, value);
        this
    }
    /// Same as [`Self::header`], by reference.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_ref());
        if let (Ok(name), Ok(value)) = (name, value) {
            self.headers.insert(name, value);
        }
    }
    /// The answer with this body.
    pub fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}
