//! Finds files, and gaps in segments, that no row names: what a crash or a lost row left behind.
//!
//! **Invariants**
//! - What belongs to this run may be on its way to its row, and stays; what belongs to an ended run
//!   cannot get a row any more.
//! - Nothing goes at once that a database restored from a backup might have named: files wait in
//!   quarantine, and a gap waits until nobody has touched its segment for as long. The first start
//!   after the segment's run touches it too: no restored database begins later than there.

use std::sync::atomic::Ordering;

use rusqlite::params;

use crate::clock;
use crate::store::blobs::{BlobName, Extent, Found, SegmentName};
use crate::store::db::sqlite::blob_row::read_extent;
use crate::store::engine::Engine;
use crate::store::error::Result;

/// How long a file stays in quarantine, in milliseconds.
pub(crate) const QUARANTINE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Rows of a segment that are read at once.
const PAGE_ROWS: usize = 1000;

/// Looks at all files. Gives the number of those that went, or that got a hole.
pub(crate) fn sweep(engine: &Engine) -> Result<u64> {
    let mut swept = 0;
    engine.blobs.scan(|found| {
        engine.alive()?;
        swept += match found {
            Found::Blob(name, _) => sweep_file(engine, name)?,
            Found::Segment(name) => sweep_segment(engine, name)?,
            Found::Foreign(_) => 0,
        };
        Ok(())
    })?;
    engine.swept.store(true, Ordering::Release);
    Ok(swept)
}

fn sweep_file(engine: &Engine, name: BlobName) -> Result<u64> {
    if name.epoch >= engine.blobs.epoch() {
        return Ok(0);
    }
    let sql = "SELECT 1 FROM blobs WHERE id = ?1 AND epoch = ?2 AND inline_row IS NULL
             AND first_page IS NULL";
    let is_known =
        engine.db.readers.take()?.prepare_cached(sql)?.exists(params![name.id, name.epoch])?;
    if is_known {
        return Ok(0);
    }
    engine.blobs.quarantine(name)?;
    tracing::info!(%name, "a file without a row goes to quarantine");
    Ok(1)
}

fn sweep_segment(engine: &Engine, name: SegmentName) -> Result<u64> {
    let has_ended = name.epoch < engine.blobs.epoch();
    // Asked before the rows are looked at: what gets its row after this look is still in use.
    if !has_ended && engine.blobs.is_segment_in_use(name) {
        return Ok(0);
    }
    let has_rows = has_rows(engine, name)?;
    // A row whose commit failed may still be found by the next start, and keeps nothing in use.
    engine.alive()?;
    match (has_rows, has_ended) {
        // Its bodies are dead and freed, or were refused.
        (false, false) => engine.blobs.remove_segment(name).map(|()| 1),
        (false, true) => {
            engine.blobs.quarantine_segment(name)?;
            tracing::info!(%name, "a segment without rows goes to quarantine");
            Ok(1)
        }
        (true, false) => Ok(0),
        (true, true) => {
            let old = clock::now().minus_millis(QUARANTINE_MS);
            let touched = engine.blobs.segment_touched(name)?;
            if touched.is_some_and(|touched| touched < old) {
                punch_gaps(engine, name)
            } else {
                Ok(0)
            }
        }
    }
}

/// Whether any row names bytes in this segment.
pub(crate) fn has_rows(engine: &Engine, name: SegmentName) -> Result<bool> {
    let pages = name.pages();
    let sql = "SELECT 1 FROM blobs WHERE epoch = ?1 AND first_page >= ?2 AND first_page < ?3";
    let reader = engine.db.readers.take()?;
    let is_there =
        reader.prepare_cached(sql)?.exists(params![name.epoch, pages.start, pages.end])?;
    Ok(is_there)
}

/// Gives back what lies between the extents that rows name. Gives 1 if there was something.
pub(crate) fn punch_gaps(engine: &Engine, name: SegmentName) -> Result<u64> {
    let (mut next, end) = (name.pages().start, name.pages().end);
    let mut punched = 0;
    while next < end {
        let extents = extents_from(engine, name, next)?;
        let is_last = extents.len() < PAGE_ROWS;
        for extent in extents {
            if next < extent.first_page {
                punched += engine.blobs.punch_gap(name, next..extent.first_page)?;
            }
            next = next.max(extent.first_page + extent.pages);
        }
        if is_last {
            if next < end {
                punched += engine.blobs.punch_gap(name, next..end)?;
            }
            break;
        }
    }
    if punched > 0 {
        tracing::info!(%name, bytes = punched, "gaps of a segment were given back");
    }
    Ok(u64::from(punched > 0))
}

/// The extents in a segment from this page on, in order. Of an ended run: they only become fewer.
fn extents_from(engine: &Engine, name: SegmentName, first_page: u64) -> Result<Vec<Extent>> {
    let reader = engine.db.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT first_page, pages FROM blobs
         WHERE epoch = ?1 AND first_page >= ?2 AND first_page < ?3 ORDER BY first_page LIMIT ?4",
    )?;
    let page = params![name.epoch, first_page, name.pages().end, PAGE_ROWS];
    let rows = statement.query_map(page, |row| read_extent(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
}
