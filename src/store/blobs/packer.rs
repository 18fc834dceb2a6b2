//! Packer: the thread that appends small bodies to segments. It writes all waiting bodies with one
//! call and syncs them with another.
//!
//! **Invariants**
//! - A body is acknowledged after its bytes are on disk. Its extent is never assigned again: the
//!   position of the next body only ascends.
//! - Bodies of a failed write were not acknowledged, so their position is used again.

use std::fmt;
use std::fs::File;
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use bytes::Bytes;
use rustix::fs::{self, Mode, OFlags};
use rustix::io::retry_on_intr;
use tokio::sync::oneshot;

use super::files::Blobs;
use super::location::{Extent, Location, PACKED_BYTES_MAX, PAGE_BYTES};
use super::name::{BlobName, SEGMENT_PAGES, SegmentName};
use super::origin::{BlobOrigin, BlobRecord};
use super::segments::Segment;
use super::staged::StagedBlob;
use super::trailer::{self, BLOCK_BYTES};
use crate::digest::Digests;
use crate::store::error::{Error, Result};
use crate::store::memory::pending::Pending;

/// Bodies that may wait.
const WAITING_MAX: usize = 4096;
/// Bytes of waiting bodies. Nothing else counts the bytes of bodies whose client has disconnected.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Bodies written with one call.
const PACK_BODIES_MAX: usize = 128;
const PACK_BYTES_MAX: usize = 8 << 20;

/// A body, or `None`: the thread answers earlier bodies and ends.
type Message = Option<Body>;

/// A body in the layout of the segment.
struct Body {
    record: BlobRecord,
    bytes: Bytes,
    /// The trailer, and zeros to the end of the page.
    rest: Vec<u8>,
    reply: oneshot::Sender<Result<StagedBlob>>,
    #[allow(dead_code)] // Held, not read.
    held: Held,
}

/// Bytes taken from the queue's budget, until this is dropped.
struct Held {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl Held {
    /// Takes `bytes` of the queue; `None` when they are not available.
    fn take(waiting: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        // Taken first, then checked: two callers cannot both take the last bytes.
        let before = waiting.fetch_add(bytes, Ordering::AcqRel);
        let held = Self { waiting: Arc::clone(waiting), bytes };
        (before + bytes <= WAITING_BYTES_MAX).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// Sender of bodies.
pub struct Packing {
    blobs: Arc<Blobs>,
    sender: SyncSender<Message>,
    waiting: Arc<AtomicUsize>,
}

/// The thread's end.
pub struct Packer {
    blobs: Arc<Blobs>,
    receiver: Receiver<Message>,
    /// The segment that is appended to, and its first free page.
    open: Option<(Arc<Segment>, u64)>,
}

/// Both ends.
pub fn packer(blobs: &Arc<Blobs>) -> (Packing, Packer) {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    let packing = Packing { blobs: Arc::clone(blobs), sender, waiting: Arc::default() };
    (packing, Packer { blobs: Arc::clone(blobs), receiver, open: None })
}

impl Packing {
    /// Stores a whole body, of at most [`PACKED_BYTES_MAX`] bytes
    /// (asserted, and that the digests are of as many), in a segment.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Overloaded`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn pack(&self, origin: BlobOrigin, bytes: Bytes, digests: Digests) -> Pending<StagedBlob> {
        assert!(bytes.len() as u64 <= PACKED_BYTES_MAX, "too large to be packed");
        assert_eq!(digests.length, bytes.len() as u64, "digests of other bytes");
        let Some(held) = Held::take(&self.waiting, bytes.len()) else {
            return Pending::answered(Err(Error::Overloaded));
        };
        let name = BlobName { run: self.blobs.run, id: self.blobs.sources.blob_id() };
        let record = BlobRecord { name, origin, digests };
        // Computed here and not in the packer thread, which all bodies share.
        let sums: Vec<u32> = bytes.chunks(BLOCK_BYTES as usize).map(trailer::crc32c).collect();
        let file_bytes = trailer::file_bytes(record.digests.length, &record.origin.key);
        let padded = file_bytes.next_multiple_of(PAGE_BYTES);
        let mut rest = Vec::with_capacity((padded - record.digests.length) as usize);
        trailer::append(&mut rest, &record, &sums);
        rest.resize((padded - record.digests.length) as usize, 0);
        let (reply, answer) = oneshot::channel();
        match self.sender.try_send(Some(Body { record, bytes, rest, reply, held })) {
            Ok(()) => Pending::waiting(answer),
            Err(TrySendError::Full(_)) => Pending::answered(Err(Error::Overloaded)),
            Err(TrySendError::Disconnected(_)) => Pending::answered(Err(Error::Closed)),
        }
    }

    /// Stops the thread after it has answered the waiting bodies.
    pub fn stop(&self) {
        // An error means that it has stopped already.
        let _ = self.sender.send(None);
    }
}

impl fmt::Debug for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packing")
    }
}

impl Body {
    fn pages(&self) -> u64 {
        (self.bytes.len() + self.rest.len()) as u64 / PAGE_BYTES
    }

    fn answer(self, answer: Result<StagedBlob>) {
        // A disconnected client has dropped the receiver; the staged blob is dropped with the
        // answer.
        let _ = self.reply.send(answer);
    }
}

impl Blobs {
    /// Creates a segment of this run; its entry in the folder is on disk when this returns.
    fn create_segment(&self, number: u64) -> Result<Arc<Segment>> {
        let name = SegmentName { run: self.run, number };
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = self.folders.segments();
        let path = self.folders.segment_path(name);
        self.segments.newest.store(number, Ordering::Release);
        let file = fs::openat(folder, name.to_string(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| Error::io("make", &path, e))?;
        (self.syncs.folder)(folder.as_fd()).map_err(|error| self.sync_failed(&path, &error))?;
        let segment = Arc::new(Segment { name, file: File::from(file) });
        let mut made = self.segments.made();
        made.retain(|_, segment| segment.strong_count() > 0);
        made.insert(number, Arc::downgrade(&segment));
        drop(made);
        Ok(segment)
    }

    /// Writes `slices` one after the other and syncs them. A failed sync is [`Error::Poisoned`].
    fn append(
        &self,
        segment: &Segment,
        mut offset: u64,
        mut slices: &mut [IoSlice<'_>],
    ) -> Result<()> {
        let path = || self.folders.segment_path(segment.name);
        while !slices.is_empty() {
            let written =
                retry_on_intr(|| (self.syncs.append)(segment.file.as_fd(), slices, offset))
                    .map_err(|e| Error::io("write", path(), e))?;
            if written == 0 {
                let nothing = std::io::ErrorKind::WriteZero;
                return Err(Error::io("write", path(), nothing));
            }
            offset += written as u64;
            IoSlice::advance_slices(&mut slices, written);
        }
        (self.syncs.file)(segment.file.as_fd())
            .map_err(|error| self.sync_failed(&path(), &error))?;
        self.refuse_if_poisoned()
    }
}

impl Packer {
    /// Runs until it is stopped, or until all senders are dropped.
    pub fn run(mut self) {
        while let Ok(Some(first)) = self.receiver.recv() {
            let mut has_ended = false;
            let mut bytes = first.bytes.len();
            let mut batch = vec![first];
            while batch.len() < PACK_BODIES_MAX && bytes < PACK_BYTES_MAX {
                match self.receiver.try_recv() {
                    Ok(Some(body)) => {
                        bytes += body.bytes.len();
                        batch.push(body);
                    }
                    Ok(None) => {
                        has_ended = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
            self.store_batch(batch);
            if has_ended {
                return;
            }
        }
    }

    /// Stores and answers bodies. A batch that fails is repeated one by one: a body without room
    /// must not fail the others.
    fn store_batch(&mut self, mut batch: Vec<Body>) {
        // Bodies of disconnected clients are not written.
        batch.retain(|body| !body.reply.is_closed());
        if batch.is_empty() {
            return;
        }
        match self.store(&batch) {
            Ok((segment, mut first_page)) => {
                for body in batch {
                    let extent = Extent { first_page, pages: body.pages() };
                    first_page += extent.pages;
                    let at = Location { name: body.record.name, extent: Some(extent) };
                    let (blobs, segment) = (Arc::clone(&self.blobs), Arc::clone(&segment));
                    let digests = body.record.digests.clone();
                    body.answer(Ok(StagedBlob::packed(blobs, segment, at, digests)));
                }
            }
            Err(error) if batch.len() == 1 => {
                batch.pop().expect("there is one").answer(Err(error));
            }
            Err(_) => batch.into_iter().for_each(|body| self.store_batch(vec![body])),
        }
    }

    /// Writes and syncs a batch; returns its first page.
    fn store(&mut self, batch: &[Body]) -> Result<(Arc<Segment>, u64)> {
        self.blobs.refuse_if_poisoned()?;
        let pages: u64 = batch.iter().map(Body::pages).sum();
        let (segment, first_page) = self.room_for(pages)?;
        let mut slices = Vec::with_capacity(2 * batch.len());
        for body in batch {
            slices.extend([IoSlice::new(&body.bytes), IoSlice::new(&body.rest)]);
        }
        let offset = Extent { first_page, pages }.offset();
        self.blobs.append(&segment, offset, &mut slices)?;
        self.open = Some((Arc::clone(&segment), first_page + pages));
        Ok((segment, first_page))
    }

    /// The segment for `pages` pages, and the first of them.
    fn room_for(&mut self, pages: u64) -> Result<(Arc<Segment>, u64)> {
        assert!(pages <= SEGMENT_PAGES, "a batch is much smaller than a segment");
        let number = match &self.open {
            Some((segment, next)) if next + pages <= segment.name.pages().end => {
                return Ok((Arc::clone(segment), *next));
            }
            Some((segment, _)) => segment.name.number + 1,
            None => 0,
        };
        let segment = self.blobs.create_segment(number)?;
        let first_page = segment.name.pages().start;
        self.open = Some((Arc::clone(&segment), first_page));
        Ok((segment, first_page))
    }
}
