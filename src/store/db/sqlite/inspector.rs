//! Views into the database for tests, and faults that tests plant. A second engine would offer the
//! same names.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, params};

use super::connection::FILE_NAME;
use super::database::Database;
use super::job::Txn;
use crate::store::error::Result;
use crate::types::{BlobId, PartNumber, UploadId};

/// Tables whose rows count references.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    Blobs,
    Manifests,
}

/// Damage to rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    RefsOfBlobsRaised,
    RefsOfBlobsOne,
    Sha256OfBlobsOther,
    SizeOfObjects(i64),
    /// The two objects, of equal size, have each other's content.
    ContentsOfObjectsSwapped,
    /// The two blobs in SQLite have each other's bytes.
    InlineRowsSwapped,
    /// Parts 1 and 2 have each other's blob.
    BlobsOfPartsSwapped,
    InlineBytesLost,
    InlineBytesWithoutBlob,
    InlineBytesRotten,
    PartLost,
    SizeOfManifests,
    RunsOfManifestsLost,
    UploadsLost,
    ContentOfUploadsLost,
    DeclaredFlagLost,
    GarbageOfLiveBlobs,
    ConfigurationOfNoBucket,
    ConfigurationChanged,
    ConfigurationsLost,
    HeadersOfNoObject,
    DeclarationsLost,
    DeclaredNextPart,
    DeclaredFingerprintLost,
    DeclaredSha256Lost,
    DeclaredPartSize,
    DeclaredSize,
    Backlog,
    BacklogAndDead,
    AllWait,
    AllDue,
    FirstWaits,
    UnknownEvent,
    /// Undoes [`Fault::UnknownEvent`].
    KnownEvent,
    /// Pages of the blob that begins at a page.
    Pages {
        first_page: i64,
        pages: i64,
    },
    /// More or fewer pages for the blob that begins at page 0.
    PagesChanged(i64),
}

impl Fault {
    fn sql(self) -> String {
        let sql = match self {
            Self::RefsOfBlobsRaised => "UPDATE blobs SET refs = refs + 1",
            Self::RefsOfBlobsOne => "UPDATE blobs SET refs = 1",
            Self::Sha256OfBlobsOther => "UPDATE blobs SET sha256 = zeroblob(32)",
            Self::SizeOfObjects(more) => {
                return format!("UPDATE objects SET size = size + {more}");
            }
            Self::ContentsOfObjectsSwapped => {
                "CREATE TEMP TABLE t AS SELECT key, content FROM objects;
                 UPDATE objects SET content = (SELECT content FROM t WHERE t.key <> objects.key);
                 DROP TABLE t"
            }
            Self::InlineRowsSwapped => {
                "CREATE TEMP TABLE t AS SELECT id, inline_row FROM blobs;
                 UPDATE blobs SET inline_row = (SELECT inline_row FROM t WHERE t.id <> blobs.id);
                 DROP TABLE t"
            }
            Self::BlobsOfPartsSwapped => {
                "CREATE TEMP TABLE t AS SELECT number, blob FROM parts;
                 UPDATE parts SET blob = (SELECT blob FROM t WHERE t.number <> parts.number);
                 DROP TABLE t"
            }
            Self::InlineBytesLost => "DELETE FROM inline_bytes",
            Self::InlineBytesWithoutBlob => "INSERT INTO inline_bytes VALUES (900, 0, x'00')",
            Self::InlineBytesRotten => "UPDATE inline_bytes SET crc32c = crc32c + 1",
            Self::PartLost => "DELETE FROM parts WHERE number = 2",
            Self::SizeOfManifests => "UPDATE manifests SET size = size + 1",
            Self::RunsOfManifestsLost => "DELETE FROM manifest_runs",
            Self::UploadsLost => "DELETE FROM uploads",
            Self::ContentOfUploadsLost => "UPDATE uploads SET content = NULL, content_kind = NULL",
            Self::DeclaredFlagLost => "UPDATE uploads SET declared = NULL",
            Self::GarbageOfLiveBlobs => "INSERT INTO garbage SELECT NULL, 1, id, 0 FROM blobs",
            Self::ConfigurationOfNoBucket => "INSERT INTO bucket_configurations VALUES (9, 1, x'')",
            Self::ConfigurationChanged => "UPDATE bucket_configurations SET document = x'00'",
            Self::ConfigurationsLost => "DELETE FROM bucket_configurations",
            Self::HeadersOfNoObject => "INSERT INTO object_headers VALUES (1, x'61', 5, x'')",
            Self::DeclarationsLost => "DELETE FROM declarations",
            Self::DeclaredNextPart => "UPDATE declarations SET next_part = 3",
            Self::DeclaredFingerprintLost => "UPDATE declarations SET fingerprint = NULL",
            Self::DeclaredSha256Lost => "UPDATE declarations SET sha256 = NULL",
            Self::DeclaredPartSize => "UPDATE declarations SET part_size = 11",
            Self::DeclaredSize => "UPDATE declarations SET size = 5",
            Self::Backlog => "UPDATE webhook_targets SET backlog = 3",
            Self::BacklogAndDead => "UPDATE webhook_targets SET backlog = 2, dead = 1",
            Self::AllWait => "UPDATE webhook_targets SET dead = 0; UPDATE outbox SET state = 1",
            Self::AllDue => "UPDATE outbox SET state = 0",
            Self::FirstWaits => {
                "UPDATE outbox SET state = 1 WHERE id = (SELECT min(id) FROM outbox)"
            }
            Self::UnknownEvent => {
                "UPDATE outbox SET state = 1 - state; UPDATE outbox SET event = 99"
            }
            Self::KnownEvent => "UPDATE outbox SET event = 1",
            Self::Pages { first_page, pages } => {
                return format!("UPDATE blobs SET pages = {pages} WHERE first_page = {first_page}");
            }
            Self::PagesChanged(more) => {
                return format!("UPDATE blobs SET pages = pages + {more} WHERE first_page = 0");
            }
        };
        sql.to_owned()
    }
}

impl Database {
    /// Damages rows.
    pub(crate) fn plant(&self, fault: Fault) {
        self.inspect(move |connection| {
            connection.execute_batch(&fault.sql()).expect("the fault is planted");
        });
    }

    /// The number of rows of a table.
    pub(crate) fn count_rows(&self, table: &str) -> i64 {
        self.look(|connection| {
            let sql = format!("SELECT count(*) FROM {table}");
            connection.query_row(&sql, [], |row| row.get(0))
        })
    }

    /// Every row of every table, in the order of the primary keys, as text.
    pub(crate) fn dump(&self) -> String {
        self.look(|connection| {
            let tables = "SELECT name, wr FROM pragma_table_list
                 WHERE schema = 'main' AND type = 'table' AND name <> 'sqlite_schema'
                 ORDER BY name";
            let mut tables = connection.prepare(tables)?;
            let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let mut text = String::new();
            for table in tables.collect::<rusqlite::Result<Vec<(String, bool)>>>()? {
                dump_table(connection, &table.0, table.1, &mut text)?;
            }
            Ok(text)
        })
    }

    /// The ids of contents, each with its count of references.
    pub(crate) fn references<I: FromSql>(&self, of: Counted) -> Vec<(I, i64)> {
        let sql = match of {
            Counted::Blobs => "SELECT id, refs FROM blobs ORDER BY id",
            Counted::Manifests => "SELECT id, refs FROM manifests ORDER BY id",
        };
        self.pairs(sql)
    }

    /// The declared uploads, each with its number of creators.
    pub(crate) fn creators(&self) -> Vec<(UploadId, usize)> {
        self.pairs("SELECT upload, creators FROM declarations ORDER BY upload")
    }

    /// The blob of a part.
    pub(crate) fn blob_of_part(&self, upload: UploadId, number: PartNumber) -> BlobId {
        let sql = "SELECT blob FROM parts WHERE upload = ?1 AND number = ?2";
        self.look(|connection| connection.query_row(sql, params![upload, number], |row| row.get(0)))
    }

    /// The number of parts that have a blob.
    pub(crate) fn count_parts_of(&self, blob: BlobId) -> usize {
        let sql = "SELECT count(*) FROM parts WHERE blob = ?1";
        self.look(|connection| connection.query_row(sql, [blob], |row| row.get(0)))
    }

    /// Sequence number of the object of a key, in whichever bucket.
    pub(crate) fn seq_of(&self, key: &str) -> i64 {
        let sql = "SELECT seq FROM objects WHERE key = CAST(?1 AS BLOB)";
        self.look(|connection| connection.query_row(sql, [key], |row| row.get(0)))
    }

    /// Runs `work` while a snapshot of before stays open.
    pub(crate) fn in_snapshot<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        self.readers.snapshot(|connection| {
            connection.query_row("SELECT count(*) FROM objects", [], |_| Ok(()))?;
            Ok(work())
        })
    }

    /// Steps of the reader's machine while `work` runs, which reads on this thread.
    pub(crate) fn count_steps(&self, work: impl FnOnce()) -> u64 {
        let steps = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&steps);
        let set = |handler: Option<Box<dyn FnMut() -> bool + Send>>| {
            let mut reader = self.readers.take().expect("a reader");
            match handler {
                Some(handler) => reader.progress_handler(1, Some(handler)).expect("a handler"),
                None => reader.progress_handler(0, None::<fn() -> bool>).expect("none"),
            }
        };
        set(Some(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        })));
        work();
        set(None);
        steps.load(Ordering::Relaxed)
    }

    /// Limits the database to its pages and `spare` more; `None` lifts the limit.
    pub(crate) fn limit_pages(&self, spare: Option<i64>) {
        self.inspect(move |connection| {
            let pages: i64 = connection
                .query_row("PRAGMA page_count", [], |row| row.get(0))
                .expect("a count of pages");
            let limit = spare.map_or(1 << 30, |spare| pages + spare);
            connection
                .query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(()))
                .expect("a limit");
        });
    }

    /// Copies the database to another file.
    pub(crate) fn back_up(&self, to: &Path) {
        let sql = format!("VACUUM INTO '{}'", to.display());
        self.inspect(move |connection| connection.execute_batch(&sql).expect("a backup"));
    }

    fn pairs<A: FromSql, B: FromSql>(&self, sql: &str) -> Vec<(A, B)> {
        self.look(|connection| {
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    fn look<T>(&self, look: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> T {
        look(&self.readers.take().expect("a reader")).expect("rows can be read")
    }
}

fn dump_table(
    connection: &Connection,
    table: &str,
    without_rowid: bool,
    text: &mut String,
) -> rusqlite::Result<()> {
    use std::fmt::Write as _;
    let order = if without_rowid {
        let keys =
            format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk");
        let mut keys = connection.prepare(&keys)?;
        let keys = keys.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>();
        keys?.join(", ")
    } else {
        "rowid".to_owned()
    };
    let mut rows = connection.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
    let columns = rows.column_count();
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let _ = write!(text, "{table}");
        for column in 0..columns {
            let _ = match row.get_ref(column)? {
                ValueRef::Blob(bytes) => write!(text, " x{}", hex::encode(bytes)),
                ValueRef::Text(bytes) => write!(text, " {:?}", String::from_utf8_lossy(bytes)),
                other => write!(text, " {other:?}"),
            };
        }
        text.push('\n');
    }
    Ok(())
}

/// Ends the transaction of a job as SQLite does on some errors: it is rolled back as a whole.
pub(crate) fn lose_transaction(txn: &Txn<'_>) {
    txn.connection.execute_batch("ROLLBACK").expect("a rollback");
}

/// Marks a closed database as one of a later version.
pub(crate) fn make_newer(data: &Path) {
    run_closed(data, "PRAGMA user_version = 99");
}

/// Makes a closed database one of an earlier version: 1 or 5.
pub(crate) fn make_older(data: &Path, version: u32) {
    const BACK_TO_5: &str = "INSERT INTO counters SELECT 'epoch', coalesce(max(id), 0) FROM runs;
         DROP TABLE runs; ALTER TABLE blobs RENAME COLUMN run TO epoch;
         DROP INDEX blobs_extent; ALTER TABLE blobs DROP COLUMN pages;
         ALTER TABLE blobs DROP COLUMN first_page;
         ALTER TABLE webhook_targets DROP COLUMN is_full; PRAGMA user_version = 5;";
    const BACK_TO_1: &str = "DROP INDEX blobs_sha256; DROP INDEX manifests_sha256;
         DROP INDEX parts_blob; DROP INDEX objects_content;
         ALTER TABLE manifests DROP COLUMN sha256;
         ALTER TABLE uploads DROP COLUMN content_kind; ALTER TABLE uploads DROP COLUMN content;
         DROP TABLE declarations; DROP TABLE outbox; DROP TABLE webhook_targets;
         DROP TABLE deliveries; DROP TABLE bucket_configurations;
         ALTER TABLE uploads DROP COLUMN declared; ALTER TABLE uploads DROP COLUMN paused;
         ALTER TABLE uploads DROP COLUMN callback_var; PRAGMA user_version = 1;";
    run_closed(data, BACK_TO_5);
    match version {
        5 => {}
        1 => run_closed(data, BACK_TO_1),
        other => panic!("version {other} is not made here"),
    }
}

fn run_closed(data: &Path, sql: &str) {
    let connection = Connection::open(data.join(FILE_NAME)).expect("the database opens");
    connection.execute_batch(sql).expect("it is changed");
}
