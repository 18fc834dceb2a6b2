//! GetBucketVersioning.

use crate::harness::check;

#[test]
fn was_never_enabled() {
    check(
        r#"
        GET /bkt?versioning         => 200 | VersioningConfiguration = | !Status
        PUT /bkt?versioning << x    => 501 NotImplemented
        alice: GET /bkt?versioning  => 403 AccessDenied
        anon: GET /bkt?versioning   => 403 AccessDenied
        anon: GET /nobkt?versioning => 404 NoSuchBucket
        "#,
    );
}
