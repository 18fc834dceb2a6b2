//! The layout of the data folder is that of docs/data-folder.md, and a copy of it is a backup.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use super::uploads::{send, server};
use super::*;
use crate::harness::{Request, bytes_of};

/// Sizes of bodies, one for each place where bytes are stored.
const SIZES: [usize; 3] = [3_000, 70_000, 300_000];

fn put_all(server: &Server, name: &str, seed: u64) {
    for size in SIZES {
        let put = Request::new("PUT", format!("/bkt/{name}-{size}"));
        send(server, &put.body(bytes_of(size, seed))).expect(200);
    }
}

fn expect_all(server: &Server, name: &str, seed: u64) {
    for size in SIZES {
        let got = send(server, &Request::new("GET", format!("/bkt/{name}-{size}"))).expect(200);
        assert!(got.body == bytes_of(size, seed), "{name}-{size}");
    }
}

fn check(data: &Path) {
    let checked = partita(&["check", "--data", data.to_str().unwrap()]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn every_name_in_the_data_folder_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), &[]);
    send(&server, &Request::new("PUT", "/bkt")).expect(200);
    put_all(&server, "key", 1);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/data-folder.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_told =
            |row: &&&str| row.contains(&format!("`{name}`")) || row.contains(&format!("`{name}/"));
        assert!(rows.iter().any(|row| is_told(&row)), "{name} is not told of");
    }
    let is_there = |name: &str| std::fs::read_dir(folder.path().join(name)).unwrap().count();
    assert_eq!((is_there("segments"), is_there("blobs")), (1, 256));
}

#[test]
fn a_sparse_copy_is_a_backup_and_an_older_database_loses_no_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let running = server(&data, &[]);
    send(&running, &Request::new("PUT", "/bkt")).expect(200);
    put_all(&running, "early", 1);
    put_all(&running, "gone", 2);
    for size in SIZES {
        send(&running, &Request::new("DELETE", format!("/bkt/gone-{size}"))).expect(204);
    }
    running.stop();
    let mut copy = Command::new("cp");
    copy.args(["-a", "--sparse=always"]).args([&data, &backup]);
    assert!(copy.status().unwrap().success());

    let running = server(&data, &[]);
    put_all(&running, "late", 3);
    running.stop();
    // The database of the backup beside the bytes of today.
    std::fs::copy(backup.join("partita.db"), data.join("partita.db")).unwrap();
    for log in ["partita.db-wal", "partita.db-shm"] {
        let _ = std::fs::remove_file(data.join(log));
    }
    let running = server(&data, &[]);
    expect_all(&running, "early", 1);
    send(&running, &Request::new("GET", "/bkt/late-70000")).expect(404);
    put_all(&running, "after", 5);
    expect_all(&running, "after", 5);
    running.stop();
    check(&data);
    // The bytes of the lost rows can still be rescued.
    let late = bytes_of(70_000, 3);
    let holds_late = |folder: &str| {
        std::fs::read_dir(data.join(folder)).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(64).any(|window| window == &late[..64])
        })
    };
    assert!(holds_late("quarantine") || holds_late("segments"));

    let running = server(&backup, &[]);
    expect_all(&running, "early", 1);
    put_all(&running, "new", 4);
    expect_all(&running, "new", 4);
    running.stop();
    check(&backup);
}

/// A change of the folder under a running server: the name of the case, and what is done.
type Change = (&'static str, fn(&Path));

/// Writes to open files would succeed, and the next start would find none of them.
const CHANGES: &[Change] = &[
    ("removed", |data| std::fs::remove_dir_all(data).unwrap()),
    ("renamed", |data| std::fs::rename(data, data.with_extension("away")).unwrap()),
    ("another folder in its place", |data| {
        std::fs::rename(data, data.with_extension("away")).unwrap();
        std::fs::create_dir(data).unwrap();
    }),
    ("a database that was restored under it", |data| {
        let (db, copy) = (data.join("partita.db"), data.join("copy"));
        std::fs::copy(&db, &copy).unwrap();
        std::fs::rename(copy, db).unwrap();
    }),
    ("without its log", |data| std::fs::remove_file(data.join("partita.db-wal")).unwrap()),
    ("without its segments", |data| std::fs::remove_dir_all(data.join("segments")).unwrap()),
];

#[test]
fn a_server_stops_when_its_data_folder_is_changed_under_it() {
    for (name, change) in CHANGES {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let server = server(&data, &[]);
        send(&server, &Request::new("PUT", "/bkt")).expect(200);
        put_all(&server, "key", 1);
        change(&data);
        let began = Instant::now();
        let (code, log) = server.ended();
        assert_eq!(code, 1, "{name}: {log}");
        assert!(log.contains("the data folder was changed under the server"), "{name}: {log}");
        assert!(began.elapsed() < Duration::from_secs(10), "{name}: {:?}", began.elapsed());
    }
}

/// The first line of an answer of the server whose data folder was just moved, or nothing if the
/// thread that watches the folder ended the server before it could answer.
fn readiness_after_a_move() -> String {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = server(&data, &[]);
    let ready = || Request::new("GET", "/_partita/v1/health/ready");
    send(&server, &ready()).expect(200);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    std::fs::rename(&data, folder.path().join("away")).unwrap();
    let _ = stream.write_all(&ready().header("Connection", "close").encode(server.address()));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(server.ended().0, 1);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_health_sees_a_changed_data_folder_at_once() {
    // The watching thread looks each half second, so that it is first now and then.
    let mut answers = (0..5).map(|_| readiness_after_a_move());
    let answer = answers.find(|answer| !answer.is_empty());
    assert_eq!(answer.as_deref(), Some("HTTP/1.1 503 Service Unavailable"));
}
