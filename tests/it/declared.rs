//! Declared uploads: size, part size and digests named at Create, and what they enforce.

use std::time::Duration;

use crate::harness::{Answer, Gateway, Request, Script, bytes_of, check, check_with, md5_hex};

mod digests;
mod fair_queue;
mod resume;

/// Document of Complete for these parts: number and ETag.
pub fn document(parts: &[(usize, String)]) -> String {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        })
        .collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

/// Sends a part; returns its ETag.
pub fn put_part(gateway: &Gateway, upload: &str, number: usize, body: &[u8]) -> String {
    let target = format!("/bkt/k?uploadId={upload}&partNumber={number}");
    let answer = gateway.send(&Request::new("PUT", target).body(body)).expect(200);
    answer.header("etag").expect("an ETag")
}

/// Opens an upload of `bkt/k` with these headers.
pub fn create(gateway: &Gateway, headers: &[(&str, String)]) -> Answer {
    let mut request = Request::new("POST", "/bkt/k?uploads");
    for (name, value) in headers {
        request = request.header(name, value.clone());
    }
    gateway.send(&request)
}

#[test]
fn create_answers_with_the_parts_that_fit() {
    check(
        r#"
        # The fewest parts of 8 MiB or more, in whole MiB.
        POST /bkt/k?uploads | x-partita-object-size: 345000000 => 200 | Bucket = bkt | Key = k
            | x-partita-part-size: 8388608 | x-partita-part-count: 42 | x-partita-upload: created
        POST /bkt/k?uploads | x-partita-object-size: 83886080001 => 200
            | x-partita-part-size: 9437184 | x-partita-part-count: 8889
        POST /bkt/k?uploads | x-partita-object-size: 53687091200000 => 200
            | x-partita-part-size: 5368709120 | x-partita-part-count: 10000
        POST /bkt/k?uploads | x-partita-object-size: 0 => 200
            | x-partita-part-size: 8388608 | x-partita-part-count: 1
        # The client's choice is kept where S3 allows it.
        POST /bkt/k?uploads | x-partita-object-size: 345000000 | x-partita-part-size: 5242880
            => 200 | x-partita-part-size: 5242880 | x-partita-part-count: 66
        POST /bkt/k?uploads | x-partita-object-size: 3 | x-partita-part-size: 3
            => 200 | x-partita-part-size: 3 | x-partita-part-count: 1
        # Without a declaration it is plain S3.
        POST /bkt/k?uploads => 200 | -x-partita-part-size | -x-partita-part-count
            | -x-partita-upload
        POST /bkt/k?uploads | x-partita-content-md5: d41d8cd98f00b204e9800998ecf8427e => 200
            | -x-partita-part-size | x-partita-upload: created
        # A presigner may put the headers into the query.
        POST /bkt/k?uploads&x-partita-object-size=10 => 200 | x-partita-part-count: 1
        "#,
    );
}

#[test]
fn a_malformed_declaration_is_refused_by_its_name() {
    check(
        r#"
        POST /bkt/k?uploads | x-partita-object-size: ten => 400 InvalidArgument
            | ArgumentName = x-partita-object-size | ArgumentValue = ten
        POST /bkt/k?uploads | x-partita-object-size: -1          => 400 InvalidArgument
        POST /bkt/k?uploads | x-partita-object-size: 1e3         => 400 InvalidArgument
        POST /bkt/k?uploads | x-partita-object-size: 53687091200001 => 400 InvalidArgument
            | ArgumentName = x-partita-object-size
        POST /bkt/k?uploads | x-partita-part-size: 8388608       => 400 InvalidArgument
            | ArgumentName = x-partita-part-size
        POST /bkt/k?uploads | x-partita-object-size: 10485760 | x-partita-part-size: 5242879
            => 400 InvalidArgument | ArgumentName = x-partita-part-size | ArgumentValue = 5242879
        POST /bkt/k?uploads | x-partita-object-size: 52428800001 | x-partita-part-size: 5242880
            => 400 InvalidArgument | ArgumentName = x-partita-part-size
        POST /bkt/k?uploads | x-partita-object-size: 1 | x-partita-part-size: 5368709121
            => 400 InvalidArgument | ArgumentName = x-partita-part-size
        POST /bkt/k?uploads | x-partita-object-size: 1 | x-partita-part-size: 0
            => 400 InvalidArgument | ArgumentName = x-partita-part-size
        POST /bkt/k?uploads | x-partita-content-sha256: abc => 400 InvalidArgument
            | ArgumentName = x-partita-content-sha256 | ArgumentValue = abc
        POST /bkt/k?uploads | x-partita-content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==
            => 400 InvalidArgument | ArgumentName = x-partita-content-md5
        GET /bkt?uploads => 200 | !Upload
        "#,
    );
}

#[test]
fn a_part_has_the_bytes_of_its_number() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        PUT /bkt/source << 0123456789 => 200
        POST /bkt/k?uploads | x-partita-object-size: 25 | x-partita-part-size: 10
            => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=2 << 0123456789 => 200 | x-partita-next-part: 1
        PUT /bkt/k?uploadId=$U&partNumber=1 << 012345678 => 400 InvalidRequest
            | PartNumber = 1 | ProposedSize = 9 | ExpectedSize = 10
            | x-partita-expected: bytes=0-9,20-24
        PUT /bkt/k?uploadId=$U&partNumber=3 << 0123456789 => 400 InvalidRequest
            | ExpectedSize = 5 | x-partita-expected: bytes=0-9,20-24
        PUT /bkt/k?uploadId=$U&partNumber=4 << 01234 => 400 InvalidRequest | PartNumber = 4
            | !ExpectedSize | x-partita-expected: bytes=0-9,20-24
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/source
            | x-amz-copy-source-range: bytes=0-8 => 400 InvalidRequest | ProposedSize = 9
            | x-partita-expected: bytes=0-9,20-24
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/source => 200
            | x-partita-next-part: 3
        PUT /bkt/k?uploadId=$U&partNumber=3 << 01234 => 200 | -x-partita-next-part
        GET /bkt/k?uploadId=$U => 200 | Part/Size = 10 10 5
        "#,
    );
}

#[test]
fn a_part_that_cannot_fit_is_refused_before_its_body() {
    let gateway = Gateway::start();
    let created = create(&gateway, &[("x-partita-object-size", "100".into())]).expect(200);
    let upload = created.text("UploadId");
    let mut connection = gateway.connect();
    let target = format!("/bkt/k?uploadId={upload}&partNumber=1");
    let request =
        Request::new("PUT", target).header("expect", "100-continue").body(bytes_of(99, 1));
    let (head, _) = request.encode_apart(&gateway.host());
    connection.write(&head);
    let answer = connection.read_answer("PUT");
    assert_eq!((answer.status, answer.interim.as_slice()), (400, &[][..]), "{answer:?}");
    assert_eq!(answer.header("x-partita-expected").as_deref(), Some("bytes=0-99"));
}

#[test]
fn a_body_of_unknown_length_is_checked_at_its_end() {
    let gateway = Gateway::start();
    let created = create(&gateway, &[("x-partita-object-size", "100".into())]).expect(200);
    let upload = created.text("UploadId");
    for (length, status) in [(99, 400), (101, 400), (100, 200)] {
        let target = format!("/bkt/k?uploadId={upload}&partNumber=1");
        let request = Request::new("PUT", target)
            .framing(crate::harness::Framing::Chunked(10))
            .body(bytes_of(length, 1));
        let answer = gateway.send(&request);
        assert_eq!(answer.status, status, "{length}: {answer:?}");
    }
    gateway.assert_sound();
}

#[test]
fn a_body_of_unknown_length_is_held_to_its_content_range() {
    let gateway = Gateway::start();
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    for size in [100, 1_000_000] {
        for (length, code) in [(size - 1, "InvalidRange"), (size + 1, "InvalidRange"), (size, "")] {
            let request = Request::new("PUT", format!("/bkt/k?uploadId={upload}&partNumber=1"))
                .header("content-range", format!("bytes 7-{}/*", size + 6))
                .framing(crate::harness::Framing::Chunked(1000))
                .body(bytes_of(length, 1));
            let answer = gateway.send(&request);
            assert_eq!(answer.code().unwrap_or_default(), code, "{length}: {answer:?}");
        }
        // A tighter bound does not admit a part that is shorter than its range.
        let target = format!("/bkt/k?uploadId={upload}&partNumber=2&x-partita-max-bytes=5");
        let short = Request::new("PUT", target)
            .header("content-range", format!("bytes 0-{}/*", size - 1))
            .framing(crate::harness::Framing::Chunked(10))
            .body("12345");
        assert_eq!(gateway.send(&short).code().as_deref(), Some("EntityTooLarge"));
    }
    gateway.assert_sound();
}

/// In memory and in a file. The body never ends, so a handler that reads to its end never answers.
#[test]
fn a_body_of_unknown_length_is_stopped_at_the_first_byte_too_many() {
    let gateway = Gateway::start();
    for size in [100, 1_000_000] {
        let key = format!("/bkt/k{size}");
        let created = Request::new("POST", format!("{key}?uploads"));
        let created = created.header("x-partita-object-size", size.to_string());
        let upload = gateway.send(&created).expect(200).text("UploadId");
        let target = format!("{key}?uploadId={upload}&partNumber=1");
        let request = Request::new("PUT", &target)
            .payload(crate::harness::Payload::Unsigned)
            .framing(crate::harness::Framing::Chunked(1))
            .body("?");
        let (head, _) = request.encode_apart(&gateway.host());
        let mut connection = gateway.connect();
        connection.write(&head);
        let sent = |bytes: usize| {
            [format!("{bytes:x}\r\n").as_bytes(), &bytes_of(bytes, 1), b"\r\n"].concat()
        };
        connection.write(&sent(size));
        assert!(!connection.answers_within(std::time::Duration::from_millis(300)), "it may end");
        connection.write(&sent(1));
        let answer = connection.read_answer("PUT").expect(400);
        assert_eq!(answer.code().as_deref(), Some("InvalidRequest"), "{answer:?}");
        assert_eq!(answer.text("ExpectedSize"), size.to_string());
        let missing = format!("bytes=0-{}", size - 1);
        assert_eq!(answer.header("x-partita-expected"), Some(missing));
        // A lower bound of the request is the one that is reported.
        let own = Request::new("PUT", format!("{target}&x-partita-max-bytes=5"))
            .framing(crate::harness::Framing::Chunked(10))
            .body(bytes_of(size, 1));
        assert_eq!(gateway.send(&own).code().as_deref(), Some("EntityTooLarge"));
    }
    gateway.assert_sound();
}

#[test]
fn content_range_says_the_same_as_the_number() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/k?uploads | x-partita-object-size: 25 | x-partita-part-size: 10
            => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=2 | content-range: bytes 10-19/25 << 0123456789 => 200
        PUT /bkt/k?uploadId=$U&partNumber=3 | content-range: bytes 20-24/* << 01234 => 200
        PUT /bkt/k?uploadId=$U&partNumber=1 | content-range: bytes 10-19/25 << 0123456789
            => 416 InvalidRange | x-partita-expected: bytes=0-9 | ContentRange = bytes 10-19/25
        PUT /bkt/k?uploadId=$U&partNumber=1 | content-range: bytes 1-10/25 << 0123456789
            => 416 InvalidRange
        PUT /bkt/k?uploadId=$U&partNumber=1 | content-range: bytes 0-9/26 << 0123456789
            => 416 InvalidRange
        PUT /bkt/k?uploadId=$U&partNumber=1 | content-range: 0-9 << 0123456789
            => 400 InvalidArgument | ArgumentName = Content-Range
        GET /bkt/k?uploadId=$U => 200 | PartNumber = 2 3
        # Of an upload that declares nothing only the length is known.
        POST /bkt/k?uploads => 200 | UploadId -> V
        PUT /bkt/k?uploadId=$V&partNumber=7 | content-range: bytes 3-12/99 << 0123456789 => 200
        PUT /bkt/k?uploadId=$V&partNumber=7 | content-range: bytes 3-13/99 << 0123456789
            => 416 InvalidRange | -x-partita-expected
        "#,
    );
}

#[test]
fn complete_refuses_gaps_and_says_what_is_missing() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/k?uploads | x-partita-object-size: 45 | x-partita-part-size: 10
            => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=2 << 0123456789 => 200 | etag -> E
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>2</PartNumber>
            <ETag>$E</ETag></Part></CompleteMultipartUpload> => 400 InvalidRequest
            | x-partita-expected: bytes=0-9,20-44
            | ExpectedBlocks = {"uploadId":"$U","bucket":"bkt","key":"k","status":"upload",*
            | ExpectedBlocks = *"totalSize":45,"partSize":10,"receivedBytes":10,*
            | ExpectedBlocks = *[{"startByte":0,"endByte":9,"firstPart":1,"lastPart":1},*
            | ExpectedBlocks = *,{"startByte":20,"endByte":44,"firstPart":3,"lastPart":5}],*
        PUT /bkt/k?uploadId=$U&partNumber=1 << 0123456789 => 200
        # A part that was never sent, and one with another ETag.
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$E</ETag></Part><Part><PartNumber>3</PartNumber><ETag>$E</ETag></Part>
            </CompleteMultipartUpload> => 400 InvalidPart | PartNumber = 3
            | x-partita-expected: bytes=10-44
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>d41d8cd98f00b204e9800998ecf8427e</ETag></Part><Part><PartNumber>2</PartNumber>
            <ETag>$E</ETag></Part></CompleteMultipartUpload> => 400 InvalidPart | PartNumber = 1
            | x-partita-expected: bytes=0-9,20-44
        GET /bkt/k => 404 NoSuchKey
        "#,
    );
}

#[test]
fn complete_takes_the_whole_file() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/k?uploads | x-partita-object-size: 15 | x-partita-part-size: 10
            => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=2 << 01234 => 200 | etag -> F
        PUT /bkt/k?uploadId=$U&partNumber=1 << 0123456789 => 200 | etag -> E
        # The declared size must equal S3's own header, and ours.
        POST /bkt/k?uploadId=$U | x-amz-mp-object-size: 16 << <CompleteMultipartUpload><Part>
            <PartNumber>1</PartNumber><ETag>$E</ETag></Part><Part><PartNumber>2</PartNumber>
            <ETag>$F</ETag></Part></CompleteMultipartUpload> => 400 InvalidRequest
        POST /bkt/k?uploadId=$U | x-partita-object-size: 14 << <CompleteMultipartUpload><Part>
            <PartNumber>1</PartNumber><ETag>$E</ETag></Part><Part><PartNumber>2</PartNumber>
            <ETag>$F</ETag></Part></CompleteMultipartUpload> => 400 InvalidRequest
        POST /bkt/k?uploadId=$U | x-amz-mp-object-size: 15 | x-partita-object-size: 16
            << <CompleteMultipartUpload><Part>
            <PartNumber>1</PartNumber><ETag>$E</ETag></Part><Part><PartNumber>2</PartNumber>
            <ETag>$F</ETag></Part></CompleteMultipartUpload> => 400 InvalidArgument
        POST /bkt/k?uploadId=$U | x-amz-mp-object-size: 15 << <CompleteMultipartUpload><Part>
            <PartNumber>1</PartNumber><ETag>$E</ETag></Part><Part><PartNumber>2</PartNumber>
            <ETag>$F</ETag></Part></CompleteMultipartUpload> => 200 | ETag = "*-2"
        GET /bkt/k => 200 << 012345678901234
        "#,
    );
}

#[test]
fn an_empty_file_is_one_part_without_bytes() {
    check(
        r#"
        POST /bkt/k?uploads | x-partita-object-size: 0 => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << x => 400 InvalidRequest | -x-partita-expected
            | ExpectedBlocks = *{"startByte":0,"endByte":-1,"firstPart":1,"lastPart":1}*
        PUT /bkt/k?uploadId=$U&partNumber=1 | content-length: 0 => 200 | etag -> E
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$E</ETag></Part></CompleteMultipartUpload> => 200
        HEAD /bkt/k => 200 | content-length: 0
        "#,
    );
}

#[test]
fn an_upload_tells_when_it_ends_by_itself() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U | x-amz-abort-date: * GMT
            | x-amz-abort-rule-id: partita-idle
        GET /bkt/k?uploadId=$U => 200 | x-amz-abort-date: * GMT
        "#,
    );
}

#[test]
fn a_declaration_survives_a_restart() {
    let mut gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let sizes = [("x-partita-object-size", "15".into()), ("x-partita-part-size", "10".into())];
    let upload = create(&gateway, &sizes).expect(200).text("UploadId");
    put_part(&gateway, &upload, 1, b"0123456789");
    gateway.restart();
    let mut script = Script::new(&gateway);
    script.set("U", upload);
    script.run(
        r#"
        PUT /bkt/k?uploadId=$U&partNumber=2 << 012345 => 400 InvalidRequest
            | x-partita-expected: bytes=10-14
        PUT /bkt/k?uploadId=$U&partNumber=2 << 01234 => 200 | -x-partita-next-part
        "#,
    );
    gateway.assert_sound();
}
