//! Reads of the store by its public verbs, on real files: a page of 1,000 keys out of 100,000; one
//! small object opened with its bytes; and one byte out of an open object of 10,000 parts, in its
//! middle and at its end.
//!
//! The store is reopened first, so that the WAL is empty. Files stay in the page cache, so the disk
//! is not measured.

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use partita::access::{
    Action, Bucket, CreateBucket, Credential, ListObjects, ObjectPath, Permit, Principal, Question,
    ReadAccess, ReadObject, Resource, Right, Rules, WriteObject, decide,
};
use partita::config::Config;
use partita::digest::{Digests, Hasher, WantedDigests};
use partita::events::EventName;
use partita::store::{
    CompleteUpload, CreatedBucket, ListQuery, ListedPart, NewObject, NewUpload, NewUser,
    OpenObject, Pending, StagedBlob, Store, WholeDigests,
};
use partita::types::{
    BucketName, ByteRange, ETag, ObjectHeaders, ObjectKey, PART_NUMBER_MAX, PartNumber,
    WriteCondition,
};
use tempfile::TempDir;

mod short;

const OBJECTS: u64 = 100_000;
const PAGE: usize = 1000;
/// Bytes of an object or part, which are stored in SQLite.
const SMALL_BYTES: usize = 4096;
/// Verbs that wait for the writer at once: the length of its queue.
const FLIGHT: usize = 2048;

/// Store with content, in a temporary folder.
struct Shelf {
    store: Store,
    root: Root,
    _folder: TempDir,
}

impl Shelf {
    fn fill() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = Config::default().store_options();
        options.data = folder.path().into();
        // Allows parts as small as objects.
        options.part_bytes_min = 1;
        let store = Store::open(options.clone()).expect("a new store");
        let root = Root::new(&store);
        let body = Body::new();
        let put = |n| {
            let condition = WriteCondition::default();
            let new = NewObject {
                headers: ObjectHeaders::default(),
                checksum: None,
                condition,
                event: EventName::ObjectCreatedPut,
                callback_var: None,
            };
            store.put_object(&root.write(object_key(n)), new, body.stage(&store))
        };
        settle((0..OBJECTS).map(put));
        put_multipart(&store, &root, &body);
        store.close();
        drop(store);
        let store = Store::open(options).expect("the same store");
        Self { store, root, _folder: folder }
    }
}

/// Bytes of every object and part.
struct Body(Bytes, Digests);

impl Body {
    fn new() -> Self {
        let bytes = vec![b'x'; SMALL_BYTES];
        let mut hasher = Hasher::new(WantedDigests::default());
        hasher.update(&bytes);
        Self(bytes.into(), hasher.finish())
    }

    fn stage(&self, store: &Store) -> StagedBlob {
        store.stage_inline(self.0.clone(), self.1.clone())
    }
}

fn object_key(n: u64) -> ObjectKey {
    ObjectKey::parse(format!("folder-{:03}/{n:010}", n / 500).as_bytes()).expect("a key")
}

fn multipart_key() -> ObjectKey {
    ObjectKey::parse(b"multipart").expect("a key")
}

/// Root in a new bucket, and a permit for each of its actions there.
struct Root {
    credential: Arc<Credential>,
    bucket: Arc<Bucket>,
}

impl Root {
    fn new(store: &Store) -> Self {
        let new = NewUser { name: "root".into(), root: true, ..NewUser::default() };
        let (_, credential) = store.create_user(new).wait().expect("a user");
        let name = BucketName::parse("bucket").expect("a name");
        let new = Resource::NewBucket(name);
        let create = permit::<CreateBucket>(&credential, Action::CreateBucket, new);
        let created = store.create_bucket(&create, "us-east-1").wait().expect("a bucket");
        let (CreatedBucket::Created(bucket) | CreatedBucket::Exists(bucket)) = created;
        Self { credential, bucket }
    }

    fn on_object<R: Right>(&self, action: Action, key: ObjectKey) -> Permit<R> {
        let path = ObjectPath { bucket: Arc::clone(&self.bucket), key };
        permit(&self.credential, action, Resource::Object(path))
    }

    fn write(&self, key: ObjectKey) -> Permit<WriteObject> {
        self.on_object(Action::PutObject, key)
    }

    fn access(&self, key: ObjectKey) -> ReadAccess<ReadObject> {
        ReadAccess::Allowed(self.on_object(Action::GetObject, key))
    }

    fn list(&self) -> Permit<ListObjects> {
        let bucket = Resource::Bucket(Arc::clone(&self.bucket));
        permit(&self.credential, Action::ListBucket, bucket)
    }
}

fn permit<R: Right>(credential: &Arc<Credential>, action: Action, resource: Resource) -> Permit<R> {
    let principal = Principal::Key(Arc::clone(credential));
    let rules = Rules::default();
    let question = Question { principal, action, resource, origin: None, rules, object: None };
    let permit = decide(question).permit::<R>();
    permit.expect("root may")
}

/// An open object.
fn open(store: &Store, access: &ReadAccess<ReadObject>) -> OpenObject {
    let sealed = store.open_object(access).wait().expect("an object");
    sealed.open(access).expect("root may read it")
}

fn put_multipart(store: &Store, root: &Root, body: &Body) {
    let write = root.write(multipart_key());
    let created = store.create_upload(&write, NewUpload::default()).wait();
    let upload = write.upload(created.expect("an upload").upload.id);
    let numbers: Vec<PartNumber> = (1..=PART_NUMBER_MAX).filter_map(PartNumber::new).collect();
    let put = |number: &PartNumber| store.put_part(&upload, *number, body.stage(store));
    settle(numbers.iter().map(put));
    let etag = Some(ETag::plain(body.1.md5));
    let listed = |number| ListedPart { number, etag, checksums: Vec::new() };
    let complete = CompleteUpload {
        parts: numbers.into_iter().map(listed).collect(),
        condition: WriteCondition::default(),
        object_size: None,
        checksum_type: None,
        checksum: None,
        digests: WholeDigests::default(),
    };
    store.complete_upload(&upload, complete).run().expect("the parts are there");
}

/// Runs many verbs at once, so that they share syncs of the writer.
fn settle<T>(mut verbs: impl Iterator<Item = Pending<T>>) {
    loop {
        let flight: Vec<Pending<T>> = verbs.by_ref().take(FLIGHT).collect();
        if flight.is_empty() {
            return;
        }
        for pending in flight {
            pending.wait().expect("the verb succeeds");
        }
    }
}

fn reads(criterion: &mut Criterion) {
    // Filled by the first benchmark that runs, so that filtered-out benchmarks cost nothing.
    let shelf = LazyCell::new(Shelf::fill);
    let mut group = criterion.benchmark_group("store");
    group.bench_function("list 1,000 of 100,000", |bencher| {
        let Shelf { store, root, .. } = &*shelf;
        let after = Some(object_key(OBJECTS / 2).as_str().to_owned());
        let query = ListQuery { after, max: PAGE, ..ListQuery::default() };
        let permit = root.list();
        let list = || {
            let query = black_box(&query).clone();
            store.list_objects(&permit, query).run().expect("a page")
        };
        assert_eq!((list().entries.len(), list().truncated), (PAGE, true));
        bencher.iter(list);
    });

    group.bench_function("open 4 KiB inline", |bencher| {
        let Shelf { store, root, .. } = &*shelf;
        let access = root.access(object_key(OBJECTS / 3));
        let open = || open(store, black_box(&access));
        assert_eq!(open().inline(None).map(|bytes| bytes.len()), Some(SMALL_BYTES));
        bencher.iter(open);
    });

    // A run of the manifest has 256 parts; the last run of 10,000 parts has 16.
    let size = u64::from(PART_NUMBER_MAX) * SMALL_BYTES as u64;
    for (name, last) in [("range in the middle", size / 2), ("range at the end", size - 1)] {
        group.bench_function(name, |bencher| {
            let Shelf { store, root, .. } = &*shelf;
            let object = open(store, &root.access(multipart_key()));
            assert_eq!(object.record.size, size);
            let range = ByteRange { first: last, last };
            let read = || {
                let mut reader = object.reader(Some(black_box(range))).expect("a reader");
                reader.next().expect("bytes")
            };
            assert_eq!(read().as_deref(), Some(&b"x"[..]));
            bencher.iter(read);
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short::criterion(); targets = reads }
criterion_main!(benches);
