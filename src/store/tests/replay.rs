//! Replay: one seed gives the same rows, byte for byte.
//!
//! Every verb is waited for, and garbage is collected by the test, so the order of transactions is
//! that of the verbs.

use std::collections::BTreeMap;

use super::*;
use crate::types::{Layout, Timestamp};

const STEPS: usize = 600;
const KEYS: [&str; 8] = ["a", "a/b", "a/c", "b", "b/1", "c/", "ä", "zz"];
/// Inline, packed and in files; one is large enough to be stored once.
const LENGTHS: [usize; 6] = [0, 300, INLINE_BYTES, 5_000, 70_000, 140_000];
const BEGIN: u64 = 1_700_000_000_000;
const IDLE_MS_MAX: u64 = 40_000;

/// An open upload: name, id, and the bodies of its parts.
type Open = (&'static str, UploadId, BTreeMap<u16, Vec<u8>>);

/// One run of the sequence that a seed gives.
struct Run {
    fixture: Fixture,
    rights: Rights,
    random: Random,
    now: Timestamp,
    uploads: Vec<Open>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let now = Timestamp::from_millis(BEGIN);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut options = options(&folder);
        options.sources = Sources::seeded(seed, now);
        options.upload_idle_ms_max = IDLE_MS_MAX;
        options.dedup_buckets = vec!["bucket".into()];
        let store = Store::open_without_gc(options.clone()).expect("a new store opens");
        let fixture = Fixture::around(store, options, folder);
        let fixture = Fixture { packs: true, ..fixture };
        let rights = fixture.make_bucket("bucket");
        Self { fixture, rights, random: Random(2 * seed + 1), now, uploads: Vec::new() }
    }

    /// The rows after all steps, and which steps there were.
    fn run(mut self) -> (String, BTreeMap<&'static str, usize>) {
        let mut happened = BTreeMap::new();
        for _ in 0..STEPS {
            self.now = self.now.plus_millis(self.random.below(3_000) as u64);
            self.fixture.options.sources.set_time(self.now);
            *happened.entry(self.step()).or_default() += 1;
        }
        self.fixture.store.collect_garbage().expect("garbage");
        assert_eq!(self.fixture.store.check_blocks().expect("check runs"), Vec::<String>::new());
        (self.fixture.store.engine.db.dump(), happened)
    }

    /// A body out of few, so that some come again.
    fn body(&mut self) -> Vec<u8> {
        let seed = self.random.below(30) as u64;
        body(seed, *self.random.pick(&LENGTHS))
    }

    fn step(&mut self) -> &'static str {
        let name = *self.random.pick(&KEYS);
        match self.random.below(20) {
            0..6 => self.put(name),
            6..8 => {
                self.fixture.delete(&self.rights, name).expect("delete");
                "delete"
            }
            8..10 => self.copy(name),
            10..12 => self.create(name),
            12..16 => self.add_part(),
            16 => self.complete(),
            17 => self.abort(),
            18 => {
                let expired = self.fixture.store.expire_uploads(self.now).expect("expiry");
                let (store, rights) = (&self.fixture.store, &self.rights);
                self.uploads
                    .retain(|(name, id, _)| store.upload(&rights.upload(name, *id)).wait().is_ok());
                if expired > 0 { "expire" } else { "nothing expires" }
            }
            _ => {
                self.fixture.store.collect_garbage().expect("garbage");
                "collect"
            }
        }
    }

    fn put(&mut self, name: &str) -> &'static str {
        let sent = self.body();
        let staged = match sent.len() > INLINE_BYTES && self.random.below(2) == 0 {
            true => self.fixture.stage_known(&self.rights, &sent),
            false => self.fixture.stage(&self.rights, &sent, None),
        };
        let permit = self.rights.write(name);
        self.fixture.store.put_object(&permit, new_object(), staged).wait().expect("put");
        "put"
    }

    fn copy(&mut self, name: &str) -> &'static str {
        let source = *self.random.pick(&KEYS);
        let Ok(source) = self.fixture.open(&self.rights, source) else { return "copy of nothing" };
        let permit = self.rights.write(name);
        self.fixture.store.copy_object(&permit, new_object(), &source).wait().expect("copy");
        "copy"
    }

    fn create(&mut self, name: &'static str) -> &'static str {
        let is_declared = self.random.below(2) == 0;
        let layout = Layout::new(10_000_000, 5_000).filter(|_| is_declared);
        let digests = WholeDigests::default();
        let declaration = layout.map(|layout| Declaration { layout: Some(layout), digests });
        let new = NewUpload { declaration, ..NewUpload::default() };
        let made = self.fixture.store.create_upload(&self.rights.write(name), new).wait();
        let id = made.expect("an upload").upload.id;
        if !is_declared {
            self.uploads.push((name, id, BTreeMap::new()));
        }
        "create"
    }

    fn add_part(&mut self) -> &'static str {
        if self.uploads.is_empty() {
            return "no upload";
        }
        let (number, sent) = (1 + self.random.below(4) as u16, self.body());
        let at = self.random.below(self.uploads.len());
        let (name, id, parts) = &mut self.uploads[at];
        self.fixture.put_part(&self.rights, name, *id, number, &sent).expect("a part");
        parts.insert(number, sent);
        "part"
    }

    fn complete(&mut self) -> &'static str {
        if self.uploads.is_empty() {
            return "no upload";
        }
        let at = self.random.below(self.uploads.len());
        let (name, id, parts) = self.uploads.swap_remove(at);
        let listed: Vec<(u16, &[u8])> = parts.iter().map(|(n, part)| (*n, &part[..])).collect();
        match self.fixture.complete(&self.rights, name, id, &listed) {
            Ok(_) => "complete",
            Err(Error::NoParts) => "complete of nothing",
            Err(error) => panic!("{error}"),
        }
    }

    fn abort(&mut self) -> &'static str {
        if self.uploads.is_empty() {
            return "no upload";
        }
        let at = self.random.below(self.uploads.len());
        let (name, id, _) = self.uploads.swap_remove(at);
        self.fixture.store.abort_upload(&self.rights.ending(name, id)).wait().expect("abort");
        "abort"
    }
}

/// The first line in which two dumps differ.
fn first_difference<'a>(one: &'a str, other: &'a str) -> Option<(&'a str, &'a str)> {
    let lines = one.lines().zip(other.lines());
    let differs = |(one, other): &(&str, &str)| one != other;
    lines.into_iter().find(differs).or((one.len() != other.len()).then_some(("", "")))
}

#[test]
fn a_seed_gives_the_same_rows_byte_for_byte() {
    let (one, happened) = Run::new(7).run();
    println!("{happened:?}, {} bytes of rows", one.len());
    for what in ["put", "delete", "copy", "create", "part", "complete", "abort", "expire"] {
        assert!(happened.contains_key(what), "no {what} among {happened:?}");
    }
    let (again, _) = Run::new(7).run();
    assert_eq!(first_difference(&one, &again), None, "the same seed");
    assert!(one == again);
    let (other, _) = Run::new(8).run();
    assert!(one != other, "another seed");
}
