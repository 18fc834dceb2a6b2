//! CreateBucket.

use crate::harness::{check, check_with};

#[test]
fn makes_a_bucket_of_the_callers() {
    check(
        r#"
        PUT /one                            => 200 | location: /one | content-length: 0
        alice: PUT /two/                    => 200 | location: /two
        alice: GET /                        => 200 | Bucket/Name = two
        alice: PUT /two/k << x              => 200
        GET /one                            => 200 | !Contents
        PUT /one/k << x                     => 200
        # A bucket that the caller owns already: 200, as AWS in us-east-1. Nothing is lost.
        PUT /one                            => 200
        GET /one/k                          => 200 << x
        alice: PUT /one                     => 409 BucketAlreadyExists | BucketName = one
        anon: PUT /three                    => 403 AccessDenied
        anon: PUT /one                      => 403 AccessDenied
        "#,
    );
}

#[test]
fn location_constraints() {
    check(
        r#"
        PUT /one << <CreateBucketConfiguration/> => 200
        PUT /two << <CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <LocationConstraint></LocationConstraint></CreateBucketConfiguration> => 200
        PUT /thr << <CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint>
            </CreateBucketConfiguration> => 200
        PUT /fou << <CreateBucketConfiguration><LocationConstraint>mars</LocationConstraint>
            </CreateBucketConfiguration> => 400 IllegalLocationConstraintException
        PUT /fou << <CreateBucketConfiguration>        => 400 MalformedXML
        PUT /fou << <Other/>                           => 400 MalformedXML
        GET /fou                                       => 404 NoSuchBucket
        "#,
    );
    check_with(
        &[("region", "eu-west-1")],
        r#"
        PUT /one << <CreateBucketConfiguration><LocationConstraint>EU</LocationConstraint>
            </CreateBucketConfiguration> => 200
        PUT /one                           => 409 BucketAlreadyOwnedByYou | BucketName = one
            | x-amz-bucket-region: eu-west-1
        PUT /two                           => 200
        alice: PUT /one                    => 409 BucketAlreadyExists
        "#,
    );
}

#[test]
fn names_are_checked() {
    check(
        r#"
        PUT /ab            => 400 InvalidBucketName | BucketName = ab
        PUT /Abc           => 400 InvalidBucketName
        PUT /a..b          => 400 InvalidBucketName
        PUT /192.168.0.1   => 400 InvalidBucketName
        PUT /-abc          => 400 InvalidBucketName
        PUT /abc_d         => 400 InvalidBucketName
        PUT /xn--abc       => 400 InvalidBucketName
        PUT /a.b-c.0       => 200
        "#,
    );
}

#[test]
fn refuses_what_it_cannot_promise() {
    check(
        r#"
        PUT /one | x-amz-bucket-object-lock-enabled: true  => 501 NotImplemented
        PUT /one | x-amz-acl: public-read                  => 400 AccessControlListNotSupported
        GET /one                                           => 404 NoSuchBucket
        PUT /one | x-amz-bucket-object-lock-enabled: false | x-amz-acl: private => 200
        "#,
    );
}

#[test]
fn a_user_owns_a_bounded_number_of_buckets() {
    check_with(
        &[("buckets-per-user-max", "2")],
        r#"
        alice: PUT /one    => 200
        alice: PUT /two    => 200
        alice: PUT /three  => 400 TooManyBuckets | BucketsAllowed = 2
        PUT /three         => 200
        alice: PUT /two    => 200
        alice: DELETE /one => 204
        alice: PUT /four   => 200
        "#,
    );
}
