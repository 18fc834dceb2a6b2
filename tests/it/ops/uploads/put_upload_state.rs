//! PutUploadState.

use crate::harness::{Gateway, Request, Script, check, valid_json};

#[test]
fn pauses_and_resumes_as_often_as_one_likes() {
    let gateway = Gateway::start();
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    let target = format!("/bkt/k?uploadId={upload}&partita-state");
    for change in ["pause", "pause", "upload", "upload", "pause"] {
        let body = format!(r#"{{"status":"{change}"}}"#);
        valid_json("state-request", body.as_bytes());
        let answer = gateway.send(&Request::new("PUT", target.as_str()).body(body)).expect(200);
        assert_eq!(valid_json("state", &answer.body)["status"], change);
    }
    // A repeated pause does not restart its time.
    let pause = Request::new("PUT", target.as_str()).body(r#"{"status":"pause"}"#);
    let (first, second) = (gateway.send(&pause).body, gateway.send(&pause).body);
    assert_eq!(first, second);
    gateway.assert_sound();
}

#[test]
fn a_cancel_ends_it_for_all() {
    let gateway = Gateway::start();
    let mut script = Script::new(&gateway);
    script.set("SHA256", "0".repeat(64));
    script.run(
        r#"
        POST /bkt/k?uploads | x-partita-object-size: 1 | x-partita-content-sha256: $SHA256
            => 200 | UploadId -> U
        POST /bkt/k?uploads | x-partita-object-size: 1 | x-partita-content-sha256: $SHA256
            => 200 | UploadId = $U | x-partita-upload: resumed
        PUT /bkt/k?uploadId=$U&partNumber=1 << x                        => 200
        PUT /bkt/k?uploadId=$U&partita-state << {"status":"cancel"}     => 204
        PUT /bkt/k?uploadId=$U&partita-state << {"status":"cancel"}     => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U&partita-state << {"status":"upload"}     => 404 NoSuchUpload
        GET /bkt/k?uploadId=$U&partita-state                   => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U&partNumber=1 << x               => 404 NoSuchUpload
        DELETE /bkt/k?uploadId=$U                              => 404 NoSuchUpload
        "#,
    );
    gateway.assert_sound();
}

#[test]
fn other_documents_are_refused() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partita-state << {"status":"stop"} => 400 InvalidRequest
        PUT /bkt/k?uploadId=$U&partita-state << {"status":"pause","until":"x"} => 400 InvalidRequest
        PUT /bkt/k?uploadId=$U&partita-state << {}               => 400 InvalidRequest
        PUT /bkt/k?uploadId=$U&partita-state << pause            => 400 InvalidRequest
        PUT /bkt/k?uploadId=$U&partita-state                     => 400 InvalidRequest
        PUT /bkt/k?uploadId=$U&partita-state << @65537      => 400 MaxMessageLengthExceeded
        PUT /bkt/other?uploadId=$U&partita-state << {"status":"pause"} => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U&partita-state&acl << {"status":"pause"} => 400 InvalidRequest
        POST /bkt/k?uploadId=$U&partita-state << {"status":"pause"} => 501 NotImplemented
        "#,
    );
}
