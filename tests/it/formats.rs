//! Data folders of earlier versions: they open, and all that they hold is answered as it was.
//!
//! `fixtures/schema_7` has two folders that a release binary of schema 7 wrote, and what each was
//! answered with while that binary ran; `fixtures/make_schema_7.py` made them. `clean` ended by
//! SIGTERM. `killed` ended by SIGKILL: its last rows are only in the write-ahead log, a dropped
//! body is not freed yet, and a file has no row. A later schema adds a folder of its own here.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::events::receiver::{Receiver, SECRET, wait_until};
use crate::harness::{
    Answer, Gateway, Request, Who, base64, bytes_of, checksum, command_json, md5_hex,
};
use crate::signer::{self, Body, Signer};
use partita::types::MessageId;

/// Times of the folders are those of their making: nothing in them ends for ten years.
const SETTINGS: [(&str, &str); 7] = [
    ("part-bytes-min", "1"),
    ("upload-idle-hours", "87600"),
    ("upload-pause-hours", "87600"),
    ("webhook-log-days", "3650"),
    ("webhook-dead-days", "3650"),
    ("dedup-buckets", "shared"),
    ("proof-buckets", "shared"),
];
/// Prefix of the objects that a test deletes.
const DELETED: &str = "/alice-files/sizes/";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/schema_7").join(name)
}

/// Expected answers of a folder.
fn expected(variant: &str) -> Value {
    let document = std::fs::read(fixture(&format!("{variant}.json"))).unwrap();
    serde_json::from_slice(&document).unwrap()
}

/// Unpacks a folder as `data` inside of this one; gives its path.
fn unpack(variant: &str, folder: &Path) -> PathBuf {
    let mut tar = Command::new("tar");
    tar.args(["-xzp", "--no-same-owner", "-f"]).arg(fixture(&format!("{variant}.tar.gz")));
    assert!(tar.arg("-C").arg(folder).status().unwrap().success());
    folder.join("data")
}

/// `PRAGMA user_version`, without opening the database: that would empty the write-ahead log.
fn schema_of(data: &Path) -> u32 {
    let bytes = std::fs::read(data.join("partita.db")).unwrap();
    u32::from_be_bytes(bytes[60..64].try_into().unwrap())
}

/// The body of a size and a seed, as the generator makes it.
fn body_of(size: usize, seed: u64) -> Vec<u8> {
    bytes_of(61, seed).into_iter().cycle().take(size).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(checksum("sha256", bytes).unwrap())
}

fn items(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn who(value: &Value) -> Who {
    Who::parse(text(value)).unwrap()
}

/// Differences from the expected answers, a line each.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: T, expected: T) {
        if got != expected {
            self.0.push(format!("{what}: {got:?}, expected {expected:?}"));
        }
    }
}

/// Reads everything and compares it.
fn differences(gateway: &Gateway, expected: &Value) -> Vec<String> {
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

/// A command beside the running gateway; the document that it prints.
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
fn by_disabled_key(gateway: &Gateway, expected: &Value) -> Request {
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

fn compare_object(gateway: &Gateway, object: &Value, found: &mut Differences) {
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

/// The body, and the checksums that cover it.
fn compare_body(target: &str, answer: &Answer, expected: &Value, found: &mut Differences) {
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

fn target_of(upload: &Value) -> String {
    format!("{}?uploadId={}", text(&upload["target"]), text(&upload["id"]))
}

/// The parts of an open upload: the texts of the elements that ListParts has for each.
fn parts_of(gateway: &Gateway, upload: &Value) -> Vec<Map<String, Value>> {
    let request = Request::new("GET", target_of(upload)).by(who(&upload["who"]));
    let listed = gateway.send(&request).expect(200).xml();
    let parts = listed.all("Part").into_iter().map(|part| {
        let texts = part.children.iter();
        texts.map(|child| (child.name.clone(), child.text.as_str().into())).collect()
    });
    parts.collect()
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
        // When it expires is a matter of settings.
        document.as_object_mut().unwrap().remove("expiresAt");
        found.compare(&format!("{name} of {target}"), &document, &upload[name]);
    }
}

/// A Complete that is sent again is answered as it was.
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

fn complete_request(target: &str, who: Who, headers: &Value, document: &str) -> Request {
    let mut request = Request::new("POST", target).by(who).body(document);
    for (name, value) in headers.as_object().into_iter().flatten() {
        request = request.header(name, text(value));
    }
    request
}

/// Sends what lacks of an open upload, completes it, and reads the object.
fn complete(gateway: &Gateway, upload: &Value) {
    let (who, target) = (who(&upload["who"]), target_of(upload));
    if upload["state"]["status"] == "pause" {
        let request = Request::new("PUT", format!("{target}&partita-state")).by(who);
        gateway.send(&request.body(r#"{"status":"upload"}"#)).expect(200);
    }
    if upload["told"] == "created" {
        // What was declared is found again, by the same Create.
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

/// Comparison of the waiting events and their attempts.
fn compare_events(gateway: &Gateway, expected: &Value) {
    let mut found = Differences::default();
    let states = gateway.store().event_targets().wait().unwrap();
    found.compare("targets", states.len(), expected["events"].as_object().unwrap().len());
    for state in states {
        let target = &expected["events"][&state.name];
        for (got, name) in
            [(state.backlog, "backlog"), (state.dead, "dead"), (state.dropped_count, "gap")]
        {
            let what = format!("{name} of {}", state.name);
            found.compare(&what, Some(got), target[name].as_u64());
        }
        found.compare(&state.name, state.disabled.as_deref(), target["disabled"].as_str());
        let tries = gateway.store().deliveries(&state.name).wait().unwrap();
        let tries: Value = tries
            .iter()
            .map(|one| {
                serde_json::json!({
                    "id": format!("msg_{}", one.message),
                    "attempt": one.attempt,
                    "status": one.status,
                    "reply": String::from_utf8_lossy(&one.reply),
                })
            })
            .collect();
        found.compare(&state.name, &tries, &target["deliveries"]);
    }
    assert!(found.0.is_empty(), "{:#?}", found.0);
}

/// The file of targets, all of them at this receiver.
fn targets(expected: &Value, receiver: &Receiver) -> String {
    let names = expected["events"].as_object().unwrap().keys();
    let table = |name: &String| {
        format!(
            "[webhook.{name}]\nurl = \"{}\"\nsecrets = \"{SECRET}\"\n\
             allow-addresses = \"127.0.0.1\"\n",
            receiver.url()
        )
    };
    names.map(table).collect()
}

/// Events that waited or were given up arrive as they were, and then what a gap has counted.
fn deliver_events(gateway: &Gateway, expected: &Value, receiver: &Receiver) {
    let store = gateway.store();
    let mut messages = Vec::new();
    let mut missing = 0;
    for (name, target) in expected["events"].as_object().unwrap() {
        store.disable_event_target(name, None).wait().unwrap();
        while store.resend_dead_events(name).wait().unwrap() > 0 {}
        for message in items(&target["messages"]) {
            let id = text(&message["id"]);
            messages.push((id.to_owned(), text(&message["sha256"]).to_owned()));
            let id = MessageId::parse(id.strip_prefix("msg_").unwrap()).unwrap();
            // One that waits behind another is refused, and goes when that one was taken.
            let _ = store.resend_event(name, id).wait();
        }
        missing += target["gap"].as_u64().unwrap();
    }
    let is_told = || store.event_targets().wait().unwrap().iter().all(|state| state.backlog == 0);
    wait_until(is_told);
    let all = receiver.all();
    let got = |id: &str| {
        let found = all.iter().find(|one| one.header("webhook-id") == id);
        found.map(|one| sha256(&one.bytes))
    };
    for (id, digest) in messages {
        assert_eq!(got(&id), Some(digest), "{id}");
    }
    let gaps = all.iter().filter(|one| one.event() == "partita:Events:Gap");
    let counted: u64 = gaps.map(|gap| gap.body["Gap"]["count"].as_u64().unwrap()).sum();
    assert_eq!((counted, missing > 0), (missing, true));
}

#[track_caller]
fn assert_sound(gateway: &Gateway) {
    let broken = gateway.store().check_blocks().unwrap();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[track_caller]
fn assert_same(gateway: &Gateway, expected: &Value) {
    let found = differences(gateway, expected);
    assert!(found.is_empty(), "{found:#?}");
    assert_sound(gateway);
}

/// The whole life of a folder of an earlier version in this one.
fn live_on(variant: &str) {
    let expected = expected(variant);
    let (config, receiver) = (tempfile::NamedTempFile::new().unwrap(), Receiver::willing());
    let path = config.path().display().to_string();
    let settings = [&SETTINGS[..], &[("config", &path)]].concat();
    let mut gateway = Gateway::on(&settings, |folder| {
        let data = unpack(variant, folder);
        let log = data.join("partita.db-wal").metadata().map_or(0, |log| log.len());
        assert_eq!(log > 0, variant == "killed");
        let mode = data.join("root-credentials").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(u64::from(schema_of(&data)), expected["schema"].as_u64().unwrap());
    });
    assert_sound(&gateway);
    assert_same(&gateway, &expected);
    compare_events(&gateway, &expected);
    gateway.store().collect_garbage().unwrap();
    gateway.store().sweep_files().unwrap();
    let quarantine = gateway.folder().join("data/quarantine");
    let is_left = std::fs::read_dir(quarantine).unwrap().count() > 0;
    assert_eq!(is_left, variant == "killed", "a file without a row");
    assert_sound(&gateway);

    // Again, as a folder that this version has opened, with somebody to tell of events.
    std::fs::write(config.path(), targets(&expected, &receiver)).unwrap();
    gateway.restart();
    assert_same(&gateway, &expected);
    deliver_events(&gateway, &expected, &receiver);
    let id = text(&expected["disabledKey"][0]);
    gateway.store().set_key_enabled(id, true).wait().unwrap();
    gateway.send(&by_disabled_key(&gateway, &expected)).expect(200);
    for upload in items(&expected["uploads"]) {
        complete(&gateway, upload);
    }
    write_and_delete(&gateway);
    gateway.restart();
    let mut found = Differences::default();
    for object in items(&expected["objects"]) {
        let target = text(&object["target"]);
        if target.starts_with(DELETED) {
            let answer = gateway.send(&Request::new("GET", target));
            found.compare(target, answer.status, 404);
        } else {
            compare_object(&gateway, object, &mut found);
        }
    }
    assert!(found.0.is_empty(), "{:#?}", found.0);
    gateway.assert_sound();
    assert_sound(&gateway);
}

/// Adds objects of each home beside those that are there, and deletes what is below [`DELETED`].
fn write_and_delete(gateway: &Gateway) {
    for size in [3_000, 70_000, 300_000] {
        let put = Request::new("PUT", format!("/bob.files/new/{size}"));
        gateway.send(&put.body(body_of(size, 1))).expect(200);
    }
    let listed = Request::new("GET", "/alice-files?list-type=2&prefix=sizes/");
    let keys = gateway.send(&listed).expect(200).xml().texts("Contents/Key");
    assert!(keys.len() > 10);
    for key in keys {
        gateway.send(&Request::new("DELETE", format!("/alice-files/{key}"))).expect(204);
    }
    for size in [3_000, 70_000, 300_000] {
        let got = gateway.send(&Request::new("GET", format!("/bob.files/new/{size}"))).expect(200);
        assert!(got.body == body_of(size, 1));
    }
}

#[test]
fn a_folder_of_schema_7_that_was_closed() {
    live_on("clean");
}

#[test]
fn a_folder_of_schema_7_whose_server_was_killed() {
    live_on("killed");
}

/// Turns a bit in the middle of this body, in the file of this folder that holds it.
fn damage(folder: &Path, body: &[u8]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path, body);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let pages = (0..bytes.len()).step_by(4096);
        for begin in pages.filter(|&begin| bytes[begin..].starts_with(body)).collect::<Vec<_>>() {
            bytes[begin + body.len() / 2] ^= 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

/// The tests above see a damaged byte in each home of a body, and a changed row.
#[test]
fn what_is_damaged_differs() {
    let expected = expected("clean");
    let gateway = Gateway::on(&SETTINGS, |folder| {
        let data = unpack("clean", folder);
        damage(&data.join("blobs"), &body_of(290_000, 83));
        damage(&data.join("segments"), &body_of(90_000, 83));
        crate::harness::Inspector::open(&data).damage_digest("stays/90");
    });
    let found = differences(&gateway, &expected);
    for size in [90, 90_000, 290_000] {
        let target = format!("/alice-files/stays/{size}");
        assert!(found.iter().any(|line| line.contains(&format!("{target}: "))), "{found:#?}");
    }
    let is_of_others = |line: &&String| !line.contains("stays/");
    let others: Vec<_> = found.iter().filter(is_of_others).collect();
    assert!(others.iter().all(|line| line.starts_with("alice-files: ")), "{others:#?}");
    assert_eq!(gateway.store().check_blocks().unwrap().len(), 2);
}
