//! The answer before it becomes HTTP: a status, headers, and bytes or a stream of them.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::BoxBody;

/// An error while a body is under way; the connection is cut, so that nobody takes it for whole.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body that arrives or leaves piece by piece.
pub type Stream = BoxBody<Bytes, BodyError>;

/// The bytes of an answer.
pub enum Body {
    /// None, and `Content-Length: 0` unless a header says otherwise (HEAD).
    Empty,
    /// All at once.
    Full(Bytes),
    /// Piece by piece; the number of bytes is told by the `content-length` header.
    Stream(Stream),
    /// An XML document that may take long: the whole answer is what this gives.
    Late(Late),
}

/// An answer that is still being worked on.
pub type Late = Pin<Box<dyn Future<Output = super::Result<Response>> + Send>>;

/// What a handler answers.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers, but for those that every answer bears (request id, date, server).
    pub headers: HeaderMap,
    /// The bytes.
    pub body: Body,
}

impl Response {
    /// An empty answer with this status.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Body::Empty }
    }
    /// 200, empty.
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
    /// An answer that may take long. It runs to its end even when the client hangs up. Whoever
    /// waits is kept alive by white space after the XML declaration; an error that comes after
    /// that stands in the body of a 200.
    pub fn late(work: impl Future<Output = super::Result<Self>> + Send + 'static) -> Self {
        Self::ok().with_body(Body::Late(Box::pin(work)))
    }
    /// Sets a header whose value is known to be legal text; an illegal value is left out.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut this = self;
        this.set(name, value);
        this
    }
    /// As [`Self::header`], on a reference.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_ref());
        if let (Ok(name), Ok(value)) = (name, value) {
            self.headers.insert(name, value);
        }
    }
    /// With these bytes.
    pub fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}
