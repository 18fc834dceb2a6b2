//! Sweep: finds files, and gaps in segments, that no row names. A crash or a lost row leaves them.
//!
//! **Invariants**
//! - A file of this run may still get its row, and stays. A file of an ended run cannot.
//! - Nothing is deleted at once that a database restored from a backup might name. Files wait in
//!   quarantine. A gap waits until its segment was not written to for as long. The first start that
//!   learns of the end of the run touches the segment, so the time begins there at the earliest.

use std::sync::atomic::Ordering;

use crate::store::blobs::name::{BlobName, FolderEntry, SegmentName};
use crate::store::db::sqlite::{files, runs};
use crate::store::engine::Engine;
use crate::store::error::Result;

/// Milliseconds for which a file stays in quarantine.
pub(crate) const QUARANTINE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Rows of a segment that are read at once.
const PAGE_ROWS: usize = 1000;

/// Sweeps all files. Gaps are freed by their age, so only if the clock is trusted (`frees_gaps`).
/// Returns the number of files that were removed or got a hole.
pub(crate) fn sweep(engine: &Engine, frees_gaps: bool) -> Result<u64> {
    let mut swept = 0;
    engine.blobs.scan(|found| {
        engine.alive()?;
        swept += match found {
            FolderEntry::Blob(name, _) => sweep_file(engine, name)?,
            FolderEntry::Segment(name) => sweep_segment(engine, name, frees_gaps)?,
            FolderEntry::Foreign(_) => 0,
        };
        Ok(())
    })?;
    engine.swept.store(true, Ordering::Release);
    Ok(swept)
}

fn sweep_file(engine: &Engine, name: BlobName) -> Result<u64> {
    if !runs::is_ended(&engine.db, name.run)? {
        return Ok(0);
    }
    if files::has_own_file(&engine.db, name)? {
        return Ok(0);
    }
    // A crash leaves the files of bodies that were on their way, most of them without a trailer.
    match engine.blobs.record(name) {
        Ok(record) => {
            let (bytes, key) = (record.digests.length, record.origin.key.as_str());
            tracing::warn!(
                %name, bytes, key,
                "a whole file without a row goes to quarantine: it was not acknowledged, or the \
                 database has lost its row (restore a backup; the file stays for seven days)"
            );
        }
        Err(_) => tracing::info!(%name, "a file without a row goes to quarantine"),
    }
    engine.blobs.quarantine(name)?;
    Ok(1)
}

fn sweep_segment(engine: &Engine, name: SegmentName, frees_gaps: bool) -> Result<u64> {
    let has_ended = runs::is_ended(&engine.db, name.run)?;
    // Tested before the rows: a body that gets its row after this test keeps the segment in use.
    if !has_ended && engine.blobs.is_segment_in_use(name) {
        return Ok(0);
    }
    let has_rows = files::has_extents(&engine.db, name)?;
    // After a failed commit the next start may still find the row, although nothing keeps the
    // segment in use.
    engine.alive()?;
    match (has_rows, has_ended) {
        // Its bodies are dead and freed, or got no row.
        (false, false) => engine.blobs.remove_segment(name).map(|()| 1),
        (false, true) => {
            engine.blobs.quarantine_segment(name)?;
            tracing::info!(%name, "a segment without rows goes to quarantine");
            Ok(1)
        }
        (true, false) => Ok(0),
        (true, true) => {
            if !frees_gaps {
                return Ok(0);
            }
            let old = engine.options.sources.now().minus_millis(QUARANTINE_MS);
            let touched = engine.blobs.segment_touched(name)?;
            if touched.is_some_and(|touched| touched < old) {
                punch_gaps(engine, name)
            } else {
                Ok(0)
            }
        }
    }
}

/// Frees what lies between the extents of rows. Returns 1 if anything was freed.
pub(crate) fn punch_gaps(engine: &Engine, name: SegmentName) -> Result<u64> {
    let (mut next, end) = (name.pages().start, name.pages().end);
    let mut punched = 0;
    while next < end {
        let extents = files::extents_from(&engine.db, name, next, PAGE_ROWS)?;
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
