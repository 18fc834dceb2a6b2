//! Buckets: created and deleted. Reads are answered from the directory.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::database::Database;
use crate::access::{Bucket, Owner, User};
use crate::store::db::sqlite::columns::{GarbageKind, enqueue, require_bucket};
use crate::store::error::{Error, Result};
use crate::store::memory::directory::Effect;
use crate::store::memory::pending::Pending;
use crate::store::records::accounts::CreatedBucket;
use crate::types::BucketName;

pub(crate) fn create(
    db: &Database,
    name: BucketName,
    owner: &Arc<User>,
    region: &str,
) -> Pending<CreatedBucket> {
    let (owner, region) = (Arc::clone(owner), region.to_owned());
    let buckets_max = db.options.buckets_per_user_max;
    db.write(move |txn| {
        let there = txn
            .prepare(
                "SELECT buckets.id, owner, display_name, region, buckets.created
                 FROM buckets JOIN users ON users.id = owner WHERE buckets.name = ?1",
            )?
            .query_row([name.as_str()], |row| {
                Ok(Bucket {
                    id: row.get(0)?,
                    name: name.clone(),
                    owner: Owner { id: row.get(1)?, display_name: row.get(2)? },
                    region: row.get(3)?,
                    created: row.get(4)?,
                })
            })
            .optional()?;
        if let Some(bucket) = there {
            return Ok(CreatedBucket::Exists(Arc::new(bucket)));
        }
        if !txn.prepare("SELECT 1 FROM users WHERE id = ?1")?.exists([&owner.id])? {
            return Err(Error::NotFound { what: format!("the user {}", owner.name) });
        }
        let owned: u64 = txn
            .prepare("SELECT count(*) FROM buckets WHERE owner = ?1")?
            .query_row([&owner.id], |row| row.get(0))?;
        if owned >= buckets_max {
            return Err(Error::TooManyBuckets { max: buckets_max });
        }
        let created = txn.now();
        txn.execute(
            "INSERT INTO buckets (name, owner, region, created) VALUES (?1, ?2, ?3, ?4)",
            params![name.as_str(), owner.id, region, created],
        )?;
        let bucket = Arc::new(Bucket {
            id: txn.connection.last_insert_rowid(),
            name: name.clone(),
            owner: Owner { id: owner.id.clone(), display_name: owner.display_name.clone() },
            region: region.clone(),
            created,
        });
        txn.effect(Effect::BucketMade(Arc::clone(&bucket)));
        Ok(CreatedBucket::Created(bucket))
    })
}

pub(crate) fn delete(db: &Database, bucket: Arc<Bucket>) -> Pending<()> {
    db.free(move |txn| -> Result<()> {
        require_bucket(txn, &bucket)?;
        for table in ["objects", "versions"] {
            let sql = format!("SELECT 1 FROM {table} WHERE bucket = ?1");
            if txn.prepare(&sql)?.exists([bucket.id])? {
                return Err(Error::BucketNotEmpty);
            }
        }
        // Uploads are dropped by one row of garbage; without the bucket nothing finds them.
        if txn.prepare("SELECT 1 FROM uploads WHERE bucket = ?1")?.exists([bucket.id])? {
            enqueue(txn, GarbageKind::Bucket, &bucket.id.to_be_bytes())?;
        }
        // At most one row for each kind of configuration.
        txn.execute("DELETE FROM bucket_configurations WHERE bucket = ?1", [bucket.id])?;
        txn.execute("DELETE FROM buckets WHERE id = ?1", [bucket.id])?;
        txn.effect(Effect::BucketGone(Arc::clone(&bucket)));
        Ok(())
    })
}
