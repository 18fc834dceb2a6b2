//! PutBucketAcl.

use crate::harness::check;

#[test]
fn takes_the_list_that_is_there() {
    check(
        r#"
        PUT /bkt?acl | x-amz-acl: private                   => 200
        PUT /bkt?acl | x-amz-acl: bucket-owner-full-control => 200
        PUT /bkt?acl << <AccessControlPolicy><Owner><ID>root</ID></Owner>
            <AccessControlList><Grant><Grantee><ID>root</ID></Grantee>
            <Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>
            => 200
        GET /bkt?acl => 200 | Grantee/ID = root | Permission = FULL_CONTROL
        "#,
    );
}

#[test]
fn refuses_every_other_list() {
    check(
        r#"
        PUT /bkt?acl | x-amz-acl: public-read         => 400 AccessControlListNotSupported
        PUT /bkt?acl | x-amz-acl: public-ready        => 400 InvalidArgument
        PUT /bkt?acl | x-amz-grant-read: id="alice"   => 400 AccessControlListNotSupported
        PUT /bkt?acl                                  => 400 MissingRequestBodyError
        PUT /bkt?acl << x                             => 400 MalformedXML
        PUT /bkt?acl << <AccessControlPolicy><Owner><ID>root</ID></Owner></AccessControlPolicy>
            => 400 MalformedXML
        PUT /bkt?acl << <AccessControlPolicy><Owner><ID>root</ID></Owner>
            <AccessControlList/></AccessControlPolicy>
            => 400 AccessControlListNotSupported
        PUT /bkt?acl << <AccessControlPolicy><Owner><ID>root</ID></Owner>
            <AccessControlList><Grant><Grantee><ID>alice</ID></Grantee>
            <Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>
            => 400 AccessControlListNotSupported
        PUT /bkt?acl << <AccessControlPolicy><Owner><ID>root</ID></Owner>
            <AccessControlList><Grant><Grantee><ID>root</ID></Grantee>
            <Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>
            => 400 AccessControlListNotSupported
        GET /bkt?acl => 200 | Grantee/ID = root | Permission = FULL_CONTROL
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: PUT /bkt?acl | x-amz-acl: private   => 403 AccessDenied
        anon: PUT /bkt?acl | x-amz-acl: private    => 403 AccessDenied
        anon: PUT /nobkt?acl | x-amz-acl: private  => 404 NoSuchBucket
        "#,
    );
}
