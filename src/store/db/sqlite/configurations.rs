//! Configurations of buckets: one document for each bucket and kind.
//!
//! Reads are answered from the directory. The store does not parse a document.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::database::Database;
use super::job::Txn;
use crate::access::Bucket;
use crate::store::db::sqlite::columns::require_bucket;
use crate::store::error::Result;
use crate::store::error::damaged;
use crate::store::memory::directory::Effect;
use crate::store::memory::pending::Pending;
use crate::store::records::configurations::{BucketConfiguration, BucketConfigurationKind};

/// Every document, as effects on an empty directory.
pub(crate) fn load(connection: &Connection) -> Result<Vec<Effect>> {
    let mut effects = Vec::new();
    let mut statement = connection.prepare("SELECT * FROM bucket_configurations")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let kind = BucketConfigurationKind::from_code(row.get("kind")?);
        effects.push(Effect::BucketConfigurationSet {
            bucket: row.get("bucket")?,
            // Ignoring an unknown configuration would be worse than not starting.
            kind: kind.ok_or_else(|| damaged("the kind of a bucket's configuration"))?,
            document: Arc::new(BucketConfiguration::new(row.get("document")?)),
        });
    }
    Ok(effects)
}

pub(crate) fn put(
    db: &Database,
    bucket: Arc<Bucket>,
    kind: BucketConfigurationKind,
    document: Vec<u8>,
) -> Pending<()> {
    let document = Arc::new(BucketConfiguration::new(document));
    db.write(move |txn| set(txn, &bucket, kind, &document))
}

/// The step of [`put`], for a job that does more.
pub(crate) fn set(
    txn: &Txn<'_>,
    bucket: &Bucket,
    kind: BucketConfigurationKind,
    document: &Arc<BucketConfiguration>,
) -> Result<()> {
    require_bucket(txn, bucket)?;
    txn.execute(
        "INSERT INTO bucket_configurations (bucket, kind, document) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET document = excluded.document",
        params![bucket.id, kind as i64, document.bytes()],
    )?;
    let document = Arc::clone(document);
    txn.effect(Effect::BucketConfigurationSet { bucket: bucket.id, kind, document });
    Ok(())
}

pub(crate) fn delete(
    db: &Database,
    bucket: Arc<Bucket>,
    kind: BucketConfigurationKind,
) -> Pending<()> {
    db.free(move |txn| {
        require_bucket(txn, &bucket)?;
        let sql = "DELETE FROM bucket_configurations WHERE bucket = ?1 AND kind = ?2";
        txn.execute(sql, params![bucket.id, kind as i64])?;
        txn.effect(Effect::BucketConfigurationGone { bucket: bucket.id, kind });
        Ok(())
    })
}
