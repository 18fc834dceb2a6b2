//! Signatures of requests, checked against an independent signer: genuine requests pass, every
//! altered one is refused.

mod advisories;
mod decoder;
mod differential;
mod matrix;
mod tamper;
mod times;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use partita::access::{Credential, User};
use partita::auth::{Authenticated, ChunkedPayload, Payload, SignatureSettings, authenticate};
use partita::types::Timestamp;
use partita::wire::{Error, ErrorCode, Head};

use crate::signer::{Body, Signed, Signer};

/// Time of the requests: 2026-11-20T12:00:00Z.
pub const AT: u64 = 1_795_176_000;
pub const HOST: &str = "127.0.0.1:9000";
pub const DOMAIN: &str = "s3.example.org";

/// Access key id that [`keys`] resolves.
pub const KNOWN: &str = "AKKNOWN";
pub const DISABLED: &str = "AKDISABLED";

pub fn signer() -> Signer {
    Signer::new(KNOWN, "correct horse")
}

pub fn rules() -> SignatureSettings {
    SignatureSettings { region: "us-east-1".into(), region_strict: false, sigv2_presigned: true }
}

fn keys(id: &str) -> Option<Arc<Credential>> {
    let created = Timestamp::from_millis(0);
    let user = User {
        id: "1".repeat(64),
        name: "ann".into(),
        display_name: "Ann".into(),
        email: None,
        root: true,
        created,
    };
    (id == KNOWN || id == DISABLED).then(|| {
        Arc::new(Credential {
            access_key_id: id.into(),
            secret_access_key: "correct horse".into(),
            user: Arc::new(user),
            enabled: id == KNOWN,
            created,
        })
    })
}

/// A request before it is sent; every part of it can be changed.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn new(method: &str, target: &str, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().chain(&[("host", HOST)]);
        Self {
            method: method.into(),
            target: target.into(),
            headers: headers.map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        }
    }

    /// Adds the headers of a signature.
    pub fn signed(mut self, signed: &Signed) -> Self {
        self.headers.extend(signed.headers.iter().cloned());
        self
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the value of a header that is there.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        let header = self.headers.iter_mut().find(|(n, _)| n == name);
        header.expect("the header is there").1 = value.into();
        self
    }

    /// Removes a header that is there.
    pub fn without(mut self, name: &str) -> Self {
        let before = self.headers.len();
        self.headers.retain(|(n, _)| n != name);
        assert_ne!(self.headers.len(), before, "the header is there");
        self
    }

    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(n, _)| n == name);
        &header.expect("the header is there").1
    }

    pub fn head(&self) -> Result<Head, Error> {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = name.parse::<HeaderName>().expect("tests send valid names");
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("and valid values");
            headers.append(name, value);
        }
        let method = self.method.parse::<Method>().expect("and valid methods");
        Head::new(method, path, query, headers, &[DOMAIN.into()], false)
    }

    /// Result of the verifier at [`AT`].
    pub fn check(&self) -> Result<Authenticated, Error> {
        self.check_at(AT)
    }

    pub fn check_at(&self, now: u64) -> Result<Authenticated, Error> {
        self.check_by(now, &rules())
    }

    pub fn check_by(&self, now: u64, rules: &SignatureSettings) -> Result<Authenticated, Error> {
        authenticate(&self.head()?, &keys, Timestamp::from_millis(now * 1000), rules)
    }

    /// Error code of a request that must be refused.
    #[track_caller]
    pub fn refused(&self) -> ErrorCode {
        match self.check() {
            Ok(_) => panic!("accepted: {self:?}"),
            Err(error) => error.code,
        }
    }
}

/// A request signed in its Authorization header, and its signature.
pub fn header_signed(
    signer: &Signer,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Body<'_>,
) -> (Request, Signed) {
    let signed = signer.header(AT, method, HOST, target, headers, body);
    (Request::new(method, target, headers).signed(&signed), signed)
}

/// The aws-chunked payload of a request that must have one.
pub fn chunked(request: &Request) -> ChunkedPayload {
    match request.check().expect("the signature is good").payload {
        Payload::Chunked(payload) => payload,
        other => panic!("not chunked: {other:?}"),
    }
}
