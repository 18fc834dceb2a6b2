//! CopyObject.

use crate::harness::{check, check_with};

#[test]
fn copies_bytes_and_headers() {
    check(
        r#"
        PUT /bkt/s | content-type: text/x | x-amz-meta-a: b << @70000 => 200 | etag -> E
        PUT /bkt/a%20b | x-amz-copy-source: /bkt/s | x-amz-meta-ignored: 1 => 200
            | CopyObjectResult/ETag = $E | LastModified = 20*-*-*T*:*:*.*Z
        GET /bkt/a%20b => 200 | etag: $E | content-type: text/x | x-amz-meta-a: b
            | -x-amz-meta-ignored << @70000
        # The copy is independent, and may be copied by its encoded name.
        PUT /bkt/s << other => 200
        PUT /bkt/t | x-amz-copy-source: bkt%2Fa%20b?versionId=null => 200 | ETag = $E
        DELETE /bkt/a%20b => 204
        GET /bkt/t => 200 << @70000
        PUT /bkt/small << hello => 200
        PUT /bkt/u | x-amz-copy-source: bkt/small => 200
        DELETE /bkt/small => 204
        GET /bkt/u => 200 << hello
        "#,
    );
}

#[test]
fn headers_may_be_replaced() {
    check(
        r#"
        PUT /bkt/s | content-type: text/x | x-amz-meta-a: b << hello => 200
        PUT /bkt/t | x-amz-copy-source: bkt/s | x-amz-metadata-directive: REPLACE
            | x-amz-meta-c: d => 200
        GET /bkt/t => 200 | content-type: binary/octet-stream | x-amz-meta-c: d | -x-amz-meta-a
        PUT /bkt/t | x-amz-copy-source: bkt/s | x-amz-metadata-directive: KEEP
            => 400 InvalidArgument
        # A copy onto itself must change something.
        PUT /bkt/s | x-amz-copy-source: bkt/s => 400 InvalidRequest
        PUT /bkt/s | x-amz-copy-source: bkt/s | x-amz-metadata-directive: COPY
            => 400 InvalidRequest
        PUT /bkt/s | x-amz-copy-source: bkt/s | x-amz-metadata-directive: REPLACE
            | x-amz-meta-e: f => 200
        GET /bkt/s => 200 | x-amz-meta-e: f | -x-amz-meta-a << hello
        PUT /bkt/s | x-amz-copy-source: bkt/s | x-amz-storage-class: STANDARD => 200
        "#,
    );
}

#[test]
fn a_multipart_object_keeps_its_tag_and_parts() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/s?uploads => 200 | UploadId -> U
        PUT /bkt/s?uploadId=$U&partNumber=1 << @70000 => 200 | etag -> A
        PUT /bkt/s?uploadId=$U&partNumber=2 << hello => 200 | etag -> B
        POST /bkt/s?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
            <Part><PartNumber>2</PartNumber><ETag>$B</ETag></Part></CompleteMultipartUpload>
            => 200 | ETag -> E
        PUT /bkt/t | x-amz-copy-source: bkt/s => 200 | ETag = $E
        DELETE /bkt/s => 204
        GET /bkt/t?partNumber=2 => 206 | x-amz-mp-parts-count: 2 | etag: $E << hello
        GET /bkt/t?partNumber=1 => 206 << @70000
        "#,
    );
}

#[test]
fn conditions_on_source_and_target() {
    check(
        r#"
        PUT /bkt/s << hello => 200 | etag -> E
        PUT /bkt/t | x-amz-copy-source: bkt/s | x-amz-copy-source-if-match: "x"
            => 412 PreconditionFailed
        PUT /bkt/t | x-amz-copy-source: bkt/s | x-amz-copy-source-if-none-match: $E
            => 412 PreconditionFailed
        PUT /bkt/t | x-amz-copy-source: bkt/s
            | x-amz-copy-source-if-modified-since: Thu, 01 Jan 2015 00:00:00 GMT => 200
        PUT /bkt/u | x-amz-copy-source: bkt/s
            | x-amz-copy-source-if-unmodified-since: Thu, 01 Jan 2015 00:00:00 GMT
            => 412 PreconditionFailed
        GET /bkt/u => 404 NoSuchKey
        PUT /bkt/t | x-amz-copy-source: bkt/s | if-none-match: * => 412 PreconditionFailed
        PUT /bkt/u | x-amz-copy-source: bkt/s | x-amz-copy-source-if-match: $E
            | if-none-match: * => 200
        "#,
    );
}

#[test]
fn the_checksum_is_kept_or_computed() {
    check(
        r#"
        PUT /bkt/s | x-amz-checksum-sha1: {sha1} << @70000 => 200 | x-amz-checksum-sha1 -> C
        PUT /bkt/t | x-amz-copy-source: bkt/s => 200 | ChecksumSHA1 = $C
            | ChecksumType = FULL_OBJECT
        PUT /bkt/u | x-amz-copy-source: bkt/s | x-amz-checksum-algorithm: CRC32 => 200
            | ChecksumCRC32 -> D | !ChecksumSHA1
        HEAD /bkt/u | x-amz-checksum-mode: ENABLED => 200 | x-amz-checksum-crc32: $D
        PUT /bkt/v | x-amz-checksum-crc32: $D << @70000 => 200
        PUT /bkt/t | x-amz-copy-source: bkt/s | x-amz-checksum-algorithm: CRC8
            => 400 InvalidRequest
        "#,
    );
}

#[test]
fn sources_are_checked() {
    check(
        r#"
        PUT /bkt/s << hello => 200
        PUT /bkt/t | x-amz-copy-source: bkt/none          => 404 NoSuchKey
        PUT /bkt/t | x-amz-copy-source: nobkt/s           => 404 NoSuchBucket
        PUT /bkt/t | x-amz-copy-source: bkt/s?versionId=v => 404 NoSuchVersion
        PUT /bkt/t | x-amz-copy-source: bkt               => 400 InvalidArgument
        PUT /bkt/t | x-amz-copy-source: bkt/              => 400 InvalidArgument
        PUT /bkt/t | x-amz-copy-source:                   => 400 InvalidArgument
        PUT /bkt/t | x-amz-copy-source: bkt/%FF           => 400 InvalidArgument
        PUT /bkt/t | x-amz-copy-source: bkt/s | x-amz-tagging: a=b => 501 NotImplemented
        GET /bkt/t => 404 NoSuchKey
        "#,
    );
}

#[test]
fn needs_both_the_target_and_the_source() {
    check(
        r#"
        alice: PUT /hers                                    => 200
        alice: PUT /hers/s << secret                        => 200
        bob: PUT /his                                       => 200
        bob: PUT /his/t | x-amz-copy-source: hers/s         => 403 AccessDenied
        bob: PUT /his/t | x-amz-copy-source: hers/none      => 403 AccessDenied
        alice: PUT /his/t | x-amz-copy-source: hers/s       => 403 AccessDenied
        anon: PUT /hers/t | x-amz-copy-source: hers/s       => 403 AccessDenied
        anon: PUT /nobkt/t | x-amz-copy-source: hers/s      => 404 NoSuchBucket
        bob: GET /his/t                                     => 404 NoSuchKey
        root: PUT /his/t | x-amz-copy-source: hers/s        => 200
        "#,
    );
}
