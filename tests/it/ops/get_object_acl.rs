//! GetObjectAcl.

use crate::harness::check;

#[test]
fn the_owner_has_full_control() {
    check(
        r#"
        PUT /bkt/k << x                    => 200
        GET /bkt/k?acl                     => 200 | Owner/ID = root | Grantee/ID = root
            | AccessControlList/Grant/Permission = FULL_CONTROL
        GET /bkt/k?acl&versionId=null      => 200
        GET /bkt/k?acl&versionId=v         => 404 NoSuchVersion
        GET /bkt/none?acl                  => 404 NoSuchKey
        DELETE /bkt/k?acl                  => 501 NotImplemented
        GET /bkt/k                         => 200 << x
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        PUT /bkt/k << x          => 200
        alice: GET /bkt/k?acl    => 403 AccessDenied
        anon: GET /bkt/k?acl     => 403 AccessDenied
        anon: GET /nobkt/k?acl   => 404 NoSuchBucket
        "#,
    );
}
