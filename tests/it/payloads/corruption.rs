//! Corruptions of a body after it was signed: each is refused, and nothing is stored.

use super::payloads;
use crate::harness::{Framing, Gateway, Request, bytes_of};

/// A corruption of an aws-chunked or raw body after it was signed.
struct Corruption {
    name: &'static str,
    /// Parts of the debug texts of the payloads that it applies to.
    of: &'static [&'static str],
    apply: fn(&mut Vec<u8>),
    codes: &'static [&'static str],
}

fn find(body: &[u8], text: &[u8]) -> usize {
    body.windows(text.len()).position(|window| window == text).expect("it is there")
}

fn rfind(body: &[u8], text: &[u8]) -> usize {
    body.windows(text.len()).rposition(|window| window == text).expect("it is there")
}

/// Changes the digit of a number or of hexadecimal text.
fn flip(body: &mut [u8], at: usize) {
    body[at] = if body[at] == b'1' { b'2' } else { b'1' };
}

const DIGEST: &[&str] = &["XAmzContentSHA256Mismatch", "SignatureDoesNotMatch", "BadDigest"];

const FRAMING: &[&str] =
    &["IncompleteBody", "InvalidRequest", "MalformedTrailerError", "SignatureDoesNotMatch"];

const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        name: "a flipped bit of a raw body",
        of: &["Sha256"],
        apply: |body| {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        },
        codes: DIGEST,
    },
    Corruption {
        name: "a flipped bit of a chunk",
        of: &["Signed", "Trailer"],
        apply: |body| {
            let at = find(body, b"\r\n") + 2;
            body[at] ^= 1;
        },
        codes: DIGEST,
    },
    Corruption {
        name: "another signature of the first chunk",
        of: &["Signed"],
        apply: |body| {
            let at = find(body, b"chunk-signature=");
            flip(body, at + 20);
        },
        codes: &["SignatureDoesNotMatch"],
    },
    Corruption {
        name: "another signature of the last chunk",
        of: &["Signed"],
        apply: |body| {
            let at = rfind(body, b"chunk-signature=");
            flip(body, at + 20);
        },
        codes: &["SignatureDoesNotMatch"],
    },
    Corruption {
        name: "no signature of the first chunk",
        of: &["Signed"],
        apply: |body| {
            let at = find(body, b";chunk-signature=");
            body.drain(at..at + 17 + 64);
        },
        codes: &["SignatureDoesNotMatch", "InvalidRequest", "IncompleteBody"],
    },
    Corruption {
        name: "another signature of the trailer",
        of: &["SignedChunksTrailer"],
        apply: |body| {
            let at = find(body, b"x-amz-trailer-signature:");
            flip(body, at + 30);
        },
        codes: &["SignatureDoesNotMatch"],
    },
    Corruption {
        name: "no signature of the trailer",
        of: &["SignedChunksTrailer"],
        apply: |body| {
            let at = find(body, b"x-amz-trailer-signature:");
            body.truncate(at);
            body.extend_from_slice(b"\r\n");
        },
        codes: FRAMING,
    },
    Corruption {
        name: "no trailer at all",
        of: &["Trailer"],
        apply: |body| {
            let at = find(body, b"x-amz-checksum-");
            body.truncate(at);
            body.extend_from_slice(b"\r\n");
        },
        codes: FRAMING,
    },
    Corruption {
        name: "a trailer that was not announced",
        of: &["UnsignedTrailer"],
        apply: |body| {
            let at = find(body, b"x-amz-checksum-");
            body.truncate(at);
            body.extend_from_slice(b"x-amz-checksum-sha1:qvTGHdzF6KLavt4PO0gs2a6pQ00=\r\n\r\n");
        },
        codes: FRAMING,
    },
    Corruption {
        name: "a checksum of another length",
        of: &["UnsignedTrailer"],
        apply: |body| {
            let at = rfind(body, b":");
            body.truncate(at + 1);
            body.extend_from_slice(b"AAAA\r\n\r\n");
        },
        codes: FRAMING,
    },
    Corruption {
        name: "bytes behind the end",
        of: &["Signed", "Trailer"],
        apply: |body| body.extend_from_slice(b"more"),
        codes: FRAMING,
    },
    Corruption {
        name: "no end",
        of: &["Signed", "Trailer"],
        apply: |body| body.truncate(body.len() - 2),
        codes: FRAMING,
    },
    Corruption {
        name: "no last chunk",
        of: &["Signed", "Trailer"],
        apply: |body| {
            let at = rfind(body, b"\r\n0");
            body.truncate(at + 2);
        },
        codes: FRAMING,
    },
    Corruption {
        name: "a chunk of another size",
        of: &["Signed", "Trailer"],
        apply: |body| body[0] = if body[0] == b'1' { b'2' } else { b'1' },
        codes: FRAMING,
    },
    Corruption {
        name: "a chunk line without an end",
        of: &["Signed", "Trailer"],
        apply: |body| {
            let line = [b'1'; 10_000];
            body.splice(0..0, line);
        },
        codes: FRAMING,
    },
];

#[test]
fn a_corrupted_body_is_refused_and_leaves_nothing() {
    let gateway = Gateway::start();
    let mut applied = 0;
    for payload in payloads() {
        for framing in [Framing::Length, Framing::Chunked(4_001)] {
            for size in [1, 65_536, 300 << 10] {
                for corruption in CORRUPTIONS {
                    let kind = format!("{payload:?}");
                    if !corruption.of.iter().any(|of| kind.contains(of)) {
                        continue;
                    }
                    let request = Request::new("PUT", "/bkt/corrupted")
                        .payload(payload.clone())
                        .framing(framing.clone())
                        .body(bytes_of(size, size as u64));
                    let (head, body) = request.encode_tampered(&gateway.host(), |body| {
                        (corruption.apply)(body);
                    });
                    let mut connection = gateway.connect();
                    connection.write(&[head, body].concat());
                    let answer = connection.read_answer("PUT");
                    let case =
                        format!("{}: {kind} {framing:?} {size}: {answer:?}", corruption.name);
                    let code = answer.code().unwrap_or_default();
                    assert!(corruption.codes.contains(&code.as_str()), "{case}");
                    let got = gateway.send(&Request::new("GET", "/bkt/corrupted"));
                    assert_eq!(got.status, 404, "{case}");
                    applied += 1;
                }
            }
        }
    }
    assert!(applied > 200, "{applied}");
    gateway.assert_sound();
    assert_eq!(gateway.store().sweep_files().run().unwrap(), 0, "no file was left behind");
}
