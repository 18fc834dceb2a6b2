//! ListObjectsV2.

use crate::harness::check;

const KEYS: &str = r#"
    PUT /bkt/a | x-amz-checksum-sha1: {sha1} << 1 => 200
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
        GET /bkt?list-type=2 => 200 | Name = bkt | KeyCount = 5 | MaxKeys = 1000
            | IsTruncated = false | Contents/Key = a d/1 d/2 e/x/1 f& g+h | Size = 1 2 3 0 0
            | !Owner | !NextContinuationToken | !ContinuationToken | !StartAfter | !Marker
            | ChecksumAlgorithm = SHA1 CRC64NVME CRC64NVME CRC64NVME CRC64NVME
            | ChecksumType = FULL_OBJECT*
        GET /bkt/?list-type=2&fetch-owner=true&prefix=d => 200 | Contents/Key = d/1 d/2
            | Owner/ID = root root | Owner/DisplayName = root of the tests root of the tests
        GET /bkt?list-type=2&start-after=d/1 => 200 | StartAfter = d/1
            | Contents/Key = d/2 e/x/1 f& g+h
        GET /bkt?list-type=2&prefix=sync/&delimiter=/ => 200 | !Contents | KeyCount = 0
        # Another list-type is not taken for version 2.
        GET /bkt?list-type=1 => 400 InvalidRequest
        GET /bkt?list-type= => 400 InvalidRequest
        "#,
    );
}

#[test]
fn common_prefixes_count() {
    with_keys(
        r#"
        GET /bkt?list-type=2&delimiter=/ => 200 | Contents/Key = a f& g+h | KeyCount = 4
            | CommonPrefixes/Prefix = d/ e/ | Delimiter = /
        GET /bkt?list-type=2&delimiter=/&max-keys=2 => 200 | KeyCount = 2 | Contents/Key = a
            | CommonPrefixes/Prefix = d/ | NextContinuationToken -> T
        GET /bkt?list-type=2&delimiter=/&max-keys=2&continuation-token=$T => 200
            | CommonPrefixes/Prefix = e/ | Contents/Key = f& g+h | ContinuationToken = $T
            | IsTruncated = false
        "#,
    );
}

#[test]
fn pages() {
    with_keys(
        r#"
        GET /bkt?list-type=2&max-keys=2 => 200 | Contents/Key = a d/1 | IsTruncated = true
            | NextContinuationToken -> T
        # The token takes precedence over start-after.
        GET /bkt?list-type=2&max-keys=2&continuation-token=$T&start-after=a => 200
            | Contents/Key = d/2 e/x/1 | StartAfter = a | NextContinuationToken -> T
        GET /bkt?list-type=2&max-keys=2&continuation-token=$T => 200 | Contents/Key = f& g+h
            | IsTruncated = false | !NextContinuationToken
        GET /bkt?list-type=2&max-keys=0 => 200 | KeyCount = 0 | IsTruncated = false
        GET /bkt?list-type=2&max-keys=1&continuation-token= => 200 | ContinuationToken =
            | KeyCount = 1
        GET /bkt?list-type=2&continuation-token=%25%25 => 400 InvalidArgument
        GET /bkt?list-type=2&max-keys=-1 => 400 InvalidArgument
        GET /bkt?list-type=2&encoding-type=x => 400 InvalidArgument
        GET /bkt?list-type=2&encoding-type=url&start-after=e%20&max-keys=1 => 200
            | StartAfter = e%20 | Contents/Key = e/x/1 | EncodingType = url
        "#,
    );
}

#[test]
fn keys_of_any_character() {
    check(
        r#"
        PUT /bkt/%F0%9F%98%80 => 200
        PUT /bkt/%EF%BF%BD => 200
        PUT /bkt/%01%3C%3E%26%22%27%0D%0A => 200
        # By bytes, not by UTF-16: U+FFFD is before U+1F600.
        GET /bkt?list-type=2&encoding-type=url => 200
            | Contents/Key = %01%3C%3E%26%22%27%0D%0A %EF%BF%BD %F0%9F%98%80
        GET /bkt?list-type=2&prefix=%F0%9F%98%80 => 200 | Contents/Key = 😀
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: GET /bkt?list-type=2   => 403 AccessDenied
        anon: GET /bkt?list-type=2    => 403 AccessDenied
        anon: GET /nobkt?list-type=2  => 404 NoSuchBucket
        "#,
    );
}
