//! DeleteBucketCors.

use crate::harness::check;

#[test]
fn drops_the_rules_also_when_there_are_none() {
    check(
        r#"
        DELETE /bkt?cors => 204
        PUT /bkt?cors << <CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>
            <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration> => 200
        anon: OPTIONS /bkt | origin: http://a | access-control-request-method: GET => 200
        DELETE /bkt?cors => 204
        GET /bkt?cors    => 404 NoSuchCORSConfiguration
        anon: OPTIONS /bkt | origin: http://a | access-control-request-method: GET
            => 403 AccessForbidden
        HEAD /bkt        => 200
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        alice: DELETE /bkt?cors   => 403 AccessDenied
        anon: DELETE /bkt?cors    => 403 AccessDenied
        anon: DELETE /nobkt?cors  => 404 NoSuchBucket
        DELETE /bkt/k?cors        => 501 NotImplemented
        "#,
    );
}
