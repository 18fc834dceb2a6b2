//! Limits at their last legal value, and one beyond.

use crate::harness::{Framing, Gateway, Payload, Request, Script, bytes_of, skip};

#[track_caller]
fn refused(gateway: &Gateway, request: &Request, code: &str) {
    let answer = gateway.send(request);
    assert_eq!(answer.code().as_deref(), Some(code), "{answer:?}");
}

#[test]
fn bytes_of_a_key() {
    let gateway = Gateway::start();
    for (key, fits) in [
        ("k".repeat(1023), true),
        ("k".repeat(1024), true),
        ("k".repeat(1025), false),
        ("%C3%A9".repeat(512), true),
        (format!("{}k", "%C3%A9".repeat(512)), false),
        ("%2F".repeat(1024), true),
    ] {
        let put = Request::new("PUT", format!("/bkt/{key}")).body("x");
        let copy =
            Request::new("PUT", "/bkt/copy").header("x-amz-copy-source", format!("bkt/{key}"));
        let create = Request::new("POST", format!("/bkt/{key}?uploads"));
        if fits {
            gateway.send(&put).expect(200);
            gateway.send(&copy).expect(200);
            gateway.send(&create).expect(200);
        } else {
            refused(&gateway, &put, "KeyTooLongError");
            refused(&gateway, &copy, "KeyTooLongError");
            refused(&gateway, &create, "KeyTooLongError");
            assert_eq!(gateway.send(&put).text("MaxSizeAllowed"), "1024");
        }
    }
    let long = "k".repeat(1025);
    let document = format!("<Delete><Object><Key>{long}</Key></Object></Delete>");
    let answer = gateway.send(&Request::new("POST", "/bkt?delete").body(document)).expect(200);
    assert_eq!(answer.text("Error/Code"), "KeyTooLongError");
}

#[test]
fn bytes_of_metadata() {
    let gateway = Gateway::start();
    // Names count without their prefix; values count too.
    for (sizes, fits) in [
        (&[2046][..], true),
        (&[2047], true),
        (&[2048], false),
        (&[1000, 1046], true),
        (&[1000, 1047], false),
    ] {
        for target in ["/bkt/k", "/bkt/k?uploads"] {
            let method = if target.ends_with("uploads") { "POST" } else { "PUT" };
            let mut request = Request::new(method, target);
            for (index, size) in sizes.iter().enumerate() {
                request = request.header(&format!("x-amz-meta-{index}"), "v".repeat(*size));
            }
            if fits {
                gateway.send(&request).expect(200);
            } else {
                refused(&gateway, &request, "MetadataTooLarge");
                let answer = gateway.send(&request);
                assert_eq!((answer.text("Size"), answer.text("MaxSizeAllowed")), {
                    ("2049".to_owned(), "2048".to_owned())
                });
            }
        }
    }
}

#[test]
fn bytes_of_headers() {
    let gateway = Gateway::with(&[("header-bytes-max", "4096")]);
    let request = Request::new("GET", "/");
    let (head, _) = request.encode_apart(&gateway.host());
    // Every header counts as its line; the request line and the empty line do not.
    let line = "GET / HTTP/1.1\r\n".len();
    let there = head.len() - line - 2 + "x-pad: \r\n".len();
    for (total, status) in [(4095, 200), (4096, 200), (4097, 400), (9000, 400), (60_000, 431)] {
        let mut padded = request.clone();
        padded.unsigned_headers.push(("x-pad".into(), "p".repeat(total - there)));
        let answer = gateway.send(&padded);
        assert_eq!(answer.status, status, "{total}: {answer:?}");
        if status == 400 {
            assert_eq!(answer.code().as_deref(), Some("RequestHeaderSectionTooLarge"));
            assert_eq!(answer.text("MaxSizeAllowed"), "4096");
        }
    }
}

#[test]
fn bytes_of_a_target() {
    let gateway = Gateway::with(&[("uri-bytes-max", "4096")]);
    for (total, status) in [(4095, 200), (4096, 200), (4097, 400), (9000, 400)] {
        let target = format!("/bkt?x={}", "p".repeat(total - "/bkt?x=".len()));
        let answer = gateway.send(&Request::new("GET", target));
        assert_eq!(answer.status, status, "{total}: {answer:?}");
        if status == 400 {
            assert_eq!(answer.code().as_deref(), Some("InvalidURI"));
        }
    }
}

#[test]
fn bytes_of_documents() {
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let mut script = Script::new(&gateway);
    script.run(
        r#"
        POST /bkt/k?uploads                      => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << x => 200 | etag -> E
        "#,
    );
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>",
        script.get("E")
    );
    let upload = format!("/bkt/k?uploadId={}", script.get("U"));
    let documents = [
        ("POST", upload.as_str(), complete.as_str(), "</CompleteMultipartUpload>", 8 << 20),
        ("POST", "/bkt?delete", "<Delete><Object><Key>k</Key></Object>", "</Delete>", 2 << 20),
        ("PUT", "/new", "<CreateBucketConfiguration>", "</CreateBucketConfiguration>", 64 << 10),
    ];
    for (method, target, begin, end, max) in documents {
        for (total, fits) in [(max + 1, false), (max, true), (max - 1, true)] {
            let blank = " ".repeat(total - begin.len() - end.len());
            let document = format!("{begin}{blank}{end}");
            for framing in [Framing::Length, Framing::Chunked(50_000)] {
                let request = Request::new(method, target).framing(framing).body(document.clone());
                if fits {
                    gateway.send(&request).expect(200);
                } else {
                    refused(&gateway, &request, "MaxMessageLengthExceeded");
                }
            }
        }
    }
    // With a Content-Length, it is refused before its body.
    let request = Request::new("POST", upload).header("content-length", "8388609");
    let (head, _) = request.encode_apart(&gateway.host());
    let mut connection = gateway.connect();
    connection.write(&head);
    let answer = connection.read_answer("POST").expect(400);
    assert_eq!(answer.code().as_deref(), Some("MaxMessageLengthExceeded"));
}

#[test]
fn numbers_of_parts() {
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    for (number, status) in [(0, 400), (1, 200), (9_999, 200), (10_000, 200), (10_001, 400)] {
        let target = format!("/bkt/k?partNumber={number}&uploadId={upload}");
        let answer = gateway.send(&Request::new("PUT", target).body("x"));
        assert_eq!(answer.status, status, "{number}: {answer:?}");
    }
    // A list of 10,000 is read to its end; the 10,001st part is one too many.
    let list = |count: usize| {
        let part = |number: usize| {
            let number = number.min(10_000);
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{TAG_OF_X}</ETag></Part>")
        };
        let parts: String = (1..=count).map(part).collect();
        let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        Request::new("POST", format!("/bkt/k?uploadId={upload}")).body(document)
    };
    refused(&gateway, &list(10_001), "MalformedXML");
    refused(&gateway, &list(10_000), "InvalidPart");
}

/// The MD5 of `x`.
const TAG_OF_X: &str = "9dd4e461268c8034f5c8564e155c67a6";

/// 10,000 parts, pipelined over a few connections.
#[test]
fn an_object_of_ten_thousand_parts() {
    const LANES: usize = 4;
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let (gateway, upload) = (&gateway, &upload);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                let numbers: Vec<usize> = (1..=10_000).skip(lane).step_by(LANES).collect();
                for batch in numbers.chunks(50) {
                    let mut bytes = Vec::new();
                    for number in batch {
                        let target = format!("/bkt/k?partNumber={number}&uploadId={upload}");
                        let put = Request::new("PUT", target).body("x");
                        bytes.extend(put.encode(&gateway.host()));
                    }
                    connection.write(&bytes);
                    for _ in batch {
                        connection.read_answer("PUT").expect(200);
                    }
                }
            });
        }
    });
    let parts: String = (1..=10_000)
        .map(|n| format!("<Part><PartNumber>{n}</PartNumber><ETag>{TAG_OF_X}</ETag></Part>"))
        .collect();
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let complete = Request::new("POST", format!("/bkt/k?uploadId={upload}")).body(document);
    let answer = gateway.send(&complete).expect(200);
    assert!(answer.text("ETag").ends_with("-10000\""), "{answer:?}");
    let got = gateway.send(&Request::new("GET", "/bkt/k")).expect(200);
    assert!(got.body == [b'x'; 10_000]);
    Script::new(&gateway).run(
        r#"
        GET /bkt/k?partNumber=10000 => 206 | content-range: bytes 9999-9999/10000
            | x-amz-mp-parts-count: 10000 << x
        GET /bkt/k | range: bytes=4999-5000 => 206 << xx
        "#,
    );
    gateway.assert_sound();
}

#[test]
fn sizes_of_parts() {
    for (min, first, code) in [(1000, 999, "EntityTooSmall"), (1000, 1000, ""), (1000, 1001, "")] {
        let gateway = Gateway::with(&[("part-bytes-min", "1000")]);
        let mut script = Script::new(&gateway);
        let expected = match code {
            "" => "200".to_owned(),
            _ => format!("400 {code} | MinSizeAllowed = {min} | ProposedSize = {first}"),
        };
        script.run(&format!(
            r#"
            POST /bkt/k?uploads                             => 200 | UploadId -> U
            PUT /bkt/k?uploadId=$U&partNumber=1 << @{first} => 200 | etag -> A
            PUT /bkt/k?uploadId=$U&partNumber=2             => 200 | etag -> B
            POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
                <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
                <Part><PartNumber>2</PartNumber><ETag>$B</ETag></Part></CompleteMultipartUpload>
                => {expected}
            "#
        ));
    }
}

/// 5 GiB is the limit of one request. A longer body is refused before it is sent.
#[test]
fn bytes_of_one_body() {
    let gateway = Gateway::start();
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    for target in ["/bkt/k".to_owned(), format!("/bkt/k?partNumber=1&uploadId={upload}")] {
        let streaming = |length: &str| {
            Request::new("PUT", target.clone())
                .header("x-amz-decoded-content-length", length)
                .payload(crate::harness::Payload::SignedChunks(100))
        };
        let plain = |length: &str| {
            Request::new("PUT", target.clone())
                .header("content-length", length)
                .payload(crate::harness::Payload::Unsigned)
        };
        for (request, status) in [
            (plain("5368709121"), 400),
            (plain("5368709120"), 100),
            (streaming("5368709121"), 400),
            (streaming("5368709120"), 100),
        ] {
            let request = request.header("expect", "100-continue");
            let (head, _) = request.encode_apart(&gateway.host());
            let mut connection = gateway.connect();
            connection.write(&head);
            let answer = connection.read_head();
            // A small disk has no room for a legal body.
            if answer.status == 507 {
                skip("the disk of the temporary folder has no room for 5 GiB");
            }
            let expected = if answer.status == 507 { 507 } else { status };
            assert_eq!(answer.status, expected, "{} {request:?}", answer.status);
        }
    }
}

/// Sizes at which bodies move from the database to segments, and to files of their own.
#[test]
fn the_borders_of_inline_and_of_packed_bodies() {
    for (inline, packed, sizes) in [
        ("65536", "131072", [65_535, 65_536, 65_537, 131_071, 131_072, 131_073]),
        ("8192", "262144", [8_191, 8_192, 8_193, 262_143, 262_144, 262_145]),
        ("2", "4", [1, 2, 3, 4, 5, 6]),
        ("2", "0", [1, 2, 3, 4, 5, 6]),
        ("0", "1", [1, 2, 3, 4, 5, 6]),
    ] {
        let gateway = Gateway::with(&[
            ("inline-bytes-max", inline),
            ("packed-bytes-max", packed),
            ("part-bytes-min", "1"),
        ]);
        let border: usize = inline.parse().unwrap();
        for (index, size) in sizes.into_iter().enumerate() {
            let mut script = Script::new(&gateway);
            script.run(&format!(
                r#"
                PUT /bkt/k{index} << @{size}                                => 200
                GET /bkt/k{index}                                           => 200 << @{size}
                POST /bkt/m{index}?uploads                                  => 200 | UploadId -> U
                PUT /bkt/m{index}?uploadId=$U&partNumber=1 << @{size}       => 200 | etag -> A
                PUT /bkt/m{index}?uploadId=$U&partNumber=2 << @{size}:1     => 200 | etag -> B
                POST /bkt/m{index}?uploadId=$U << <CompleteMultipartUpload>
                    <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
                    <Part><PartNumber>2</PartNumber><ETag>$B</ETag></Part></CompleteMultipartUpload>
                    => 200
                GET /bkt/m{index}                            => 200 << @{size} + @{size}:1
                PUT /bkt/c{index} | x-amz-copy-source: bkt/m{index}         => 200
                GET /bkt/c{index}                            => 200 << @{size} + @{size}:1
                "#
            ));
            if size > border {
                let whole = bytes_of(size, 0);
                let range = Request::new("GET", format!("/bkt/k{index}"));
                let last = gateway.send(&range.header("range", "bytes=-1")).expect(206);
                assert_eq!(last.body, whole[size - 1..]);
            }
        }
        gateway.assert_sound();
    }
}

#[test]
fn entries_of_a_page() {
    let gateway = Gateway::start();
    let mut connection = gateway.connect();
    let keys: Vec<usize> = (0..1001).collect();
    for batch in keys.chunks(50) {
        let puts = batch.iter().map(|n| Request::new("PUT", format!("/bkt/k{n:04}")));
        let bytes: Vec<u8> = puts.flat_map(|put| put.encode(&gateway.host())).collect();
        connection.write(&bytes);
        for _ in batch {
            connection.read_answer("PUT").expect(200);
        }
    }
    for (query, count, truncated) in [
        ("list-type=2", 1000, "true"),
        ("list-type=2&max-keys=1000", 1000, "true"),
        ("list-type=2&max-keys=1001", 1000, "true"),
        ("list-type=2&max-keys=999", 999, "true"),
        ("list-type=2&start-after=k0000", 1000, "false"),
        ("max-keys=2147483647", 1000, "true"),
        ("versions&max-keys=1001", 1000, "true"),
    ] {
        let answer = gateway.send(&Request::new("GET", format!("/bkt?{query}"))).expect(200);
        let root = answer.xml();
        let entries = root.all("Contents").len() + root.all("Version").len();
        assert_eq!((entries, answer.text("IsTruncated").as_str()), (count, truncated), "{query}");
    }
}

/// An unknown transfer coding is refused: it would be stored with the body.
#[test]
fn codings_of_the_transfer() {
    let gateway = Gateway::start();
    for (coding, status) in
        [("chunked", 200), ("Chunked", 200), ("gzip, chunked", 501), ("chunked, chunked", 501)]
    {
        let request = Request::new("PUT", "/bkt/k")
            .header("transfer-encoding", coding)
            .payload(Payload::Unsigned)
            .framing(Framing::None);
        let mut connection = gateway.connect();
        connection.write(&request.encode(&gateway.host()));
        connection.write(b"5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(connection.read_answer("PUT").status, status, "{coding}");
    }
}
