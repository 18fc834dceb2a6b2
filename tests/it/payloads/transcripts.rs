//! Requests recorded from real clients, byte for byte, except signatures and dates.

use crate::harness::{Framing, Gateway, Payload, Request, Script, Who, base64, bytes_of, checksum};

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
    let upload = gateway
        .send(&Request::new("POST", "/bkt/pa?uploads").header("x-amz-api-version", "2006-03-01"));
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

/// A presigned URL of SigV2, as boto3 makes it, and a signature for the region `US` of s3cmd.
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
