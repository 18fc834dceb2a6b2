//! GetObjectAttributes.

use std::fmt::Write;

use crate::harness::{Gateway, Script, check};

#[test]
fn returns_the_requested_attributes() {
    check(
        r#"
        PUT /bkt/k << hello => 200 | x-amz-checksum-crc64nvme -> C
        GET /bkt/k?attributes
            | x-amz-object-attributes: ETag,Checksum,ObjectParts,StorageClass,ObjectSize => 200
            | ETag = 5d41402abc4b2a76b9719d911017c592 | ChecksumCRC64NVME = $C
            | ChecksumType = FULL_OBJECT | StorageClass = STANDARD | ObjectSize = 5 | !ObjectParts
            | last-modified: *
        GET /bkt/k?attributes&versionId=null | x-amz-object-attributes: ObjectSize
            => 200 | ObjectSize = 5 | !ETag | !Checksum | !StorageClass
        GET /bkt/k?attributes&x-amz-object-attributes=ETag => 200 | !ObjectSize | !Checksum
        GET /bkt/k?attributes                                     => 400 InvalidRequest
        GET /bkt/k?attributes | x-amz-object-attributes: Size     => 400 InvalidArgument
        GET /bkt/k?attributes&versionId=v | x-amz-object-attributes: ETag => 404 NoSuchVersion
        GET /bkt/none?attributes | x-amz-object-attributes: ETag  => 404 NoSuchKey
        "#,
    );
}

#[test]
fn parts_come_in_pages() {
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let mut script = Script::new(&gateway);
    script.run("POST /bkt/k?uploads | x-amz-checksum-algorithm: CRC32C => 200 | UploadId -> U");
    let mut list = String::new();
    // More than one run of a manifest, with a gap.
    let numbers: Vec<u16> = (3..=302).chain([9_999]).collect();
    for number in &numbers {
        script.run(&format!(
            "PUT /bkt/k?uploadId=$U&partNumber={number} | x-amz-checksum-crc32c: {{crc32c}} \
             << {number} => 200 | etag -> E | x-amz-checksum-crc32c -> C"
        ));
        let (etag, checksum) = (script.get("E"), script.get("C"));
        write!(
            list,
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>\
             <ChecksumCRC32C>{checksum}</ChecksumCRC32C></Part>"
        )
        .unwrap();
    }
    script.run(&format!(
        "POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>{list}</CompleteMultipartUpload> => 200
         GET /bkt/k?attributes | x-amz-object-attributes: ObjectParts, ETag
            => 200 | PartsCount = 301 | IsTruncated = false | MaxParts = 1000 | PartNumberMarker = 0
            | NextPartNumberMarker = 9999
         GET /bkt/k?attributes | x-amz-object-attributes: ObjectParts | x-amz-max-parts: 2
            => 200 | Part/PartNumber = 3 4 | Part/Size = 1 1 | IsTruncated = true
            | NextPartNumberMarker = 4 | MaxParts = 2
         GET /bkt/k?attributes | x-amz-object-attributes: ObjectParts | x-amz-max-parts: 3
            | x-amz-part-number-marker: 257 => 200 | Part/PartNumber = 258 259 260
            | Part/Size = 3 3 3 | IsTruncated = true
         GET /bkt/k?attributes | x-amz-object-attributes: ObjectParts
            | x-amz-part-number-marker: 301 => 200 | Part/PartNumber = 302 9999
            | Part/Size = 3 4 | Part/ChecksumCRC32C = * $C | IsTruncated = false
         GET /bkt/k?attributes | x-amz-object-attributes: ObjectParts
            | x-amz-part-number-marker: 9999 => 200 | !Part | NextPartNumberMarker = 9999
         GET /bkt/k?attributes | x-amz-object-attributes: ObjectParts | x-amz-max-parts: 0
            => 200 | !Part | IsTruncated = false
         GET /bkt/k?attributes | x-amz-object-attributes: ObjectParts | x-amz-max-parts: x
            => 400 InvalidArgument
         GET /bkt/k?attributes | x-amz-object-attributes: ObjectParts
            | x-amz-part-number-marker: -1 => 400 InvalidArgument"
    ));
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        PUT /bkt/k << x                                                  => 200
        alice: GET /bkt/k?attributes | x-amz-object-attributes: ETag     => 403 AccessDenied
        anon: GET /bkt/k?attributes | x-amz-object-attributes: ETag      => 403 AccessDenied
        anon: GET /nobkt/k?attributes | x-amz-object-attributes: ETag    => 404 NoSuchBucket
        "#,
    );
}
