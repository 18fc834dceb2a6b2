//! ListMultipartUploads.

use crate::harness::check;

const UPLOADS: &str = r#"
    POST /bkt/b?uploads => 200 | UploadId -> B1
    POST /bkt/a?uploads | x-amz-checksum-algorithm: SHA1 => 200 | UploadId -> A
    POST /bkt/b?uploads => 200 | UploadId -> B2
    POST /bkt/d/1?uploads => 200 | UploadId -> D1
    POST /bkt/d/%20?uploads => 200 | UploadId -> D0
"#;

#[track_caller]
fn with_uploads(script: &str) {
    check(&format!("{UPLOADS}{script}"));
}

#[test]
fn by_key_and_then_by_time() {
    with_uploads(
        r#"
        GET /bkt?uploads => 200 | Bucket = bkt | Upload/Key = a b b d/  d/1
            | Upload/UploadId = $A $B1 $B2 $D0 $D1 | IsTruncated = false | MaxUploads = 1000
            | Initiator/ID = root root root root root | Owner/ID = root root root root root
            | StorageClass = STANDARD* | Initiated = 20*-*-*T*:*:*.*Z | KeyMarker =
            | UploadIdMarker = | ChecksumAlgorithm = SHA1 | ChecksumType = COMPOSITE
            | !NextKeyMarker
        # The whole key is a prefix of itself.
        GET /bkt?uploads&prefix=d/1 => 200 | Upload/UploadId = $D1
        GET /bkt?uploads&prefix=d/&delimiter=/ => 200 | Upload/UploadId = $D0 $D1
        GET /bkt?uploads&delimiter=/ => 200 | Upload/UploadId = $A $B1 $B2
            | CommonPrefixes/Prefix = d/ | Delimiter = /
        GET /bkt?uploads&encoding-type=url&prefix=d/%20 => 200 | EncodingType = url
            | Upload/Key = d/%20 | ListMultipartUploadsResult/Prefix = d/%20
        GET /bkt?uploads&encoding-type=x => 400 InvalidArgument
        "#,
    );
}

#[test]
fn pages() {
    with_uploads(
        r#"
        GET /bkt?uploads&max-uploads=2 => 200 | Upload/UploadId = $A $B1 | IsTruncated = true
            | NextKeyMarker = b | NextUploadIdMarker = $B1 | MaxUploads = 2
        GET /bkt?uploads&max-uploads=2&key-marker=b&upload-id-marker=$B1 => 200
            | Upload/UploadId = $B2 $D0 | IsTruncated = true | KeyMarker = b
            | UploadIdMarker = $B1
        GET /bkt?uploads&key-marker=b => 200 | Upload/UploadId = $D0 $D1
        # Without a key marker, an upload id marker is ignored.
        GET /bkt?uploads&upload-id-marker=$B2 => 200 | Upload/UploadId = $A $B1 $B2 $D0 $D1
            | UploadIdMarker =
        GET /bkt?uploads&key-marker=b&upload-id-marker=x => 400 InvalidArgument
            | ArgumentName = upload-id-marker
        GET /bkt?uploads&max-uploads=3&delimiter=/ => 200 | IsTruncated = true
        GET /bkt?uploads&max-uploads=4&delimiter=/ => 200 | IsTruncated = false
            | CommonPrefixes/Prefix = d/
        GET /bkt?uploads&delimiter=/&key-marker=d/ => 200 | !Upload | !CommonPrefixes
        GET /bkt?uploads&max-uploads=0 => 200 | !Upload | IsTruncated = false
        GET /bkt?uploads&max-uploads=-1 => 400 InvalidArgument
        GET /bkt?uploads&max-uploads=x => 400 InvalidArgument
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: GET /bkt?uploads   => 403 AccessDenied
        anon: GET /bkt?uploads    => 403 AccessDenied
        anon: GET /nobkt?uploads  => 404 NoSuchBucket
        "#,
    );
}
