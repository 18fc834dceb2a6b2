//! The thread that appends small bodies to segments: it takes what waits, writes all of it with one
//! call and syncs it with one more.
//!
//! **Invariants**
//! - A body is answered after its bytes are on disk. Its extent is nobody else's from then on: the
//!   place of the next one moves only forward.
//! - What failed was given to nobody, so its place is taken again.

use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::location::{Extent, Location, PAGE_BYTES};
use super::name::SEGMENT_PAGES;
use super::segments::Segment;
use super::{BLOCK_BYTES, BlobName, BlobOrigin, BlobRecord, Blobs, StagedBlob, trailer};
use crate::digest::Digests;
use crate::store::error::{Error, Result};
use crate::store::memory::pending::Pending;

/// Bodies that may wait.
const WAITING_MAX: usize = 4096;
/// Their bytes. Those of bodies whose client has hung up are counted nowhere else.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Bodies and bytes that are written with one call.
const BATCH_BODIES_MAX: usize = 128;
const BATCH_BYTES_MAX: usize = 8 << 20;

/// `None`: everything before this is answered, then the thread ends.
type Message = Option<Body>;

/// A body as it will be in the segment.
struct Body {
    record: BlobRecord,
    bytes: Bytes,
    /// The trailer, and zeros to the end of the page.
    rest: Vec<u8>,
    reply: oneshot::Sender<Result<StagedBlob>>,
    #[allow(dead_code)] // Held, not read.
    held: Held,
}

/// Bytes of the queue, until this is dropped.
struct Held {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl Held {
    /// Takes so many bytes; `None` when they are not there.
    fn take(waiting: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        // Taken first, then judged: two that race cannot both take the last bytes.
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

/// The end that receivers of bodies have.
pub struct Packing {
    blobs: Arc<Blobs>,
    sender: SyncSender<Message>,
    waiting: Arc<AtomicUsize>,
}

/// The thread's end.
pub struct Packer {
    blobs: Arc<Blobs>,
    receiver: Receiver<Message>,
    /// The segment that is appended to, and the first of its pages that is free.
    open: Option<(Arc<Segment>, u64)>,
}

/// Both ends.
pub fn packer(blobs: &Arc<Blobs>) -> (Packing, Packer) {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    let packing = Packing { blobs: Arc::clone(blobs), sender, waiting: Arc::default() };
    (packing, Packer { blobs: Arc::clone(blobs), receiver, open: None })
}

impl Packing {
    /// Stores a whole body, of at most [`PACKED_BYTES_MAX`](super::PACKED_BYTES_MAX) bytes
    /// (asserted, and that the digests are of as many), in a segment.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Overloaded`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn pack(&self, origin: BlobOrigin, bytes: Bytes, digests: Digests) -> Pending<StagedBlob> {
        assert!(bytes.len() as u64 <= super::PACKED_BYTES_MAX, "too large to be packed");
        assert_eq!(digests.length, bytes.len() as u64, "digests of other bytes");
        let Some(held) = Held::take(&self.waiting, bytes.len()) else {
            return Pending::answered(Err(Error::Overloaded));
        };
        let name = BlobName { epoch: self.blobs.epoch, id: self.blobs.sources.blob_id() };
        let record = BlobRecord { name, origin, digests };
        // Here and not in the thread that all wait for.
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

    /// Has the thread answer what waits, and end.
    pub fn stop(&self) {
        // That it has ended already is as good.
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
        // A client that has hung up drops the receiver, and here the staged blob with the answer.
        let _ = self.reply.send(answer);
    }
}

impl Packer {
    /// Works until told to stop, or until nobody can send any more.
    pub fn run(mut self) {
        while let Ok(Some(first)) = self.receiver.recv() {
            let mut has_ended = false;
            let mut bytes = first.bytes.len();
            let mut batch = vec![first];
            while batch.len() < BATCH_BODIES_MAX && bytes < BATCH_BYTES_MAX {
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
            self.settle(batch);
            if has_ended {
                return;
            }
        }
    }

    /// Stores and answers. Bodies that cannot be stored together are tried one by one: one for
    /// which there is no room must not fail those for which there is.
    fn settle(&mut self, mut batch: Vec<Body>) {
        // What nobody waits for any more need not be written, nor given back by a hole.
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
            Err(_) => batch.into_iter().for_each(|body| self.settle(vec![body])),
        }
    }

    /// Writes and syncs all of a batch; gives where it begins.
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

    /// The segment that so many pages go to, and the first of them.
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
