//! GetUploadState.

use crate::harness::{Gateway, Request, check, valid_json};

#[test]
fn says_whether_it_takes_parts() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        GET /bkt/k?uploadId=$U&partita-state => 200 | content-type: application/json
        GET /bkt/other?uploadId=$U&partita-state => 404 NoSuchUpload
        GET /bkt/k?uploadId=$U&partita-state&partita-blocks => 400 InvalidRequest
        GET /bkt/k?partita-state => 400 InvalidRequest
        "#,
    );
}

#[test]
fn the_document_is_as_its_schema_says() {
    let gateway = Gateway::start();
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    let target = format!("/bkt/k?uploadId={upload}&partita-state");
    let state = valid_json("state", &gateway.send(&Request::new("GET", target.as_str())).body);
    assert_eq!((&state["status"], &state["pausedAt"]), (&"upload".into(), &().into()));
    let pause = Request::new("PUT", target.as_str()).body(r#"{"status":"pause"}"#);
    let paused = valid_json("state", &gateway.send(&pause).expect(200).body);
    let again = valid_json("state", &gateway.send(&Request::new("GET", target.as_str())).body);
    assert_eq!(paused, again);
    assert!(paused["pausedAt"].is_string(), "{paused}");
    // A pause holds an upload for longer than idleness does.
    let expires = |state: &serde_json::Value| state["expiresAt"].as_str().unwrap().to_owned();
    assert!(expires(&paused) > expires(&state), "{paused} {state}");
}
