//! ProveUpload. Its use is tested in `instant::proof`.

use crate::harness::{Gateway, Script};

#[test]
fn other_documents_are_refused_and_unknown_answers_denied() {
    let gateway = Gateway::start();
    let mut script = Script::new(&gateway);
    script.set("N", "0".repeat(64));
    script.run(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        POST /bkt/k?uploadId=$U&partita-proof << {"nonce":"$N","sha256":"$N"} => 403 AccessDenied
        POST /bkt/other?uploadId=$U&partita-proof << {"nonce":"$N","sha256":"$N"}
            => 404 NoSuchUpload
        POST /bkt/k?uploadId=$U&partita-proof << {"nonce":"$N"}            => 400 InvalidRequest
        POST /bkt/k?uploadId=$U&partita-proof << {"nonce":"0","sha256":"$N"} => 400 InvalidRequest
        POST /bkt/k?uploadId=$U&partita-proof                              => 400 InvalidRequest
        POST /bkt/k?uploadId=$U&partita-proof << @65537       => 400 MaxMessageLengthExceeded
        POST /bkt/k?partita-proof << {"nonce":"$N","sha256":"$N"} => 400 InvalidRequest
        anon: POST /bkt/k?uploadId=$U&partita-proof << {"nonce":"$N","sha256":"$N"}
            => 403 AccessDenied
        PUT /bkt/k?uploadId=$U&partNumber=1 << x => 200
        "#,
    );
    gateway.assert_sound();
}
