//! GetBucketCors.

use crate::harness::check;

#[test]
fn answers_with_the_rules_in_one_form() {
    check(
        r#"
        GET /bkt?cors => 404 NoSuchCORSConfiguration | BucketName = bkt
        PUT /bkt?cors << <CORSConfiguration><CORSRule><MaxAgeSeconds>9</MaxAgeSeconds>
            <AllowedOrigin>*.put</AllowedOrigin><AllowedOrigin>a&amp;b</AllowedOrigin>
            <AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>
            <AllowedHeader>X-Amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><ID>one</ID>
            </CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin>
            <AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>
            => 200 | content-length: 0
        GET /bkt?cors => 200 | content-type: application/xml
            | ID = one
            | CORSRule/AllowedOrigin = *.put a&b *
            | CORSRule/AllowedMethod = PUT GET HEAD
            | CORSRule/AllowedHeader = X-Amz-*
            | CORSRule/ExposeHeader = ETag
            | CORSRule/MaxAgeSeconds = 9
        GET /bkt/?cors= => 200
        GET /bkt/cors   => 404 NoSuchKey
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: GET /bkt?cors   => 403 AccessDenied
        anon: GET /bkt?cors    => 403 AccessDenied
        anon: GET /nobkt?cors  => 404 NoSuchBucket
        GET /bkt?cors&acl      => 400 InvalidRequest
        GET /bkt/k?cors        => 501 NotImplemented
        "#,
    );
}
