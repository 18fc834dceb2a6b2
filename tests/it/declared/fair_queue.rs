//! Verifications of whole files share a fair queue: one user does not delay another, and the number
//! of waiting requests is bounded.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::harness::{Gateway, Request, Who, bytes_of, md5_hex};

/// Tickets of one user, running verifications included.
const TICKETS_OF_USER: usize = 64;

/// A file whose reading blocks until this is dropped: a named pipe without a writer in its place.
struct Slow(PathBuf);

impl Slow {
    fn put_in_place_of(path: PathBuf) -> Self {
        std::fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        Self(path)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // A writer lets blocked readers continue; later ones do not block.
        let opened = File::options().read(true).write(true).open(&self.0);
        std::fs::remove_file(&self.0).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        drop(opened);
    }
}

/// Path of the file below `folder` that has at least so many bytes.
fn file_of(folder: &Path, bytes: u64) -> Option<PathBuf> {
    std::fs::read_dir(folder).unwrap().find_map(|entry| {
        let entry = entry.unwrap();
        let about = entry.metadata().unwrap();
        let is_it = about.is_file() && about.len() >= bytes;
        match about.is_dir() {
            true => file_of(&entry.path(), bytes),
            false => is_it.then(|| entry.path()),
        }
    })
}

/// A Complete that verifies two parts, both the bytes of `source`.
fn complete(gateway: &Gateway, who: Who, bucket: &str, key: &str) -> Request {
    let target = format!("/{bucket}/{key}");
    let created = gateway.send(&Request::new("POST", format!("{target}?uploads")).by(who));
    let upload = created.expect(200).text("UploadId");
    let parts = [1, 2].map(|number| {
        let part = format!("{target}?uploadId={upload}&partNumber={number}");
        let copy =
            Request::new("PUT", part).header("x-amz-copy-source", format!("{bucket}/source"));
        (number, gateway.send(&copy.by(who)).expect(200).text("ETag"))
    });
    let request = Request::new("POST", format!("{target}?uploadId={upload}"));
    let source = bytes_of(2 << 20, bucket.len() as u64);
    let md5 = md5_hex(&source.repeat(2));
    request.body(super::document(&parts)).header("x-partita-content-md5", md5).by(who)
}

/// Makes a bucket of the user, with an object `source`.
fn bucket(gateway: &Gateway, who: Who, name: &str) {
    gateway.send(&Request::new("PUT", format!("/{name}")).by(who)).expect(200);
    let source = bytes_of(2 << 20, name.len() as u64);
    gateway.send(&Request::new("PUT", format!("/{name}/source")).body(source).by(who)).expect(200);
}

#[test]
fn one_user_leaves_verifications_to_others_and_the_queue_is_bounded() {
    let gateway = Gateway::with(&[("part-bytes-min", "1"), ("verify-hold-ms", "50")]);
    bucket(&gateway, Who::Alice, "alices");
    let many: Vec<Request> = (0..=TICKETS_OF_USER)
        .map(|number| complete(&gateway, Who::Alice, "alices", &format!("k{number}")))
        .collect();
    let slow = Slow::put_in_place_of(
        file_of(&gateway.folder().join("data/blobs"), 2 << 20).expect("a file"),
    );
    bucket(&gateway, Who::Bob, "bob");
    let bobs = complete(&gateway, Who::Bob, "bob", "k");
    let (last, many) = many.split_last().expect("there are many");
    let mut waiting: Vec<_> = many
        .iter()
        .map(|request| {
            let mut connection = gateway.connect();
            connection.write(&request.encode(&gateway.host()));
            connection
        })
        .collect();
    for connection in &mut waiting {
        connection.read_head().expect(200);
    }
    let refused = gateway.send(last);
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("SlowDown")), "{refused:?}");
    assert_eq!(refused.header("retry-after").as_deref(), Some("5"));
    let begun = Instant::now();
    let mut bob = gateway.connect();
    bob.write(&bobs.encode(&gateway.host()));
    let head = bob.read_head().expect(200);
    // White space keeps a waiting connection alive; a quick answer has none.
    let mut end = head.header("transfer-encoding").map_or(Vec::new(), |_| bob.read_chunk());
    while !end.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "another user has all turns");
        end = bob.read_chunk();
    }
    gateway.send(&Request::new("HEAD", "/bob/k").by(Who::Bob)).expect(200);
    drop(slow);
    for connection in &mut waiting {
        let body = String::from_utf8(connection.read_chunks()).unwrap();
        assert!(body.contains("<Code>InternalError</Code>"), "the file is gone: {body}");
    }
    // All tickets are free again; the error is that of the missing file.
    assert_eq!(gateway.send(last).code().as_deref(), Some("InternalError"));
}
