//! GetObjectTagging.

use crate::harness::check;

#[test]
fn no_object_has_tags() {
    check(
        r#"
        PUT /bkt/k << x                    => 200
        GET /bkt/k?tagging                 => 200 | Tagging/TagSet = | !Tag
        GET /bkt/k?tagging&versionId=null  => 200
        GET /bkt/k?tagging&versionId=v     => 404 NoSuchVersion
        GET /bkt/none?tagging              => 404 NoSuchKey
        PUT /bkt/k?tagging << x            => 501 NotImplemented
        DELETE /bkt/k?tagging              => 501 NotImplemented
        GET /bkt/k                         => 200 << x
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        PUT /bkt/k << x              => 200
        alice: GET /bkt/k?tagging    => 403 AccessDenied
        anon: GET /bkt/k?tagging     => 403 AccessDenied
        anon: GET /nobkt/k?tagging   => 404 NoSuchBucket
        "#,
    );
}
