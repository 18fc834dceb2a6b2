//! PutObject.

use crate::harness::{check, check_with};

#[test]
fn stores_bytes_and_answers_with_their_digests() {
    check(
        r#"
        PUT /bkt/k << hello    => 200 | etag: "{md5hex}" | content-length: 0 | server: Partita
            | x-amz-checksum-crc64nvme: {crc64nvme} | x-amz-checksum-type: FULL_OBJECT
            | x-amz-request-id: * | x-amz-id-2: * | date: *
        GET /bkt/k             => 200 | etag: "5d41402abc4b2a76b9719d911017c592" << hello
        PUT /bkt/k << again    => 200 | etag: "{md5hex}"
        GET /bkt/k             => 200 << again
        PUT /bkt/empty         => 200 | etag: "d41d8cd98f00b204e9800998ecf8427e"
        GET /bkt/empty         => 200 | content-length: 0
        PUT /bkt/large << @300000 => 200 | etag: "{md5hex}"
        GET /bkt/large         => 200 | content-length: 300000 << @300000
        PUT /bkt/dir/          => 200
        GET /bkt/dir/          => 200 | content-length: 0
        "#,
    );
}

#[test]
fn keeps_standard_headers_and_metadata() {
    check(
        r#"
        PUT /bkt/k | content-type: text/x | cache-control: no-store | content-language: de
            | content-disposition: attachment; filename="a b" | expires: whenever
            | content-encoding: gzip | x-amz-meta-a: 1 | X-Amz-Meta-B: two words << x => 200
        GET /bkt/k => 200 | content-type: text/x | cache-control: no-store | content-language: de
            | content-disposition: attachment; filename="a b" | expires: whenever
            | content-encoding: gzip | x-amz-meta-a: 1 | x-amz-meta-b: two words
        # A header that is not given has a default or is absent; a new object inherits nothing.
        PUT /bkt/k << y        => 200
        GET /bkt/k             => 200 | content-type: binary/octet-stream | -x-amz-meta-a
            | -content-encoding | -cache-control | -content-disposition | -expires
        # Lines of one name are one value; aws-chunked names the framing and is not kept.
        PUT /bkt/m | x-amz-meta-a: 1 | x-amz-meta-a: 2 | content-encoding: aws-chunked => 200
        GET /bkt/m             => 200 | x-amz-meta-a: 1,2 | -content-encoding
        PUT /bkt/m | content-encoding: gzip, aws-chunked << x => 200
        GET /bkt/m             => 200 | content-encoding: gzip
        PUT /bkt/m | x-amz-meta-utf: ä€ << x => 200
        GET /bkt/m             => 200 | x-amz-meta-utf: ä€
        "#,
    );
}

#[test]
fn keys_are_taken_literally() {
    let keys = [
        "a//b",
        "/lead",
        "a/../b",
        "./x",
        "tr/",
        "a%2Bb",
        "a%20b",
        "~",
        "%2A%27%28%29%21",
        "%252F",
        "e%CC%81",
        "%C3%A9",
        "a+b",
        "%3FversionId",
        "_partita/v1/x",
        "%01%0A",
    ];
    let gateway = crate::harness::Gateway::start();
    for (index, key) in keys.iter().enumerate() {
        let put = crate::harness::Request::new("PUT", format!("/bkt/{key}"));
        gateway.send(&put.body(format!("body {index}"))).expect(200);
    }
    for (index, key) in keys.iter().enumerate() {
        let got = gateway.send(&crate::harness::Request::new("GET", format!("/bkt/{key}")));
        let expected = match *key {
            // Two of these spellings are one key.
            "a%2Bb" => format!("body {}", keys.iter().position(|k| *k == "a+b").unwrap()),
            _ => format!("body {index}"),
        };
        assert_eq!(String::from_utf8(got.expect(200).body).unwrap(), expected, "{key}");
    }
}

#[test]
fn refuses_what_it_cannot_promise() {
    check(
        r#"
        PUT /bkt/k | x-amz-server-side-encryption: AES256 << x => 501 NotImplemented
            | Header = x-amz-server-side-encryption
        PUT /bkt/k | x-amz-server-side-encryption-context: e30= << x => 501 NotImplemented
        PUT /bkt/k | x-amz-server-side-encryption-bucket-key-enabled: true << x
            => 501 NotImplemented
        PUT /bkt/k | x-amz-tagging: a=b << x              => 501 NotImplemented
        PUT /bkt/k | x-amz-object-lock-mode: GOVERNANCE << x => 501 NotImplemented
        PUT /bkt/k | x-amz-website-redirect-location: /x << x => 501 NotImplemented
        PUT /bkt/k | x-amz-write-offset-bytes: 0 << x     => 501 NotImplemented
        PUT /bkt/k | x-amz-acl: public-read << x          => 400 AccessControlListNotSupported
        PUT /bkt/k | x-amz-grant-read: id=alice << x      => 400 AccessControlListNotSupported
        PUT /bkt/k | x-amz-storage-class: GLACIER << x    => 400 InvalidStorageClass
        PUT /bkt/k | content-md5: {md5}A << x             => 400 InvalidDigest
        PUT /bkt/k | content-md5: AAAAAAAAAAAAAAAAAAAAAA== << x => 400 BadDigest
            | ExpectedDigest = AAAAAAAAAAAAAAAAAAAAAA== | CalculatedDigest = {md5}
        GET /bkt/k => 404 NoSuchKey
        # Headers that change nothing are accepted.
        PUT /bkt/k | x-amz-acl: private | x-amz-storage-class: STANDARD | x-amz-tagging:
            | content-md5: {md5} | x-amz-unheard-of: 1 << x => 200
        "#,
    );
}

#[test]
fn signed_bytes_must_be_the_bytes_that_come() {
    check(
        r#"
        PUT /bkt/k | x-amz-content-sha256: UNSIGNED-PAYLOAD << x => 200
        PUT /bkt/n | x-amz-content-sha256:
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 << x
            => 400 XAmzContentSHA256Mismatch
            | ClientComputedContentSHA256 = e3b0c442*
            | S3ComputedContentSHA256 = 2d711642b726b04401627ca9fbac32f5*
        PUT /bkt/n | x-amz-content-sha256:
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 << @70000
            => 400 XAmzContentSHA256Mismatch
        GET /bkt/n => 404 NoSuchKey
        PUT /bkt/n | x-amz-content-sha256: whatever << x => 400 InvalidArgument
            | ArgumentName = x-amz-content-sha256
        PUT /bkt/n | x-amz-content-sha256: STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD << x
            => 501 NotImplemented
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check_with(
        &[("domain", "s3.test")],
        r#"
        alice: PUT /bkt/k << x     => 403 AccessDenied | Resource = /bkt/k | RequestId = *
            | HostId = * | Message = * | content-type: application/xml
        anon: PUT /bkt/k << x      => 403 AccessDenied
        alice: PUT /nobkt/k << x   => 404 NoSuchBucket | BucketName = nobkt
        anon: PUT /nobkt/k << x    => 404 NoSuchBucket
        PUT /No_Bucket/k << x      => 400 InvalidBucketName
        GET /bkt/k                 => 404 NoSuchKey
        # A host may name the bucket; then even our own prefix is a key.
        PUT /_partita/v1/k | host: bkt.s3.test << x => 200
        GET /bkt/_partita/v1/k     => 200 << x
        "#,
    );
}
