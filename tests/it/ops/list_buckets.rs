//! ListBuckets.

use crate::harness::{check, check_with};

#[test]
fn the_callers_own_buckets_by_name() {
    check(
        r#"
        PUT /zzz            => 200
        PUT /aaa            => 200
        alice: PUT /hers    => 200
        GET /               => 200 | Owner/ID = root | Owner/DisplayName = root of the tests
            | Buckets/Bucket/Name = aaa bkt zzz | CreationDate = 20*-*-*T*:*:*.*Z
            | BucketRegion = us-east-1 us-east-1 us-east-1 | !Prefix | !ContinuationToken
        alice: GET /        => 200 | Bucket/Name = hers | Owner/ID = alice
        bob: GET /          => 200 | !Bucket
        anon: GET /         => 403 AccessDenied
        "#,
    );
}

#[test]
fn pages() {
    check(
        r#"
        PUT /bk1                        => 200
        PUT /bk2                        => 200
        PUT /cat                        => 200
        GET /?max-buckets=2             => 200 | Bucket/Name = bk1 bk2 | ContinuationToken -> T
        GET /?max-buckets=2&continuation-token=$T => 200 | Bucket/Name = bkt cat
            | !ContinuationToken
        GET /?prefix=bk&max-buckets=1   => 200 | Bucket/Name = bk1 | Prefix = bk
            | ContinuationToken -> T
        GET /?prefix=bk&continuation-token=$T => 200 | Bucket/Name = bk2 bkt
        GET /?prefix=x                  => 200 | !Bucket
        GET /?max-buckets=0             => 400 InvalidArgument | ArgumentName = max-buckets
        GET /?max-buckets=10001         => 400 InvalidArgument
        GET /?max-buckets=x             => 400 InvalidArgument
        GET /?continuation-token=%25    => 400 InvalidArgument
        "#,
    );
    check_with(&[("region", "eu-west-1")], "GET / => 200 | BucketRegion = eu-west-1");
}
