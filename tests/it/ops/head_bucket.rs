//! HeadBucket.

use crate::harness::{check, check_with};

#[test]
fn tells_the_region() {
    check(
        r#"
        HEAD /bkt           => 200 | x-amz-bucket-region: us-east-1
            | x-amz-access-point-alias: false
        HEAD /bkt/          => 200
        HEAD /nobkt         => 404 | x-amz-bucket-region: us-east-1
        HEAD /No_Bucket     => 400
        alice: HEAD /bkt    => 403 | x-amz-bucket-region: us-east-1
        anon: HEAD /bkt     => 403
        anon: HEAD /nobkt   => 404
        "#,
    );
    check_with(&[("region", "eu-west-1")], "HEAD /bkt => 200 | x-amz-bucket-region: eu-west-1");
}
