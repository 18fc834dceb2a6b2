//! The store against a plain model: random verbs get the same answers and leave no garbage.
//!
//! One of the two buckets stores contents once, the other does not. The model has all references to
//! each blob, so it predicts the rows, their counts of references, and the files.
//!
//! `PARTITA_MODEL_STEPS` asks for a longer run, `PARTITA_SEED` for an earlier one.

mod compare;
mod content;
mod instant;
mod listing;
mod multipart;
mod upload;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use self::content::{Content, ModelBlob};
use self::upload::{FILES, File, ModelUpload};
use super::instant::wanted;
use super::*;
use crate::store::records::ContentId;
use crate::types::{BlobId, Timestamp};

/// Verbs in one run; the factor by which a run may grow until each of [`MUST_HAPPEN`] has happened;
/// and the verbs between two full comparisons.
const STEPS: usize = 1_500;
const STEPS_TIMES_MAX: usize = 8;
const STEPS_PER_COMPARISON: usize = 150;
/// Longest idle time of an upload: more than a run takes, and less than tombstones are kept.
const IDLE_MS_MAX: u64 = 12 * 3_600_000;
const KEYS: &[&str] = &[
    "a", "a/b", "a/b/c", "a/c", "a//", "b", "b-1", "b/1", "b/1/2", "c/", "c/ä", "d", "ä/x", "ä/y",
];
/// The bucket that stores contents once, and the other one.
const ONCE: &str = "bucket-one";
const APART: &str = "bucket-two";
/// Bytes that many objects and parts have; the last is too small to be found.
static SHARED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    (0..).zip([65_536, 66_000, 70_000, 70_000, 65_535]).map(|(i, n)| body(1 << 41 | i, n)).collect()
});

/// Outcomes that every run must have.
const MUST_HAPPEN: &[&str] = &[
    "object taken",
    "object not taken",
    "part taken",
    "stored once",
    "upload resumed",
    "deduplicated upload created",
    "deduplicated upload completed",
    "upload expired",
];

#[derive(Default)]
struct ModelBucket {
    objects: BTreeMap<String, (Content, ETag)>,
    uploads: BTreeMap<UploadId, ModelUpload>,
}

/// Request and answer of the Complete of an upload.
type Finished = (CompleteUpload, Completed);

/// Upload that has ended: bucket, id, key, and its Complete, if it was not aborted.
type Over = (String, UploadId, String, Option<Finished>);

struct World {
    fixture: Fixture,
    random: Random,
    buckets: BTreeMap<String, (Rights, ModelBucket)>,
    over: Vec<Over>,
    bodies: u64,
    /// Every blob that could be found when it was made.
    made: BTreeMap<BlobId, Rc<[u8]>>,
    /// Results of earlier searches: the bytes that were searched, and the contents found.
    kept: Vec<(Rc<[u8]>, Vec<Readable>)>,
    /// Objects that are being read, whatever becomes of their keys.
    readers: Vec<(OpenObject, Vec<u8>)>,
    /// Outcomes, and the number of each.
    happened: BTreeMap<&'static str, usize>,
}

#[test]
fn random_verbs_answer_as_the_model_does() {
    let setting = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seed: u64 = setting("PARTITA_SEED").unwrap_or_else(clock_seed);
    let steps = setting("PARTITA_MODEL_STEPS").map_or(STEPS, |steps| steps as usize);
    println!("PARTITA_SEED={seed} PARTITA_MODEL_STEPS={steps}");
    let mut world = World::new(seed, Fixture::with(World::options));
    for step in 1.. {
        // Rare things are waited for, up to a bound.
        if step > steps && (world.never().is_none() || step > STEPS_TIMES_MAX * steps) {
            break;
        }
        world.step();
        if step % STEPS_PER_COMPARISON == 0 {
            world.compare_everything();
        }
    }
    world.compare_everything();
    println!("{:?}", world.happened);
    assert_eq!(world.never(), None, "a run without it proves too little");
    world.empty_everything();
}

fn clock_seed() -> u64 {
    crate::clock::now().millis() % 1_000_000
}

/// The rows after `steps` steps of the run that a seed gives, with sources that the seed gives too,
/// and what happened. Every verb is waited for, and garbage is collected by the run alone, so the
/// order of transactions is that of the verbs.
pub(super) fn replay(seed: u64, steps: usize) -> (String, BTreeMap<&'static str, usize>) {
    let mut now = Timestamp::from_millis(1_700_000_000_000);
    let sources = Sources::seeded(seed, now);
    let fixture = Fixture::without_gc(|options| {
        World::options(options);
        options.sources = sources.clone();
    });
    let mut world = World::new(seed, fixture);
    for _ in 0..steps {
        now = now.plus_millis(world.random.below(3_000) as u64);
        sources.set_time(now);
        world.step();
    }
    world.compare_everything();
    (world.fixture.store.engine.db.dump(), world.happened)
}

impl World {
    fn options(options: &mut Options) {
        options.dedup_buckets = vec![ONCE.into()];
        options.upload_idle_ms_max = IDLE_MS_MAX;
    }

    fn new(seed: u64, fixture: Fixture) -> Self {
        let mut buckets = BTreeMap::new();
        for name in [ONCE, APART] {
            buckets.insert(name.to_owned(), (fixture.make_bucket(name), ModelBucket::default()));
        }
        Self {
            fixture: Fixture { packs: true, ..fixture },
            random: Random(seed.wrapping_mul(2).wrapping_add(1)),
            buckets,
            over: Vec::new(),
            bodies: seed << 20,
            made: BTreeMap::new(),
            kept: Vec::new(),
            readers: Vec::new(),
            happened: BTreeMap::new(),
        }
    }

    fn note(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// One of [`MUST_HAPPEN`] that has not happened yet.
    fn never(&self) -> Option<&&str> {
        MUST_HAPPEN.iter().find(|what| !self.happened.contains_key(*what))
    }

    fn bucket(&mut self) -> String {
        (*self.random.pick(&[ONCE, APART])).to_owned()
    }

    /// Bytes that others have too; a whole file among them.
    fn shared_body(&mut self) -> Rc<[u8]> {
        if self.random.below(4) == 0 {
            let seed = self.random.below(FILES as usize) as u64;
            return File::new(seed, false, false).bytes().into();
        }
        self.random.pick(&SHARED).as_slice().into()
    }

    fn body(&mut self) -> Rc<[u8]> {
        if self.random.below(3) == 0 {
            return self.shared_body();
        }
        self.bodies += 1;
        let length = *self.random.pick(&[0, 1, 500, INLINE_BYTES, INLINE_BYTES + 1, 5_000]);
        body(self.bodies, length).into()
    }

    fn step(&mut self) {
        let bucket = self.bucket();
        let name = (*self.random.pick(KEYS)).to_owned();
        match self.random.below(100) {
            0..17 => self.put(&bucket, &name),
            17..24 => self.put_instant(&bucket, &name),
            24..32 => self.delete(&bucket, &name),
            32..38 => self.copy(&bucket, &name),
            38..40 => self.list(&bucket),
            40..43 => self.copy_slowly(&bucket, &name),
            // Few keys, so that a file is declared again while its upload is open.
            43..53 => {
                let name = *self.random.pick(&KEYS[..3]);
                self.create_upload(&bucket, name);
            }
            53..65 => self.put_part(),
            65..72 => self.put_parts_instant(),
            72..75 => self.copy_part(),
            75..85 => self.complete(),
            85..88 => self.abort(),
            88..90 => self.after_the_end(),
            90..92 => self.pause_or_resume(),
            92..94 => self.read_slowly(&bucket, &name),
            94..96 => {
                self.fixture.store.collect_garbage().run().expect("garbage");
            }
            96 => self.crash(),
            // Seldom, so that some uploads live long enough to be completed.
            97 if self.random.below(3) == 0 => self.expire(),
            _ => self.delete_many(&bucket),
        }
    }

    /// If-None-Match, now and then; tells whether it refuses.
    fn condition(&mut self, bucket: &str, name: &str) -> (WriteCondition, bool) {
        let must_be_new = self.random.below(4) == 0;
        let if_none_match = must_be_new.then_some(crate::types::ETagMatch::Any);
        let is_there = self.buckets[bucket].1.objects.contains_key(name);
        (WriteCondition { if_none_match, if_match: None }, must_be_new && is_there)
    }

    fn put(&mut self, bucket: &str, name: &str) {
        let sent = self.body();
        let (condition, is_refused) = self.condition(bucket, name);
        let (staged, blob) = self.stage(bucket, &sent);
        let rights = &self.buckets[bucket].0;
        let new = NewObject { condition, ..new_object() };
        let result = self.fixture.store.put_object(&rights.write(name), new, staged).wait();
        if is_refused {
            assert!(matches!(
                result,
                Err(Error::PreconditionFailed { condition: "If-None-Match" })
            ));
            return;
        }
        let etag = etag(&sent);
        assert_eq!(result.expect("put").etag, etag);
        let blob = self.stored_or_shared(bucket, blob, self.content_of_object(bucket, name));
        let (_, model) = self.buckets.get_mut(bucket).expect("a bucket");
        model.objects.insert(name.to_owned(), (Content::Single(blob), etag));
    }

    fn delete(&mut self, bucket: &str, name: &str) {
        let (rights, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let was_there = self.fixture.delete(rights, name).expect("delete");
        assert_eq!(was_there, model.objects.remove(name).is_some(), "{name}");
    }

    fn delete_many(&mut self, bucket: &str) {
        let (rights, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let names: Vec<&str> = (0..5).map(|_| *self.random.pick(KEYS)).collect();
        let mut remove = |name: &&str| match model.objects.remove(*name) {
            Some(_) => DeleteOutcome::Deleted,
            None => DeleteOutcome::Absent,
        };
        let wanted: Vec<DeleteOutcome> = names.iter().map(&mut remove).collect();
        let permits = rights.deletes(names);
        assert_eq!(self.fixture.store.delete_objects(&permits).wait().expect("gone"), wanted);
    }

    fn copy(&mut self, bucket: &str, name: &str) {
        let from = self.bucket();
        let source_name = *self.random.pick(KEYS);
        let (from_permit, from_model) = &self.buckets[&from];
        let opened = self.fixture.open(from_permit, source_name);
        let Some(source) = from_model.objects.get(source_name).cloned() else {
            assert!(matches!(opened, Err(Error::NoSuchKey)));
            return;
        };
        let (rights, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let opened = opened.expect("open");
        let copied =
            self.fixture.store.copy_object(&rights.write(name), new_object(), &opened).wait();
        assert_eq!(copied.expect("copy").etag, source.1, "a copy keeps the ETag");
        model.objects.insert(name.to_owned(), source);
    }

    /// Begins to read an object, and ends with one that was begun earlier.
    fn read_slowly(&mut self, bucket: &str, name: &str) {
        if self.readers.len() > 3 {
            let (open, bytes) = self.readers.swap_remove(0);
            assert!(read_all(&open).expect("read") == bytes);
        }
        let (rights, model) = &self.buckets[bucket];
        if let Some((content, _)) = model.objects.get(name) {
            let opened = self.fixture.open(rights, name).expect("open");
            self.readers.push((opened, content.bytes()));
        }
    }

    /// Copies an object that was opened earlier. Its content can be taken only while an object or
    /// upload refers to it; a reader that keeps it from being freed is not enough.
    fn copy_slowly(&mut self, bucket: &str, name: &str) {
        if self.readers.is_empty() {
            return;
        }
        let at = self.random.below(self.readers.len());
        let source = self.readers[at].0.clone();
        let id = source.content();
        let is_held = self.is_held(id);
        if let ContentId::Blob(blob) = id
            && !is_held
            && self.count_parts(blob) > 0
        {
            // Parts that wait to be freed have it: nobody knows for how long.
            return;
        }
        let rights = &self.buckets[bucket].0;
        let copied =
            self.fixture.store.copy_object(&rights.write(name), new_object(), &source).wait();
        if !is_held {
            assert!(matches!(copied, Err(Error::NoSuchKey)), "{copied:?}");
            self.note("dead copy refused");
            return;
        }
        let etag = copied.expect("it is alive").etag;
        assert_eq!(etag, source.record.etag, "a copy keeps the ETag");
        let content = self.content(id);
        let (_, model) = self.buckets.get_mut(bucket).expect("a bucket");
        model.objects.insert(name.to_owned(), (content, etag));
    }

    /// Ends all readers, so that every content without a reference can be freed.
    fn end_readers(&mut self) {
        for (open, bytes) in self.readers.drain(..) {
            assert!(read_all(&open).expect("read") == bytes, "other bytes than when it was opened");
        }
    }

    fn crash(&mut self) {
        self.end_readers();
        self.fixture.crash();
        for (name, (rights, _)) in &mut self.buckets {
            *rights = self.fixture.make_bucket(name);
        }
        self.compare_all();
    }
}
