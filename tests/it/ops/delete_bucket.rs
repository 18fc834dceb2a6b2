//! DeleteBucket.

use crate::harness::{Gateway, Script, check};

#[test]
fn removes_an_empty_bucket() {
    check(
        r#"
        PUT /bkt/k << x      => 200
        DELETE /bkt          => 409 BucketNotEmpty
        GET /bkt/k           => 200 << x
        DELETE /bkt/k        => 204
        DELETE /bkt          => 204 | -content-length
        DELETE /bkt          => 404 NoSuchBucket | BucketName = bkt
        HEAD /bkt            => 404
        GET /                => 200 | !Bucket
        # Any user may take the name; nothing of the old bucket is in the new one.
        alice: PUT /bkt      => 200
        alice: GET /bkt      => 200 | !Contents
        "#,
    );
}

/// Open uploads do not keep a bucket, as on AWS; their parts become garbage.
#[test]
fn open_uploads_go_with_it() {
    let gateway = Gateway::start();
    let mut script = Script::new(&gateway);
    script.run(
        r#"
        POST /bkt/k?uploads                            => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << @100000 => 200
        PUT /bkt/k?uploadId=$U&partNumber=2 << small   => 200
        DELETE /bkt                                    => 204
        PUT /bkt                                       => 200
        GET /bkt?uploads                               => 200 | !Upload
        GET /bkt/k?uploadId=$U                         => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U&partNumber=3 << x       => 404 NoSuchUpload
        "#,
    );
    gateway.assert_sound();
}

#[test]
fn needs_the_owner() {
    check(
        r#"
        alice: DELETE /bkt    => 403 AccessDenied
        anon: DELETE /bkt     => 403 AccessDenied
        anon: DELETE /nobkt   => 404 NoSuchBucket
        alice: PUT /hers      => 200
        root: DELETE /hers    => 204
        HEAD /bkt             => 200
        "#,
    );
}
