//! Comparison of everything that a folder holds with the expected answers.

use std::process::Command;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::open_uploads::{complete_request, parts_of, target_of};
use super::{items, number, sha256, text, who};
use crate::harness::{Answer, Gateway, Request, Who, base64, checksum, command_json, md5_hex};
use crate::signer::{self, Body, Signer};

/// Differences from the expected answers, a line each.
#[derive(Default)]
pub struct Differences(pub Vec<String>);

impl Differences {
    pub fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: T, expected: T) {
        if got != expected {
            self.0.push(format!("{what}: {got:?}, expected {expected:?}"));
        }
    }
}

/// Reads everything and compares it.
pub fn differences(gateway: &Gateway, expected: &Value) -> Vec<String> {
    let mut found = Differences::default();
    compare_accounts(gateway, expected, &mut found);
    for bucket in items(&expected["buckets"]) {
        compare_bucket(gateway, bucket, expected, &mut found);
    }
    for object in items(&expected["objects"]) {
        compare_object(gateway, object, &mut found);
    }
    for upload in items(&expected["uploads"]) {
        compare_upload(gateway, upload, &mut found);
    }
    for completed in items(&expected["completed"]) {
        compare_repetition(gateway, completed, &mut found);
    }
    found.0
}

/// JSON that a command prints beside the running gateway.
fn command(gateway: &Gateway, words: &[&str]) -> Value {
    let data = gateway.folder().join("data");
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.args(words).args(["--json", "--data"]).arg(data);
    let output = command.output().unwrap();
    command_json(words, std::str::from_utf8(&output.stdout).unwrap())
}

fn compare_accounts(gateway: &Gateway, expected: &Value, found: &mut Differences) {
    for (name, words) in [("users", ["user", "list"]), ("keys", ["key", "list"])] {
        let got = command(gateway, &words);
        found.compare(name, &got[name], &expected[name]);
    }
    let answer = gateway.send(&by_disabled_key(gateway, expected));
    let got = (answer.status, answer.code().unwrap_or_default());
    found.compare("the disabled key", got, (403, "InvalidAccessKeyId".to_owned()));
}

/// A request that a user's disabled key signs.
pub fn by_disabled_key(gateway: &Gateway, expected: &Value) -> Request {
    let [id, secret] = [0, 1].map(|index| text(&expected["disabledKey"][index]));
    let (host, body) = (gateway.host(), Body::Sha256(b""));
    let signed = Signer::new(id, secret).header(signer::now(), "GET", &host, "/", &[], body);
    let mut request = Request::new("GET", "/").by(Who::Anonymous);
    request.headers = signed.headers;
    request
}

fn compare_bucket(gateway: &Gateway, bucket: &Value, expected: &Value, found: &mut Differences) {
    let (name, owner) = (text(&bucket["name"]), who(&bucket["owner"]));
    let get = |target: String| gateway.send(&Request::new("GET", target).by(owner));
    let listed = get("/".into()).expect(200).xml();
    let rows = listed
        .all("Bucket")
        .into_iter()
        .map(|row| (row.text_of("Name").unwrap(), row.text_of("CreationDate").unwrap()));
    let created = (name.to_owned(), text(&bucket["created"]).to_owned());
    found.compare(name, rows.filter(|(found, _)| found == name).collect(), vec![created]);

    for (word, document) in [("cors", &bucket["cors"]), ("notification", &bucket["notification"])] {
        let answer = get(format!("/{name}?{word}"));
        let got = (answer.status, String::from_utf8(answer.body).unwrap());
        match document.as_str() {
            Some(document) => found.compare(name, got, (200, document.to_owned())),
            None => found.compare(name, got.0, 404),
        }
    }

    let prefix = format!("/{name}/");
    let listed = get(format!("{prefix}?list-type=2&encoding-type=url")).expect(200).xml();
    let decode = |key: &str| percent_decode_str(key).collect::<Vec<u8>>();
    let rows = listed.all("Contents").into_iter().map(|row| {
        let of = |name: &str| row.text_of(name).unwrap();
        (decode(&of("Key")), of("ETag"), of("Size"))
    });
    let mut objects = Vec::new();
    for object in items(&expected["objects"]) {
        if let Some(key) = text(&object["target"]).strip_prefix(&prefix) {
            let etag = text(&object["headers"]["etag"]).to_owned();
            objects.push((decode(key), etag, object["size"].to_string()));
        }
    }
    objects.sort();
    found.compare(name, rows.collect(), objects);

    let listed = get(format!("/{name}?uploads")).expect(200).xml().texts("Upload/UploadId");
    let mut uploads = Vec::new();
    for upload in items(&expected["uploads"]) {
        if text(&upload["target"]).starts_with(&prefix) {
            uploads.push((text(&upload["target"]), text(&upload["id"]).to_owned()));
        }
    }
    uploads.sort();
    let uploads = uploads.into_iter().map(|(_, id)| id).collect();
    found.compare(name, listed, uploads);
}

pub fn compare_object(gateway: &Gateway, object: &Value, found: &mut Differences) {
    let target = text(&object["target"]);
    let get = Request::new("GET", target).header("x-amz-checksum-mode", "ENABLED");
    let answer = gateway.send(&get);
    found.compare(target, answer.status, 200);
    for (name, value) in object["headers"].as_object().unwrap() {
        let got = answer.header(name);
        found.compare(&format!("{name} of {target}"), got.as_deref(), value.as_str());
    }
    compare_body(target, &answer, object, found);
    if object.get("parts").is_none() {
        let etag = format!("\"{}\"", md5_hex(&answer.body));
        found.compare(&format!("MD5 of {target}"), answer.header("etag"), Some(etag));
    }
    let mut begin = 0;
    for part in object["parts"].as_array().into_iter().flatten() {
        let (size, digest) = (number(&part[0]), text(&part[1]));
        let range = format!("bytes={begin}-{}", begin + size - 1);
        let answer = gateway.send(&Request::new("GET", target).header("range", &*range));
        let got = (answer.status, sha256(&answer.body));
        found.compare(&format!("{range} of {target}"), got, (206, digest.to_owned()));
        begin += size;
    }
}

/// Compares the body, and the checksums over it.
pub fn compare_body(target: &str, answer: &Answer, expected: &Value, found: &mut Differences) {
    let got = (answer.body.len(), sha256(&answer.body));
    let digest = text(&expected["sha256"]).to_owned();
    found.compare(&format!("body of {target}"), got, (number(&expected["size"]), digest));
    if answer.header("x-amz-checksum-type").as_deref() != Some("FULL_OBJECT") {
        return;
    }
    for (name, value) in &answer.headers {
        let known = name.strip_prefix("x-amz-checksum-");
        if let Some(sum) = known.and_then(|name| checksum(name, &answer.body)) {
            found.compare(&format!("{name} of {target}"), value.as_str(), &base64(&sum));
        }
    }
}

fn compare_upload(gateway: &Gateway, upload: &Value, found: &mut Differences) {
    let target = target_of(upload);
    let mut parts = parts_of(gateway, upload);
    for (part, expected) in parts.iter_mut().zip(items(&upload["parts"])) {
        part.retain(|name, _| expected.get(name).is_some());
    }
    let parts: Value = parts.into_iter().map(Value::Object).collect();
    found.compare(&format!("parts of {target}"), &parts, &upload["parts"]);
    for (word, name) in [("partita-blocks", "blocks"), ("partita-state", "state")] {
        let request = Request::new("GET", format!("{target}&{word}")).by(who(&upload["who"]));
        let answer = gateway.send(&request).expect(200);
        let mut document: Value = serde_json::from_slice(&answer.body).unwrap();
        // The expiry depends on settings.
        document.as_object_mut().unwrap().remove("expiresAt");
        found.compare(&format!("{name} of {target}"), &document, &upload[name]);
    }
}

/// Compares the answer of a Complete that is sent again.
fn compare_repetition(gateway: &Gateway, completed: &Value, found: &mut Differences) {
    let answer = gateway.send(&complete_request(
        text(&completed["target"]),
        who(&completed["who"]),
        &completed["headers"],
        text(&completed["document"]),
    ));
    found.compare(text(&completed["target"]), answer.status, 200);
    let body = String::from_utf8(answer.body).unwrap();
    let (before, rest) = body.split_once("<Location>").unwrap_or((&body, ""));
    let after = rest.split_once("</Location>").map_or("", |(_, after)| after);
    let got = format!("{before}{after}");
    found.compare(text(&completed["target"]), got.as_str(), text(&completed["answer"]));
}
