//! Declared uploads in the store: expiry, watchers, rules of `check`, and failed verifications.

use super::*;
use crate::clock;
use crate::store::db::sqlite::inspector::{Fault, make_older};
use crate::store::memory::pending::Cancellation;
use crate::store::uploads::verify::{Pieces, Verified, verify};
use crate::types::{Layout, Timestamp};
use sha2::{Digest as _, Sha256};

const DAY: u64 = 24 * 3_600_000;

/// A file of 25 bytes in parts of 10, with its SHA-256.
fn declared(sha256: Option<[u8; 32]>) -> NewUpload {
    let digests = WholeDigests { md5: None, sha256 };
    NewUpload {
        declaration: Some(Declaration { layout: Layout::new(25, 10), digests }),
        ..NewUpload::default()
    }
}

fn create(fixture: &Fixture, rights: &Rights, new: NewUpload) -> CreatedUpload {
    fixture.store.create_upload(&rights.write("key"), new).wait().expect("an upload")
}

/// The one blob that is not in SQLite.
fn only_file(fixture: &Fixture) -> std::path::PathBuf {
    let list = |folder| std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("e"));
    let folders = list(fixture.options.data.join("blobs"));
    let files: Vec<_> = folders.flat_map(|folder| list(folder.path())).collect();
    assert_eq!(files.len(), 1);
    files[0].path()
}

#[test]
fn a_part_that_does_not_fit_is_refused_in_its_transaction() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = create(&fixture, &rights, declared(None)).upload.id;
    for (number, length, fits) in
        [(1, 9, false), (1, 10, true), (3, 10, false), (3, 5, true), (4, 5, false)]
    {
        let stored = fixture.put_part(&rights, "key", upload, number, &body(1, length));
        match stored {
            Ok(_) => assert!(fits, "{number} {length}"),
            Err(Error::PartMisfit { .. }) => assert!(!fits, "{number} {length}"),
            Err(error) => panic!("{error}"),
        }
    }
    fixture.check();
}

#[test]
fn the_lowest_missing_part_is_told_with_each_part() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = create(&fixture, &rights, declared(None)).upload.id;
    for (number, length, next) in
        [(2, 10, Some(1)), (2, 10, Some(1)), (1, 10, Some(3)), (1, 10, Some(3)), (3, 5, None)]
    {
        let staged = fixture.stage(&rights, &body(number.into(), length), None);
        let added =
            fixture.store.put_part(&rights.upload("key", upload), part_number(number), staged);
        assert_eq!(added.wait().expect("a part").next, next.map(part_number), "{number}");
        fixture.check();
    }
}

#[test]
fn a_paused_upload_outlives_idleness_but_not_its_cap() {
    let fixture = Fixture::with(|options| {
        options.upload_idle_ms_max = 7 * DAY;
        options.upload_pause_ms_max = 30 * DAY;
    });
    let rights = fixture.make_bucket("bucket");
    let open = |id| fixture.store.upload(&rights.upload("key", id)).wait().map(|open| open.upload);
    let [idle, paused, resumed] =
        [0; 3].map(|_| create(&fixture, &rights, declared(None)).upload.id);
    for id in [paused, resumed] {
        fixture.store.pause_upload(&rights.upload("key", id)).wait().expect("paused");
    }
    fixture.store.resume_upload(&rights.upload("key", resumed)).wait().expect("resumed");
    let now = clock::now();
    let since = open(paused).expect("open").paused.expect("paused");
    assert_eq!(open(paused).expect("open").expires, since.plus_millis(30 * DAY));
    assert_eq!(fixture.store.expire_uploads(now.plus_millis(6 * DAY)).run().expect("expired"), 0);
    assert_eq!(fixture.store.expire_uploads(now.plus_millis(8 * DAY)).run().expect("expired"), 2);
    assert!(matches!(open(idle), Err(Error::NoSuchUpload)));
    assert!(matches!(open(resumed), Err(Error::NoSuchUpload)));
    assert!(open(paused).is_ok());
    assert_eq!(fixture.store.expire_uploads(now.plus_millis(29 * DAY)).run().expect("expired"), 0);
    assert_eq!(fixture.store.expire_uploads(now.plus_millis(31 * DAY)).run().expect("expired"), 1);
    assert_eq!(fixture.count_rows("declarations"), 0);
    fixture.check();
}

/// One start with a wrong clock would end the uploads of all clients.
#[test]
fn a_start_with_the_clock_a_month_ahead_expires_nothing() {
    let start = Timestamp::from_millis(1_700_000_000_000);
    let sources = Sources::seeded(1, start);
    let mut fixture = Fixture::with(|options| {
        options.sources = sources.clone();
        options.upload_idle_ms_max = 7 * DAY;
    });
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    sources.set_time(start.plus_millis(30 * DAY));
    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    // The GC thread would expire uploads between its first and its second collection.
    for _ in 0..2 {
        fixture.put(&rights, "other", b"body").expect("put");
        fixture.delete(&rights, "other").expect("deleted");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while fixture.count_rows("garbage") > 0 {
            assert!(std::time::Instant::now() < deadline, "garbage is collected");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    assert!(fixture.store.upload(&rights.upload("key", upload)).wait().is_ok(), "it is open");
}

#[test]
fn a_watch_sees_each_turn() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let (store, name) = (&fixture.store, key("key"));
    let id = create(&fixture, &rights, declared(None)).upload.id;
    let mut watch = store.watch_upload(id);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let mut is_woken = || {
        let wait = std::time::Duration::from_millis(20);
        runtime.block_on(async { tokio::time::timeout(wait, watch.changed()).await.is_ok() })
    };
    assert!(!is_woken());
    fixture.put_part(&rights, "key", id, 1, &body(1, 10)).expect("a part");
    assert!(is_woken() && !is_woken());
    for _ in 0..2 {
        store.pause_upload(&rights.upload(name.as_str(), id)).wait().expect("paused");
    }
    assert!(is_woken() && !is_woken(), "the second pause changed nothing");
    store.resume_upload(&rights.upload(name.as_str(), id)).wait().expect("resumed");
    assert!(is_woken());
    let other = create(&fixture, &rights, declared(None)).upload.id;
    store.cancel_upload(&rights.ending(name.as_str(), other)).wait().expect("cancelled");
    assert!(!is_woken(), "another upload changed");
    store.cancel_upload(&rights.ending(name.as_str(), id)).wait().expect("cancelled");
    assert!(is_woken());
}

#[test]
fn check_knows_what_declarations_promise() {
    for (fault, found) in [
        (Fault::DeclaredFlagLost, "no such open and declared upload"),
        (Fault::DeclarationsLost, "its declaration is not there"),
        (Fault::DeclaredNextPart, "part 3 is missing first, not 2"),
        (Fault::DeclaredFingerprintLost, "its fingerprint should not be"),
        (Fault::DeclaredSha256Lost, "its fingerprint should not be"),
        (Fault::DeclaredPartSize, "10 bytes are not what was declared"),
        (Fault::DeclaredSize, "10 bytes are not what was declared"),
    ] {
        let fixture = Fixture::new();
        let rights = fixture.make_bucket("bucket");
        let id = create(&fixture, &rights, declared(Some([7; 32]))).upload.id;
        fixture.put_part(&rights, "key", id, 1, &body(1, 10)).expect("a part");
        fixture.check();
        fixture.store.engine.db.plant(fault);
        let lines = fixture.store.check().run().expect("check runs");
        assert!(lines.iter().any(|line| line.contains(found)), "{fault:?}: {lines:?}");
    }
}

#[test]
fn a_file_is_read_once_however_often_complete_is_repeated() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = create(&fixture, &rights, NewUpload::default()).upload.id;
    let (one, two) = (body(1, 5_000), body(2, 100));
    fixture.put_part(&rights, "key", upload, 1, &one).expect("a part");
    fixture.put_part(&rights, "key", upload, 2, &two).expect("a part");
    let mut request = complete_request(&[(1, &one), (2, &two)]);
    request.digests.sha256 = Some([7; 32]);
    let wrong = fixture.complete_with(&rights, "key", upload, request.clone());
    assert!(matches!(wrong, Err(Error::WholeMismatch { algorithm: "SHA-256", .. })), "{wrong:?}");
    // The file is not there any more: who reads it again fails in another way.
    let file = only_file(&fixture);
    std::fs::rename(&file, file.with_extension("away")).expect("moved away");
    let wrong = fixture.complete_with(&rights, "key", upload, request.clone());
    assert!(matches!(wrong, Err(Error::WholeMismatch { .. })), "{wrong:?}");
    request.digests = WholeDigests { md5: Some([7; 16]), sha256: None };
    let unread = fixture.complete_with(&rights, "key", upload, request.clone());
    assert!(!matches!(unread, Err(Error::WholeMismatch { .. })), "{unread:?}");
    std::fs::rename(file.with_extension("away"), &file).expect("moved back");
    let whole = [one, two].concat();
    request.digests.md5 = Some(digests(&whole, None).md5);
    fixture.complete_with(&rights, "key", upload, request).expect("the right digest");
    assert_eq!(fixture.read(&rights, "key").expect("read"), whole);
    fixture.check();
}

#[test]
fn a_part_that_was_replaced_and_freed_ends_the_reading() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = create(&fixture, &rights, NewUpload::default()).upload.id;
    fixture.put_part(&rights, "key", upload, 1, &body(1, 5_000)).expect("a part");
    let engine = &fixture.store.engine;
    let blob = engine.db.blob_of_part(upload, part_number(1));
    let list = [(part_number(1), blob, 5_000)];
    let pieces = Pieces { upload, list: &list };
    let wanted = WholeDigests { md5: Some([7; 16]), sha256: None };
    let nothing = WholeDigests::default();
    let cancellation = Cancellation::default();
    let read = || verify(engine, pieces, &wanted, nothing, &cancellation);
    fixture.put_part(&rights, "key", upload, 1, &body(2, 5_000)).expect("a part");
    fixture.store.collect_garbage().run().expect("garbage");
    assert!(matches!(read(), Ok(Verified::Moved)));
    fixture.store.cancel_upload(&rights.ending("key", upload)).wait().expect("cancelled");
    fixture.store.collect_garbage().run().expect("garbage");
    assert!(matches!(read(), Ok(Verified::Moved)));
}

#[test]
fn a_verification_that_nobody_waits_for_ends_and_publishes_nothing() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let bytes = body(1, 300_000);
    let sha256 = Some(Sha256::digest(&bytes).into());
    let digests = WholeDigests { md5: None, sha256 };
    let upload = create(&fixture, &rights, NewUpload::default()).upload.id;
    let part = fixture.put_part(&rights, "key", upload, 1, &bytes).expect("a part");
    let request = || CompleteUpload {
        parts: vec![ListedPart { number: part.number, etag: Some(part.etag), checksums: vec![] }],
        condition: WriteCondition::default(),
        object_size: None,
        checksum_type: None,
        checksum: None,
        digests,
    };
    let complete = fixture.store.complete_upload(&rights.upload("key", upload), request());
    complete.cancellation().request();
    assert!(matches!(complete.run(), Err(Error::Cancelled)));
    assert!(matches!(fixture.read(&rights, "key"), Err(Error::NoSuchKey)));
    let complete = fixture.store.complete_upload(&rights.upload("key", upload), request());
    complete.run().expect("the upload is still open");
    assert_eq!(fixture.read(&rights, "key").expect("read"), bytes);
}

#[test]
fn an_older_database_is_brought_up_to_date() {
    let mut fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let part = body(1, 10);
    fixture.put_part(&rights, "key", upload, 1, &part).expect("a part");
    fixture.store.close();
    make_older(&fixture.options.data, 1);
    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    fixture.store.pause_upload(&rights.upload("key", upload)).wait().expect("paused");
    create(&fixture, &rights, declared(Some([7; 32])));
    fixture.check();
    fixture.complete(&rights, "key", upload, &[(1, &part)]).expect("complete");
    assert_eq!(fixture.read(&rights, "key").expect("read"), part);
    fixture.check();
}
