//! GetBucketNotificationConfiguration. The stored configuration is tested with the Put.

use crate::harness::check;

#[test]
fn a_bucket_without_rules_has_an_empty_document() {
    check(
        r#"
        GET /bkt?notification         => 200 | NotificationConfiguration =
        GET /bkt/?notification=       => 200 | NotificationConfiguration =
        alice: GET /bkt?notification  => 403 AccessDenied
        anon: GET /bkt?notification   => 403 AccessDenied
        anon: GET /nobkt?notification => 404 NoSuchBucket
        DELETE /bkt?notification      => 501 NotImplemented
        "#,
    );
}
