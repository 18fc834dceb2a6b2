//! GetObject. The table of its conditions is in `conditional.rs`.

use crate::harness::{check, check_with};

#[test]
fn whole_objects() {
    check(
        r#"
        PUT /bkt/k | x-amz-meta-a: b << hello => 200
        GET /bkt/k => 200 | content-length: 5 | content-type: binary/octet-stream
            | accept-ranges: bytes | etag: "5d41402abc4b2a76b9719d911017c592" | x-amz-meta-a: b
            | last-modified: *, * * * *:*:* GMT | -content-range | -x-amz-checksum-crc64nvme
            | -connection | date: * | x-amz-request-id: * | x-amz-id-2: * | server: Partita << hello
        GET /bkt/k?versionId=null => 200 << hello
        GET /bkt/k?versionId=v1   => 404 NoSuchVersion | VersionId = v1
        GET /bkt/k?versionId=     => 400 InvalidArgument | ArgumentName = versionId
        GET /bkt/none             => 404 NoSuchKey | Resource = /bkt/none
            | content-type: application/xml | x-amz-bucket-region: us-east-1
        GET /bkt/k?x-id=GetObject => 200 << hello
        "#,
    );
}

/// The same ranges over bytes in the database, in one file, and over several blocks of a file.
#[test]
fn ranges() {
    for size in [1000, 65_537, 300_000] {
        let last = size - 1;
        let script = format!(
            r#"
        PUT /bkt/k << @{size} => 200
        GET /bkt/k | range: bytes=0-0 => 206 | content-range: bytes 0-0/{size} << @{size}[0..1]
        GET /bkt/k | range: bytes=10-19 => 206 | content-range: bytes 10-19/{size}
            | content-length: 10 | etag: * << @{size}[10..20]
        GET /bkt/k | range: bytes=500- => 206 | content-range: bytes 500-{last}/{size}
            << @{size}[500..{size}]
        GET /bkt/k | range: bytes=-7 => 206 | content-range: bytes {tail}-{last}/{size}
            << @{size}[{tail}..{size}]
        GET /bkt/k | range: bytes=0- => 206 | content-range: bytes 0-{last}/{size} << @{size}
        GET /bkt/k | range: bytes=-999999 => 206 | content-range: bytes 0-{last}/{size} << @{size}
        GET /bkt/k | range: bytes=990-99999999 => 206 | content-range: bytes 990-{last}/{size}
        GET /bkt/k | range: bytes=990-99999999999999999999999 => 206
        GET /bkt/k | range: bytes={size}- => 416 InvalidRange | content-range: bytes */{size}
            | RangeRequested = bytes={size}- | ActualObjectSize = {size}
        GET /bkt/k | range: bytes=-0 => 416 InvalidRange
        # A malformed or multiple range is ignored, as by S3.
        GET /bkt/k | range: bytes=5-4 => 200 | content-length: {size} << @{size}
        GET /bkt/k | range: bytes=- => 200 | -content-range
        GET /bkt/k | range: lines=0-1 => 200
        GET /bkt/k | range: bytes=0-1,3-4 => 200 | content-length: {size}
        "#,
            tail = size - 7,
        );
        check(&script);
    }
}

#[test]
fn ranges_of_an_empty_object() {
    check(
        r#"
        PUT /bkt/k => 200
        GET /bkt/k | range: bytes=0-  => 416 InvalidRange | content-range: bytes */0
        GET /bkt/k | range: bytes=0-0 => 416 InvalidRange
        GET /bkt/k | range: bytes=-5  => 200 | content-length: 0
        "#,
    );
}

/// Ranges across the edges of blocks and of parts.
#[test]
fn ranges_and_parts_of_a_multipart_object() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=2 << @100000 => 200 | etag -> A
        PUT /bkt/k?uploadId=$U&partNumber=5 << @70000:1 => 200 | etag -> B
        PUT /bkt/k?uploadId=$U&partNumber=7 << @10:2 => 200 | etag -> C
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>2</PartNumber><ETag>$A</ETag></Part>
            <Part><PartNumber>5</PartNumber><ETag>$B</ETag></Part>
            <Part><PartNumber>7</PartNumber><ETag>$C</ETag></Part></CompleteMultipartUpload>
            => 200 | ETag -> E
        GET /bkt/k => 200 | content-length: 170010 | etag: $E << @100000 + @70000:1 + @10:2
        GET /bkt/k | range: bytes=99990-100009 => 206 | content-range: bytes 99990-100009/170010
            << @100000[99990..100000] + @70000:1[0..10]
        GET /bkt/k | range: bytes=65530-65540 => 206 << @100000[65530..65541]
        GET /bkt/k | range: bytes=169999-170001 => 206 << @70000:1[69999..70000] + @10:2[0..2]
        GET /bkt/k | range: bytes=-170009 => 206
            << @100000[1..100000] + @70000:1 + @10:2
        # By part: range and number of parts, ETag of the whole.
        GET /bkt/k?partNumber=2 => 206 | content-range: bytes 0-99999/170010 | etag: $E
            | x-amz-mp-parts-count: 3 | content-length: 100000 << @100000
        GET /bkt/k?partNumber=5 => 206 | content-range: bytes 100000-169999/170010 << @70000:1
        GET /bkt/k?partNumber=7 => 206 | content-range: bytes 170000-170009/170010 << @10:2
        GET /bkt/k?partNumber=8 => 416 InvalidPartNumber | PartNumberRequested = 8
            | ActualPartCount = 3
        GET /bkt/k?partNumber=3 => 416 InvalidPartNumber
        GET /bkt/k?partNumber=0 => 400 InvalidArgument | ArgumentName = partNumber
        GET /bkt/k?partNumber=10001 => 400 InvalidArgument
        GET /bkt/k?partNumber=x => 400 InvalidArgument
        GET /bkt/k?partNumber=2 | range: bytes=0-1 => 400 InvalidRequest
        "#,
    );
}

#[test]
fn an_object_of_one_piece_is_its_own_part_1() {
    check(
        r#"
        PUT /bkt/k << hello => 200
        GET /bkt/k?partNumber=1 => 206 | content-range: bytes 0-4/5 | -x-amz-mp-parts-count << hello
        GET /bkt/k?partNumber=2 => 416 InvalidPartNumber | ActualPartCount = 1
        PUT /bkt/e => 200
        GET /bkt/e?partNumber=1 => 200 | content-length: 0
        "#,
    );
}

#[test]
fn a_signed_request_may_override_headers() {
    check(
        r#"
        PUT /bkt/k | content-type: text/plain << x => 200
        GET /bkt/k?response-content-type=text%2Fx%20y&response-expires=never => 200
            | content-type: text/x y | expires: never
        GET /bkt/k?response-cache-control=a&response-content-disposition=b => 200
            | cache-control: a | content-disposition: b
        GET /bkt/k?response-content-encoding=c&response-content-language=d => 200
            | content-encoding: c | content-language: d | content-type: text/plain
        GET /bkt/k?response-content-disposition=filename%3D%C3%A9
            => 200 | content-disposition: filename=é
        GET /bkt/k?response-content-type=  => 200 | content-type: text/plain
        GET /bkt/k?response-content-type=a%0D%0Ax-evil:%201 => 400 InvalidArgument
            | ArgumentName = response-content-type | -x-evil
        anon: GET /bkt/k?response-expires=never => 400 InvalidRequest
        "#,
    );
}

#[test]
fn no_object_is_encrypted_with_a_key_of_its_client() {
    check(
        r#"
        PUT /bkt/k << x => 200
        GET /bkt/k | x-amz-server-side-encryption-customer-algorithm: AES256
            => 400 InvalidRequest
        HEAD /bkt/k | x-amz-server-side-encryption-customer-algorithm: AES256 => 400
        "#,
    );
}

#[test]
fn an_expected_bucket_owner_is_checked() {
    check(
        r#"
        PUT /bkt/k << x                                           => 200
        GET /bkt/k | x-amz-expected-bucket-owner: root            => 200 << x
        GET /bkt/k | x-amz-expected-bucket-owner: alice           => 403 AccessDenied
        GET /bkt/k?x-amz-expected-bucket-owner=alice              => 403 AccessDenied
        PUT /bkt/k | x-amz-expected-bucket-owner: alice << y      => 403 AccessDenied
        PUT /bkt/j | x-amz-copy-source: bkt/k | x-amz-source-expected-bucket-owner: alice
            => 403 AccessDenied
        PUT /bkt/j | x-amz-copy-source: bkt/k | x-amz-source-expected-bucket-owner: root => 200
        GET /bkt/k                                                => 200 << x
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        PUT /bkt/k << x        => 200
        alice: GET /bkt/k      => 403 AccessDenied
        anon: GET /bkt/k       => 403 AccessDenied
        # The existence of a key stays hidden.
        alice: GET /bkt/none   => 403 AccessDenied
        anon: GET /nobkt/k     => 404 NoSuchBucket
        GET /nobkt/k           => 404 NoSuchBucket
        "#,
    );
}
