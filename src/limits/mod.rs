//! Scarce resources and their owners: memory, places in queues, work of the processor.
//!
//! Each resource has a bound, and most a share per user, so that one user leaves something to the
//! others. At the bound a request is answered with 503 SlowDown. The bound is below what the
//! machine can bear.
//!
//! **Invariants**
//! - [`Limits`] belongs to one gateway. There is no process-global state: two gateways in one
//!   process share nothing.
//! - What was taken comes back when its guard is dropped, also when a client hangs up.
//! - Every bound is a setting in [`crate::config`] or a constant in this folder, and has its row in
//!   `docs/limits.md`.

pub mod byte_budget;
pub mod challenges;
pub mod chunk_size;
pub mod connections;
pub mod fair_queue;
pub mod md5_pool;
pub mod quota;
pub mod upload_rates;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use byte_budget::ByteBudget;
use challenges::Challenges;
use chunk_size::Transfers;
use fair_queue::FairQueue;
use md5_pool::Md5Pool;
use quota::Quota;
use upload_rates::UploadRates;

/// Retry-After in seconds of a request for what soon comes back: a place in a queue, a connection.
pub const RETRY_SOON_SECONDS: &str = "1";
/// Retry-After in seconds of a request for what is held for longer: long work, an event stream.
pub const RETRY_LATER_SECONDS: &str = "5";
/// Bytes of all documents (XML, JSON) that are being received: one may be long, and there are many
/// connections.
const DOCUMENT_BYTES_ALL: usize = 128 << 20;
/// Bytes of the documents of one user.
pub const DOCUMENT_BYTES_OF_USER: usize = 32 << 20;
/// Bytes of the documents of one user that come by presigned URLs: others send them, so the rest is
/// the user's own.
pub const DOCUMENT_BYTES_PRESIGNED: usize = 16 << 20;
/// Bytes of the documents about one upload: one of the longest.
pub const DOCUMENT_BYTES_OF_UPLOAD: usize = 9 << 20;
/// Slowest arrival of a document, in bytes per second, after [`DOCUMENT_GRACE`].
pub const DOCUMENT_BYTES_PER_SECOND_MIN: u64 = 32 << 10;
/// Time that every document has, beside that for its bytes.
pub const DOCUMENT_GRACE: Duration = Duration::from_secs(30);
/// Long documents that are parsed at once. Each becomes a few times as long in memory.
const LONG_DOCUMENTS_MAX: usize = 4;
/// Bytes of all bodies that are gathered in memory before they are written to a segment.
const PACKING_BYTES_ALL: usize = 64 << 20;
/// Event streams that are open at once.
pub const EVENT_STREAMS_MAX: usize = 256;
/// Event streams of one user.
pub const EVENT_STREAMS_OF_USER: usize = 64;
/// Event streams of one upload: all browsers of an application may be one user.
pub const EVENT_STREAMS_OF_UPLOAD: usize = 4;
/// One user may hold one part in so many of the places for requests that wait on paused uploads.
pub const PAUSE_USERS: usize = 4;
/// Complete requests that read whole files to verify them; others wait.
const VERIFICATIONS: fair_queue::Bounds = fair_queue::Bounds {
    running: 4,
    running_of_user: 3,
    tickets: 256,
    tickets_of_user: 64,
    tickets_of_upload: 4,
};

/// Copies that read their source, to hash or to write it. A copy by reference reads nothing.
const COPIES: fair_queue::Bounds = fair_queue::Bounds {
    running: 4,
    running_of_user: 3,
    tickets: 1024,
    tickets_of_user: 256,
    // No copy takes a ticket of an upload: clients copy many parts of one at once.
    tickets_of_upload: 0,
};
/// Longest wait of a copy for its turn: it is answered before its client gives up.
pub const COPY_WAIT_MAX: Duration = Duration::from_secs(30);

/// Everything scarce that the requests of one gateway share.
pub struct Limits {
    /// Requests under way, by user.
    pub requests: Quota,
    /// Bytes of documents that are being received.
    pub documents: ByteBudget,
    /// Long documents that are being parsed.
    pub long_documents: Arc<Semaphore>,
    /// Bytes of bodies that are gathered before they are packed.
    pub packing: ByteBudget,
    /// Bodies that pass through memory; they decide the size of a chunk.
    pub transfers: Transfers,
    /// MD5 lanes.
    pub md5: Md5Pool,
    /// Bytes per second that each upload receives.
    pub upload_rates: UploadRates,
    /// Event streams, by user.
    pub event_streams: Quota,
    /// Event streams, by upload.
    pub event_streams_of_upload: Quota,
    /// Requests that wait for a paused upload, by user.
    pub paused_requests: Quota,
    /// Verifications of whole files.
    pub verifications: FairQueue,
    /// Copies that read their source.
    pub copies: FairQueue,
    /// Open challenges of proofs of possession.
    pub challenges: Challenges,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: Quota::default(),
            documents: ByteBudget::new(DOCUMENT_BYTES_ALL),
            long_documents: Arc::new(Semaphore::new(LONG_DOCUMENTS_MAX)),
            packing: ByteBudget::new(PACKING_BYTES_ALL),
            transfers: Transfers::default(),
            md5: Md5Pool::default(),
            upload_rates: UploadRates::default(),
            event_streams: Quota::default(),
            event_streams_of_upload: Quota::default(),
            paused_requests: Quota::default(),
            verifications: FairQueue::new(VERIFICATIONS),
            copies: FairQueue::new(COPIES),
            challenges: Challenges::default(),
        }
    }
}
