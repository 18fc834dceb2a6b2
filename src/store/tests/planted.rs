//! `check` against itself: one bit is flipped in each value of each column of each table.
//!
//! A value with a second source (another row, memory, a trailer, the bytes) must be found in every
//! row. The others are listed in [`ONLY_SOURCE`]: no other place says what they should be, so only
//! a checksum of the database's pages could find them. A new column fails the test until somebody
//! makes `check` find it or lists it.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::events::{NotificationRule, NotificationRules, RuleKind};
use crate::store::db::sqlite::inspector::Fault;
use crate::store::db::sqlite::planter::Column;
use crate::types::Layout;

const TARGET: &str = "app";

/// Columns whose values have no second source, at least in some rows.
const ONLY_SOURCE: &[(&str, &[&str])] = &[
    ("counters", &["name", "value"]),
    // An Abort more or less.
    ("declarations", &["creators"]),
    // A log of what was tried.
    (
        "deliveries",
        &[
            "id", "target", "message", "event", "bucket", "key", "attempt", "at", "status",
            "millis", "reply",
        ],
    ),
    // How far GC has come: it goes on from there.
    ("garbage", &["extra"]),
    ("manifests", &["sha256"]),
    ("object_headers", &["headers"]),
    // The key, the checksum of a multipart object; the headers have key and sequence number too.
    ("objects", &["key", "seq", "modified", "owner", "checksum"]),
    ("outbox", &["id", "message", "bucket", "key", "body", "created", "attempts", "next_at"]),
    // A part that is not listed may have any number.
    ("parts", &["number", "modified"]),
    ("runs", &["id", "started", "ended"]),
    // An answer that is repeated for a day.
    ("tombstones", &["upload", "bucket", "key", "initiator", "digest", "answer", "expires"]),
    // Those of a declared file are in its fingerprint.
    (
        "uploads",
        &[
            "key",
            "initiated",
            "last_active",
            "initiator",
            "headers",
            "checksum_algorithm",
            "checksum_type",
            "generation",
            "callback_var",
            "paused",
            "content",
        ],
    ),
    ("webhook_targets", &["disabled", "is_full"]),
];
/// Tables without rows.
const EMPTY: [&str; 1] = ["versions"];
/// Rows of each table in which faults are planted.
const ROWS: usize = 8;

/// A store with rows in every table, except for `versions`, which has none yet.
fn filled() -> Fixture {
    let fixture = Fixture::opened(
        |options| {
            options.event_targets = vec![EventTarget { name: TARGET.into(), backlog_max: 10 }];
            options.dedup_buckets = vec!["bucket".into()];
        },
        Store::open_without_gc,
    );
    let fixture = Fixture { packs: true, ..fixture };
    let rights = fixture.make_bucket("bucket");
    let configure = fixture.store.put_bucket_configuration(&rights.write_cors(), b"<x/>".to_vec());
    configure.wait().expect("configured");
    let rule = NotificationRule {
        id: "rule".into(),
        kind: RuleKind::Queue,
        arn: "arn:partita:sqs::app:webhook".into(),
        target: TARGET.into(),
        events: vec!["s3:ObjectCreated:Put".into()],
        prefix: Some("told/".into()),
        suffix: None,
    };
    let rules = NotificationRules::new(vec![rule]).expect("a rule");
    let listen = fixture.store.set_event_rules(&rights.write_notification(), rules, false);
    listen.wait().expect("rules are set");

    // In SQLite, packed, in a file of its own; with headers, a checksum, a copy.
    let headers = vec![("content-type".to_owned(), b"text/plain".to_vec())];
    for (name, size) in [("inline", 10), ("packed", 5_000), ("file", 70_000)] {
        let staged = fixture.stage(&rights, &body(1, size), Some(ChecksumAlgorithm::Crc32));
        let checksum = staged.digests().checksum_for(ChecksumAlgorithm::Crc32);
        let checksum = checksum.map(crate::digest::ObjectChecksum::full);
        let headers = ObjectHeaders(headers.clone());
        let new = NewObject { headers, checksum, ..new_object() };
        fixture.store.put_object(&rights.write(name), new, staged).wait().expect("published");
    }
    fixture.put(&rights, "told/first", b"1").expect("put");
    fixture.put(&rights, "told/second", b"2").expect("put");
    let due = fixture.store.due_events(TARGET, crate::clock::now(), 10, Default::default());
    let event = due.run().expect("events").events.remove(0);
    let tried = Attempt {
        id: event.id,
        at: crate::clock::now(),
        millis: 3,
        status: Some(500),
        reply: b"no".to_vec(),
        outcome: Outcome::RetryAt(crate::clock::now().plus_millis(60_000)),
    };
    fixture.store.finish_delivery(tried).wait().expect("written down");

    make_uploads(&fixture, &rights);
    // Garbage that is not yet freed.
    fixture.put(&rights, "inline", b"another").expect("put");
    fixture
}

/// Makes a finished upload, an open one, one that is declared, and one that is deduplicated.
fn make_uploads(fixture: &Fixture, rights: &Rights) {
    let upload = fixture.create_upload(rights, "parts");
    let (one, two) = (body(1, 2_000), body(2, 3_000));
    fixture.put_part(rights, "parts", upload, 1, &one).expect("a part");
    fixture.put_part(rights, "parts", upload, 2, &two).expect("a part");
    fixture.complete(rights, "parts", upload, &[(1, &one), (2, &two)]).expect("complete");
    let open = fixture.create_upload(rights, "open");
    fixture.put_part(rights, "open", open, 1, &body(3, 2_000)).expect("a part");
    let known = body(4, 100_000);
    fixture.put_known(rights, "known", &known);
    let sha256 = Some(Sha256::digest(&known).into());
    for (name, is_instant) in [("declared", false), ("instant", true)] {
        let digests = WholeDigests { md5: Some([5; 16]), sha256 };
        let digests = if is_instant { WholeDigests { md5: None, ..digests } } else { digests };
        let layout = Layout::new(100_000, 100_000);
        let instant = if is_instant { fixture.readable(rights, &known) } else { Vec::new() };
        let declaration = Some(Declaration { layout, digests });
        let new = NewUpload { declaration, instant, ..NewUpload::default() };
        let made = fixture.store.create_upload(&rights.write(name), new).wait().expect("created");
        assert_eq!(made.is_instant, is_instant);
    }
}

/// Faults in one column: how many were planted, and found.
#[derive(Default)]
struct Count {
    planted: usize,
    found: usize,
}

/// Correction of this file for a column, if it does not say what was found.
fn correction(column: &Column, count: &Count) -> Option<String> {
    let Column { table, column: name } = column;
    let listed = ONLY_SOURCE.iter().filter(|(of, _)| of == table);
    let is_listed = listed.flat_map(|(_, columns)| *columns).any(|listed| listed == name);
    let Count { planted, found } = count;
    match (is_listed, EMPTY.contains(&table.as_str())) {
        (_, true) if *planted > 0 => Some(format!("{table}: is not empty")),
        (_, true) => None,
        _ if *planted == 0 => Some(format!("{table}.{name}: no fault was planted")),
        (false, _) if found < planted => {
            Some(format!("{table}.{name}: {found} of {planted} faults were found"))
        }
        (true, _) if found == planted => Some(format!("{table}.{name}: all faults are found")),
        _ => None,
    }
}

#[test]
fn check_finds_a_flipped_bit_in_every_column_that_has_a_second_source() {
    let fixture = filled();
    let db = &fixture.store.engine.db;
    let check = || fixture.store.check_blocks().run();
    assert_eq!(check().expect("check"), Vec::<String>::new());
    let (mut all, mut corrections) = (Count::default(), Vec::new());
    for column in db.columns() {
        let mut count = Count::default();
        for planted in (0..ROWS).filter_map(|row| db.plant_in(&column, row)) {
            count.planted += 1;
            count.found += usize::from(check().map_or(true, |lines| !lines.is_empty()));
            db.remove(planted);
        }
        corrections.extend(correction(&column, &count));
        all = Count { planted: all.planted + count.planted, found: all.found + count.found };
    }
    assert_eq!(check().expect("check"), Vec::<String>::new(), "all is as before");
    assert!(corrections.is_empty(), "{corrections:#?}");
    println!("{} of {} flipped bits were found", all.found, all.planted);
}

/// Contents that rows have swapped are each sound, and of the right size.
#[test]
fn a_content_is_not_read_under_the_etag_of_another() {
    for (size, fault) in [
        (500, Fault::ContentsOfObjectsSwapped),
        (500, Fault::InlineRowsSwapped),
        (70_000, Fault::ContentsOfObjectsSwapped),
        (2_000, Fault::BlobsOfPartsSwapped),
    ] {
        let fixture = Fixture::new();
        let rights = fixture.make_bucket("bucket");
        let (one, two) = (body(1, size), body(2, size));
        let names = match fault {
            Fault::BlobsOfPartsSwapped => {
                let upload = fixture.create_upload(&rights, "parts");
                fixture.put_part(&rights, "parts", upload, 1, &one).expect("a part");
                fixture.put_part(&rights, "parts", upload, 2, &two).expect("a part");
                let listed = [(1, &one[..]), (2, &two[..])];
                fixture.complete(&rights, "parts", upload, &listed).expect("complete");
                vec!["parts"]
            }
            _ => {
                fixture.put(&rights, "one", &one).expect("put");
                fixture.put(&rights, "two", &two).expect("put");
                vec!["one", "two"]
            }
        };
        assert_eq!(fixture.store.check().run().expect("check"), Vec::<String>::new());
        fixture.store.engine.db.plant(fault);
        for name in names {
            let read = fixture.read(&rights, name);
            assert!(matches!(read, Err(Error::Damaged { .. })), "{fault:?} {size}: {name}");
        }
        let found = fixture.store.check_blocks().run().expect("check");
        assert!(!found.is_empty(), "{fault:?} {size}");
    }
}
