//! CreateMultipartUpload.

use crate::harness::{check, check_with};

#[test]
fn opens_an_upload() {
    check(
        r#"
        POST /bkt/a%20b%26?uploads => 200 | Bucket = bkt | Key = a b& | UploadId -> U
            | content-type: application/xml | -x-amz-checksum-algorithm | -x-amz-checksum-type
        POST /bkt/a%20b%26?uploads= << ignored => 200 | UploadId -> V
        GET /bkt?uploads => 200 | UploadId = $U $V | Upload/Key = a b& a b&
        GET /bkt => 200 | !Contents
        "#,
    );
}

#[test]
fn fixes_the_headers_of_the_object() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/k?uploads | content-type: text/x | x-amz-meta-a: b | cache-control: c
            | content-disposition: attachment; filename*=UTF-8''%C3%A4%20b.txt
            | content-encoding: aws-chunked, gzip => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 | content-type: text/y | x-amz-meta-z: z << hello
            => 200 | etag -> E
        POST /bkt/k?uploadId=$U | content-type: application/octet-stream
            << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>$E</ETag></Part>
            </CompleteMultipartUpload> => 200
        GET /bkt/k => 200 | content-type: text/x | x-amz-meta-a: b | cache-control: c
            | content-disposition: attachment; filename*=UTF-8''%C3%A4%20b.txt
            | content-encoding: gzip | -x-amz-meta-z << hello
        "#,
    );
}

#[test]
fn declares_a_checksum() {
    check(
        r#"
        POST /bkt/k?uploads | x-amz-checksum-algorithm: CRC32 => 200
            | x-amz-checksum-algorithm: CRC32 | x-amz-checksum-type: COMPOSITE
        POST /bkt/k?uploads | x-amz-checksum-algorithm: CRC32C | x-amz-checksum-type: FULL_OBJECT
            => 200 | x-amz-checksum-algorithm: CRC32C | x-amz-checksum-type: FULL_OBJECT
        POST /bkt/k?uploads | x-amz-checksum-algorithm: crc64nvme => 200
            | x-amz-checksum-algorithm: CRC64NVME | x-amz-checksum-type: FULL_OBJECT
        POST /bkt/k?uploads | x-amz-checksum-algorithm: SHA512 => 200
            | x-amz-checksum-type: COMPOSITE
        POST /bkt/k?uploads | x-amz-checksum-algorithm: SHA256 | x-amz-checksum-type: FULL_OBJECT
            => 400 InvalidRequest
            | Message = The FULL_OBJECT checksum type cannot be used with the sha256 * algorithm.
        POST /bkt/k?uploads | x-amz-checksum-algorithm: CRC64NVME | x-amz-checksum-type: COMPOSITE
            => 400 InvalidRequest
        POST /bkt/k?uploads | x-amz-checksum-type: FULL_OBJECT     => 400 InvalidRequest
        POST /bkt/k?uploads | x-amz-checksum-algorithm: CRC16      => 400 InvalidRequest
        POST /bkt/k?uploads | x-amz-checksum-algorithm: CRC32 | x-amz-checksum-type: HALF
            => 400 InvalidRequest
        "#,
    );
}

#[test]
fn refuses_what_it_cannot_promise() {
    check(
        r#"
        POST /bkt/k?uploads | x-amz-server-side-encryption: AES256 => 501 NotImplemented
        POST /bkt/k?uploads | x-amz-tagging: a=b                   => 501 NotImplemented
        POST /bkt/k?uploads | x-amz-acl: public-read   => 400 AccessControlListNotSupported
        POST /bkt/k?uploads | x-amz-storage-class: ICE => 400 InvalidStorageClass
        GET /bkt?uploads                               => 200 | !Upload
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: POST /bkt/k?uploads    => 403 AccessDenied
        anon: POST /bkt/k?uploads     => 403 AccessDenied
        POST /nobkt/k?uploads         => 404 NoSuchBucket
        anon: POST /nobkt/k?uploads   => 404 NoSuchBucket
        GET /bkt?uploads              => 200 | !Upload
        "#,
    );
}
