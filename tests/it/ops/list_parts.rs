//! ListParts.

use crate::harness::check;

#[test]
fn lists_the_parts_that_arrived() {
    check(
        r#"
        POST /bkt/a%20b?uploads            => 200 | UploadId -> U
        GET /bkt/a%20b?uploadId=$U         => 200 | !Part | IsTruncated = false
            | PartNumberMarker = 0 | NextPartNumberMarker = 0 | MaxParts = 1000
        PUT /bkt/a%20b?uploadId=$U&partNumber=7 << @70000 => 200 | etag -> B
        PUT /bkt/a%20b?uploadId=$U&partNumber=2 << hello  => 200 | etag -> A
        GET /bkt/a%20b?uploadId=$U         => 200 | Bucket = bkt | Key = a b | UploadId = $U
            | Part/PartNumber = 2 7 | Part/Size = 5 70000 | Part/ETag = $A $B
            | LastModified = 20*-*-*T*:*:*.*Z | Owner/ID = root | Initiator/ID = root
            | Initiator/DisplayName = root of the tests | StorageClass = STANDARD
            | NextPartNumberMarker = 7 | !ChecksumAlgorithm
        "#,
    );
}

#[test]
fn pages() {
    check(
        r#"
        POST /bkt/k?uploads                => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << 1 => 200
        PUT /bkt/k?uploadId=$U&partNumber=5 << 2 => 200
        PUT /bkt/k?uploadId=$U&partNumber=9 << 3 => 200
        GET /bkt/k?uploadId=$U&max-parts=2 => 200 | PartNumber = 1 5 | IsTruncated = true
            | NextPartNumberMarker = 5 | MaxParts = 2
        GET /bkt/k?uploadId=$U&max-parts=2&part-number-marker=5 => 200 | PartNumber = 9
            | IsTruncated = false | PartNumberMarker = 5 | NextPartNumberMarker = 9
        GET /bkt/k?uploadId=$U&part-number-marker=4 => 200 | PartNumber = 5 9
        GET /bkt/k?uploadId=$U&part-number-marker=9 => 200 | !Part | IsTruncated = false
        GET /bkt/k?uploadId=$U&part-number-marker=99999 => 200 | !Part
        GET /bkt/k?uploadId=$U&max-parts=3 => 200 | IsTruncated = false
        GET /bkt/k?uploadId=$U&max-parts=0 => 200 | !Part | IsTruncated = false
        GET /bkt/k?uploadId=$U&max-parts=9999 => 200 | MaxParts = 1000
        GET /bkt/k?uploadId=$U&max-parts=-1 => 400 InvalidArgument | ArgumentName = max-parts
        GET /bkt/k?uploadId=$U&max-parts=x => 400 InvalidArgument
        GET /bkt/k?uploadId=$U&part-number-marker=-1 => 400 InvalidArgument
        GET /bkt/k?uploadId=$U&part-number-marker=x => 400 InvalidArgument
        "#,
    );
}

#[test]
fn checksums_of_the_parts() {
    check(
        r#"
        POST /bkt/k?uploads | x-amz-checksum-algorithm: CRC32C => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-checksum-crc32c: {crc32c} << x => 200
            | x-amz-checksum-crc32c -> C
        GET /bkt/k?uploadId=$U => 200 | ChecksumAlgorithm = CRC32C | ChecksumType = COMPOSITE
            | Part/ChecksumCRC32C = $C
        "#,
    );
}

#[test]
fn an_upload_is_named_by_bucket_key_and_id() {
    check(
        r#"
        POST /bkt/k?uploads                => 200 | UploadId -> U
        GET /bkt/k?uploadId=x              => 404 NoSuchUpload | UploadId = x
        GET /bkt/j?uploadId=$U             => 404 NoSuchUpload
        alice: GET /bkt/k?uploadId=$U      => 403 AccessDenied
        anon: GET /bkt/k?uploadId=$U       => 403 AccessDenied
        anon: GET /nobkt/k?uploadId=$U     => 404 NoSuchBucket
        "#,
    );
}
