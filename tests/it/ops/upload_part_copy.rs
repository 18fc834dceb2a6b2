//! UploadPartCopy.

use crate::harness::{check, check_with};

#[test]
fn copies_an_object_or_a_range_of_it() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        PUT /bkt/small << hello           => 200 | etag -> S
        PUT /bkt/large << @300000         => 200 | etag -> L
        POST /bkt/k?uploads               => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/large => 200
            | CopyPartResult/ETag = $L | LastModified = 20*-*-*T*:*:*.*Z | ETag -> A
        PUT /bkt/k?uploadId=$U&partNumber=2 | x-amz-copy-source: /bkt/small => 200 | ETag = $S
        PUT /bkt/k?uploadId=$U&partNumber=3 | x-amz-copy-source: bkt%2Flarge
            | x-amz-copy-source-range: bytes=65530-200000 => 200 | ETag -> C
        PUT /bkt/k?uploadId=$U&partNumber=4 | x-amz-copy-source: bkt/small?versionId=null
            | x-amz-copy-source-range: bytes=1-3 => 200 | ETag -> D
        GET /bkt/k?uploadId=$U            => 200 | Size = 300000 5 134471 3
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
            <Part><PartNumber>2</PartNumber><ETag>$S</ETag></Part>
            <Part><PartNumber>3</PartNumber><ETag>$C</ETag></Part>
            <Part><PartNumber>4</PartNumber><ETag>$D</ETag></Part></CompleteMultipartUpload>
            => 200
        DELETE /bkt/large                 => 204
        GET /bkt/k | range: bytes=0-299999 => 206 << @300000
        GET /bkt/k | range: bytes=300000-300004 => 206 << hello
        GET /bkt/k | range: bytes=300005-434475 => 206 << @300000[65530..200001]
        GET /bkt/k | range: bytes=-3      => 206 << ell
        "#,
    );
}

#[test]
fn copies_out_of_a_multipart_object() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/m?uploads               => 200 | UploadId -> U
        PUT /bkt/m?uploadId=$U&partNumber=1 << @70000:1 => 200 | etag -> A
        PUT /bkt/m?uploadId=$U&partNumber=2 << @70000:2 => 200 | etag -> B
        POST /bkt/m?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
            <Part><PartNumber>2</PartNumber><ETag>$B</ETag></Part></CompleteMultipartUpload>
            => 200
        POST /bkt/k?uploads               => 200 | UploadId -> V
        # Exactly one stored part: its ETag. Across two: new bytes.
        PUT /bkt/k?uploadId=$V&partNumber=1 | x-amz-copy-source: bkt/m
            | x-amz-copy-source-range: bytes=70000-139999 => 200 | ETag = $B
        PUT /bkt/k?uploadId=$V&partNumber=2 | x-amz-copy-source: bkt/m
            | x-amz-copy-source-range: bytes=69999-70000 => 200 | ETag -> C
        DELETE /bkt/m                     => 204
        POST /bkt/k?uploadId=$V << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$B</ETag></Part>
            <Part><PartNumber>2</PartNumber><ETag>$C</ETag></Part></CompleteMultipartUpload>
            => 200
        GET /bkt/k => 200 << @70000:2 + @70000:1[69999..70000] + @70000:2[0..1]
        "#,
    );
}

#[test]
fn ranges_sources_and_numbers_are_checked() {
    check(
        r#"
        PUT /bkt/s << hello               => 200
        POST /bkt/k?uploads               => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s
            | x-amz-copy-source-range: bytes=0-5 => 416 InvalidRange
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s
            | x-amz-copy-source-range: bytes=0- => 400 InvalidArgument
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s
            | x-amz-copy-source-range: 0-1 => 400 InvalidArgument
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s
            | x-amz-copy-source-range: bytes=2-1 => 400 InvalidArgument
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/none => 404 NoSuchKey
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: nobkt/s  => 404 NoSuchBucket
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s?versionId=v
            => 404 NoSuchVersion
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt      => 400 InvalidArgument
        PUT /bkt/k?uploadId=$U&partNumber=0 | x-amz-copy-source: bkt/s    => 400 InvalidArgument
        PUT /bkt/k?uploadId=x&partNumber=1 | x-amz-copy-source: bkt/s     => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U | x-amz-copy-source: bkt/s                 => 400 InvalidRequest
        GET /bkt/k?uploadId=$U            => 200 | !Part
        "#,
    );
}

#[test]
fn conditions_on_the_source() {
    check(
        r#"
        PUT /bkt/s << hello               => 200 | etag -> E
        POST /bkt/k?uploads               => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s
            | x-amz-copy-source-if-match: "x" => 412 PreconditionFailed
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s
            | x-amz-copy-source-if-none-match: $E => 412 PreconditionFailed
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s
            | x-amz-copy-source-if-match: $E => 200
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s
            | x-amz-copy-source-if-unmodified-since: Thu, 01 Jan 2015 00:00:00 GMT
            => 412 PreconditionFailed
        "#,
    );
}

#[test]
fn a_part_shows_the_checksum_of_its_upload() {
    check(
        r#"
        PUT /bkt/s | x-amz-checksum-sha1: {sha1} << @70000 => 200
        POST /bkt/k?uploads | x-amz-checksum-algorithm: SHA256 => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: bkt/s => 200
            | ChecksumSHA256 -> C | !ChecksumSHA1
        GET /bkt/k?uploadId=$U => 200 | Part/ChecksumSHA256 = $C
        PUT /bkt/copy | x-amz-checksum-sha256: $C << @70000 => 200
        "#,
    );
}

#[test]
fn needs_both_the_target_and_the_source() {
    check(
        r#"
        alice: PUT /hers                  => 200
        alice: PUT /hers/s << secret      => 200
        bob: PUT /his                     => 200
        bob: POST /his/k?uploads          => 200 | UploadId -> U
        bob: PUT /his/k?uploadId=$U&partNumber=1 | x-amz-copy-source: hers/s => 403 AccessDenied
        bob: PUT /his/k?uploadId=$U&partNumber=1 | x-amz-copy-source: hers/none => 403 AccessDenied
        alice: PUT /his/k?uploadId=$U&partNumber=1 | x-amz-copy-source: hers/s => 403 AccessDenied
        anon: PUT /his/k?uploadId=$U&partNumber=1 | x-amz-copy-source: hers/s => 403 AccessDenied
        anon: PUT /nobkt/k?uploadId=$U&partNumber=1 | x-amz-copy-source: hers/s => 404 NoSuchBucket
        bob: GET /his/k?uploadId=$U       => 200 | !Part
        "#,
    );
}
