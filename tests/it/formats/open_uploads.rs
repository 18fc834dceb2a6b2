//! Open uploads of a folder: their parts are listed, the missing ones are sent, and Complete gives
//! the expected object.

use serde_json::{Map, Value};

use super::compare::{Differences, compare_body};
use super::{body_of, items, number, text, who};
use crate::harness::{Gateway, Request, Who};

pub fn target_of(upload: &Value) -> String {
    format!("{}?uploadId={}", text(&upload["target"]), text(&upload["id"]))
}

/// Parts of an open upload, each with the texts of its elements in ListParts.
pub fn parts_of(gateway: &Gateway, upload: &Value) -> Vec<Map<String, Value>> {
    let request = Request::new("GET", target_of(upload)).by(who(&upload["who"]));
    let listed = gateway.send(&request).expect(200).xml();
    let parts = listed.all("Part").into_iter().map(|part| {
        let texts = part.children.iter();
        texts.map(|child| (child.name.clone(), child.text.as_str().into())).collect()
    });
    parts.collect()
}

pub fn complete_request(target: &str, who: Who, headers: &Value, document: &str) -> Request {
    let mut request = Request::new("POST", target).by(who).body(document);
    for (name, value) in headers.as_object().into_iter().flatten() {
        request = request.header(name, text(value));
    }
    request
}

/// Sends the missing parts of an open upload, completes it, and reads the object.
pub fn complete(gateway: &Gateway, upload: &Value) {
    let (who, target) = (who(&upload["who"]), target_of(upload));
    if upload["state"]["status"] == "pause" {
        let request = Request::new("PUT", format!("{target}&partita-state")).by(who);
        gateway.send(&request.body(r#"{"status":"upload"}"#)).expect(200);
    }
    if upload["told"] == "created" {
        // The same Create finds the declared upload again.
        let name = format!("{}?uploads", text(&upload["target"]));
        let answer = gateway.send(&complete_request(&name, who, &upload["create"], "")).expect(200);
        assert_eq!(answer.header("x-partita-upload").as_deref(), Some("resumed"), "{target}");
        assert_eq!(answer.text("UploadId"), text(&upload["id"]));
    }
    for part in items(&upload["missing"]) {
        let body = body_of(number(&part[1]), part[2].as_u64().unwrap());
        let request = Request::new("PUT", format!("{target}&partNumber={}", part[0]));
        gateway.send(&request.by(who).body(body)).expect(200);
    }
    let mut document = String::from("<CompleteMultipartUpload>");
    for part in parts_of(gateway, upload) {
        document.push_str("<Part>");
        for (name, value) in &part {
            if name.starts_with("Checksum") || name == "PartNumber" || name == "ETag" {
                document.push_str(&format!("<{name}>{}</{name}>", text(value)));
            }
        }
        document.push_str("</Part>");
    }
    document.push_str("</CompleteMultipartUpload>");
    let request = complete_request(&target, who, &Value::Null, &document);
    let answer = gateway.send(&request).expect(200);
    assert_eq!(answer.text("ETag"), text(&upload["etag"]), "{target}");

    let answer = gateway.send(&Request::new("GET", text(&upload["target"])).by(who)).expect(200);
    let mut found = Differences::default();
    compare_body(&target, &answer, upload, &mut found);
    for (name, value) in upload["create"].as_object().unwrap() {
        if name.starts_with("content-") || name.starts_with("x-amz-meta-") {
            found.compare(name, answer.header(name).as_deref(), value.as_str());
        }
    }
    assert!(found.0.is_empty(), "{:#?}", found.0);
}
