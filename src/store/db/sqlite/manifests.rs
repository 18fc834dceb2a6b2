//! Manifests: the listed parts of a completed upload, in runs of ascending numbers.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::digest::Checksum;
use crate::store::db::sqlite::columns::{damaged, read_checksum};
use crate::store::error::Result;
use crate::types::{BlobId, PartNumber, UploadId};

/// Parts in one run of a manifest.
pub(crate) const RUN_PARTS_MAX: usize = 256;

/// A part of a manifest: its place in the object, and its blob.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) number: PartNumber,
    pub(crate) first: u64,
    pub(crate) size: u64,
    pub(crate) blob: BlobId,
    pub(crate) checksum: Option<Checksum>,
}

impl Piece {
    /// The offset behind its last byte.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.size
    }
}

/// The run of a manifest that holds a part number, if any does.
pub(crate) const RUN_OF_NUMBER: &str = "SELECT first_offset, numbers FROM manifest_runs
     WHERE manifest = ?1 AND first_number <= ?2
     ORDER BY first_offset DESC, first_number DESC LIMIT 1";
/// The first run whose parts all have greater numbers.
pub(crate) const RUN_AFTER_NUMBER: &str = "SELECT first_offset, numbers FROM manifest_runs
     WHERE manifest = ?1 AND first_number > ?2
     ORDER BY first_offset, first_number LIMIT 1";

/// The run of a manifest that holds the byte at `offset`.
pub(crate) fn read_run_at(
    connection: &Connection,
    id: UploadId,
    offset: u64,
) -> Result<Vec<Piece>> {
    read_run(
        connection,
        id,
        "SELECT first_offset, numbers FROM manifest_runs
         WHERE manifest = ?1 AND first_offset <= ?2
         ORDER BY first_offset DESC, first_number DESC LIMIT 1",
        offset,
    )
}

/// The parts of the run that `sql` finds.
pub(crate) fn read_run(
    connection: &Connection,
    id: UploadId,
    sql: &str,
    key: u64,
) -> Result<Vec<Piece>> {
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![id, key], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    let Some((mut first, packed)) = found else { return Ok(Vec::new()) };
    let numbers = unpack_numbers(&packed).ok_or_else(|| damaged(format!("a run of {id}")))?;
    let mut pieces = Vec::with_capacity(numbers.len());
    // A lookup for each part, not a scan: unlisted parts may stand between them.
    let mut statement = connection.prepare_cached(
        "SELECT size, blob, checksum FROM parts WHERE upload = ?1 AND number = ?2",
    )?;
    for number in numbers {
        let read = |row: &Row<'_>| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, BlobId>(1)?, read_checksum(row, "checksum")))
        };
        let part = statement.query_row(params![id, number], read).optional()?;
        let (size, blob, checksum) =
            part.ok_or_else(|| damaged(format!("manifest {id} lacks part {number}")))?;
        pieces.push(Piece { number, first, size, blob, checksum: checksum? });
        first += size;
    }
    Ok(pieces)
}

/// The part numbers of a run; `None` for anything but 1 to 256 ascending ones.
pub(crate) fn unpack_numbers(packed: &[u8]) -> Option<Vec<PartNumber>> {
    let (pairs, rest) = packed.as_chunks::<2>();
    let numbers: Vec<PartNumber> = pairs
        .iter()
        .map(|pair| PartNumber::new(u16::from_be_bytes(*pair)))
        .collect::<Option<_>>()?;
    let ascending = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let few = (1..=RUN_PARTS_MAX).contains(&numbers.len());
    (ascending && few && rest.is_empty()).then_some(numbers)
}
