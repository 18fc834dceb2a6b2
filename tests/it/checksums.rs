//! Checksums in every algorithm: from a header or a trailer, stored, returned, and combined at
//! Complete.

use md5::Digest;

use crate::harness::{
    Answer, Gateway, Payload, Request, Script, base64, bytes_of, check, checksum, crc_names,
    md5_hex,
};

/// All algorithms, by their names in `x-amz-checksum-algorithm`.
const ALGORITHMS: [&str; 10] = [
    "CRC32",
    "CRC32C",
    "CRC64NVME",
    "SHA1",
    "SHA256",
    "SHA512",
    "MD5",
    "XXHASH64",
    "XXHASH3",
    "XXHASH128",
];

fn header_of(algorithm: &str) -> String {
    format!("x-amz-checksum-{}", algorithm.to_lowercase())
}

fn sum(algorithm: &str, bytes: &[u8]) -> String {
    base64(&checksum(&algorithm.to_lowercase(), bytes).expect("a known algorithm"))
}

/// Name of an algorithm in lower case; static, as a payload needs it.
fn lower(algorithm: &str) -> &'static str {
    let known = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256", "sha512", "md5"];
    let known = known.into_iter().chain(["xxhash64", "xxhash3", "xxhash128"]);
    known.into_iter().find(|name| *name == algorithm.to_lowercase()).expect("a known algorithm")
}

#[test]
fn in_a_header_or_a_trailer_of_an_object_or_a_part() {
    let gateway = Gateway::start();
    let upload = gateway.send(&Request::new("POST", "/bkt/up?uploads")).text("UploadId");
    for size in [0, 1000, 70_000] {
        let body = bytes_of(size, 1);
        for algorithm in ALGORITHMS {
            let (header, value) = (header_of(algorithm), sum(algorithm, &body));
            let wrong = sum(algorithm, b"other bytes");
            for target in ["/bkt/k".to_owned(), format!("/bkt/up?partNumber=1&uploadId={upload}")] {
                let put = Request::new("PUT", target.as_str()).body(body.clone());
                let in_header = put.clone().header(&header, value.clone());
                let trailers = [
                    put.clone().payload(Payload::UnsignedTrailer(65_536, lower(algorithm))),
                    put.clone().payload(Payload::SignedChunksTrailer(9_000, lower(algorithm))),
                ];
                for request in trailers.into_iter().chain([in_header]) {
                    let answer = gateway.send(&request);
                    assert_eq!(answer.status, 200, "{algorithm} {:?} {answer:?}", request.payload);
                    assert_eq!(answer.header(&header).as_ref(), Some(&value), "{algorithm}");
                }
                let answer = gateway.send(&put.clone().header(&header, wrong.clone()));
                assert_eq!(answer.code().as_deref(), Some("BadDigest"), "{algorithm}");
                assert!(answer.text("Message").contains(algorithm), "{answer:?}");
            }
            let shown = Request::new("GET", "/bkt/k").header("x-amz-checksum-mode", "enabled");
            let shown = gateway.send(&shown).expect(200);
            assert_eq!(shown.header(&header), Some(value), "{algorithm}");
            assert_eq!(shown.header("x-amz-checksum-type").as_deref(), Some("FULL_OBJECT"));
        }
    }
}

#[test]
fn headers_that_contradict() {
    check(
        r#"
        PUT /bkt/k | x-amz-checksum-crc32: {crc32} | x-amz-checksum-sha1: {sha1} << x
            => 400 InvalidRequest | Message = Expecting a single x-amz-checksum- header*
        PUT /bkt/k | x-amz-checksum-crc32: {crc32} | x-amz-sdk-checksum-algorithm: SHA1 << x
            => 400 InvalidRequest
        PUT /bkt/k | x-amz-sdk-checksum-algorithm: CRC32 << x       => 400 InvalidRequest
        PUT /bkt/k | x-amz-checksum-crc32: x << x                   => 400 BadDigest
            | Message = Value for x-amz-checksum-crc32 header is invalid.
        PUT /bkt/k | x-amz-checksum-crc32: {crc64nvme} << x         => 400 BadDigest
        PUT /bkt/k | x-amz-checksum-crc99: {crc32} << x             => 400 InvalidRequest
        PUT /bkt/k | x-amz-checksum-crc32: {crc32} | x-amz-trailer: x-amz-checksum-crc32
            | x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER
            | x-amz-decoded-content-length: 1
            << 1\r\nx\r\n0\r\nx-amz-checksum-crc32:jNwFgA==\r\n\r\n
            => 400 InvalidRequest
        GET /bkt/k                                                  => 404 NoSuchKey
        PUT /bkt/k | x-amz-checksum-crc32: {crc32} | x-amz-sdk-checksum-algorithm: CRC32
            | content-md5: {md5} << x                               => 200
        "#,
    );
}

#[test]
fn shown_when_asked_for_and_never_with_a_range() {
    check(
        r#"
        PUT /bkt/k | x-amz-checksum-sha256: {sha256} << hello       => 200
        GET /bkt/k                                    => 200 | -x-amz-checksum-sha256
        HEAD /bkt/k                                   => 200 | -x-amz-checksum-sha256
        GET /bkt/k | x-amz-checksum-mode: ENABLED     => 200 | -x-amz-checksum-crc64nvme
            | x-amz-checksum-sha256: LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=
        HEAD /bkt/k | x-amz-checksum-mode: enabled    => 200 | x-amz-checksum-sha256: *
        GET /bkt/k?x-amz-checksum-mode=ENABLED        => 200 | x-amz-checksum-sha256: *
        GET /bkt/k | x-amz-checksum-mode: ENABLED | range: bytes=0-1 => 206
            | -x-amz-checksum-sha256 | -x-amz-checksum-type
        # A new object has its own.
        PUT /bkt/k << world                           => 200
        GET /bkt/k | x-amz-checksum-mode: ENABLED     => 200 | -x-amz-checksum-sha256
            | x-amz-checksum-crc64nvme: *
        "#,
    );
}

/// Sizes of the parts of a multipart object: inline, in a file, at the edge of a block.
const PARTS: [usize; 4] = [70_000, 65_536, 1, 131_073];

struct Joined {
    gateway: Gateway,
    upload: String,
    bodies: Vec<Vec<u8>>,
    tags: Vec<String>,
}

/// An upload whose parts have all been sent.
fn upload(algorithm: &str, kind: Option<&str>) -> Joined {
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let mut create = Request::new("POST", "/bkt/k?uploads");
    create = create.header("x-amz-checksum-algorithm", algorithm);
    if let Some(kind) = kind {
        create = create.header("x-amz-checksum-type", kind);
    }
    let upload = gateway.send(&create).expect(200).text("UploadId");
    let bodies: Vec<Vec<u8>> =
        PARTS.iter().enumerate().map(|(index, size)| bytes_of(*size, index as u64)).collect();
    let mut tags = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        let target = format!("/bkt/k?partNumber={}&uploadId={upload}", index + 1);
        let put = Request::new("PUT", target).body(body.clone());
        let answer = gateway.send(&put.header(&header_of(algorithm), sum(algorithm, body)));
        tags.push(answer.expect(200).header("etag").expect("a tag"));
    }
    Joined { gateway, upload, bodies, tags }
}

impl Joined {
    /// Completes the upload; `checksum_of` gives the checksum that is listed for a part.
    fn complete(
        &self,
        algorithm: &str,
        headers: &[(&str, &str)],
        checksum_of: impl Fn(usize) -> Option<String>,
    ) -> Answer {
        let mut document = String::from("<CompleteMultipartUpload>");
        for (index, tag) in self.tags.iter().enumerate() {
            let number = index + 1;
            let sum = checksum_of(index).map_or(String::new(), |sum| {
                format!("<Checksum{algorithm}>{sum}</Checksum{algorithm}>")
            });
            document.push_str(&format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag>{sum}</Part>"
            ));
        }
        document.push_str("</CompleteMultipartUpload>");
        let target = format!("/bkt/k?uploadId={}", self.upload);
        let mut request = Request::new("POST", target).body(document);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.gateway.send(&request)
    }

    /// Checks the answers of GET, HEAD, GET by part and the listing.
    fn assert_shown(&self, algorithm: &str, kind: &str, value: &str) {
        let header = header_of(algorithm);
        for method in ["GET", "HEAD"] {
            let shown = Request::new(method, "/bkt/k").header("x-amz-checksum-mode", "ENABLED");
            let shown = self.gateway.send(&shown).expect(200);
            assert_eq!(shown.header(&header).as_deref(), Some(value), "{algorithm} {kind}");
            assert_eq!(shown.header("x-amz-checksum-type").as_deref(), Some(kind));
        }
        for (index, body) in self.bodies.iter().enumerate() {
            let part = Request::new("GET", format!("/bkt/k?partNumber={}", index + 1));
            let part = self.gateway.send(&part.header("x-amz-checksum-mode", "ENABLED"));
            let part = part.expect(206);
            assert!(part.body == *body);
            assert_eq!(part.header(&header), Some(sum(algorithm, body)), "{algorithm} {index}");
        }
        let mut script = Script::new(&self.gateway);
        script.run(&format!(
            "GET /bkt?list-type=2 => 200 | ChecksumAlgorithm = {algorithm} | ChecksumType = {kind}"
        ));
        self.gateway.assert_sound();
    }
}

#[test]
fn composite_is_the_digest_of_the_digests() {
    for algorithm in ALGORITHMS.into_iter().filter(|algorithm| *algorithm != "CRC64NVME") {
        let joined = upload(algorithm, Some("COMPOSITE"));
        let name = algorithm.to_lowercase();
        let raw: Vec<u8> =
            joined.bodies.iter().flat_map(|body| checksum(&name, body).unwrap()).collect();
        let expected = format!("{}-{}", sum(algorithm, &raw), PARTS.len());
        let of_part = |index: usize| Some(sum(algorithm, &joined.bodies[index]));
        // Missing or wrong checksums are refused; the upload survives.
        let header = header_of(algorithm);
        let missing =
            joined.complete(algorithm, &[], |index| of_part(index).filter(|_| index != 1));
        assert_eq!(missing.code().as_deref(), Some("InvalidRequest"), "{algorithm}");
        assert!(missing.text("Message").contains("missing for part 2"), "{missing:?}");
        let wrong = joined.complete(algorithm, &[], |_| Some(sum(algorithm, b"other")));
        assert_eq!(wrong.code().as_deref(), Some("InvalidPart"), "{algorithm}");
        let wrong = joined.complete(algorithm, &[(&header, &sum(algorithm, b"other"))], of_part);
        assert_eq!(wrong.code().as_deref(), Some("BadDigest"), "{algorithm}");
        let kind = [("x-amz-checksum-type", "FULL_OBJECT")];
        let wrong = joined.complete(algorithm, &kind, of_part);
        assert_eq!(wrong.code().as_deref(), Some("InvalidRequest"), "{algorithm}");

        let headers = [(header.as_str(), expected.as_str()), ("x-amz-checksum-type", "COMPOSITE")];
        let answer = joined.complete(algorithm, &headers, of_part).expect(200);
        assert_eq!(answer.text(&format!("Checksum{algorithm}")), expected, "{algorithm}");
        assert_eq!(answer.text("ChecksumType"), "COMPOSITE");
        joined.assert_shown(algorithm, "COMPOSITE", &expected);
        // A repetition with the same headers: the same answer.
        let again = joined.complete(algorithm, &headers, of_part).expect(200);
        assert_eq!(again.body, answer.body);
    }
}

#[test]
fn full_object_is_the_checksum_of_all_bytes() {
    for name in crc_names() {
        let algorithm = name.to_uppercase();
        let joined = upload(&algorithm, Some("FULL_OBJECT"));
        let expected = sum(&algorithm, &joined.bodies.concat());
        let header = header_of(&algorithm);
        let wrong = joined.complete(&algorithm, &[(&header, &sum(&algorithm, b"x"))], |_| None);
        assert_eq!(wrong.code().as_deref(), Some("BadDigest"), "{algorithm}");
        let answer = joined.complete(&algorithm, &[(&header, &expected)], |_| None).expect(200);
        assert_eq!(answer.text(&format!("Checksum{algorithm}")), expected, "{algorithm}");
        joined.assert_shown(&algorithm, "FULL_OBJECT", &expected);
    }
}

#[test]
fn crc64nvme_is_the_default_checksum() {
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let mut script = Script::new(&gateway);
    let whole = [bytes_of(70_000, 0), bytes_of(5, 1)].concat();
    script.set("SUM", sum("CRC64NVME", &whole));
    let tags: Vec<u8> = [bytes_of(70_000, 0), bytes_of(5, 1)]
        .iter()
        .flat_map(|part| md5::Md5::digest(part).to_vec())
        .collect();
    script.set("TAG", format!("\"{}-2\"", md5_hex(&tags)));
    script.run(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << @70000 => 200 | etag -> A
        PUT /bkt/k?uploadId=$U&partNumber=2 << @5:1 => 200 | etag -> B
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
            <Part><PartNumber>2</PartNumber><ETag>$B</ETag></Part></CompleteMultipartUpload>
            => 200 | ETag = $TAG | ChecksumCRC64NVME = $SUM | ChecksumType = FULL_OBJECT
        HEAD /bkt/k | x-amz-checksum-mode: ENABLED => 200 | x-amz-checksum-crc64nvme: $SUM
        "#,
    );
}
