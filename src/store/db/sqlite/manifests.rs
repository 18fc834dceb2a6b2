//! Manifests: the listed parts of a completed upload, in runs of ascending numbers.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::blob_row::read_blob;
use super::database::Database;
use crate::digest::ChecksumAlgorithm;
use crate::store::blobs::stored::StoredBlob;
use crate::store::db::sqlite::columns::read_checksum;
use crate::store::error::{Result, damaged};
use crate::store::records::objects::PartSpan;
use crate::store::rules::manifest::{Piece, unpack_numbers};
use crate::types::{BlobId, PartNumber, UploadId};

/// The listed part of a number, with its checksum in the algorithm `wanted`.
pub(crate) fn part(
    db: &Database,
    id: UploadId,
    number: PartNumber,
    wanted: Option<ChecksumAlgorithm>,
) -> Result<Option<PartSpan>> {
    db.readers.snapshot(|connection| {
        let pieces = read_run(connection, id, RUN_OF_NUMBER, u64::from(number.get()))?;
        let piece = pieces.into_iter().find(|piece| piece.number == number);
        piece.map(|piece| span(connection, piece, wanted)).transpose()
    })
}

/// Listed parts after number `after` (0: from the first), at most `max`, and true if more follow.
pub(crate) fn parts(
    db: &Database,
    id: UploadId,
    after: u16,
    max: usize,
    wanted: Option<ChecksumAlgorithm>,
) -> Result<(Vec<(PartNumber, PartSpan)>, bool)> {
    let mut page = Vec::new();
    if max == 0 {
        return Ok((page, false));
    }
    db.readers.snapshot(|connection| {
        let mut pieces = read_run(connection, id, RUN_OF_NUMBER, u64::from(after))?;
        if pieces.is_empty() {
            pieces = read_run(connection, id, RUN_AFTER_NUMBER, u64::from(after))?;
        }
        while let Some(last) = pieces.last().map(|piece| piece.number.get()) {
            for piece in pieces.into_iter().filter(|piece| piece.number.get() > after) {
                if page.len() == max {
                    return Ok((page, true));
                }
                page.push((piece.number, span(connection, piece, wanted)?));
            }
            pieces = read_run(connection, id, RUN_AFTER_NUMBER, u64::from(last))?;
        }
        Ok((page, false))
    })
}

/// The run of parts that holds the byte at `offset`.
pub(crate) fn run_at(db: &Database, id: UploadId, offset: u64) -> Result<Vec<Piece>> {
    db.readers.snapshot(|connection| read_run_at(connection, id, offset))
}

/// The blob whose bytes are exactly those from `first` to before `end`, if a part is.
pub(crate) fn whole_blob(
    db: &Database,
    id: UploadId,
    (first, end): (u64, u64),
) -> Result<Option<StoredBlob>> {
    db.readers.snapshot(|connection| {
        let pieces = read_run_at(connection, id, first)?;
        let exact = |piece: &&Piece| (piece.first, piece.end()) == (first, end);
        let piece = pieces.iter().find(exact);
        piece.map(|piece| read_blob(connection, piece.blob)).transpose()
    })
}

/// Span of a part, with its checksum in the wanted algorithm.
fn span(
    connection: &Connection,
    piece: Piece,
    wanted: Option<ChecksumAlgorithm>,
) -> Result<PartSpan> {
    let Piece { first, size, blob, checksum, .. } = piece;
    let checksum = match wanted {
        Some(wanted) if checksum.as_ref().map(|c| c.algorithm) != Some(wanted) => {
            read_blob(connection, blob)?.digests.checksum_for(wanted)
        }
        _ => checksum,
    };
    Ok(PartSpan { first, size, checksum })
}

/// Selects the run of a manifest that holds a part number.
const RUN_OF_NUMBER: &str = "SELECT first_offset, numbers FROM manifest_runs
     WHERE manifest = ?1 AND first_number <= ?2
     ORDER BY first_offset DESC, first_number DESC LIMIT 1";
/// Selects the first run whose parts all have greater numbers.
const RUN_AFTER_NUMBER: &str = "SELECT first_offset, numbers FROM manifest_runs
     WHERE manifest = ?1 AND first_number > ?2
     ORDER BY first_offset, first_number LIMIT 1";

/// The run of a manifest that holds the byte at `offset`.
fn read_run_at(connection: &Connection, id: UploadId, offset: u64) -> Result<Vec<Piece>> {
    read_run(
        connection,
        id,
        "SELECT first_offset, numbers FROM manifest_runs
         WHERE manifest = ?1 AND first_offset <= ?2
         ORDER BY first_offset DESC, first_number DESC LIMIT 1",
        offset,
    )
}

/// The parts of the run that `sql` selects.
fn read_run(connection: &Connection, id: UploadId, sql: &str, key: u64) -> Result<Vec<Piece>> {
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![id, key], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    let Some((mut first, packed)) = found else { return Ok(Vec::new()) };
    let numbers = unpack_numbers(&packed).ok_or_else(|| damaged(format!("a run of {id}")))?;
    let mut pieces = Vec::with_capacity(numbers.len());
    // A lookup for each part, not a scan: unlisted parts may be between them.
    let mut statement = connection.prepare_cached(
        "SELECT size, blob, crc64nvme, checksum FROM parts WHERE upload = ?1 AND number = ?2",
    )?;
    for number in numbers {
        let read = |row: &Row<'_>| {
            let crc64nvme = row.get::<_, i64>(2)?.cast_unsigned();
            Ok((
                row.get::<_, u64>(0)?,
                row.get::<_, BlobId>(1)?,
                crc64nvme,
                read_checksum(row, "checksum"),
            ))
        };
        let part = statement.query_row(params![id, number], read).optional()?;
        let (size, blob, crc64nvme, checksum) =
            part.ok_or_else(|| damaged(format!("manifest {id} lacks part {number}")))?;
        pieces.push(Piece { number, first, size, blob, crc64nvme, checksum: checksum? });
        first += size;
    }
    Ok(pieces)
}
