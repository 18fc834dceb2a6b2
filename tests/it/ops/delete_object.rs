//! DeleteObject.

use crate::harness::check;

#[test]
fn removes_a_key_or_finds_it_removed() {
    check(
        r#"
        PUT /bkt/k << x                   => 200
        DELETE /bkt/k                     => 204 | -content-length | -content-type
        GET /bkt/k                        => 404 NoSuchKey
        DELETE /bkt/k                     => 204
        PUT /bkt/k << @70000              => 200
        DELETE /bkt/k?versionId=null      => 204
        GET /bkt/k                        => 404 NoSuchKey
        DELETE /bkt/k?versionId=v         => 404 NoSuchVersion
        GET /bkt                          => 200 | !Key
        "#,
    );
}

#[test]
fn conditions() {
    check(
        r#"
        PUT /bkt/k << x                           => 200 | etag -> E
        DELETE /bkt/k | if-match: "other"         => 412 PreconditionFailed | Condition = If-Match
        GET /bkt/k                                => 200 << x
        DELETE /bkt/k | if-match: $E              => 204
        DELETE /bkt/k | if-match: $E              => 404 NoSuchKey
        PUT /bkt/k << x                           => 200
        DELETE /bkt/k | if-match: *               => 204
        DELETE /bkt/k | x-amz-if-match-size: 1    => 501 NotImplemented
        DELETE /bkt/k | x-amz-if-match-last-modified-time: x => 501 NotImplemented
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        PUT /bkt/k << x        => 200
        alice: DELETE /bkt/k   => 403 AccessDenied
        anon: DELETE /bkt/k    => 403 AccessDenied
        DELETE /nobkt/k        => 404 NoSuchBucket
        anon: DELETE /nobkt/k  => 404 NoSuchBucket
        GET /bkt/k             => 200 << x
        "#,
    );
}
