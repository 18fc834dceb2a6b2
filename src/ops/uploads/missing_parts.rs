//! Missing parts of an upload as clients see them: a JSON document, and a header of ranges.
//!
//! **Invariant:** the document is the same as an answer, in an event stream,
//! and inside an error; `docs/schemas/blocks.json` describes it.

use crate::access::UploadHandle;
use crate::access::WriteObject;
use serde::Serialize;

use crate::request::Call;
use crate::store::{Blocks, Gap};
use crate::types::PartNumber;
use crate::wire::{Error, date};

/// The first missing ranges, in a header.
const EXPECTED: &str = "x-partita-expected";
/// Ranges in the header.
const HEADER_RANGES_MAX: usize = 8;
/// Ranges in the document of an error.
const ERROR_RANGES_MAX: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    upload_id: String,
    bucket: &'a str,
    key: &'a str,
    status: &'static str,
    total_size: Option<u64>,
    part_size: Option<u64>,
    received_bytes: u64,
    expect_blocks: Vec<Block>,
    next_start_part: Option<u16>,
    expires_at: String,
}

/// A run of missing parts. Without a declared size their bytes are unknown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    start_byte: Option<u64>,
    /// The last byte; of a block without bytes, the one before its first: -1.
    end_byte: Option<i64>,
    first_part: u16,
    last_part: u16,
}

/// The words that a client uses for the state of an upload.
pub fn status(is_paused: bool) -> &'static str {
    if is_paused { "pause" } else { "upload" }
}

/// The document.
pub fn document(blocks: &Blocks) -> String {
    limited(blocks, usize::MAX)
}

fn limited(blocks: &Blocks, max: usize) -> String {
    let Blocks { upload, layout, missing, .. } = blocks;
    let cut = missing.get(max).map(|gap| gap.first).or(blocks.next);
    let document = Document {
        upload_id: upload.id.to_string(),
        bucket: blocks.bucket.name.as_str(),
        key: upload.key.as_str(),
        status: status(upload.paused.is_some()),
        total_size: layout.map(|layout| layout.size()),
        part_size: layout.map(|layout| layout.part_size()),
        received_bytes: blocks.received_bytes,
        expect_blocks: missing.iter().take(max).map(|gap| block(blocks, *gap)).collect(),
        next_start_part: cut.map(PartNumber::get),
        expires_at: date::iso8601(upload.expires),
    };
    serde_json::to_string(&document).expect("texts and numbers can be written")
}

fn block(blocks: &Blocks, gap: Gap) -> Block {
    let bytes = bytes_of(blocks, gap);
    Block {
        start_byte: bytes.map(|(first, _)| first),
        end_byte: bytes.map(|(_, end)| end.cast_signed() - 1),
        first_part: gap.first.get(),
        last_part: gap.last.get(),
    }
}

/// The first byte of a gap, and the one behind its last.
fn bytes_of(blocks: &Blocks, gap: Gap) -> Option<(u64, u64)> {
    let layout = blocks.layout?;
    let end = layout.first_byte(gap.last) + layout.bytes_of(gap.last)?;
    Some((layout.first_byte(gap.first), end))
}

/// Adds missing parts to an error: the first ranges as a header, the document as an element.
pub fn explain(error: Error, blocks: &Blocks) -> Error {
    let ranges = blocks.missing.iter().filter_map(|gap| bytes_of(blocks, *gap));
    let ranges: Vec<String> = ranges
        .filter(|(first, end)| first < end)
        .take(HEADER_RANGES_MAX)
        .map(|(first, end)| format!("{first}-{}", end - 1))
        .collect();
    let error = error.field("ExpectedBlocks", limited(blocks, ERROR_RANGES_MAX));
    match ranges.is_empty() {
        true => error,
        false => error.header(EXPECTED, format!("bytes={}", ranges.join(","))),
    }
}

/// Adds the parts that are missing now to an error. If the upload has ended, NoSuchUpload is the
/// error instead.
pub async fn with_missing(call: &Call, upload: &UploadHandle<WriteObject>, error: Error) -> Error {
    let store = &call.context.store;
    let missing = store.missing_blocks(upload, PartNumber::FIRST, ERROR_RANGES_MAX);
    match call.context.run(missing).await {
        Ok(blocks) => explain(error, &blocks),
        Err(error) => error,
    }
}
