//! GetBucketLocation.

use crate::harness::{check, check_with};

#[test]
fn the_region_of_the_bucket() {
    check(
        r#"
        GET /bkt?location   => 200 | LocationConstraint =
            | content-type: application/xml
        GET /bkt/?location= => 200
        "#,
    );
    check_with(
        &[("region", "eu-west-1")],
        r#"
        GET /bkt?location   => 200 | LocationConstraint = eu-west-1
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: GET /bkt?location   => 403 AccessDenied
        anon: GET /bkt?location    => 403 AccessDenied
        anon: GET /nobkt?location  => 404 NoSuchBucket
        "#,
    );
}
