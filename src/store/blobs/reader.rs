//! Reader of blobs.
//!
//! **Invariant:** no byte is returned before its block's CRC was checked.

use std::fmt;
use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::fs::{self, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2, retry_on_intr};

use super::files::Blobs;
use super::location::{Extent, Location, PACKED_BYTES_MAX, PAGE_BYTES};
use super::name::BlobName;
use super::origin::BlobRecord;
use super::trailer::{self, BLOCK_BYTES};
use crate::store::error::{Error, Result};
use crate::types::{ByteRange, PUT_BYTES_MAX};

/// Bytes up to which a blob is read whole, trailer included, by one call when it is opened.
const WHOLE_BYTES_MAX: u64 = PACKED_BYTES_MAX;
/// Most bytes that one [`BlobFile::read`] may be asked for.
pub const READ_BYTES_MAX: u64 = 8 << 20;
/// Bytes at a file's end that hold its index.
const END_BYTES: u64 = 4 << 10;

/// Permission of a read to wait for the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// The read waits: for threads that may block.
    Disk,
    /// The read fails, with any error, unless the page cache holds all of it: for threads that
    /// serve connections. The caller repeats it where it may wait, and gets the real error there.
    Never,
}

/// A blob open for reading. `Send`. The file may be unlinked meanwhile: its bytes stay readable.
pub struct BlobFile {
    file: OpenFile,
    record: BlobRecord,
    /// Plain bytes of a small blob, unchecked.
    whole: Option<Bytes>,
    /// The checksum page used last, verified: its number and its CRCs.
    page: Option<(u64, Vec<u32>)>,
}

impl Blobs {
    /// Opens a blob for reading; `length` is that of its row. A missing file, or one whose trailer
    /// does not verify or has another length, is [`Error::Damaged`].
    pub fn open_blob(&self, at: impl Into<Location>, length: u64, wait: Wait) -> Result<BlobFile> {
        let at = at.into();
        match at.extent {
            None => BlobFile::open(self, self.open_file(at.name, wait)?, at.name, length, wait),
            Some(extent) if !extent.is_sound() => {
                Err(Error::Damaged { what: format!("blob {}: no blob is at {extent:?}", at.name) })
            }
            Some(extent) => {
                let file = self.open_segment(at, extent, wait)?;
                BlobFile::open_packed(self, file, at.name, extent, length, wait)
            }
        }
    }

    /// Record in the trailer, found from the file's end, for a file without a row.
    pub fn record(&self, name: BlobName) -> Result<BlobRecord> {
        record(self, self.open_file(name, Wait::Disk)?, name)
    }

    /// Reads and checks every block and page; returns the record in the trailer. `may_go_on` is
    /// called before each step of 1 MiB, and ends the reading with its error.
    pub fn verify(
        &self,
        at: impl Into<Location>,
        length: u64,
        may_go_on: impl FnMut() -> Result<()>,
    ) -> Result<BlobRecord> {
        let mut blob = self.open_blob(at, length, Wait::Disk)?;
        blob.verify(may_go_on)?;
        Ok(blob.record().clone())
    }

    fn open_file(&self, name: BlobName, wait: Wait) -> Result<File> {
        match open_below(&self.folders.of(name)?.fd, &name.to_string(), wait) {
            Ok(file) => Ok(file),
            Err(Errno::NOENT) => {
                Err(Error::Damaged { what: format!("blob {name}: there is no such file") })
            }
            Err(Errno::LOOP) => {
                Err(Error::Damaged { what: format!("blob {name}: it is a symbolic link") })
            }
            Err(error) => Err(Error::io("open", self.path(name), error)),
        }
    }

    /// Opens the segment of an extent for reading.
    fn open_segment(&self, at: Location, extent: Extent, wait: Wait) -> Result<File> {
        let name = extent.segment(at.name.run);
        let missing = |how: &str| Error::Damaged {
            what: format!("blob {}: its segment {name} {how}", at.name),
        };
        match open_below(self.folders.segments(), &name.to_string(), wait) {
            Ok(file) => Ok(file),
            Err(Errno::NOENT) => Err(missing("is not there")),
            Err(Errno::LOOP) => Err(missing("is a symbolic link")),
            Err(error) => Err(Error::io("open", self.folders.segment_path(name), error)),
        }
    }
}

/// Opens a file for reading; without waiting only if the kernel has its directory entry cached.
fn open_below(folder: &OwnedFd, file: &str, wait: Wait) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match wait {
        Wait::Disk => fs::openat(folder, file, flags, Mode::empty()),
        Wait::Never => fs::openat2(folder, file, flags, Mode::empty(), ResolveFlags::CACHED),
    };
    opened.map(File::from)
}

impl BlobFile {
    /// Reads and checks the index of an open file; `length` is that of its row.
    fn open(blobs: &Blobs, file: File, name: BlobName, length: u64, wait: Wait) -> Result<Self> {
        let file = OpenFile { file, name, path: blobs.path(name) };
        if length > PUT_BYTES_MAX {
            return Err(file.damaged("its row tells a length that no blob has"));
        }
        let index = trailer::index_offset(length);
        // One call reads the index, a single checksum page, and the data of a small blob.
        let start = match trailer::pages(length) {
            _ if length <= WHOLE_BYTES_MAX => 0,
            1 => length,
            _ => index,
        };
        let before = usize::try_from(index - start).expect("at most 256 KiB and a page");
        // One byte more than the longest index, so that bytes after the index are detected.
        let tail = file.read_tail(start, before, trailer::INDEX_BYTES_MAX + 1, wait)?;
        let (record, index_bytes) = tail.parsed;
        if index_bytes != tail.bytes.len() - before {
            return Err(file.damaged("the file has another length than its row"));
        }
        file.check_record(&record, length)?;
        let mut blob = Self { file, record, whole: None, page: None };
        if start < index {
            let (offset, bytes) = trailer::page_span(length, 0);
            let at = usize::try_from(offset - start).expect("within the tail");
            blob.take_page(0, &tail.bytes[at..at + bytes])?;
        }
        if start == 0 {
            let data = usize::try_from(length).expect("at most 256 KiB");
            blob.whole = Some(Bytes::from(tail.bytes).slice(..data));
        }
        Ok(blob)
    }

    /// Reads a blob in a segment: all of it, trailer included, by one call.
    fn open_packed(
        blobs: &Blobs,
        file: File,
        name: BlobName,
        extent: Extent,
        length: u64,
        wait: Wait,
    ) -> Result<Self> {
        let file = OpenFile { file, name, path: blobs.path(name) };
        let extent_bytes = extent.pages * PAGE_BYTES;
        if length > WHOLE_BYTES_MAX || trailer::index_offset(length) >= extent_bytes {
            return Err(file.damaged("its row tells a length that it cannot have in its segment"));
        }
        let bytes = file.read_exact(extent.offset(), extent_bytes as usize, wait)?;
        let index = trailer::index_offset(length) as usize;
        let (record, index_bytes) =
            trailer::parse_start(&bytes[index..]).map_err(|how| file.damaged(how))?;
        if ((index + index_bytes) as u64).div_ceil(PAGE_BYTES) != extent.pages {
            return Err(file.damaged("it has another length than its row"));
        }
        file.check_record(&record, length)?;
        let mut blob = Self { file, record, whole: None, page: None };
        if length > 0 {
            let (offset, page_bytes) = trailer::page_span(length, 0);
            blob.take_page(0, &bytes[offset as usize..][..page_bytes])?;
        }
        blob.whole = Some(Bytes::from(bytes).slice(..length as usize));
        Ok(blob)
    }

    /// Record in the trailer.
    pub fn record(&self) -> &BlobRecord {
        &self.record
    }

    /// Bytes of plain data.
    pub fn length(&self) -> u64 {
        self.record.digests.length
    }

    /// Reads exactly `range`, with every block verified: at most [`READ_BYTES_MAX`] bytes, inside
    /// the blob (both asserted). The answer keeps whole blocks in memory. A block that does not
    /// verify or is missing is [`Error::Damaged`]. It can be called again after an error.
    pub fn read(&mut self, range: ByteRange, wait: Wait) -> Result<Bytes> {
        assert!(range.first <= range.last && range.last < self.length(), "{range:?} is outside");
        assert!(range.len() <= READ_BYTES_MAX, "{range:?} is too much at once");
        let first_block = range.first / BLOCK_BYTES;
        let start = first_block * BLOCK_BYTES;
        let end = ((range.last / BLOCK_BYTES + 1) * BLOCK_BYTES).min(self.length());
        let bytes = match &self.whole {
            Some(whole) => whole.slice(start as usize..end as usize),
            None => Bytes::from(self.file.read_exact(start, (end - start) as usize, wait)?),
        };
        for (block, bytes) in (first_block..).zip(bytes.chunks(BLOCK_BYTES as usize)) {
            if trailer::crc32c(bytes) != self.block_crc(block, wait)? {
                return Err(self.file.damaged(format_args!("block {block} fails its checksum")));
            }
        }
        let skip = (range.first - start) as usize;
        Ok(bytes.slice(skip..skip + range.len() as usize))
    }

    /// Reads and checks every block, and so every page.
    fn verify(&mut self, mut may_go_on: impl FnMut() -> Result<()>) -> Result<()> {
        let step = 16 * BLOCK_BYTES;
        for first in (0..self.length()).step_by(step as usize) {
            may_go_on()?;
            let last = (first + step).min(self.length()) - 1;
            self.read(ByteRange { first, last }, Wait::Disk)?;
        }
        Ok(())
    }

    fn block_crc(&mut self, block: u64, wait: Wait) -> Result<u32> {
        let (page, place) = trailer::page_of(block);
        match &self.page {
            Some((number, sums)) if *number == page => Ok(sums[place]),
            _ => {
                let (offset, bytes) = trailer::page_span(self.length(), page);
                let bytes = self.file.read_exact(offset, bytes, wait)?;
                Ok(self.take_page(page, &bytes)?[place])
            }
        }
    }

    fn take_page(&mut self, page: u64, bytes: &[u8]) -> Result<&[u32]> {
        let sums = trailer::parse_page(self.file.name.id, page, bytes).ok_or_else(|| {
            self.file.damaged(format_args!("checksum page {page} fails its checksum"))
        })?;
        Ok(&self.page.insert((page, sums)).1)
    }
}

impl fmt::Debug for BlobFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobFile({}, {} bytes)", self.record.name, self.length())
    }
}

/// Record in the trailer of an open file, found from the file's end.
fn record(blobs: &Blobs, file: File, name: BlobName) -> Result<BlobRecord> {
    let file = OpenFile { file, name, path: blobs.path(name) };
    let stat = fs::fstat(&file.file).map_err(|e| Error::io("look at", &file.path, e))?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let start = size.saturating_sub(END_BYTES);
    let tail = file.read_tail(start, 0, (size - start) as usize, Wait::Disk)?;
    let (record, index_bytes) = tail.parsed;
    let length = record.digests.length;
    file.check_record(&record, length)?;
    // A length that no blob can have must not overflow the sum.
    let fits = length <= size && trailer::index_offset(length) + index_bytes as u64 == size;
    if fits { Ok(record) } else { Err(file.damaged("the index tells another length")) }
}

/// An open file with its names for messages.
struct OpenFile {
    file: File,
    name: BlobName,
    path: std::path::PathBuf,
}

/// End of a file, with its index verified.
struct Tail {
    bytes: Vec<u8>,
    parsed: (BlobRecord, usize),
}

impl OpenFile {
    fn damaged(&self, how: impl std::fmt::Display) -> Error {
        Error::Damaged { what: format!("blob {}: {how}", self.name) }
    }

    fn check_record(&self, record: &BlobRecord, length: u64) -> Result<()> {
        if record.name != self.name {
            return Err(self.damaged(format_args!("the index is of {}", record.name)));
        }
        if record.digests.length != length {
            return Err(self.damaged("the index tells another length than the row"));
        }
        Ok(())
    }

    /// Reads to the end of the file, from `start`: `before` bytes, and at most `more` bytes that
    /// end with the index.
    fn read_tail(&self, start: u64, before: usize, more: usize, wait: Wait) -> Result<Tail> {
        let mut bytes = Vec::with_capacity(before + more);
        loop {
            let ended = self.read_some(&mut bytes, start, wait)? == 0;
            // Parsing after each read saves the call that only reports the end of the file.
            let found = match bytes.get(before..) {
                Some(index) => trailer::parse_end(index),
                None => Err("the file is cut off"),
            };
            match found {
                Ok(parsed) => return Ok(Tail { bytes, parsed }),
                Err(how) if ended => return Err(self.damaged(how)),
                Err(_) => {}
            }
        }
    }

    fn read_exact(&self, offset: u64, count: usize, wait: Wait) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            if self.read_some(&mut bytes, offset, wait)? == 0 {
                return Err(self.damaged("the file is cut off"));
            }
        }
        // A vector may have a larger capacity than requested.
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Reads once into the free capacity of `bytes`; its first byte is at `offset` in the file. 0
    /// at the end of the file or of the capacity.
    fn read_some(&self, bytes: &mut Vec<u8>, offset: u64, wait: Wait) -> Result<usize> {
        let filled = bytes.len();
        if filled == bytes.capacity() {
            return Ok(0);
        }
        let at = offset + filled as u64;
        let read = match wait {
            Wait::Disk => retry_on_intr(|| pread(&self.file, spare_capacity(bytes), at)),
            Wait::Never => {
                bytes.resize(bytes.capacity(), 0);
                let room = &mut [IoSliceMut::new(&mut bytes[filled..])];
                let read = preadv2(&self.file, room, at, ReadWriteFlags::NOWAIT);
                bytes.truncate(filled + read.unwrap_or(0));
                read
            }
        };
        read.map_err(|e| Error::io("read", &self.path, e))
    }
}
