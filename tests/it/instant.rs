//! Instant upload: bytes that are stored already, and that the request may read, need not be sent.

use crate::harness::{Answer, Gateway, Request, Who, bytes_of, checksum};

mod attacks;
mod create;
mod delta;
mod expect;
mod proof;

/// Size that is large enough to be found.
pub const SIZE: usize = 70_000;

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(checksum("sha256", bytes).expect("a known algorithm"))
}

/// A body, different for each seed.
pub fn file(seed: u64) -> Vec<u8> {
    bytes_of(SIZE, seed)
}

/// A gateway that accepts small parts.
pub fn gateway() -> Gateway {
    Gateway::with(&[("part-bytes-min", "1")])
}

/// Puts an object whose SHA-256 the server computes.
pub fn put(gateway: &Gateway, who: Who, target: &str, body: &[u8]) -> Answer {
    gateway.send(&Request::new("PUT", target).by(who).body(body)).expect(200)
}

/// A request that creates an upload of this file.
pub fn create(target: &str, body: &[u8]) -> Request {
    Request::new("POST", target)
        .header("x-partita-object-size", body.len().to_string())
        .header("x-partita-content-sha256", sha256(body))
}

/// Sends Create; returns `created`, `resumed` or `instant`, and the UploadId.
pub fn created(gateway: &Gateway, request: &Request) -> (String, String) {
    let answer = gateway.send(request).expect(200);
    (answer.header("x-partita-upload").expect("it is declared"), answer.text("UploadId"))
}

/// Sends a request with `Expect: 100-continue`; returns the answer, and whether the body was asked
/// for.
pub fn offer(gateway: &Gateway, request: &Request) -> (Answer, bool) {
    let mut request = request.clone();
    request.unsigned_headers.push(("Expect".into(), "100-continue".into()));
    let (head, body) = request.encode_apart(&gateway.host());
    let mut connection = gateway.connect();
    connection.write(&head);
    let first = connection.read_head();
    if first.status != 100 {
        // The body is not sent.
        return (first, false);
    }
    connection.write(&body);
    (connection.read_answer(&request.method), true)
}

/// A PUT of these bytes.
pub fn upload(target: &str, body: &[u8]) -> Request {
    Request::new("PUT", target).body(body)
}
