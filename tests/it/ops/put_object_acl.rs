//! PutObjectAcl.

use crate::harness::check;

#[test]
fn takes_the_list_that_is_there_and_no_other() {
    check(
        r#"
        PUT /bkt/k << x                                              => 200
        PUT /bkt/k?acl | x-amz-acl: private                          => 200
        PUT /bkt/k?acl&versionId=null | x-amz-acl: bucket-owner-read => 200
        PUT /bkt/k?acl | x-amz-acl: public-read   => 400 AccessControlListNotSupported
        PUT /bkt/k?acl << x                       => 400 MalformedXML
        PUT /bkt/none?acl | x-amz-acl: private    => 404 NoSuchKey
        PUT /bkt/k?acl&versionId=v | x-amz-acl: private => 404 NoSuchVersion
        GET /bkt/k                                => 200 << x
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        PUT /bkt/k << x                              => 200
        alice: PUT /bkt/k?acl | x-amz-acl: private   => 403 AccessDenied
        anon: PUT /bkt/k?acl | x-amz-acl: private    => 403 AccessDenied
        anon: PUT /nobkt/k?acl | x-amz-acl: private  => 404 NoSuchBucket
        "#,
    );
}
