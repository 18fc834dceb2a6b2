//! Read-only connections, shared by all threads: a verb borrows one.
//!
//! Statements stay prepared on a connection. The last one returned is borrowed first, so an idle
//! store uses few, warm ones.

use std::ops::Deref;
use std::path::PathBuf;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::connection::{Role, connect};
use crate::store::error::{Error, Result};

/// Idle connections that are kept.
const IDLE_MAX: usize = 64;

/// The pool.
pub(crate) struct Readers {
    path: PathBuf,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

/// A connection on loan.
pub(crate) struct Reader<'a> {
    readers: &'a Readers,
    /// Taken out only on drop.
    connection: Option<Connection>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Some(Vec::new())) }
    }

    /// A connection; each statement on it is a snapshot of its own.
    pub(crate) fn take(&self) -> Result<Reader<'_>> {
        let idle = {
            let mut idle = self.idle.lock();
            idle.as_mut().ok_or(Error::Closed)?.pop()
        };
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, Role::Reader)?,
        };
        Ok(Reader { readers: self, connection: Some(connection) })
    }

    /// Runs `read` in one snapshot. It must be short: a snapshot holds up the checkpoints.
    pub(crate) fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let reader = self.take()?;
        // Prepared like all others: parsing these two costs more than a lookup.
        reader.prepare_cached("BEGIN")?.execute([])?;
        let answer = read(&reader);
        // Nothing was written. (After a panic the connection is not reused.)
        let ended = reader.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
        // A failed read may have ended the snapshot: its error is the one to return.
        let answer = answer?;
        ended?;
        Ok(answer)
    }

    /// Closes the idle connections, and those on loan when they come back.
    pub(crate) fn close(&self) {
        *self.idle.lock() = None;
    }
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a loan has its connection until it is dropped")
    }
}

/// Mutable access, for tests that set a progress handler.
#[cfg(test)]
impl std::ops::DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a loan has its connection until it is dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let connection = self.connection.take();
        let mut idle = self.readers.idle.lock();
        // A connection in a transaction (after a panic or an error) is not reused.
        if let (Some(connection), Some(idle)) = (connection, idle.as_mut())
            && connection.is_autocommit()
            && idle.len() < IDLE_MAX
        {
            idle.push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_read_that_ended_the_snapshot_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("db");
        drop(connect(&path, Role::Writer).expect("a database"));
        let readers = Readers::new(path);
        // As SQLite does by itself when the disk fails a read.
        let told = readers.snapshot(|connection| -> Result<()> {
            connection.execute_batch("ROLLBACK")?;
            Err(Error::NoSuchKey)
        });
        assert!(matches!(told, Err(Error::NoSuchKey)), "{told:?}");
        assert!(readers.snapshot(|_| Ok(())).is_ok());
    }
}
