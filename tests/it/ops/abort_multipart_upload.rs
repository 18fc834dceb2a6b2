//! AbortMultipartUpload.

use crate::harness::{Gateway, Script, check, check_with};

#[test]
fn ends_an_upload_for_good() {
    check(
        r#"
        POST /bkt/k?uploads                                 => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << x            => 200 | etag -> E
        DELETE /bkt/k?uploadId=$U                           => 204 | -content-length
        DELETE /bkt/k?uploadId=$U                           => 404 NoSuchUpload
        GET /bkt/k?uploadId=$U                              => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U&partNumber=1 << x            => 404 NoSuchUpload
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$E</ETag></Part></CompleteMultipartUpload> => 404 NoSuchUpload
        GET /bkt?uploads                                    => 200 | !Upload
        GET /bkt/k                                          => 404 NoSuchKey
        "#,
    );
}

#[test]
fn an_upload_is_named_by_bucket_key_and_id() {
    check(
        r#"
        PUT /other                                          => 200
        POST /bkt/k?uploads                                 => 200 | UploadId -> U
        DELETE /bkt/j?uploadId=$U                           => 404 NoSuchUpload
        DELETE /other/k?uploadId=$U                         => 404 NoSuchUpload
        DELETE /bkt/k?uploadId=x                            => 404 NoSuchUpload | UploadId = x
        DELETE /bkt/k?uploadId=                             => 404 NoSuchUpload
        DELETE /bkt/k?uploadId=01890000000070008000000000000000 => 404 NoSuchUpload
        GET /bkt?uploads                                    => 200 | UploadId = $U
        "#,
    );
}

#[test]
fn a_finished_upload_cannot_be_aborted() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/k?uploads                                 => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << hello        => 200 | etag -> E
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$E</ETag></Part></CompleteMultipartUpload> => 200
        DELETE /bkt/k?uploadId=$U                           => 404 NoSuchUpload
        GET /bkt/k                                          => 200 << hello
        "#,
    );
}

#[test]
fn the_parts_are_garbage_afterwards() {
    let gateway = Gateway::start();
    let mut script = Script::new(&gateway);
    script.run(
        r#"
        POST /bkt/k?uploads                                 => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << @100000      => 200
        PUT /bkt/k?uploadId=$U&partNumber=2 << @100000      => 200
        DELETE /bkt/k?uploadId=$U                           => 204
        "#,
    );
    gateway.assert_sound();
    let left = gateway.store().collect_garbage().run().unwrap();
    assert_eq!(left, 0, "nothing is left to collect");
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        POST /bkt/k?uploads             => 200 | UploadId -> U
        alice: DELETE /bkt/k?uploadId=$U => 403 AccessDenied
        anon: DELETE /bkt/k?uploadId=$U => 403 AccessDenied
        DELETE /nobkt/k?uploadId=$U     => 404 NoSuchBucket
        anon: DELETE /nobkt/k?uploadId=$U => 404 NoSuchBucket
        GET /bkt/k?uploadId=$U          => 200
        "#,
    );
}
