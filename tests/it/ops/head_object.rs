//! HeadObject: the answers of GetObject, without the bytes.

use crate::harness::check;

#[test]
fn headers_without_bytes() {
    check(
        r#"
        PUT /bkt/k | content-type: text/x | x-amz-meta-a: b << @70000 => 200 | etag -> E
        HEAD /bkt/k => 200 | content-length: 70000 | content-type: text/x | x-amz-meta-a: b
            | etag: $E | last-modified: * | accept-ranges: bytes | x-amz-request-id: *
        HEAD /bkt/k | range: bytes=1-2 => 206 | content-length: 2 | content-range: bytes 1-2/70000
        HEAD /bkt/k?partNumber=1 => 206 | content-range: bytes 0-69999/70000
        HEAD /bkt/k | x-amz-checksum-mode: ENABLED => 200 | x-amz-checksum-crc64nvme: *
            | x-amz-checksum-type: FULL_OBJECT
        HEAD /bkt/k | if-none-match: $E => 304 | etag: $E
        HEAD /bkt/k?response-content-type=text/y => 200 | content-type: text/y
        "#,
    );
}

#[test]
fn errors_are_a_status_alone() {
    check(
        r#"
        PUT /bkt/k << hello               => 200
        HEAD /bkt/none                    => 404 | x-amz-bucket-region: us-east-1
        HEAD /nobkt/k                     => 404
        HEAD /bkt/k | range: bytes=9-     => 416 | content-range: bytes */5
        HEAD /bkt/k | if-match: "x"       => 412
        HEAD /bkt/k?partNumber=2          => 416
        HEAD /bkt/k?partNumber=0          => 400
        HEAD /bkt/k?versionId=x           => 404
        alice: HEAD /bkt/k                => 403
        anon: HEAD /bkt/k                 => 403
        anon: HEAD /nobkt/k               => 404
        "#,
    );
}
