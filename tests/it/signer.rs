//! Signatures of a client. No code is shared with the gateway, so that a mistake in one is not
//! repeated in the other: encoding, canonical requests and dates are implemented here.
//!
//! ```ignore
//! let signer = Signer::new("AKID", "secret");
//! let at = signer::now();
//! // Headers to add to the request; every header given is signed.
//! let signed = signer.header(at, "PUT", "127.0.0.1:9000", "/bkt/a%20b", &[], Body::Sha256(b"hi"));
//! // A body in signed chunks of these sizes (the last size repeats), then the terminating chunk.
//! let length = [("x-amz-decoded-content-length", "9")];
//! let signed = signer.header(at, "PUT", host, "/bkt/key", &length, Body::SignedChunks);
//! let body = signed.encode(b"some data", &[4], None);
//! // Presigned: path and query, ready to be requested.
//! let target = signer.presign_v4(at, 900, "GET", host, "/bkt/key?versionId=v", &[]);
//! let target = signer.presign_v2(at + 900, "GET", "", "/bkt/key", &[]);
//! ```
//!
//! Times are whole seconds since 1970. A target is a raw path with an optional query, as it will
//! stand in the request line: already percent-encoded by the caller.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// An access key and the region that its scopes name.
#[derive(Clone, Debug)]
pub struct Signer {
    pub access_key: String,
    pub secret: String,
    pub region: String,
}

/// Payload mode of a body: the value of `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// The SHA-256 of these bytes; of `b""` for a request without a body.
    Sha256(&'a [u8]),
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`. Give `x-amz-decoded-content-length` as a header.
    SignedChunks,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`. Give `x-amz-trailer` as a header too.
    SignedChunksTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`. Give `x-amz-trailer` as a header too.
    UnsignedTrailer,
    /// Any other value, for tests of refusals.
    Literal(&'a str),
}

impl Body<'_> {
    /// The value of `x-amz-content-sha256`.
    pub fn value(&self) -> String {
        match self {
            Self::Unsigned => "UNSIGNED-PAYLOAD".into(),
            Self::Sha256(bytes) => sha256_hex(bytes),
            Self::SignedChunks => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".into(),
            Self::SignedChunksTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER".into(),
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".into(),
            Self::Literal(text) => (*text).into(),
        }
    }
}

/// A signed head; the signatures of its chunks continue from it.
#[derive(Clone, Debug)]
pub struct Signed {
    /// `x-amz-date`, `x-amz-content-sha256` and `authorization`: to be added to the request.
    pub headers: Vec<(String, String)>,
    /// The signature of the head, in hexadecimal.
    pub signature: String,
    key: [u8; 32],
    date: String,
    scope: String,
}

impl Signer {
    /// A signer for us-east-1.
    pub fn new(access_key: &str, secret: &str) -> Self {
        Self { access_key: access_key.into(), secret: secret.into(), region: "us-east-1".into() }
    }

    /// Signs with an Authorization header. All `headers` are signed, and `host`; the caller sends
    /// them all beside those returned.
    pub fn header(
        &self,
        at: u64,
        method: &str,
        host: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Body<'_>,
    ) -> Signed {
        let date = basic_date(at);
        let payload = body.value();
        let mut all = headers.to_vec();
        all.extend([("host", host), ("x-amz-date", &date), ("x-amz-content-sha256", &payload)]);
        let (names, lines) = fold_headers(&all);
        let (path, query) = split(target);
        let request = format!(
            "{method}\n{}\n{}\n{lines}\n{names}\n{payload}",
            canonical_path(path),
            canonical_query(query),
        );
        let (scope, key) = self.scope_and_key(&date);
        let signature = sign_request(&key, &date, &scope, &request);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key,
        );
        let headers = vec![
            ("x-amz-date".to_owned(), date.clone()),
            ("x-amz-content-sha256".to_owned(), payload),
            ("authorization".to_owned(), authorization),
        ];
        Signed { headers, signature, key, date, scope }
    }

    /// The target with a SigV4 signature in its query. All `headers` are signed, and `host`. To
    /// hoist a header, write it into the target's query.
    pub fn presign_v4(
        &self,
        at: u64,
        expires_seconds: u64,
        method: &str,
        host: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> String {
        self.presign_v4_raw(at, &expires_seconds.to_string(), method, host, target, headers)
    }

    /// [`Self::presign_v4`] with any text as `X-Amz-Expires`, for tests of refusals.
    pub fn presign_v4_raw(
        &self,
        at: u64,
        expires: &str,
        method: &str,
        host: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> String {
        let date = basic_date(at);
        let (scope, key) = self.scope_and_key(&date);
        let mut all = headers.to_vec();
        all.push(("host", host));
        let (names, lines) = fold_headers(&all);
        let (path, query) = split(target);
        let credential = encode(format!("{}/{scope}", self.access_key).as_bytes(), false);
        let mut query = query.to_owned();
        if !query.is_empty() {
            query.push('&');
        }
        let _ = write!(
            query,
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={date}\
             &X-Amz-Expires={}&X-Amz-SignedHeaders={}",
            encode(expires.as_bytes(), false),
            encode(names.as_bytes(), false),
        );
        let payload = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("x-amz-content-sha256"))
            .map(|(_, value)| (*value).to_owned())
            .or_else(|| query_value(&query, "X-Amz-Content-Sha256"))
            .unwrap_or_else(|| "UNSIGNED-PAYLOAD".into());
        let request = format!(
            "{method}\n{}\n{}\n{lines}\n{names}\n{payload}",
            canonical_path(path),
            canonical_query(&query),
        );
        let signature = sign_request(&key, &date, &scope, &request);
        format!("{path}?{query}&X-Amz-Signature={signature}")
    }

    /// The target with a SigV2 signature in its query. `expires_at` is a time, not a duration.
    /// `host_bucket` is empty in the path style, `/bucket` when the host names the bucket. Of
    /// `headers`, SigV2 signs `content-md5`, `content-type` and `x-amz-*`.
    pub fn presign_v2(
        &self,
        expires_at: u64,
        method: &str,
        host_bucket: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> String {
        let (path, query) = split(target);
        let lower: BTreeMap<String, &str> =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), *value)).collect();
        let named = |name: &str| lower.get(name).copied().unwrap_or_default();
        let mut text = format!(
            "{method}\n{}\n{}\n{expires_at}\n",
            named("content-md5"),
            named("content-type")
        );
        for (name, value) in lower.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
            let _ = writeln!(text, "{name}:{value}");
        }
        text.push_str(host_bucket);
        text.push_str(path);
        text.push_str(&v2_sub_resources(query));
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).expect("any length");
        mac.update(text.as_bytes());
        let signature =
            base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        let separator = if query.is_empty() { "" } else { "&" };
        format!(
            "{path}?{query}{separator}AWSAccessKeyId={}&Signature={}&Expires={expires_at}",
            encode(self.access_key.as_bytes(), false),
            encode(signature.as_bytes(), false),
        )
    }

    /// The fields that sign the policy of a form with SigV4; `policy` is its base64.
    pub fn policy_v4(&self, at: u64, policy: &str) -> [(&'static str, String); 4] {
        let date = basic_date(at);
        let (scope, key) = self.scope_and_key(&date);
        [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".into()),
            ("x-amz-credential", format!("{}/{scope}", self.access_key)),
            ("x-amz-date", date),
            ("x-amz-signature", hex::encode(hmac256(&key, policy.as_bytes()))),
        ]
    }

    /// The fields that sign the policy of a form with SigV2.
    pub fn policy_v2(&self, policy: &str) -> [(&'static str, String); 2] {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).expect("any length");
        mac.update(policy.as_bytes());
        let signature =
            base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        [("AWSAccessKeyId", self.access_key.clone()), ("signature", signature)]
    }

    fn scope_and_key(&self, date: &str) -> (String, [u8; 32]) {
        let day = &date[..8];
        let mut key = hmac256(format!("AWS4{}", self.secret).as_bytes(), day.as_bytes());
        for word in [self.region.as_str(), "s3", "aws4_request"] {
            key = hmac256(&key, word.as_bytes());
        }
        (format!("{day}/{}/s3/aws4_request", self.region), key)
    }
}

impl Signed {
    /// The body in signed chunks of `sizes` bytes (the last size repeats; never 0), the terminating
    /// chunk, and, with `trailers`, the signed trailer.
    pub fn encode(
        &self,
        data: &[u8],
        sizes: &[usize],
        trailers: Option<&[(&str, &str)]>,
    ) -> Vec<u8> {
        let mut previous = self.signature.clone();
        let mut body = Vec::new();
        for chunk in cut(data, sizes).into_iter().chain([&b""[..]]) {
            previous = self.chunk_signature(&previous, chunk);
            let line = format!("{:x};chunk-signature={previous}\r\n", chunk.len());
            body.extend_from_slice(line.as_bytes());
            if !chunk.is_empty() {
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
        }
        if let Some(trailers) = trailers {
            for (name, value) in trailers {
                body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
            }
            let signature = self.trailer_signature(&previous, trailers);
            body.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body
    }

    /// The signature of one chunk behind the one signed `previous`.
    pub fn chunk_signature(&self, previous: &str, chunk: &[u8]) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
            self.date,
            self.scope,
            sha256_hex(b""),
            sha256_hex(chunk),
        );
        hex::encode(hmac256(&self.key, text.as_bytes()))
    }

    /// The signature of the trailer behind the terminating chunk signed `previous`.
    pub fn trailer_signature(&self, previous: &str, trailers: &[(&str, &str)]) -> String {
        let sorted: BTreeMap<String, &str> =
            trailers.iter().map(|(name, value)| (name.to_ascii_lowercase(), *value)).collect();
        let lines = sorted
            .iter()
            .fold(String::new(), |lines, (name, value)| lines + name + ":" + value + "\n");
        let text = format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{previous}\n{}",
            self.date,
            self.scope,
            sha256_hex(lines.as_bytes()),
        );
        hex::encode(hmac256(&self.key, text.as_bytes()))
    }
}

/// The body in unsigned chunks of `sizes` bytes (the last size repeats; never 0) with a trailer.
pub fn encode_unsigned(data: &[u8], sizes: &[usize], trailers: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in cut(data, sizes) {
        body.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
    }
    body.extend_from_slice(b"\r\n");
    body
}

/// The time, in seconds since 1970.
#[allow(clippy::disallowed_methods)] // A client has a clock of its own.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("the clock is past 1970").as_secs()
}

/// A time as `yyyy-MM-dd'T'HH:mm:ss'Z'`, with thousandths.
pub fn extended_date(at: u64) -> String {
    let basic = basic_date(at);
    let (date, time) = basic.split_at(9);
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..8]);
    format!("{year}-{month}-{day}T{}:{}:{}.000Z", &time[..2], &time[2..4], &time[4..6])
}

/// A time as `yyyyMMdd'T'HHmmss'Z'`.
pub fn basic_date(at: u64) -> String {
    let (mut year, mut days) = (1970, at / 86_400);
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (at / 3600 % 24, at / 60 % 60, at % 60);
    format!("{year:04}{:02}{:02}T{hour:02}{minute:02}{second:02}Z", month + 1, days + 1)
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Percent-encodes all but the unreserved characters of RFC 3986, and slashes if they stay.
pub fn encode(bytes: &[u8], slashes_stay: bool) -> String {
    bytes.iter().fold(String::new(), |mut out, &byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || slashes_stay && byte == b'/' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| byte == b'%').and_then(|two| hex::decode(two).ok());
        rest = match escaped {
            Some(bytes) => {
                out.extend(bytes);
                &tail[2..]
            }
            None => {
                out.push(byte);
                tail
            }
        };
    }
    out
}

fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

fn pairs(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn query_value(query: &str, wanted: &str) -> Option<String> {
    let value = pairs(query).find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))?.1;
    String::from_utf8(value).ok()
}

fn canonical_path(path: &str) -> String {
    encode(&decode(path), true)
}

fn canonical_query(query: &str) -> String {
    let mut list: Vec<(String, String)> =
        pairs(query).map(|(name, value)| (encode(&name, false), encode(&value, false))).collect();
    list.sort();
    let list: Vec<String> = list.iter().map(|(name, value)| format!("{name}={value}")).collect();
    list.join("&")
}

/// `SignedHeaders` list and header lines of the canonical request.
fn fold_headers(headers: &[(&str, &str)]) -> (String, String) {
    let mut folded: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
        folded.entry(name.to_ascii_lowercase()).or_default().push(words.join(" "));
    }
    let names: Vec<&str> = folded.keys().map(String::as_str).collect();
    let lines = folded
        .iter()
        .fold(String::new(), |lines, (name, values)| lines + name + ":" + &values.join(",") + "\n");
    (names.join(";"), lines)
}

fn v2_sub_resources(query: &str) -> String {
    const WORDS: &str = " acl cors delete lifecycle location logging notification partNumber \
        policy \
        requestPayment restore tagging torrent uploadId uploads versionId versioning versions \
        website ";
    let mut words: Vec<String> = pairs(query)
        .map(|(name, value)| (text(name), text(value)))
        .filter(|(name, _)| WORDS.contains(&format!(" {name} ")) || name.starts_with("response-"))
        .map(|(name, value)| if value.is_empty() { name } else { format!("{name}={value}") })
        .collect();
    words.sort();
    if words.is_empty() { String::new() } else { format!("?{}", words.join("&")) }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("tests sign UTF-8")
}

fn sign_request(key: &[u8; 32], date: &str, scope: &str, request: &str) -> String {
    let digest = sha256_hex(request.as_bytes());
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
    hex::encode(hmac256(key, text.as_bytes()))
}

fn hmac256(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

fn cut<'a>(mut data: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let mut sizes = sizes.iter().copied();
    let mut size = usize::MAX;
    while !data.is_empty() {
        size = sizes.next().unwrap_or(size);
        assert!(size > 0, "a chunk of no bytes would end the body");
        let (chunk, rest) = data.split_at(size.min(data.len()));
        chunks.push(chunk);
        data = rest;
    }
    chunks
}
