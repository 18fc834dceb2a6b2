//! The database of a closed gateway, for tests that look into it or change it. No other file of
//! these tests names SQL.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// An open database.
pub struct Inspector(Connection);

impl Inspector {
    /// Opens the database of a data folder. It leaves the log as it is.
    pub fn open(data: &Path) -> Self {
        let database = Connection::open(data.join("partita.db")).expect("the database");
        database
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .expect("a setting");
        Self(database)
    }

    /// True if a blob of this id has a row.
    pub fn has_blob(&self, id: &[u8]) -> bool {
        let mut find = self.0.prepare_cached("SELECT 1 FROM blobs WHERE id = ?1").expect("a look");
        find.exists([id]).expect("a look")
    }

    /// Changes the digest in the row of an object.
    pub fn damage_digest(&self, key: &str) {
        let sql = "UPDATE objects SET md5 = zeroblob(16) WHERE key = CAST(?1 AS BLOB)";
        assert_eq!(self.0.execute(sql, [key]).expect("a change"), 1);
    }

    /// Makes all open uploads so much older; gives the variable that each was created with.
    pub fn age_uploads(&self, ms: i64) -> Vec<Vec<u8>> {
        let sql = "UPDATE uploads SET last_active = last_active - ?1, paused = paused - ?1
             RETURNING callback_var";
        let mut statement = self.0.prepare(sql).expect("a statement");
        let vars = statement.query_map([ms], |row| row.get(0)).expect("rows");
        vars.collect::<rusqlite::Result<_>>().expect("rows")
    }
}
