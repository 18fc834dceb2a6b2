//! Schema of the database. A change is a new step at the end of [`STEPS`]; a step keeps all data.
//!
//! Tables that are keyed by ids or names are WITHOUT ROWID: the row is in the key's own tree. Keys
//! of objects are BLOBs, so that their order is byte order.

use rusqlite::Connection;

use crate::store::error::{Error, Result};

/// `PRAGMA application_id`: "Prta".
pub(crate) const APPLICATION_ID: i64 = 0x5072_7461;

/// Migrations: each brings the database from its index to the next version.
const STEPS: &[&str] = &[
    FIRST,
    BUCKET_CONFIGURATIONS,
    EVENTS,
    DECLARED_UPLOADS,
    FOUND_CONTENTS,
    FULL_BACKLOGS,
    SEGMENTS,
    RUNS,
];

/// The newest schema that this version knows.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

const FIRST: &str = "
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('epoch', 0), ('seq', 0);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    email TEXT UNIQUE,
    root INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    user TEXT NOT NULL REFERENCES users (id),
    enabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_keys_user ON access_keys (user);

-- AUTOINCREMENT: the id of a deleted bucket is never used again.
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL REFERENCES users (id),
    region TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX buckets_owner ON buckets (owner);

-- The current version of each key. parts: NULL for an object of one piece. content_kind: 1 a blob,
-- 2 a manifest. checksum: algorithm, type, parts, value.
CREATE TABLE objects (
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    seq INTEGER NOT NULL,
    is_null INTEGER NOT NULL,
    size INTEGER NOT NULL,
    md5 BLOB NOT NULL,
    parts INTEGER,
    modified INTEGER NOT NULL,
    content_kind INTEGER NOT NULL,
    content BLOB NOT NULL,
    owner TEXT NOT NULL,
    checksum BLOB,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

-- Versions that are not current, newest first: inverted_seq is the bitwise complement of seq.
CREATE TABLE versions (
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    inverted_seq INTEGER NOT NULL,
    is_null INTEGER NOT NULL,
    size INTEGER NOT NULL,
    md5 BLOB NOT NULL,
    parts INTEGER,
    modified INTEGER NOT NULL,
    content_kind INTEGER NOT NULL,
    content BLOB NOT NULL,
    owner TEXT NOT NULL,
    checksum BLOB,
    PRIMARY KEY (bucket, key, inverted_seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX versions_null ON versions (bucket, key) WHERE is_null = 1;

-- Only for objects that have headers: lists do not read them.
CREATE TABLE object_headers (
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    seq INTEGER NOT NULL,
    headers BLOB NOT NULL,
    PRIMARY KEY (bucket, key, seq)
) STRICT, WITHOUT ROWID;

-- inline_row: where the bytes are in inline_bytes; NULL for a file, whose name begins with epoch.
CREATE TABLE blobs (
    id BLOB PRIMARY KEY,
    refs INTEGER NOT NULL CHECK (refs >= 0),
    dead INTEGER NOT NULL CHECK ((dead = 1) = (refs = 0)),
    size INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    inline_row INTEGER,
    md5 BLOB NOT NULL,
    crc64nvme INTEGER NOT NULL,
    sha256 BLOB,
    checksum BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE inline_bytes (
    id INTEGER PRIMARY KEY,
    crc32c INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

-- Open uploads only. generation is raised by every part.
CREATE TABLE uploads (
    id BLOB PRIMARY KEY,
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    initiated INTEGER NOT NULL,
    last_active INTEGER NOT NULL,
    initiator TEXT NOT NULL,
    headers BLOB NOT NULL,
    checksum_algorithm INTEGER,
    checksum_type INTEGER,
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_key ON uploads (bucket, key, id);

-- After Complete the manifest of the same id reads them, and only GC writes them.
CREATE TABLE parts (
    upload BLOB NOT NULL,
    number INTEGER NOT NULL,
    blob BLOB NOT NULL,
    size INTEGER NOT NULL,
    md5 BLOB NOT NULL,
    modified INTEGER NOT NULL,
    checksum BLOB,
    crc64nvme INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE manifests (
    id BLOB PRIMARY KEY,
    refs INTEGER NOT NULL CHECK (refs >= 0),
    dead INTEGER NOT NULL CHECK ((dead = 1) = (refs = 0)),
    size INTEGER NOT NULL,
    parts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- numbers: at most 256 listed part numbers, two bytes each, ascending.
CREATE TABLE manifest_runs (
    manifest BLOB NOT NULL,
    first_offset INTEGER NOT NULL,
    first_number INTEGER NOT NULL,
    numbers BLOB NOT NULL,
    PRIMARY KEY (manifest, first_offset, first_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstones (
    upload BLOB PRIMARY KEY,
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    initiator TEXT NOT NULL,
    digest BLOB NOT NULL,
    answer BLOB NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_expires ON tombstones (expires);

-- What is dropped and not yet freed. extra: how far GC has come with it.
CREATE TABLE garbage (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    ref BLOB NOT NULL,
    extra INTEGER NOT NULL
) STRICT;
";

const BUCKET_CONFIGURATIONS: &str = "
-- What somebody set for a bucket, of each kind at most one document: CORS rules, notifications.
CREATE TABLE bucket_configurations (
    bucket INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (bucket, kind)
) STRICT, WITHOUT ROWID;
";

const EVENTS: &str = "
-- What the client of an upload wants to be told again.
ALTER TABLE uploads ADD COLUMN callback_var BLOB;

-- Who is told of events. backlog and dead count the rows of outbox; gap_*: what a full backlog had
-- no room for; disabled: why nothing is sent.
CREATE TABLE webhook_targets (
    name TEXT PRIMARY KEY,
    backlog INTEGER NOT NULL DEFAULT 0 CHECK (backlog >= 0),
    dead INTEGER NOT NULL DEFAULT 0 CHECK (dead >= 0),
    gap_count INTEGER NOT NULL DEFAULT 0,
    gap_first INTEGER,
    gap_last INTEGER,
    disabled TEXT
) STRICT, WITHOUT ROWID;

-- Events that are not taken yet. state: 0 to be sent at next_at, 1 behind an earlier one of the
-- same target, bucket and key, 2 dead.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL,
    target TEXT NOT NULL,
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    event INTEGER NOT NULL,
    body BLOB NOT NULL,
    created INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    state INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (target, next_at) WHERE state = 0;
CREATE INDEX outbox_lane ON outbox (target, bucket, key, id) WHERE state < 2;
CREATE INDEX outbox_dead ON outbox (target, id) WHERE state = 2;

-- The log of tries. status: NULL when there was no answer; reply then says why.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    message BLOB NOT NULL,
    event INTEGER NOT NULL,
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    status INTEGER,
    millis INTEGER NOT NULL,
    reply BLOB NOT NULL
) STRICT;
CREATE INDEX deliveries_target ON deliveries (target, id);
";

/// Declarations of uploads beyond S3.
const DECLARED_UPLOADS: &str = "
-- Both NULL in an upload of plain S3. declared: 1 if declarations has a row for the upload.
-- paused: time of the pause.
ALTER TABLE uploads ADD COLUMN declared INTEGER;
ALTER TABLE uploads ADD COLUMN paused INTEGER;

-- size and part_size are there together. fingerprint: what a second Create must say to be given the
-- same upload. creators: Creates less Aborts. next_part: the lowest number that is missing.
CREATE TABLE declarations (
    upload BLOB PRIMARY KEY,
    size INTEGER,
    part_size INTEGER,
    md5 BLOB,
    sha256 BLOB,
    fingerprint BLOB,
    creators INTEGER NOT NULL CHECK (creators > 0),
    next_part INTEGER NOT NULL,
    CHECK ((size IS NULL) = (part_size IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX declarations_fingerprint ON declarations (fingerprint)
    WHERE fingerprint IS NOT NULL;
";

/// Contents found by their bytes, and deduplicated uploads.
const FOUND_CONTENTS: &str = "
-- The SHA-256 of all bytes, if Complete has verified one.
ALTER TABLE manifests ADD COLUMN sha256 BLOB;

-- Only what is alive is found, and what is large enough to be worth it. Ids of contents and blobs
-- ascend with time, so the two indexes on them grow at their ends.
CREATE INDEX blobs_sha256 ON blobs (sha256, size)
    WHERE sha256 IS NOT NULL AND dead = 0 AND inline_row IS NULL AND size >= 65536;
CREATE INDEX manifests_sha256 ON manifests (sha256, size)
    WHERE sha256 IS NOT NULL AND dead = 0 AND size >= 65536;
CREATE INDEX objects_content ON objects (content) WHERE size >= 65536;
CREATE INDEX parts_blob ON parts (blob) WHERE size >= 65536;

-- The content of an upload that is deduplicated, with a reference of its own, as in objects.
-- Both NULL in any other upload.
ALTER TABLE uploads ADD COLUMN content_kind INTEGER;
ALTER TABLE uploads ADD COLUMN content BLOB;
";

/// State of a full backlog.
const FULL_BACKLOGS: &str = "
-- 1 from when the backlog is full until half of it is taken: till then no event is added.
ALTER TABLE webhook_targets ADD COLUMN is_full INTEGER NOT NULL DEFAULT 0;
UPDATE webhook_targets SET is_full = 1 WHERE gap_count > 0;
";

/// Small bodies share files.
const SEGMENTS: &str = "
-- Where in the segments of its run a blob begins, and how many pages of 4 KiB it has; both NULL for
-- bytes in SQLite or in a file of their own.
ALTER TABLE blobs ADD COLUMN first_page INTEGER;
ALTER TABLE blobs ADD COLUMN pages INTEGER CHECK (
    (pages IS NULL) = (first_page IS NULL) AND (pages IS NULL OR inline_row IS NULL)
);
-- No two begin at the same page. What lies between those that are there is garbage.
CREATE UNIQUE INDEX blobs_extent ON blobs (epoch, first_page) WHERE first_page IS NOT NULL;
";

/// Table of runs.
const RUNS: &str = "
-- A row for each start. ended: NULL while the run lives, and after a crash until the next start.
-- Ids ascend. A lower id without a row is that of a run before this table, and has ended. The
-- newest of those has a row, as it may have crashed: the start that adds this table sets its end.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    ended INTEGER
) STRICT;
INSERT INTO runs (id, started)
    SELECT value, 0 FROM counters WHERE name = 'epoch' AND value > 0;
DELETE FROM counters WHERE name = 'epoch';
ALTER TABLE blobs RENAME COLUMN epoch TO run;
";

/// Brings the database to [`VERSION`], each step in a transaction of its own.
pub(crate) fn migrate(connection: &Connection) -> Result<()> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(Error::NewerSchema { found, known: VERSION });
    }
    let found = usize::try_from(found)
        .map_err(|_| Error::Damaged { what: format!("schema version {found}") })?;
    for (index, step) in STEPS.iter().enumerate().skip(found) {
        // user_version and application_id are in the header page: they commit with the step.
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step}
             PRAGMA user_version = {};
             PRAGMA application_id = {APPLICATION_ID};
             COMMIT;",
            index + 1
        ))?;
    }
    Ok(())
}
