//! Data folders of earlier versions: they open, and every request is answered as before.
//!
//! `fixtures/schema_7` has two folders that a release binary of schema 7 wrote, and the answers
//! that this binary gave; `fixtures/make_schema_7.py` made them. `clean` ended by SIGTERM. `killed`
//! ended by SIGKILL: its last rows are only in the write-ahead log, a dropped body is not freed
//! yet, and a file has no row. A later schema adds a folder of its own here.

mod compare;
mod open_uploads;
mod waiting_events;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::events::receiver::Receiver;
use crate::harness::{Gateway, Request, Who, bytes_of, checksum};
use compare::{Differences, by_disabled_key, compare_object, differences};
use open_uploads::complete;
use waiting_events::{compare_events, deliver_events, targets};

/// Settings under which nothing in the folders expires for ten years, for they contain old times.
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

#[track_caller]
fn assert_sound(gateway: &Gateway) {
    let broken = gateway.store().check_blocks().run().unwrap();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[track_caller]
fn assert_same(gateway: &Gateway, expected: &Value) {
    let found = differences(gateway, expected);
    assert!(found.is_empty(), "{found:#?}");
    assert_sound(gateway);
}

/// Opens a folder of an earlier version, compares it, sends its events, completes its uploads,
/// writes and deletes objects.
fn open_and_use(variant: &str) {
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
    gateway.store().collect_garbage().run().unwrap();
    gateway.store().sweep_files().run().unwrap();
    let quarantine = gateway.folder().join("data/quarantine");
    let is_left = std::fs::read_dir(quarantine).unwrap().count() > 0;
    assert_eq!(is_left, variant == "killed", "a file without a row");
    assert_sound(&gateway);

    // Again, as a folder that this version has opened, with a target that accepts events.
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

/// Puts one object into SQLite, a segment and a file each, and deletes the objects below
/// [`DELETED`].
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
    open_and_use("clean");
}

#[test]
fn a_folder_of_schema_7_whose_server_was_killed() {
    open_and_use("killed");
}

/// Inverts a bit in the middle of this body, in the file below this folder that contains it.
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

/// A damaged byte in a segment or a file, and a changed row, make the tests above fail.
#[test]
fn damage_is_found() {
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
    assert_eq!(gateway.store().check_blocks().run().unwrap().len(), 3);
}
