//! What is missing of an open upload: the gaps between the numbers of its parts.
//!
//! **Invariant:** one page is one snapshot, one ordered pass over the upload's part rows (at most
//! 10,000), and at most [`GAPS_MAX`] gaps.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::uploads;
use crate::access::Permit;
use crate::store::declared::{Blocks, Gap, OpenUpload};
use crate::store::engine::Engine;
use crate::store::error::Result;
use crate::types::{Layout, ObjectKey, PartNumber, UploadId};

/// Gaps on one page.
pub(crate) const GAPS_MAX: usize = 1000;

/// The gaps from part `from` on, at most `max`.
pub(crate) fn missing(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    id: UploadId,
    from: PartNumber,
    max: usize,
) -> Result<Blocks> {
    let bucket = engine.require_bucket(permit)?;
    engine.readers.snapshot(|connection| {
        let OpenUpload { upload, declaration } =
            uploads::find_open(engine, connection, &bucket, key, id)?;
        let layout = declaration.and_then(|declaration| declaration.layout);
        let (received_bytes, highest): (u64, u16) = connection
            .prepare_cached(
                "SELECT coalesce(sum(size), 0), coalesce(max(number), 0) FROM parts
                 WHERE upload = ?1",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let max = max.min(GAPS_MAX);
        let mut missing = read_gaps(connection, id, from, max + 1)?;
        // Behind the last part, what is missing is known only of a declared file.
        let end = layout.map_or(0, Layout::count);
        let tail = (highest + 1).max(from.get());
        if missing.len() <= max && tail <= end {
            missing.extend(gap(tail, end));
        }
        let next = missing.get(max).map(|gap| gap.first);
        missing.truncate(max);
        Ok(Blocks { bucket: Arc::clone(&bucket), upload, layout, received_bytes, missing, next })
    })
}

/// The gaps below the highest part.
fn read_gaps(
    connection: &Connection,
    id: UploadId,
    from: PartNumber,
    max: usize,
) -> Result<Vec<Gap>> {
    let mut statement = connection.prepare_cached(
        "SELECT before, number FROM
             (SELECT number, lag(number, 1, ?2 - 1) OVER (ORDER BY number) AS before
              FROM parts WHERE upload = ?1 AND number >= ?2)
         WHERE number > before + 1 ORDER BY number LIMIT ?3",
    )?;
    let mut rows = statement.query(params![id, from, max])?;
    let mut gaps = Vec::new();
    while let Some(row) = rows.next()? {
        let (before, number): (u16, u16) = (row.get(0)?, row.get(1)?);
        gaps.extend(gap(before + 1, number - 1));
    }
    Ok(gaps)
}

fn gap(first: u16, last: u16) -> Option<Gap> {
    PartNumber::new(first).zip(PartNumber::new(last)).map(|(first, last)| Gap { first, last })
}
