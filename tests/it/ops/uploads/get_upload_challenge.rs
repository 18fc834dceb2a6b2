//! GetUploadChallenge. Its use is tested in `instant::proof`.

use crate::harness::check;

#[test]
fn without_an_offer_there_is_no_challenge() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        GET /bkt/k?uploadId=$U&partita-proof => 400 InvalidRequest
        GET /bkt/other?uploadId=$U&partita-proof => 404 NoSuchUpload
        GET /bkt/k?uploadId=none&partita-proof => 404 NoSuchUpload
        GET /bkt/k?partita-proof => 400 InvalidRequest
        GET /bkt/k?uploadId=$U&partita-proof&partita-blocks => 400 InvalidRequest
        PUT /bkt/k?uploadId=$U&partita-proof << x => 501 NotImplemented
        alice: GET /bkt/k?uploadId=$U&partita-proof => 403 AccessDenied
        anon: GET /bkt/k?uploadId=$U&partita-proof => 403 AccessDenied
        DELETE /bkt/k?uploadId=$U => 204
        GET /bkt/k?uploadId=$U&partita-proof => 404 NoSuchUpload
        "#,
    );
}
