//! Bodies: every payload mode in every framing and rhythm, and every corruption of one.

use std::time::Duration;

use crate::harness::{
    Answer, Framing, Gateway, Payload, Request, Script, Who, base64, bytes_of, checksum,
};

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
enum Rhythm {
    /// All at once.
    Whole,
    /// The head and both ends of the body byte by byte, the rest in odd pieces.
    Ragged,
    /// Followed at once by the next request.
    Pipelined,
}

fn send(gateway: &Gateway, request: &Request, rhythm: Rhythm) -> Answer {
    let bytes = request.encode(&gateway.host());
    let mut connection = gateway.connect();
    match rhythm {
        Rhythm::Whole => connection.write(&bytes),
        Rhythm::Ragged => {
            let (begin, rest) = bytes.split_at(bytes.len().min(1200));
            let (middle, end) = rest.split_at(rest.len().saturating_sub(300));
            connection.write_bytewise(begin);
            middle.chunks(977).for_each(|piece| connection.write(piece));
            connection.write_bytewise(end);
        }
        Rhythm::Pipelined => {
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
fn every_payload_in_every_framing_and_rhythm() {
    let gateway = Gateway::start();
    let mut count = 0;
    for payload in payloads() {
        for framing in [Framing::Length, Framing::Chunked(1_000_000), Framing::Chunked(4_001)] {
            for rhythm in [Rhythm::Whole, Rhythm::Ragged, Rhythm::Pipelined] {
                for size in SIZES {
                    count += 1;
                    let body = bytes_of(size, count);
                    let request = Request::new("PUT", format!("/bkt/k{count}"))
                        .payload(payload.clone())
                        .framing(framing.clone())
                        .body(body.clone());
                    let case = format!("{payload:?} {framing:?} {rhythm:?} {size}");
                    let answer = send(&gateway, &request, rhythm);
                    let got = gateway.send(&Request::new("GET", request.target));
                    assert_eq!(answer.status, 200, "{case}: {answer:?}");
                    assert!(got.status == 200 && got.body == body, "{case}: {got:?}");
                }
            }
        }
    }
    gateway.assert_sound();
}

/// A corruption of an aws-chunked or raw body after it was signed.
struct Spoil {
    name: &'static str,
    /// Payloads that it applies to: `raw`, `signed`, `trailer`, or a part of their debug text.
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

const SPOILS: &[Spoil] = &[
    Spoil {
        name: "a flipped bit of a raw body",
        of: &["Sha256"],
        apply: |body| {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        },
        codes: DIGEST,
    },
    Spoil {
        name: "a flipped bit of a chunk",
        of: &["Signed", "Trailer"],
        apply: |body| {
            let at = find(body, b"\r\n") + 2;
            body[at] ^= 1;
        },
        codes: DIGEST,
    },
    Spoil {
        name: "another signature of the first chunk",
        of: &["Signed"],
        apply: |body| {
            let at = find(body, b"chunk-signature=");
            flip(body, at + 20);
        },
        codes: &["SignatureDoesNotMatch"],
    },
    Spoil {
        name: "another signature of the last chunk",
        of: &["Signed"],
        apply: |body| {
            let at = rfind(body, b"chunk-signature=");
            flip(body, at + 20);
        },
        codes: &["SignatureDoesNotMatch"],
    },
    Spoil {
        name: "no signature of the first chunk",
        of: &["Signed"],
        apply: |body| {
            let at = find(body, b";chunk-signature=");
            body.drain(at..at + 17 + 64);
        },
        codes: &["SignatureDoesNotMatch", "InvalidRequest", "IncompleteBody"],
    },
    Spoil {
        name: "another signature of the trailer",
        of: &["SignedChunksTrailer"],
        apply: |body| {
            let at = find(body, b"x-amz-trailer-signature:");
            flip(body, at + 30);
        },
        codes: &["SignatureDoesNotMatch"],
    },
    Spoil {
        name: "no signature of the trailer",
        of: &["SignedChunksTrailer"],
        apply: |body| {
            let at = find(body, b"x-amz-trailer-signature:");
            body.truncate(at);
            body.extend_from_slice(b"\r\n");
        },
        codes: FRAMING,
    },
    Spoil {
        name: "no trailer at all",
        of: &["Trailer"],
        apply: |body| {
            let at = find(body, b"x-amz-checksum-");
            body.truncate(at);
            body.extend_from_slice(b"\r\n");
        },
        codes: FRAMING,
    },
    Spoil {
        name: "a trailer that was not announced",
        of: &["UnsignedTrailer"],
        apply: |body| {
            let at = find(body, b"x-amz-checksum-");
            body.truncate(at);
            body.extend_from_slice(b"x-amz-checksum-sha1:qvTGHdzF6KLavt4PO0gs2a6pQ00=\r\n\r\n");
        },
        codes: FRAMING,
    },
    Spoil {
        name: "a checksum of another length",
        of: &["UnsignedTrailer"],
        apply: |body| {
            let at = rfind(body, b":");
            body.truncate(at + 1);
            body.extend_from_slice(b"AAAA\r\n\r\n");
        },
        codes: FRAMING,
    },
    Spoil {
        name: "bytes behind the end",
        of: &["Signed", "Trailer"],
        apply: |body| body.extend_from_slice(b"more"),
        codes: FRAMING,
    },
    Spoil {
        name: "no end",
        of: &["Signed", "Trailer"],
        apply: |body| body.truncate(body.len() - 2),
        codes: FRAMING,
    },
    Spoil {
        name: "no last chunk",
        of: &["Signed", "Trailer"],
        apply: |body| {
            let at = rfind(body, b"\r\n0");
            body.truncate(at + 2);
        },
        codes: FRAMING,
    },
    Spoil {
        name: "a chunk of another size",
        of: &["Signed", "Trailer"],
        apply: |body| body[0] = if body[0] == b'1' { b'2' } else { b'1' },
        codes: FRAMING,
    },
    Spoil {
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
fn a_spoilt_body_is_refused_and_leaves_nothing() {
    let gateway = Gateway::start();
    let mut applied = 0;
    for payload in payloads() {
        for framing in [Framing::Length, Framing::Chunked(4_001)] {
            for size in [1, 65_536, 300 << 10] {
                for spoil in SPOILS {
                    let kind = format!("{payload:?}");
                    if !spoil.of.iter().any(|of| kind.contains(of)) {
                        continue;
                    }
                    let request = Request::new("PUT", "/bkt/spoilt")
                        .payload(payload.clone())
                        .framing(framing.clone())
                        .body(bytes_of(size, size as u64));
                    let (head, body) = request.encode_tampered(&gateway.host(), |body| {
                        (spoil.apply)(body);
                    });
                    let mut connection = gateway.connect();
                    connection.write(&[head, body].concat());
                    let answer = connection.read_answer("PUT");
                    let case = format!("{}: {kind} {framing:?} {size}: {answer:?}", spoil.name);
                    let code = answer.code().unwrap_or_default();
                    assert!(spoil.codes.contains(&code.as_str()), "{case}");
                    let got = gateway.send(&Request::new("GET", "/bkt/spoilt"));
                    assert_eq!(got.status, 404, "{case}");
                    applied += 1;
                }
            }
        }
    }
    assert!(applied > 200, "{applied}");
    gateway.assert_sound();
    assert_eq!(gateway.store().sweep_files().unwrap(), 0, "no file was left behind");
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

/// Known failures are reported before the body is asked for; otherwise it is asked for.
#[test]
fn only_requests_that_may_proceed_get_100_continue() {
    let gateway = Gateway::start();
    let mut script = Script::new(&gateway);
    script.run(
        r#"
        PUT /bkt/there << x     => 200
        POST /bkt/up?uploads    => 200 | UploadId -> U
        "#,
    );
    let part = format!("/bkt/up?partNumber=1&uploadId={}", script.get("U"));
    let put = |target: &str| Request::new("PUT", target).body(bytes_of(70_000, 1));
    let id = script.get("U").to_owned();
    let post = |target: &str| Request::new("POST", target.replace("$U", &id)).body("<x/>");
    let refused: Vec<(Request, u16)> = vec![
        (put("/bkt/k").by(Who::Alice), 403),
        (put("/bkt/k").by(Who::Anonymous), 403),
        (put("/nobkt/k"), 404),
        (put("/bkt/up?partNumber=1&uploadId=x"), 404),
        (put("/bkt/there").header("if-none-match", "*"), 412),
        (put("/bkt/there").header("if-match", "\"x\""), 412),
        (put("/bkt/none").header("if-match", "\"x\""), 404),
        (put("/bkt/k").header("content-length", "5368709121"), 400),
        (put("/bkt/k").header("x-amz-checksum-crc32", "AA"), 400),
        (put("/bkt/k").header("content-md5", "AA"), 400),
        (put("/bkt/k").header("x-amz-tagging", "a=b"), 501),
        (put("/bkt/k").framing(Framing::None), 411),
        (put("/bkt/k?uploadId=x"), 400),
        (put(&part.replace("partNumber=1", "partNumber=0")), 400),
        (put("/bkt/k").header("x-amz-meta-a", "a".repeat(3000)), 400),
        (post("/bkt/up?uploadId=x"), 404),
        (post("/bkt/other?uploadId=$U"), 404),
        (post("/bkt/up?uploadId=$U").header("x-amz-mp-object-size", "x"), 400),
        (post("/bkt?delete").payload(Payload::Unsigned), 400),
    ];
    for (request, status) in refused {
        let request = request.header("expect", "100-continue");
        let (head, _) = request.encode_apart(&gateway.host());
        let mut connection = gateway.connect();
        connection.write(&head);
        let answer = connection.read_answer("PUT");
        assert_eq!(answer.status, status, "{} {answer:?}", request.target);
        assert_eq!(answer.interim, [] as [u16; 0], "{}", request.target);
    }
    for target in ["/bkt/k", &part] {
        for payload in payloads() {
            let request = put(target).payload(payload).header("expect", "100-continue");
            let (head, body) = request.encode_apart(&gateway.host());
            let mut connection = gateway.connect();
            connection.write(&head);
            assert_eq!(connection.read_head().status, 100);
            connection.write(&body);
            connection.read_answer("PUT").expect(200);
            // The same for a client that does not wait, on the same connection.
            connection.write(&[head, body].concat());
            connection.read_answer("PUT").expect(200);
        }
    }
}

/// A client in the middle of a large body still reads the refusal.
#[test]
fn an_early_refusal_reaches_the_client() {
    let gateway = Gateway::start();
    for framing in [Framing::Length, Framing::Chunked(65_536)] {
        let request = Request::new("PUT", "/bkt/k")
            .by(Who::Alice)
            .payload(Payload::Unsigned)
            .framing(framing)
            .body(vec![7; 20 << 20]);
        let mut connection = gateway.connect();
        connection.write(&request.encode(&gateway.host()));
        let answer = connection.read_answer("PUT").expect(403);
        assert_eq!(answer.code().as_deref(), Some("AccessDenied"));
        assert_eq!(answer.header("connection").as_deref(), Some("close"));
        assert!(connection.is_closed());
    }
}

#[test]
fn a_client_that_hangs_up_leaves_nothing() {
    let gateway = Gateway::start();
    let upload = gateway.send(&Request::new("POST", "/bkt/up?uploads")).text("UploadId");
    for target in ["/bkt/k".to_owned(), format!("/bkt/up?partNumber=1&uploadId={upload}")] {
        for payload in payloads() {
            for (size, framing) in [
                (1000, Framing::Length),
                (1000, Framing::Chunked(100)),
                (300 << 10, Framing::Length),
                (300 << 10, Framing::Chunked(10_000)),
            ] {
                let request = Request::new("PUT", target.clone())
                    .payload(payload.clone())
                    .framing(framing)
                    .body(bytes_of(size, 3));
                let (head, body) = request.encode_apart(&gateway.host());
                let mut connection = gateway.connect();
                connection.write(&head);
                connection.write(&body[..body.len() / 2]);
                connection.finish();
                drop(connection);
            }
        }
    }
    // Each hang-up is noticed in its own time, and its file removed.
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    let mut files = Vec::new();
    loop {
        files.clear();
        blob_files(gateway.folder(), &mut files);
        if files.is_empty() || std::time::Instant::now() > deadline {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Script::new(&gateway).run("GET /bkt => 200 | !Contents");
    let parts = gateway.send(&Request::new("GET", format!("/bkt/up?uploadId={upload}")));
    assert!(parts.expect(200).xml().all("Part").is_empty());
    gateway.assert_sound();
    assert!(files.is_empty(), "{files:?}");
}

/// Files below a folder whose path contains `blobs`.
fn blob_files(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            blob_files(&path, files);
        } else if path.components().any(|part| part.as_os_str() == "blobs") {
            files.push(path);
        }
    }
}

/// Requests recorded from real clients, byte for byte, except signatures and dates.
mod transcripts {
    use super::*;

    /// Frames `hex\r\n data \r\n … 0\r\n trailer \r\n\r\n`, with sizes as the test spells them.
    fn frames(data: &[u8], sizes: &[&str], trailer: &str) -> Vec<u8> {
        let mut body = Vec::new();
        let mut rest = data;
        for size in sizes {
            let (chunk, after) = rest.split_at(usize::from_str_radix(size, 16).expect("hex"));
            body.extend([size.as_bytes(), b"\r\n", chunk, b"\r\n"].concat());
            rest = after;
        }
        assert!(rest.is_empty());
        body.extend(format!("0\r\n{trailer}\r\n\r\n").into_bytes());
        body
    }

    fn unsigned_trailer(target: &str, decoded: usize, trailer: &str) -> Request {
        Request::new("PUT", target)
            .payload(Payload::Literal("STREAMING-UNSIGNED-PAYLOAD-TRAILER".into()))
            .header("content-encoding", "aws-chunked")
            .header("x-amz-trailer", trailer)
            .header("x-amz-decoded-content-length", decoded.to_string())
    }

    #[track_caller]
    fn stored(gateway: &Gateway, target: &str, body: &[u8]) {
        let got = gateway.send(&Request::new("GET", target)).expect(200);
        assert!(got.body == body, "{target}: {got:?}");
        assert_eq!(got.header("content-encoding"), None, "{target}");
    }

    #[test]
    fn upper_case_sizes_and_one_chunk_for_all() {
        let gateway = Gateway::start();
        let data = bytes_of(1000, 1);
        let crc = base64(&checksum("crc64nvme", &data).unwrap());
        let trailer = format!("x-amz-checksum-crc64nvme:{crc}");
        let request = unsigned_trailer("/bkt/s2", 1000, "x-amz-checksum-crc64nvme")
            .header("amz-sdk-invocation-id", "x")
            .header("amz-sdk-request", "attempt=1")
            .header("content-length", "1051")
            .body(frames(&data, &["3E8"], &trailer));
        assert_eq!(request.body.len(), 1051);
        let answer = gateway.send(&request).expect(200);
        assert_eq!(answer.header("x-amz-checksum-crc64nvme"), Some(crc));
        stored(&gateway, "/bkt/s2", &data);
    }

    #[test]
    fn both_framings_nested_in_one_chunk() {
        let gateway = Gateway::start();
        let body = frames(b"hello", &["5"], "x-amz-checksum-crc32:NhCmhg==");
        assert_eq!(body.len(), 46);
        let request = unsigned_trailer("/bkt/b1", 5, "x-amz-checksum-crc32")
            .header("Expect", "100-continue")
            .header("x-amz-sdk-checksum-algorithm", "CRC32")
            .framing(Framing::Chunked(46))
            .body(body);
        let answer = gateway.send(&request).expect(200);
        assert_eq!(answer.header("x-amz-checksum-crc32").as_deref(), Some("NhCmhg=="));
        assert_eq!(answer.interim, [100]);
        stored(&gateway, "/bkt/b1", b"hello");
    }

    #[test]
    fn the_same_over_plain_http() {
        let gateway = Gateway::start();
        let request = Request::new("PUT", "/bkt/b1")
            .header("Expect", "100-continue")
            .header("x-amz-checksum-crc32", "NhCmhg==")
            .header("x-amz-sdk-checksum-algorithm", "CRC32")
            .body("hello");
        gateway.send(&request).expect(200);
        stored(&gateway, "/bkt/b1", b"hello");
    }

    /// HTTP chunks of 5, 1000, 2, 3, 31 and 2 bytes, independent of the frames in them.
    #[test]
    fn chunks_that_cut_the_frames() {
        let gateway = Gateway::start();
        let data = bytes_of(1000, 1);
        let crc = base64(&checksum("crc32", &data).unwrap());
        let body = frames(&data, &["3e8"], &format!("x-amz-checksum-crc32:{crc}"));
        let request = unsigned_trailer("/bkt/js2?x-id=PutObject", 1000, "x-amz-checksum-crc32")
            .header("transfer-encoding", "chunked")
            .framing(Framing::None);
        let (head, _) = request.encode_apart(&gateway.host());
        let mut connection = gateway.connect();
        connection.write(&head);
        let mut rest = &body[..];
        for size in [5, 1000, 2, 3, 31, 2].into_iter().chain([usize::MAX]) {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            if !chunk.is_empty() {
                connection.write(format!("{:x}\r\n", chunk.len()).as_bytes());
                connection.write(chunk);
                connection.write(b"\r\n");
            }
            rest = after;
        }
        connection.write(b"0\r\n\r\n");
        connection.read_answer("PUT").expect(200);
        stored(&gateway, "/bkt/js2", &data);
    }

    /// Signed chunks without `Content-Encoding`, with a `Content-MD5` of the content.
    #[test]
    fn signed_chunks_that_no_header_announces() {
        let gateway = Gateway::start();
        let data = bytes_of(440, 2);
        let request = Request::new("PUT", "/bkt/keys/1")
            .payload(Payload::SignedChunks(65_536))
            .header("content-md5", base64(&checksum("md5", &data).unwrap()))
            .header("content-length", "614")
            .body(data.clone());
        let (_, body) = request.encode_apart(&gateway.host());
        assert_eq!(body.len(), 614);
        gateway.send(&request).expect(200);
        stored(&gateway, "/bkt/keys/1", &data);
        let list = "/bkt/?delimiter=%2F&encoding-type=url&fetch-owner=true&list-type=2\
                    &prefix=keys%2F";
        let answer = gateway.send(&Request::new("GET", list)).expect(200);
        assert_eq!(answer.text("Contents/Key"), "keys/1");
    }

    /// Many frames of 64 KiB and an odd one, sizes in upper case, over HTTP's chunks.
    #[test]
    fn frames_of_a_part() {
        let gateway = Gateway::with(&[("part-bytes-min", "1")]);
        let upload = gateway.send(
            &Request::new("POST", "/bkt/pa?uploads").header("x-amz-api-version", "2006-03-01"),
        );
        let upload = upload.expect(200).text("UploadId");
        let data = bytes_of(3 * 0x10000 + 0xA880, 4);
        let crc = base64(&checksum("crc64nvme", &data).unwrap());
        let trailer = format!("x-amz-checksum-crc64nvme:{crc}");
        let target = format!("/bkt/pa?partNumber=1&uploadId={upload}");
        let request = unsigned_trailer(&target, data.len(), "x-amz-checksum-crc64nvme")
            .framing(Framing::Chunked(65_524))
            .body(frames(&data, &["10000", "10000", "10000", "A880"], &trailer));
        let tag = gateway.send(&request).expect(200).header("etag").unwrap();
        // It completes without checksums.
        let document = format!(
            "<CompleteMultipartUpload><Part><ETag>{tag}</ETag><PartNumber>1</PartNumber></Part>\
             </CompleteMultipartUpload>"
        );
        let complete = Request::new("POST", format!("/bkt/pa?uploadId={upload}")).body(document);
        gateway.send(&complete).expect(200);
        stored(&gateway, "/bkt/pa", &data);
        let folder = Request::new("PUT", "/bkt/padir/")
            .header("Expect", "100-continue")
            .header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")
            .header("content-type", "application/x-directory");
        gateway.send(&folder).expect(200);
    }

    /// Documents of Complete, as clients write them.
    #[test]
    fn documents_of_complete() {
        for (name, header, document) in [
            (
                "CRC64NVME",
                ("x-amz-mp-object-size", "5"),
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CompleteMultipartUpload \
                 xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n    <Part>\n        \
                 <ETag>$BARE</ETag>\n         <PartNumber>1</PartNumber>\n         \
                 <ChecksumCRC64NVME>$SUM</ChecksumCRC64NVME>\n    </Part>\n\
                 </CompleteMultipartUpload>",
            ),
            (
                "CRC32",
                ("content-type", "application/xml"),
                "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part>\
                 <ETag>&quot;$BARE&quot;</ETag><ChecksumCRC32>$SUM</ChecksumCRC32>\
                 <PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
            ),
            (
                "CRC32C",
                ("content-type", "application/octet-stream"),
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>$BARE</ETag>\
                 <ChecksumCRC32C>$SUM</ChecksumCRC32C></Part></CompleteMultipartUpload>",
            ),
        ] {
            let gateway = Gateway::start();
            let create = Request::new("POST", "/bkt/k?uploads=")
                .header("x-amz-checksum-algorithm", name)
                .framing(Framing::None);
            let upload = gateway.send(&create).expect(200).text("UploadId");
            let lower = name.to_lowercase();
            let sum = base64(&checksum(&lower, b"hello").unwrap());
            let part = Request::new("PUT", format!("/bkt/k?partNumber=1&uploadId={upload}"))
                .payload(Payload::SignedChunks(65_536))
                .header(&format!("x-amz-checksum-{lower}"), sum.clone())
                .body("hello");
            let tag = gateway.send(&part).expect(200).header("etag").unwrap();
            let document = document.replace("$BARE", tag.trim_matches('"')).replace("$SUM", &sum);
            let complete = Request::new("POST", format!("/bkt/k?uploadId={upload}"))
                .payload(Payload::Unsigned)
                .header(header.0, header.1)
                .body(document);
            gateway.send(&complete).expect(200);
            stored(&gateway, "/bkt/k", b"hello");
        }
    }

    /// boto3's presigned URL is SigV2; s3cmd signs for the region `US`.
    #[test]
    fn odd_signatures() {
        let gateway = Gateway::start();
        let key = "/bkt/a%20b%2Bc/%C3%A9";
        gateway.send(&Request::new("PUT", key).body("hello")).expect(200);
        let mut signer = Who::Root.signer().unwrap();
        let expires = crate::signer::now() + 900;
        let target = format!("{key}?response-content-type=text%2Fx%20y&versionId=null");
        let url = signer.presign_v2(expires, "GET", "", &target, &[]);
        let answer = gateway.send(&Request::new("GET", url).by(Who::Anonymous)).expect(200);
        assert_eq!(answer.header("content-type").as_deref(), Some("text/x y"));
        signer.region = "US".into();
        let empty = crate::signer::Body::Sha256(b"");
        let now = crate::signer::now();
        let signed = signer.header(now, "PUT", &gateway.host(), "/newbkt/", &[], empty);
        let mut request = Request::new("PUT", "/newbkt/").by(Who::Anonymous);
        request.headers = signed.headers;
        gateway.send(&request).expect(200);
    }

    /// rclone makes the bucket before every upload, and copies an object onto itself to set its
    /// time.
    #[test]
    fn a_sync() {
        let gateway = Gateway::start();
        Script::new(&gateway).run(
            r#"
            HEAD /bkt/k => 404
            PUT /bkt | x-amz-bucket-object-lock-enabled: false => 200
            PUT /bkt/k?x-id=PutObject | content-md5: {md5} | x-amz-content-sha256: UNSIGNED-PAYLOAD
                | x-amz-meta-mtime: 1795147515.938571776 << hello => 200
            PUT /bkt/k?x-id=CopyObject | x-amz-copy-source: bkt/k | x-amz-storage-class: STANDARD
                | x-amz-metadata-directive: REPLACE | x-amz-meta-mtime: 5.5 => 200
            HEAD /bkt/k | accept-encoding: gzip => 200 | x-amz-meta-mtime: 5.5 | content-length: 5
            GET /bkt?delimiter=%2F&max-keys=1000&prefix= => 200 | Contents/Key = k
            GET /bkt/?list-type=2&delimiter=&max-keys=1000&prefix=
                | x-amz-optional-object-attributes: RestoreStatus => 200 | Contents/Key = k
            GET /bkt?versioning= => 200
            GET /bkt?list-type=2&prefix=sync/&delimiter=/ => 200 | KeyCount = 0
            "#,
        );
    }
}
