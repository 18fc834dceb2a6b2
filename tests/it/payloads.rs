//! Bodies of objects and parts: every payload mode in every framing and write pattern.

mod corruption;
mod transcripts;
mod unsent;

use crate::harness::{Answer, Framing, Gateway, Payload, Request, bytes_of};

/// Sizes at boundaries: nothing, one byte, a block and an inline body, many blocks.
const SIZES: [usize; 4] = [0, 1, 65_536, 300 << 10];

fn payloads() -> Vec<Payload> {
    vec![
        Payload::Sha256,
        Payload::Unsigned,
        Payload::SignedChunks(65_536),
        Payload::SignedChunks(1_000_000),
        Payload::SignedChunksTrailer(8_192, "sha256"),
        Payload::UnsignedTrailer(65_536, "crc32"),
        Payload::UnsignedTrailer(10_007, "crc64nvme"),
    ]
}

#[derive(Clone, Copy, Debug)]
enum WritePattern {
    /// All at once.
    Whole,
    /// The head and both ends of the body byte by byte, the rest in odd pieces.
    Ragged,
    /// Followed at once by the next request.
    Pipelined,
}

fn send(gateway: &Gateway, request: &Request, pattern: WritePattern) -> Answer {
    let bytes = request.encode(&gateway.host());
    let mut connection = gateway.connect();
    match pattern {
        WritePattern::Whole => connection.write(&bytes),
        WritePattern::Ragged => {
            let (begin, rest) = bytes.split_at(bytes.len().min(1200));
            let (middle, end) = rest.split_at(rest.len().saturating_sub(300));
            connection.write_bytewise(begin);
            middle.chunks(977).for_each(|piece| connection.write(piece));
            connection.write_bytewise(end);
        }
        WritePattern::Pipelined => {
            let next = Request::new("GET", request.target.clone());
            connection.write(&[bytes, next.encode(&gateway.host())].concat());
            let answer = connection.read_answer("PUT");
            if answer.status == 200 {
                let next = connection.read_answer("GET");
                assert_eq!(next.status, 200, "{next:?}");
                assert!(next.body == request.body, "the next request reads what was stored");
            }
            return answer;
        }
    }
    connection.read_answer("PUT")
}

#[test]
fn every_payload_in_every_framing_and_write_pattern() {
    let gateway = Gateway::start();
    let mut count = 0;
    for payload in payloads() {
        for framing in [Framing::Length, Framing::Chunked(1_000_000), Framing::Chunked(4_001)] {
            for pattern in [WritePattern::Whole, WritePattern::Ragged, WritePattern::Pipelined] {
                for size in SIZES {
                    count += 1;
                    let body = bytes_of(size, count);
                    let request = Request::new("PUT", format!("/bkt/k{count}"))
                        .payload(payload.clone())
                        .framing(framing.clone())
                        .body(body.clone());
                    let case = format!("{payload:?} {framing:?} {pattern:?} {size}");
                    let answer = send(&gateway, &request, pattern);
                    let got = gateway.send(&Request::new("GET", request.target));
                    assert_eq!(answer.status, 200, "{case}: {answer:?}");
                    assert!(got.status == 200 && got.body == body, "{case}: {got:?}");
                }
            }
        }
    }
    gateway.assert_sound();
}

#[test]
fn the_decoded_length_must_be_the_length() {
    let gateway = Gateway::start();
    for payload in payloads() {
        if matches!(payload, Payload::Sha256 | Payload::Unsigned) {
            continue;
        }
        for (length, status) in [("69999", 400), ("70001", 400), ("70000", 200), ("x", 400)] {
            let request = Request::new("PUT", "/bkt/k")
                .header("x-amz-decoded-content-length", length)
                .payload(payload.clone())
                .body(bytes_of(70_000, 1));
            let answer = gateway.send(&request);
            assert_eq!(answer.status, status, "{payload:?} {length}: {answer:?}");
            let expected = if status == 200 { 204 } else { 404 };
            if status == 400 {
                gateway.send(&Request::new("GET", "/bkt/k")).expect(expected);
            }
            gateway.send(&Request::new("DELETE", "/bkt/k")).expect(204);
        }
    }
}

/// Aws-chunked bodies are for objects and parts only.
#[test]
fn streaming_payloads_are_legal_in_two_operations_only() {
    let gateway = Gateway::start();
    for (method, target) in [
        ("PUT", "/new"),
        ("POST", "/bkt?delete"),
        ("POST", "/bkt/k?uploads"),
        ("POST", "/bkt/k?uploadId=x"),
        ("GET", "/bkt"),
        ("DELETE", "/bkt/k"),
    ] {
        for payload in [Payload::SignedChunks(100), Payload::UnsignedTrailer(100, "crc32")] {
            let request = Request::new(method, target)
                .payload(payload)
                .framing(Framing::Length)
                .body("<Delete/>");
            let answer = gateway.send(&request);
            assert_eq!(answer.code().as_deref(), Some("InvalidRequest"), "{method} {target}");
        }
    }
}
