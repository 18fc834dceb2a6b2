//! Connections to the database, and the settings that hold for each of them.
//!
//! **Invariants**
//! - Every connection is opened by [`connect`], with its PRAGMAs read back.
//! - While the store is open, only the writer's connection changes rows; a checkpoint connection
//!   moves the WAL.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use crate::store::error::{Error, Result};

/// The database's file name in the data folder.
pub(crate) const FILE_NAME: &str = "partita.db";
/// The name of its WAL, which SQLite gives.
pub(crate) const WAL_NAME: &str = "partita.db-wal";
/// Bytes of one page, fixed when the database is created.
pub(crate) const PAGE_BYTES: u64 = 4096;
/// The first SQLite without the bug that could corrupt a WAL on reset.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// Prepared statements kept by each connection.
const STATEMENTS_MAX: usize = 128;
/// Milliseconds for which a connection waits for another one's lock.
pub(crate) const BUSY_MS_MAX: u64 = 5_000;

/// Purpose of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The only one that changes rows; creates the file if it does not exist.
    Writer,
    /// Moves the WAL into the database.
    Checkpointer,
    /// Reads.
    Reader,
}

/// Opens the database, and sets and checks every setting.
pub(crate) fn connect(path: &Path, role: Role) -> Result<Connection> {
    let version = rusqlite::version_number();
    if version < SQLITE_VERSION_MIN {
        return Err(Error::Refused(format!("SQLite {version} is too old")));
    }
    let access = match role {
        Role::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Role::Checkpointer => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Role::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        // A plan holds for all parameters: else statements are prepared again for each new value.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        // Closing a connection does not checkpoint: the checkpoint thread does.
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    ] {
        connection.set_db_config(config, on)?;
        assert_eq!(connection.db_config(config)?, on, "SQLite keeps its configuration");
    }
    if role == Role::Writer {
        prepare_file(&connection)?;
    }
    for (pragma, value) in [
        ("synchronous", 2),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("mmap_size", 0),
        ("foreign_keys", 1),
        ("wal_autocheckpoint", 0),
        ("temp_store", 2),
        ("cache_size", if role == Role::Writer { -32_768 } else { -4_096 }),
        ("query_only", i64::from(role == Role::Reader)),
    ] {
        set_pragma(&connection, pragma, value)?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::Refused(format!("SQLite uses the journal mode {mode}, not wal")));
    }
    Ok(connection)
}

/// Sets what SQLite accepts only before the first table is created, then migrates the schema.
fn prepare_file(connection: &Connection) -> Result<()> {
    let is_new = connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))? == 0;
    if is_new {
        // AUTO_VACUUM first: it is fixed by the first page written.
        connection.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;")?;
    }
    let read = |pragma: &str| -> Result<i64> {
        Ok(connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?)
    };
    // Before anything is written: a database of another program stays unchanged.
    let (application, version) = (read("application_id")?, read("user_version")?);
    if (application, version) != (0, 0) && application != super::schema::APPLICATION_ID {
        return Err(Error::Refused(format!("{FILE_NAME} belongs to another program")));
    }
    let _: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    set_pragma(connection, "synchronous", 2)?;
    super::schema::migrate(connection)?;
    for (pragma, value) in [
        ("application_id", super::schema::APPLICATION_ID),
        ("page_size", PAGE_BYTES as i64),
        ("auto_vacuum", 2),
    ] {
        if read(pragma)? != value {
            return Err(Error::Damaged { what: format!("{FILE_NAME}: {pragma} is not {value}") });
        }
    }
    Ok(())
}

/// Sets a PRAGMA and reads it back: SQLite ignores unknown ones.
fn set_pragma(connection: &Connection, pragma: &str, value: i64) -> Result<()> {
    connection.execute_batch(&format!("PRAGMA {pragma} = {value}"))?;
    let kept: Option<i64> =
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).optional()?;
    // A build without memory mapping has no such PRAGMA, which is equivalent to 0.
    if kept != Some(value) && !(pragma == "mmap_size" && kept.is_none()) {
        return Err(Error::Refused(format!("SQLite does not take {pragma} = {value}")));
    }
    Ok(())
}
