//! The store against a plain model: random verbs, the same answers, nothing left behind.

mod upload;

use std::collections::{BTreeMap, BTreeSet};

use self::upload::{File, ModelUpload, PART_BYTES};
use super::*;
use crate::types::Layout;

/// Verbs in one run.
const STEPS: usize = 700;
const KEYS: &[&str] = &[
    "a", "a/b", "a/b/c", "a/c", "a//", "b", "b-1", "b/1", "b/1/2", "c/", "c/ä", "d", "ä/x", "ä/y",
];

#[derive(Default)]
struct ModelBucket {
    objects: BTreeMap<String, (Vec<u8>, ETag)>,
    uploads: BTreeMap<UploadId, ModelUpload>,
}

/// The list of a completed upload, and what it was answered.
type Finished = (Vec<(u16, Vec<u8>)>, Completed);

/// An upload that is over: bucket, id, key, and how it was completed, unless it was aborted.
type Over = (String, UploadId, String, Option<Finished>);

struct World {
    fixture: Fixture,
    random: Random,
    buckets: BTreeMap<String, (Permit, ModelBucket)>,
    over: Vec<Over>,
    bodies: u64,
}

#[test]
fn random_verbs_answer_as_the_model_does() {
    let seed = std::env::var("PARTITA_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(clock_seed);
    println!("PARTITA_SEED={seed}");
    let fixture = Fixture::new();
    let mut world = World {
        fixture,
        random: Random(seed.wrapping_mul(2).wrapping_add(1)),
        buckets: BTreeMap::new(),
        over: Vec::new(),
        bodies: seed << 20,
    };
    for name in ["one", "two"] {
        let name = format!("bucket-{name}");
        let permit = world.fixture.make_bucket(&name);
        world.buckets.insert(name, (permit, ModelBucket::default()));
    }
    for _ in 0..STEPS {
        world.step();
    }
    world.compare_all();
    world.fixture.check();
    world.compare_files();
    world.empty_everything();
}

fn clock_seed() -> u64 {
    crate::clock::now().millis() % 1_000_000
}

impl World {
    fn bucket(&mut self) -> String {
        let names: Vec<String> = self.buckets.keys().cloned().collect();
        self.random.pick(&names).clone()
    }

    fn body(&mut self) -> Vec<u8> {
        self.bodies += 1;
        let length = *self.random.pick(&[0, 1, 500, INLINE_BYTES, INLINE_BYTES + 1, 5_000, 70_000]);
        body(self.bodies, length)
    }

    fn step(&mut self) {
        let bucket = self.bucket();
        let name = (*self.random.pick(KEYS)).to_owned();
        match self.random.below(100) {
            0..25 => self.put(&bucket, &name),
            25..37 => self.delete(&bucket, &name),
            37..45 => self.copy(&bucket, &name),
            45..55 => self.list(&bucket),
            55..61 => self.create_upload(&bucket, &name),
            61..79 => self.put_part(),
            79..88 => self.complete(),
            88..91 => self.abort(),
            91..93 => self.after_the_end(),
            93..95 => self.pause_or_resume(),
            95..97 => {
                self.fixture.store.collect_garbage().expect("garbage");
            }
            97..99 => self.crash(),
            _ => self.delete_many(&bucket),
        }
    }

    fn put(&mut self, bucket: &str, name: &str) {
        let sent = self.body();
        let must_be_new = self.random.below(4) == 0;
        let condition = WriteCondition {
            if_none_match: must_be_new.then_some(crate::types::ETagMatch::Any),
            if_match: None,
        };
        let (permit, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let result = self.fixture.put_if(permit, name, &sent, condition);
        if must_be_new && model.objects.contains_key(name) {
            assert!(matches!(
                result,
                Err(Error::PreconditionFailed { condition: "If-None-Match" })
            ));
            return;
        }
        let etag = etag(&sent);
        assert_eq!(result.expect("put").etag, etag);
        model.objects.insert(name.to_owned(), (sent, etag));
    }

    fn delete(&mut self, bucket: &str, name: &str) {
        let (permit, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let was_there = self.fixture.delete(permit, name).expect("delete");
        assert_eq!(was_there, model.objects.remove(name).is_some(), "{name}");
    }

    fn delete_many(&mut self, bucket: &str) {
        let (permit, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let names: Vec<&str> = (0..5).map(|_| *self.random.pick(KEYS)).collect();
        let wanted: Vec<bool> =
            names.iter().map(|name| model.objects.remove(*name).is_some()).collect();
        let keys = names.iter().map(|name| key(name)).collect();
        assert_eq!(self.fixture.store.delete_objects(permit, keys).wait().expect("gone"), wanted);
    }

    fn copy(&mut self, bucket: &str, name: &str) {
        let from = self.bucket();
        let source_name = *self.random.pick(KEYS);
        let (from_permit, from_model) = &self.buckets[&from];
        let opened = self.fixture.store.open_object(from_permit, &key(source_name));
        let Some(source) = from_model.objects.get(source_name).cloned() else {
            assert!(matches!(opened, Err(Error::NoSuchKey)));
            return;
        };
        let (permit, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let opened = opened.expect("open");
        let copied = self.fixture.store.copy_object(permit, new_object(name), &opened).wait();
        assert_eq!(copied.expect("copy").etag, source.1, "a copy keeps the ETag");
        model.objects.insert(name.to_owned(), source);
    }

    fn create_upload(&mut self, bucket: &str, name: &str) {
        let (permit, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let seed = self.random.below(2) as u64;
        let layout = Layout::new(2 * PART_BYTES + 700 * seed, PART_BYTES).expect("a layout");
        let declared = match self.random.below(3) {
            0 => None,
            kind => Some(File { seed, layout, is_named: kind == 2 }),
        };
        let declaration = declared.map(File::declaration);
        let new = NewUpload { declaration, ..NewUpload::default() };
        let created = self.fixture.store.create_upload(permit, key(name), new).wait();
        let created = created.expect("an upload begins");
        let known = model.uploads.iter_mut().find(|(_, upload)| {
            let is_named = declared.is_some_and(|file| file.is_named);
            is_named && upload.name == name && upload.declared == declared
        });
        assert_eq!(created.is_resumed, known.is_some());
        match known {
            Some((id, upload)) => {
                assert_eq!(created.upload.id, *id);
                assert_eq!(created.upload.paused.is_some(), upload.is_paused);
                upload.creators += 1;
            }
            None => {
                let name = name.to_owned();
                let upload = ModelUpload { name, declared, creators: 1, ..Default::default() };
                model.uploads.insert(created.upload.id, upload);
            }
        }
    }

    fn pick_upload(&mut self) -> Option<(String, UploadId)> {
        let all: Vec<(String, UploadId)> = self
            .buckets
            .iter()
            .flat_map(|(name, (_, model))| model.uploads.keys().map(|id| (name.clone(), *id)))
            .collect();
        (!all.is_empty()).then(|| self.random.pick(&all).clone())
    }

    fn put_part(&mut self) {
        let Some((bucket, upload)) = self.pick_upload() else { return };
        let mut number = self.random.below(8) as u16 + 1;
        let mut sent = self.body();
        let (permit, model) = self.buckets.get_mut(&bucket).expect("a bucket");
        let upload_id = upload;
        let upload = model.uploads.get_mut(&upload).expect("an upload");
        if let Some(file) = upload.declared
            && self.random.below(4) > 0
        {
            number = number % 4 + 1;
            sent = file.part(number);
            // Other bytes of the same length: only the digest of the whole file can tell.
            if self.random.below(8) == 0 && !sent.is_empty() {
                sent[0] ^= 1;
            }
        }
        let stored = self.fixture.put_part(permit, &upload.name, upload_id, number, &sent);
        let bytes = upload.declared.map(|file| file.layout.bytes_of(part_number(number)));
        if bytes.is_some_and(|bytes| bytes != Some(sent.len() as u64)) {
            assert!(matches!(stored, Err(Error::PartMisfit { .. })), "{stored:?}");
            return;
        }
        let part = stored.expect("a part");
        assert_eq!((part.size, part.etag), (sent.len() as u64, etag(&sent)));
        upload.parts.insert(number, sent);
    }

    fn pause_or_resume(&mut self) {
        let Some((bucket, id)) = self.pick_upload() else { return };
        let (permit, model) = self.buckets.get_mut(&bucket).expect("a bucket");
        let upload = model.uploads.get_mut(&id).expect("an upload");
        upload.is_paused = self.random.below(2) == 0;
        let (store, name) = (&self.fixture.store, key(&upload.name));
        let set = match upload.is_paused {
            true => store.pause_upload(permit, &name, id),
            false => store.resume_upload(permit, &name, id),
        };
        set.wait().expect("a state");
    }

    fn complete(&mut self) {
        let Some((bucket, upload)) = self.pick_upload() else { return };
        let (permit, model) = self.buckets.get_mut(&bucket).expect("a bucket");
        let ModelUpload { name, parts, declared, .. } = &model.uploads[&upload];
        let all = declared.is_some() && self.random.below(4) > 0;
        let listed: Vec<(u16, Vec<u8>)> = parts
            .iter()
            .filter(|_| all || self.random.below(4) > 0)
            .map(|(number, part)| (*number, part.clone()))
            .collect();
        let list: Vec<(u16, &[u8])> =
            listed.iter().map(|(number, part)| (*number, part.as_slice())).collect();
        let result = self.fixture.complete(permit, name, upload, &list);
        if listed.is_empty() {
            assert!(matches!(result, Err(Error::NoParts)));
            return;
        }
        if let Some(file) = declared {
            if listed.len() < usize::from(file.layout.count()) {
                assert!(matches!(result, Err(Error::Incomplete(_))), "{result:?}");
                return;
            }
            if file.is_named && listed.iter().any(|(number, part)| *part != file.part(*number)) {
                assert!(matches!(result, Err(Error::WholeMismatch { .. })), "{result:?}");
                return;
            }
        }
        let completed = result.expect("complete");
        let whole = listed.iter().flat_map(|(_, part)| part.iter().copied()).collect();
        let name = name.clone();
        model.objects.insert(name.clone(), (whole, completed.etag));
        model.uploads.remove(&upload);
        self.over.push((bucket, upload, name, Some((listed, completed))));
    }

    fn abort(&mut self) {
        let Some((bucket, upload)) = self.pick_upload() else { return };
        let (permit, model) = self.buckets.get_mut(&bucket).expect("a bucket");
        let open = model.uploads.get_mut(&upload).expect("an upload");
        let (store, name) = (&self.fixture.store, key(&open.name));
        if self.random.below(4) == 0 {
            store.cancel_upload(permit, &name, upload).wait().expect("cancel");
        } else {
            store.abort_upload(permit, &name, upload).wait().expect("abort");
            open.creators -= 1;
            if open.creators > 0 {
                return;
            }
        }
        let open = model.uploads.remove(&upload).expect("an upload");
        self.over.push((bucket, upload, open.name, None));
    }

    /// An upload that is over takes no part and no Abort; only the same Complete is repeated.
    fn after_the_end(&mut self) {
        if self.over.is_empty() {
            return;
        }
        let (bucket, upload, name, finished) = self.random.pick(&self.over);
        let permit = &self.buckets[bucket].0;
        let late = self.fixture.put_part(permit, name, *upload, 1, &body(1, 2_000));
        assert!(matches!(late, Err(Error::NoSuchUpload)));
        let abort = self.fixture.store.abort_upload(permit, &key(name), *upload).wait();
        assert!(matches!(abort, Err(Error::NoSuchUpload)));
        let Some((listed, completed)) = finished else { return };
        let mut list: Vec<(u16, &[u8])> =
            listed.iter().map(|(number, part)| (*number, part.as_slice())).collect();
        let again = self.fixture.complete(permit, name, *upload, &list).expect("again");
        assert_eq!(again, *completed);
        list.push((9, b""));
        let other = self.fixture.complete(permit, name, *upload, &list);
        assert!(matches!(other, Err(Error::NoSuchUpload)));
    }

    fn crash(&mut self) {
        self.fixture.crash();
        for (name, (permit, _)) in &mut self.buckets {
            *permit = self.fixture.make_bucket(name);
        }
        self.compare_all();
    }

    fn list(&mut self, bucket: &str) {
        let prefix = *self.random.pick(&["", "a", "a/", "b", "c/", "ä", "zzz", "a/b"]);
        let delimiter = *self.random.pick(&[None, Some("/"), Some("//"), Some("-"), Some("b")]);
        let after = *self.random.pick(&[None, None, Some("a/"), Some("a/b"), Some("b"), Some("ä")]);
        let max = *self.random.pick(&[0, 1, 2, 3, 100]);
        let query = ListQuery {
            prefix: prefix.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            after: after.map(str::to_owned),
            max,
        };
        let (permit, model) = &self.buckets[bucket];
        let page = self.fixture.store.list_objects(permit, &query).expect("a list");
        let got: Vec<(String, bool)> = page.entries.iter().map(entry_name).collect();
        let all = fold(model.objects.keys().map(String::as_str), prefix, delimiter, after);
        let wanted: Vec<_> = all.iter().take(max).cloned().collect();
        assert_eq!((got, page.truncated), (wanted, max > 0 && all.len() > max), "{query:?}");
        self.list_uploads(bucket, &query);
    }

    fn list_uploads(&self, bucket: &str, query: &ListQuery) {
        let (permit, model) = &self.buckets[bucket];
        let page = self.fixture.store.list_uploads(
            permit,
            &UploadsQuery {
                prefix: query.prefix.clone(),
                delimiter: query.delimiter.clone(),
                key_marker: query.after.clone(),
                upload_id_marker: None,
                max: query.max,
            },
        );
        let page = page.expect("a list");
        let got: Vec<(String, bool)> = page
            .entries
            .iter()
            .map(|entry| match entry {
                Listed::Item(upload) => (upload.key.as_str().to_owned(), true),
                Listed::Prefix(prefix) => (prefix.clone(), false),
            })
            .collect();
        let mut keys: Vec<&str> = model.uploads.values().map(|open| open.name.as_str()).collect();
        keys.sort_unstable();
        let after = query.after.as_deref();
        let all = fold(keys.into_iter(), &query.prefix, query.delimiter.as_deref(), after);
        let wanted: Vec<_> = all.iter().take(query.max).cloned().collect();
        let truncated = query.max > 0 && all.len() > query.max;
        assert_eq!((got, page.truncated), (wanted, truncated), "{query:?}");
    }

    fn compare_all(&self) {
        for (bucket, (permit, model)) in &self.buckets {
            for name in KEYS {
                let read = self.fixture.read(permit, name);
                match model.objects.get(*name) {
                    None => assert!(matches!(read, Err(Error::NoSuchKey)), "{bucket}/{name}"),
                    Some((wanted, etag)) => {
                        assert!(read.expect("read") == *wanted, "{bucket}/{name}");
                        let record = self.fixture.store.object(permit, &key(name)).expect("head");
                        assert_eq!((record.etag, record.size), (*etag, wanted.len() as u64));
                    }
                }
            }
            for (upload, open) in &model.uploads {
                let ModelUpload { name, parts, .. } = open;
                let page = self.fixture.store.list_parts(permit, &key(name), *upload, 0, 1000);
                let page = page.expect("parts");
                let got: Vec<_> = page.parts.iter().map(|p| (p.number.get(), p.etag)).collect();
                let wanted: Vec<_> = parts.iter().map(|(n, part)| (*n, etag(part))).collect();
                assert_eq!(got, wanted);
                let blocks = self.fixture.store.missing_blocks(
                    permit,
                    &key(name),
                    *upload,
                    PartNumber::FIRST,
                    1000,
                );
                let blocks = blocks.expect("what is missing");
                let numbers =
                    blocks.missing.iter().flat_map(|gap| gap.first.get()..=gap.last.get());
                assert_eq!(numbers.collect::<Vec<_>>(), open.missing());
                assert_eq!(blocks.upload.paused.is_some(), open.is_paused);
            }
        }
    }

    /// Files on the disk are the blobs that are alive, no more and no fewer.
    fn compare_files(&self) {
        let reader = self.fixture.store.engine.readers.take().expect("a reader");
        let sql = "SELECT count(*) FROM blobs WHERE inline_row IS NULL";
        let rows: i64 = reader.query_row(sql, [], |row| row.get(0)).expect("a count");
        assert_eq!(self.fixture.count_files() as i64, rows);
    }

    /// With the buckets goes everything.
    fn empty_everything(self) {
        for (permit, model) in self.buckets.values() {
            let keys = model.objects.keys().map(|name| key(name)).collect();
            self.fixture.store.delete_objects(permit, keys).wait().expect("gone");
            self.fixture.store.delete_bucket(permit).wait().expect("the bucket is empty");
        }
        self.fixture.check();
        assert_eq!(self.fixture.count_files(), 0);
        for table in [
            "objects",
            "blobs",
            "inline_bytes",
            "uploads",
            "declarations",
            "parts",
            "manifests",
            "manifest_runs",
            "garbage",
            "object_headers",
            "buckets",
        ] {
            assert_eq!(self.fixture.count_rows(table), 0, "{table}");
        }
    }
}

fn entry_name(entry: &Listed<ListedObject>) -> (String, bool) {
    match entry {
        Listed::Item(object) => (object.key.clone(), true),
        Listed::Prefix(prefix) => (prefix.clone(), false),
    }
}

/// The page that S3 defines, the naive way: all entries (key, whether it is an item).
fn fold<'a>(
    keys: impl Iterator<Item = &'a str>,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<&str>,
) -> Vec<(String, bool)> {
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    for key in keys.filter(|key| key.starts_with(prefix)) {
        let cut = delimiter.and_then(|d| key[prefix.len()..].find(d).map(|at| at + d.len()));
        let entry = cut.map_or((key, true), |cut| (&key[..prefix.len() + cut], false));
        let is_after = after.is_none_or(|after| entry.0 > after);
        if is_after && (entry.1 || seen.insert(entry.0)) {
            entries.push((entry.0.to_owned(), entry.1));
        }
    }
    entries
}
