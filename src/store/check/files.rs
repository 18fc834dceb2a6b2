//! Rows and files: each row has its file, each file its row.

use rusqlite::params;

use super::{Depth, PAGE_ROWS};
use crate::store::blobs::{BlobName, Found, Wait};
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::types::BlobId;

/// What a row says of its file.
struct FileRow {
    name: BlobName,
    size: u64,
    md5: [u8; 16],
    crc64nvme: u64,
    sha256: Option<[u8; 32]>,
}

pub(super) fn check(engine: &Engine, depth: Depth, found: &mut Vec<String>) -> Result<()> {
    let mut after = BlobId::from_bytes([0; 16]);
    loop {
        let page = read_page(engine, after)?;
        let Some(last) = page.last() else { break };
        after = last.name.id;
        for row in &page {
            engine.alive()?;
            let Some(line) = check_file(engine, row, depth)? else { continue };
            // It may have been dropped and freed since the page was read.
            if has_row(engine, row.name, "dead = 0")? {
                found.push(line);
            }
        }
    }
    check_strays(engine, found)
}

fn read_page(engine: &Engine, after: BlobId) -> Result<Vec<FileRow>> {
    let reader = engine.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT id, epoch, size, md5, crc64nvme, sha256 FROM blobs
         WHERE id > ?1 AND inline_row IS NULL AND dead = 0 ORDER BY id LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after, PAGE_ROWS], |row| {
        Ok(FileRow {
            name: BlobName { epoch: row.get("epoch")?, id: row.get("id")? },
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
            engine.blobs.open_blob(row.name, row.size, Wait::Disk).map(|file| file.record().clone())
        }
        Depth::Blocks => engine.blobs.verify(row.name, row.size),
    };
    match record {
        Ok(record) if row.sha256.is_some() && row.sha256 != record.digests.sha256 => {
            Ok(Some(format!("blob {}: the SHA-256 that it is found by is another one", row.name)))
        }
        Ok(record)
            if (record.digests.md5, record.digests.crc64nvme) == (row.md5, row.crc64nvme) =>
        {
            Ok(None)
        }
        Ok(_) => Ok(Some(format!("blob {}: its digests are others than its row's", row.name))),
        Err(Error::Damaged { what }) => Ok(Some(what)),
        Err(error) => Err(error),
    }
}

fn has_row(engine: &Engine, name: BlobName, state: &str) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM blobs WHERE id = ?1 AND epoch = ?2 AND inline_row IS NULL AND {state}"
    );
    let reader = engine.readers.take()?;
    let is_there = reader.prepare_cached(&sql)?.exists(params![name.id, name.epoch])?;
    Ok(is_there)
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
            Found::Foreign(path) => {
                found.push(format!("{}: not a file of this store", path.display()));
            }
        }
        Ok(())
    })
}
