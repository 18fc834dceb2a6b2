//! GetBucketAcl.

use crate::harness::check;

#[test]
fn the_owner_has_full_control() {
    check(
        r#"
        GET /bkt?acl        => 200 | Owner/ID = root | Owner/DisplayName = root of the tests
            | AccessControlPolicy/AccessControlList/Grant/Grantee/ID = root
            | Grant/Permission = FULL_CONTROL
        alice: PUT /hers    => 200
        # Root sees the owner, not itself.
        GET /hers?acl       => 200 | Owner/ID = alice | Grantee/ID = alice
        DELETE /bkt?acl     => 501 NotImplemented
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: GET /bkt?acl   => 403 AccessDenied
        anon: GET /bkt?acl    => 403 AccessDenied
        anon: GET /nobkt?acl  => 404 NoSuchBucket
        "#,
    );
}
