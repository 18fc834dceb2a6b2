//! ListObjects, version 1.

use crate::harness::check;

const KEYS: &str = r#"
    PUT /bkt/a << 1 => 200
    PUT /bkt/d/1 << 22 => 200
    PUT /bkt/d/2 << 333 => 200
    PUT /bkt/e/x/1 => 200
    PUT /bkt/f%26%20g%2Bh => 200
"#;

#[track_caller]
fn with_keys(script: &str) {
    check(&format!("{KEYS}{script}"));
}

#[test]
fn keys_in_byte_order() {
    with_keys(
        r#"
        GET /bkt => 200 | Name = bkt | ListBucketResult/Prefix = | Marker = | MaxKeys = 1000
            | IsTruncated = false | Contents/Key = a d/1 d/2 e/x/1 f& g+h | Size = 1 2 3 0 0
            | Owner/ID = root root root root root | !Delimiter | !NextMarker | !EncodingType
            | StorageClass = STANDARD STANDARD STANDARD STANDARD STANDARD | !KeyCount
            | LastModified = 20*-*-*T*:*:*.*Z | Contents/ETag = "*" | content-type: application/xml
        GET /bkt/?prefix=d/ => 200 | Contents/Key = d/1 d/2 | ListBucketResult/Prefix = d/
        GET /bkt?prefix=d&marker=d/1 => 200 | Contents/Key = d/2 | Marker = d/1
        GET /bkt?marker=e/x/1 => 200 | Contents/Key = f& g+h
        GET /bkt?marker=zzz => 200 | !Contents | IsTruncated = false
        GET /bkt?prefix=none => 200 | !Contents
        GET /bkt?prefix=&delimiter=&marker= => 200 | Contents/Key = a d/1 d/2 e/x/1 f& g+h
            | !Delimiter
        "#,
    );
}

#[test]
fn common_prefixes() {
    with_keys(
        r#"
        GET /bkt?delimiter=/ => 200 | Contents/Key = a f& g+h | CommonPrefixes/Prefix = d/ e/
            | Delimiter = /
        GET /bkt?delimiter=/&prefix=d => 200 | !Contents | CommonPrefixes/Prefix = d/
        GET /bkt?delimiter=/&prefix=d/ => 200 | Contents/Key = d/1 d/2 | !CommonPrefixes
        GET /bkt?delimiter=x/&prefix=e => 200 | CommonPrefixes/Prefix = e/x/
        GET /bkt?delimiter=/&marker=d/ => 200 | Contents/Key = f& g+h | CommonPrefixes/Prefix = e/
        GET /bkt?delimiter=/&marker=d/1 => 200 | CommonPrefixes/Prefix = e/
            | Contents/Key = f& g+h
        "#,
    );
}

#[test]
fn pages() {
    with_keys(
        r#"
        # Without a delimiter the last key is the next marker, as on S3.
        GET /bkt?max-keys=2 => 200 | Contents/Key = a d/1 | IsTruncated = true | MaxKeys = 2
            | !NextMarker
        GET /bkt?max-keys=2&marker=d/1 => 200 | Contents/Key = d/2 e/x/1 | IsTruncated = true
        GET /bkt?max-keys=2&marker=e/x/1 => 200 | Contents/Key = f& g+h | IsTruncated = false
        GET /bkt?max-keys=2&delimiter=/ => 200 | Contents/Key = a | CommonPrefixes/Prefix = d/
            | NextMarker = d/ | IsTruncated = true
        GET /bkt?max-keys=2&delimiter=/&marker=d/ => 200 | Contents/Key = f& g+h
            | CommonPrefixes/Prefix = e/ | !NextMarker | IsTruncated = false
        GET /bkt?max-keys=5 => 200 | IsTruncated = false
        GET /bkt?max-keys=0 => 200 | !Contents | IsTruncated = false | MaxKeys = 0
        GET /bkt?max-keys=5000 => 200 | MaxKeys = 1000
        GET /bkt?max-keys=-1 => 400 InvalidArgument | ArgumentName = max-keys
        GET /bkt?max-keys=x => 400 InvalidArgument
        GET /bkt?max-keys=2147483648 => 400 InvalidArgument
        "#,
    );
}

#[test]
fn names_can_be_encoded() {
    with_keys(
        r#"
        GET /bkt?encoding-type=url&prefix=f%26%20&delimiter=%2B => 200 | EncodingType = url
            | ListBucketResult/Prefix = f&* | Delimiter = %2B
            | CommonPrefixes/Prefix = f%26%20g%2B
        GET /bkt?encoding-type=url&marker=e%20 => 200 | Marker = e%20
            | Contents/Key = e/x/1 f%26%20g%2Bh
        GET /bkt?encoding-type=base64 => 400 InvalidArgument | ArgumentName = encoding-type
        PUT /bkt/f%01 => 200
        GET /bkt?prefix=f%01&encoding-type=url => 200 | ListBucketResult/Prefix = f%01
        GET /bkt?prefix=f&encoding-type=url => 200 | Contents/Key = f%01 f%26%20g%2Bh
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: GET /bkt   => 403 AccessDenied
        anon: GET /bkt    => 403 AccessDenied
        GET /nobkt        => 404 NoSuchBucket | BucketName = nobkt
        anon: GET /nobkt  => 404 NoSuchBucket
        "#,
    );
}
