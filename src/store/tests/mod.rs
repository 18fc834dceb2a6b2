//! The store by its verbs, without HTTP: promises, and named races.

mod basics;
mod complete;
mod crash_points;
mod crowd;
mod declared;
mod events;
mod faults;
mod instant;
mod instant_search;
mod listing;
mod memory;
mod model;
mod nouns;
mod permits;
mod planted;
mod progress;
mod queue;
mod races;
mod replay;
mod rights;
mod segments;
mod space;
mod wal;
mod wal_file;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use self::rights::{Rights, create_permit};
use super::*;
use crate::access::{Bucket, Credential};
use crate::digest::{ChecksumAlgorithm, Digests, Hasher, WantedDigests};
use crate::events::EventName;
use crate::types::{
    BucketName, ETag, ObjectHeaders, ObjectKey, PartNumber, UploadId, WriteCondition,
};

/// Bodies up to this many bytes are inline in these tests.
const INLINE_BYTES: usize = 1000;
/// Larger ones up to this many bytes are packed, where a fixture packs.
const PACKED_BYTES: usize = 66_000;

/// Jobs that a test queued are one batch on slow machines too; pages and logs are short.
const TEST_BOUNDS: Bounds = Bounds {
    batch_time_max: Duration::from_secs(10),
    progress_part_rows_max: 5,
    delivery_rows_max: 50,
};

/// A store in a folder of its own, with a root user.
struct Fixture {
    store: Store,
    root: Arc<Credential>,
    options: Options,
    packs: bool,
    /// Opens the store: with the GC thread, or without it.
    open: fn(Options) -> Result<Store>,
    _folder: TempDir,
}

fn options(folder: &TempDir) -> Options {
    Options {
        data: folder.path().join("data"),
        inline_bytes_max: INLINE_BYTES,
        part_bytes_min: 0,
        read_unit_bytes: 256 << 10,
        free_bytes_min: 0,
        buckets_per_user_max: u64::MAX,
        upload_idle_ms_max: u64::MAX,
        upload_pause_ms_max: u64::MAX,
        writer_queue_max: 1024,
        wal_bytes_restart: 32 << 20,
        wal_bytes_max: 1 << 30,
        dedup_buckets: Vec::new(),
        proof_buckets: Vec::new(),
        event_targets: Vec::new(),
        bounds: TEST_BOUNDS,
        sources: Sources::default(),
    }
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        Self::opened(change, Store::open)
    }

    /// A store whose garbage is collected only when the test does so.
    fn without_gc(change: impl FnOnce(&mut Options)) -> Self {
        Self::opened(change, Store::open_without_gc)
    }

    fn opened(change: impl FnOnce(&mut Options), open: fn(Options) -> Result<Store>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut options = options(&folder);
        change(&mut options);
        let store = open(options.clone()).expect("a new store opens");
        let new = NewUser { name: "root".to_owned(), root: true, ..NewUser::default() };
        let (_, root) = store.create_user(new).wait().expect("the first user");
        Self { store, root, options, packs: false, open, _folder: folder }
    }

    /// One whose bodies of some thousand bytes are packed, and do not have a file each.
    fn packing() -> Self {
        Self { packs: true, ..Self::new() }
    }

    /// Ends the store as a crash would (the WAL stays), and opens it again.
    fn crash(&mut self) {
        self.store.engine.halt();
        self.store = (self.open)(self.options.clone()).expect("the store opens again");
        let id = &self.root.access_key_id;
        self.root = self.store.credential(id).expect("the root key is still there");
    }

    fn make_bucket(&self, name: &str) -> Rights {
        self.make_bucket_of(&self.root, name)
    }

    fn make_bucket_of(&self, owner: &Arc<Credential>, name: &str) -> Rights {
        let name = BucketName::parse(name).expect("a bucket's name");
        let made = self.store.create_bucket(&create_permit(owner, name), "us-east-1").wait();
        match made.expect("the bucket is made") {
            CreatedBucket::Created(bucket) | CreatedBucket::Exists(bucket) => {
                Rights::new(owner, &bucket)
            }
        }
    }

    /// Rights of root in a bucket.
    fn rights(&self, bucket: &Arc<Bucket>) -> Rights {
        Rights::new(&self.root, bucket)
    }

    /// Stages a body as a receiver would.
    fn stage(&self, rights: &Rights, body: &[u8], want: Option<ChecksumAlgorithm>) -> StagedBlob {
        let digests = digests(body, want);
        if body.len() <= self.options.inline_bytes_max {
            return self.store.stage_inline(Bytes::copy_from_slice(body), digests);
        }
        self.stage_on_disk(rights, body, digests)
    }

    /// Stages a body that SQLite does not take.
    fn stage_on_disk(&self, rights: &Rights, body: &[u8], digests: Digests) -> StagedBlob {
        let origin = BlobOrigin { bucket: rights.bucket().id, key: key("origin"), part: None };
        if self.packs && body.len() <= PACKED_BYTES {
            let packed = self.store.pack(origin, Bytes::copy_from_slice(body), digests);
            return packed.wait().expect("a body is packed");
        }
        let length = body.len() as u64;
        let user = Arc::clone(rights.write("origin").user());
        let admission = self.store.admit(&user, Some(length)).expect("there is room");
        let writer = self.store.begin_blob(origin, admission).run();
        let mut writer = writer.expect("a blob begins");
        writer.write(body).expect("a blob is written");
        writer.finish(digests).expect("a blob is synced")
    }

    fn put(&self, rights: &Rights, name: &str, body: &[u8]) -> Result<Published> {
        self.put_if(rights, name, body, WriteCondition::default())
    }

    fn put_if(
        &self,
        rights: &Rights,
        name: &str,
        body: &[u8],
        condition: WriteCondition,
    ) -> Result<Published> {
        let new = NewObject { condition, ..new_object() };
        self.store.put_object(&rights.write(name), new, self.stage(rights, body, None)).wait()
    }

    fn read(&self, rights: &Rights, name: &str) -> Result<Vec<u8>> {
        read_all(&self.open(rights, name)?)
    }

    /// Opens an object for somebody who may read it in any case.
    fn open(&self, rights: &Rights, name: &str) -> Result<OpenObject> {
        let access = rights.access(name);
        let sealed = self.store.open_object(&access).wait()?;
        Ok(sealed.open(&access).expect("a permit to read opens it"))
    }

    /// The record of an object, as [`Fixture::open`].
    fn head(&self, rights: &Rights, name: &str) -> Result<ObjectRecord> {
        let access = rights.access(name);
        let sealed = self.store.object(&access).wait()?;
        Ok(sealed.open(&access).expect("a permit to read opens it"))
    }

    fn delete(&self, rights: &Rights, name: &str) -> Result<bool> {
        self.store.delete_object(&rights.delete(name), WriteCondition::default()).wait()
    }

    fn create_upload(&self, rights: &Rights, name: &str) -> UploadId {
        let upload = self.store.create_upload(&rights.write(name), NewUpload::default()).wait();
        upload.expect("an upload begins").upload.id
    }

    fn put_part(
        &self,
        rights: &Rights,
        name: &str,
        upload: UploadId,
        number: u16,
        body: &[u8],
    ) -> Result<PartRecord> {
        let staged = self.stage(rights, body, None);
        let stored = self.store.put_part(&rights.upload(name, upload), part_number(number), staged);
        stored.wait().map(|added| added.part)
    }

    fn complete(
        &self,
        rights: &Rights,
        name: &str,
        upload: UploadId,
        parts: &[(u16, &[u8])],
    ) -> Result<Completed> {
        self.complete_with(rights, name, upload, complete_request(parts))
    }

    fn complete_with(
        &self,
        rights: &Rights,
        name: &str,
        upload: UploadId,
        request: CompleteUpload,
    ) -> Result<Completed> {
        self.store.complete_upload(&rights.upload(name, upload), request).run()
    }

    /// Holds the writer until the sender is dropped, so that jobs gather behind it. Begins after
    /// the first round of the background work, which would take a place in the queue too.
    fn block_writer(&self) -> std::sync::mpsc::Sender<()> {
        while !self.store.engine.swept.load(std::sync::atomic::Ordering::Acquire) {
            std::thread::yield_now();
        }
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (entered, inside) = std::sync::mpsc::channel();
        let engine = Arc::clone(&self.store.engine);
        std::thread::spawn(move || {
            engine.db.inspect(move |_| {
                entered.send(()).expect("the test waits");
                let _ = wait.recv();
            });
        });
        inside.recv().expect("the writer comes in");
        release
    }

    /// Waits until so many jobs are in the writer's queue.
    fn wait_for_jobs(&self, count: usize) {
        while self.store.health().queue_length < count {
            std::thread::yield_now();
        }
    }

    /// Everything holds, and the files on the disk are those that the rows name.
    fn check(&self) {
        self.store.collect_garbage().run().expect("garbage can be collected");
        assert_eq!(self.store.check_blocks().run().expect("check runs"), Vec::<String>::new());
    }

    /// Bytes in segments that are not holes.
    fn segment_bytes(&self) -> u64 {
        let segments = std::fs::read_dir(self.options.data.join("segments")).expect("the folder");
        segments.map(|segment| stored_bytes(&segment.expect("an entry").path())).sum()
    }

    /// The number of files below `blobs`.
    fn count_files(&self) -> usize {
        let folders = std::fs::read_dir(self.options.data.join("blobs")).expect("the folder");
        let count = |folder: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_dir(folder.expect("an entry").path()).expect("a folder").count()
        };
        folders.map(count).sum()
    }

    fn count_rows(&self, table: &str) -> i64 {
        self.store.engine.db.count_rows(table)
    }
}

/// Bytes of a file that are not holes.
pub(crate) fn stored_bytes(path: &std::path::Path) -> u64 {
    use rustix::fs::{SeekFrom, seek};
    let file = std::fs::File::open(path).expect("the file");
    let (mut next, mut stored) = (0, 0);
    while let Ok(data) = seek(&file, SeekFrom::Data(next)) {
        next = seek(&file, SeekFrom::Hole(data)).expect("where the data ends");
        stored += next - data;
    }
    stored
}

fn digests(body: &[u8], want: Option<ChecksumAlgorithm>) -> Digests {
    let mut hasher = Hasher::new(WantedDigests { sha256: false, checksum: want });
    hasher.update(body);
    hasher.finish()
}

fn etag(body: &[u8]) -> ETag {
    ETag::plain(digests(body, None).md5)
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::parse(name.as_bytes()).expect("a key")
}

fn part_number(number: u16) -> PartNumber {
    PartNumber::new(number).expect("a part's number")
}

fn new_object() -> NewObject {
    NewObject {
        headers: ObjectHeaders::default(),
        checksum: None,
        condition: WriteCondition::default(),
        event: EventName::ObjectCreatedPut,
        callback_var: None,
    }
}

fn complete_request(parts: &[(u16, &[u8])]) -> CompleteUpload {
    let listed = |&(number, body): &(u16, &[u8])| ListedPart {
        number: part_number(number),
        etag: Some(etag(body)),
        checksums: Vec::new(),
    };
    CompleteUpload {
        parts: parts.iter().map(listed).collect(),
        condition: WriteCondition::default(),
        object_size: None,
        checksum_type: None,
        checksum: None,
        digests: WholeDigests::default(),
    }
}

fn read_all(object: &OpenObject) -> Result<Vec<u8>> {
    let mut reader = object.reader(None)?;
    let mut bytes = Vec::new();
    while let Some(unit) = reader.next()? {
        bytes.extend_from_slice(&unit);
    }
    Ok(bytes)
}

/// Bytes that differ from one seed to the next.
fn body(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(2).wrapping_add(1));
    (0..length).map(|_| random.next() as u8).collect()
}

/// A small generator of numbers, for what must be repeatable.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64*: never 0 when it did not begin there.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
