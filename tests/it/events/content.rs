//! Content of the events that a target gets: headers, signature, record.

use serde_json::json;

use super::receiver::{Receiver, SECRET, wait_until};
use super::{gateway_with, listen, state, target};
use crate::harness::{Form, Request, Script, base64};

#[test]
fn events_are_delivered_with_a_valid_signature() {
    let receiver = Receiver::willing();
    let (gateway, _folder) =
        gateway_with(&[target("app", &receiver.url(), "token = \"the-token\"")]);
    listen(&gateway, "app");
    let var = base64(br#"{"order": 7.50}"#);
    let mut script = Script::new(&gateway);
    script.set("VAR", var);
    script.run(
        r#"
        PUT /bkt/a%20b | x-amz-meta-colour: red | content-type: text/plain
            | x-partita-callback-var: $VAR << hello => 200
        PUT /bkt/copy | x-amz-copy-source: bkt/a%20b => 200
        POST /bkt/big?uploads | x-partita-callback-var: $VAR => 200 | UploadId -> U
        PUT /bkt/big?uploadId=$U&partNumber=1 << @1000 => 200 | etag -> A
        POST /bkt/big?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$A</ETag></Part></CompleteMultipartUpload> => 200 | ETag -> E
        POST /bkt/big?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$A</ETag></Part></CompleteMultipartUpload> => 200
        HEAD /bkt/a%20b => 200 | -x-partita-callback-var
        DELETE /bkt/copy => 204
        DELETE /bkt/copy => 204
        POST /bkt?delete << <Delete><Object><Key>a b</Key></Object>
            <Object><Key>none</Key></Object></Delete> => 200
        "#,
    );
    wait_until(|| state(&gateway, "app").backlog == 0);
    let received = receiver.received();
    let mut delivered: Vec<_> = received.iter().map(|one| (one.event(), one.key())).collect();
    delivered.sort_unstable();
    assert_eq!(
        delivered,
        [
            ("s3:ObjectCreated:CompleteMultipartUpload", "bkt/big"),
            ("s3:ObjectCreated:Copy", "bkt/copy"),
            ("s3:ObjectCreated:Put", "bkt/a b"),
            ("s3:ObjectRemoved:Delete", "bkt/a b"),
            ("s3:ObjectRemoved:Delete", "bkt/copy"),
        ]
    );
    let find = |event: &str| received.iter().find(|one| one.event() == event).unwrap();
    let put = find("s3:ObjectCreated:Put");
    assert_eq!(put.record()["s3"]["object"]["key"], "a%20b");
    assert_eq!(put.record()["s3"]["object"]["size"], 5);
    assert_eq!(put.record()["s3"]["object"]["eTag"], crate::harness::md5_hex(b"hello"));
    assert_eq!(put.record()["s3"]["object"]["contentType"], "text/plain");
    assert_eq!(put.record()["s3"]["object"]["userMetadata"]["x-amz-meta-colour"], "red");
    assert_eq!(put.record()["s3"]["configurationId"], "all");
    assert_eq!(put.record()["userIdentity"]["principalId"], "root");
    assert_eq!(put.record()["requestParameters"]["sourceIPAddress"], "127.0.0.1");
    let request_id = put.record()["responseElements"]["x-amz-request-id"].as_str().unwrap();
    assert_eq!(request_id.len(), 16);
    let text = String::from_utf8(put.bytes.clone()).unwrap();
    assert!(text.contains(r#""opaqueData":{"order": 7.50}"#), "{text}");
    let complete = find("s3:ObjectCreated:CompleteMultipartUpload");
    assert_eq!(complete.record()["opaqueData"], json!({ "order": 7.50 }));
    assert!(complete.record()["s3"]["object"]["eTag"].as_str().unwrap().ends_with("-1"));
    let removed = find("s3:ObjectRemoved:Delete");
    assert!(removed.record().get("opaqueData").is_none());

    let all = receiver.all();
    assert_eq!(all.iter().filter(|one| one.event() == "s3:TestEvent").count(), 1);
    let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
    for one in &all {
        let headers: http::HeaderMap = one
            .headers
            .iter()
            .map(|(name, value)| {
                (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
            })
            .collect();
        verifier.verify(&one.bytes, &headers).expect("the signature is right");
        assert_eq!(one.header("authorization"), "Bearer the-token");
        assert_eq!(one.header("content-type"), "application/json");
        assert_eq!(one.path, "/hook");
    }
    let ids: std::collections::HashSet<_> =
        all.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), all.len(), "each event has an id of its own");
    gateway.assert_sound();
}

#[test]
fn a_form_emits_a_post_event() {
    let receiver = Receiver::willing();
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    let form = Form::new("bkt", "from a page")
        .field("x-partita-callback-var", base64(br#"{"order": 7.50}"#))
        .field("x-amz-meta-colour", "red")
        .file(b"hello");
    gateway.send(&form.request()).expect(204);
    wait_until(|| state(&gateway, "app").backlog == 0);
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    let record = received[0].record();
    assert_eq!(received[0].event(), "s3:ObjectCreated:Post");
    assert_eq!(record["eventName"], "ObjectCreated:Post");
    assert_eq!(record["s3"]["object"]["key"], "from%20a%20page");
    assert_eq!(record["s3"]["object"]["size"], 5);
    assert_eq!(record["s3"]["object"]["userMetadata"]["x-amz-meta-colour"], "red");
    assert_eq!(record["userIdentity"]["principalId"], "root");
    assert_eq!(record["opaqueData"], json!({ "order": 7.50 }));
    gateway.assert_sound();
}

#[test]
fn upload_events_go_to_targets_that_name_them() {
    let receiver = Receiver::willing();
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    let document = "<NotificationConfiguration><TopicConfiguration>\
         <Topic>arn:minio:sqs::app:webhook</Topic><Event>partita:Upload:Created</Event>\
         <Event>partita:Upload:Aborted</Event></TopicConfiguration></NotificationConfiguration>";
    gateway.send(&Request::new("PUT", "/bkt?notification").body(document)).expect(200);
    let mut script = Script::new(&gateway);
    script.set("VAR", base64(b"[1]"));
    script.run(
        r#"
        POST /bkt/k?uploads | x-partita-callback-var: $VAR => 200 | UploadId -> U
        PUT /bkt/k << x => 200
        DELETE /bkt/k?uploadId=$U => 204
        DELETE /bkt/k?uploadId=$U => 404 NoSuchUpload
        "#,
    );
    let received = receiver.wait_for(2);
    assert_eq!(received[0].event(), "partita:Upload:Created");
    assert_eq!(received[1].event(), "partita:Upload:Aborted");
    for one in &received {
        assert_eq!(one.record()["opaqueData"], json!([1]));
        assert_eq!(one.record()["s3"]["object"]["uploadId"].as_str().unwrap().len(), 32);
    }
    wait_until(|| state(&gateway, "app").backlog == 0);
    assert_eq!(receiver.received().len(), 2);
}
