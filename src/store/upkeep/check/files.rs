//! Check of files: each row has its file, each file its row.

use crate::store::blobs::name::FolderEntry;
use crate::store::blobs::reader::Wait;
use crate::store::db::sqlite::check::extents;
use crate::store::db::sqlite::files::{self, FileRow};
use crate::store::db::sqlite::runs;
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::store::memory::pending::Cancellation;
use crate::store::records::check::Depth;
use crate::types::BlobId;

/// Rows in one page.
const PAGE_ROWS: usize = 1000;

pub(crate) fn check(
    engine: &Engine,
    depth: Depth,
    cancellation: &Cancellation,
    found: &mut Vec<String>,
) -> Result<()> {
    let mut after = BlobId::from_bytes([0; 16]);
    loop {
        let page = files::page(&engine.db, after, PAGE_ROWS)?;
        let Some(last) = page.last() else { break };
        after = last.at.name.id;
        for row in &page {
            engine.alive()?;
            let Some(line) = check_file(engine, row, depth, cancellation)? else { continue };
            // It may have been dropped and freed since the page was read.
            if files::has_live_row(&engine.db, row.at.name)? {
                found.push(line);
            }
        }
    }
    extents::check(&engine.db, found)?;
    check_strays(engine, found)
}

/// Violation in a file, if any.
fn check_file(
    engine: &Engine,
    row: &FileRow,
    depth: Depth,
    cancellation: &Cancellation,
) -> Result<Option<String>> {
    cancellation.check()?;
    let record = match depth {
        Depth::Trailers => {
            let file = engine.blobs.open_blob(row.at, row.digests.length, Wait::Disk);
            file.map(|file| file.record().clone())
        }
        Depth::Blocks => engine.blobs.verify(row.at, row.digests.length, || cancellation.check()),
    };
    match record {
        Ok(record) if record.digests == row.digests => Ok(None),
        Ok(record) if record.digests.sha256 != row.digests.sha256 => Ok(Some(format!(
            "blob {}: the SHA-256 that it is found by is another one",
            row.at.name
        ))),
        Ok(_) => Ok(Some(format!("blob {}: its digests are others than its row's", row.at.name))),
        Err(Error::Damaged { what }) => Ok(Some(what)),
        Err(error) => Err(error),
    }
}

/// Checks files without rows. A file of this run may still get its row; one of an ended run should
/// have been swept.
fn check_strays(engine: &Engine, found: &mut Vec<String>) -> Result<()> {
    engine.blobs.scan(|thing| {
        match thing {
            FolderEntry::Blob(name, _) => {
                let is_old = runs::is_ended(&engine.db, name.run)?;
                // The sweep may remove it between the scan and this test.
                if is_old && !files::has_row(&engine.db, name)? && engine.blobs.record(name).is_ok()
                {
                    found.push(format!("blob {name}: a file of an ended run without a row"));
                }
            }
            // A segment without rows waits for the next sweep.
            FolderEntry::Segment(_) => {}
            FolderEntry::Foreign(path) => {
                found.push(format!("{}: not a file of this store", path.display()));
            }
        }
        Ok(())
    })
}
