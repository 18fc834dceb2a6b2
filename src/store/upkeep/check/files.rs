//! Rows and files: each row has its file, each file its row.

use rusqlite::params;

use super::{Depth, PAGE_ROWS, pages};
use crate::store::blobs::{BlobName, Found, Location, Wait};
use crate::store::db::sqlite::blob_row::read_extent;
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::types::BlobId;

/// What a row says of its file.
struct FileRow {
    at: Location,
    size: u64,
    md5: [u8; 16],
    crc64nvme: u64,
    sha256: Option<[u8; 32]>,
}

pub(crate) fn check(engine: &Engine, depth: Depth, found: &mut Vec<String>) -> Result<()> {
    let mut after = BlobId::from_bytes([0; 16]);
    loop {
        let page = read_page(engine, after)?;
        let Some(last) = page.last() else { break };
        after = last.at.name.id;
        for row in &page {
            engine.alive()?;
            let Some(line) = check_file(engine, row, depth)? else { continue };
            // It may have been dropped and freed since the page was read.
            if has_row(engine, row.at.name, "dead = 0")? {
                found.push(line);
            }
        }
    }
    check_extents(engine, found)?;
    check_strays(engine, found)
}

fn read_page(engine: &Engine, after: BlobId) -> Result<Vec<FileRow>> {
    let reader = engine.db.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT first_page, pages, id, epoch, size, md5, crc64nvme, sha256 FROM blobs
         WHERE id > ?1 AND inline_row IS NULL AND dead = 0 ORDER BY id LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after, PAGE_ROWS], |row| {
        Ok(FileRow {
            at: Location {
                name: BlobName { epoch: row.get("epoch")?, id: row.get("id")? },
                extent: read_extent(row, 0)?,
            },
            size: row.get("size")?,
            md5: row.get("md5")?,
            crc64nvme: row.get::<_, i64>("crc64nvme")?.cast_unsigned(),
            sha256: row.get("sha256")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What is wrong with the file, if anything.
fn check_file(engine: &Engine, row: &FileRow, depth: Depth) -> Result<Option<String>> {
    let record = match depth {
        Depth::Trailers => {
            engine.blobs.open_blob(row.at, row.size, Wait::Disk).map(|file| file.record().clone())
        }
        Depth::Blocks => engine.blobs.verify(row.at, row.size),
    };
    match record {
        Ok(record) if row.sha256.is_some() && row.sha256 != record.digests.sha256 => Ok(Some(
            format!("blob {}: the SHA-256 that it is found by is another one", row.at.name),
        )),
        Ok(record)
            if (record.digests.md5, record.digests.crc64nvme) == (row.md5, row.crc64nvme) =>
        {
            Ok(None)
        }
        Ok(_) => Ok(Some(format!("blob {}: its digests are others than its row's", row.at.name))),
        Err(Error::Damaged { what }) => Ok(Some(what)),
        Err(error) => Err(error),
    }
}

fn has_row(engine: &Engine, name: BlobName, state: &str) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM blobs WHERE id = ?1 AND epoch = ?2 AND inline_row IS NULL AND {state}"
    );
    let reader = engine.db.readers.take()?;
    let is_there = reader.prepare_cached(&sql)?.exists(params![name.id, name.epoch])?;
    Ok(is_there)
}

/// No two blobs have a page in common.
fn check_extents(engine: &Engine, found: &mut Vec<String>) -> Result<()> {
    // The blob before: its run, its first page, and the page behind its last one.
    pages(engine, (0, -1, 0), |connection, &(epoch, first_page, end)| {
        let mut statement = connection.prepare_cached(
            "SELECT epoch, first_page, first_page + pages, id FROM blobs
             WHERE first_page IS NOT NULL AND (epoch, first_page) > (?1, ?2)
             ORDER BY epoch, first_page LIMIT ?3",
        )?;
        let mut rows = statement.query(params![epoch, first_page, PAGE_ROWS])?;
        let (mut before, mut last): ((i64, i64, i64), _) = ((epoch, first_page, end), None);
        while let Some(row) = rows.next()? {
            let this = (row.get(0)?, row.get(1)?, row.get(2)?);
            if this.0 == before.0 && this.1 < before.2 {
                let id: BlobId = row.get(3)?;
                found.push(format!("blob {id}: begins inside of another one"));
            }
            before = this;
            last = Some(before);
        }
        Ok(last)
    })
}

/// Files that no row names. One of this run may be on its way to its row; one of an ended run
/// should have been swept.
fn check_strays(engine: &Engine, found: &mut Vec<String>) -> Result<()> {
    engine.blobs.scan(|thing| {
        match thing {
            Found::Blob(name, _) => {
                let is_old = name.epoch < engine.blobs.epoch();
                // The sweep may take it away between the scan and the look.
                if is_old && !has_row(engine, name, "TRUE")? && engine.blobs.record(name).is_ok() {
                    found.push(format!("blob {name}: a file of an ended run without a row"));
                }
            }
            // One without rows has only not been swept since its last body went.
            Found::Segment(_) => {}
            Found::Foreign(path) => {
                found.push(format!("{}: not a file of this store", path.display()));
            }
        }
        Ok(())
    })
}
