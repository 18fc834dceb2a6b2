//! Verbs that store by reference, in the model: the contents that a search may find, those of
//! earlier searches that can still be taken, and the blob that a body becomes where equal bytes are
//! stored once.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::content::{Census, Content, ModelBlob};
use super::upload::File;
use super::*;
use crate::store::db::sqlite::objects;
use crate::store::records::{ContentId, Via};
use crate::types::BlobId;

/// Results of searches that are kept, to be taken when they may be stale.
const KEPT_MAX: usize = 12;
/// Number of results from which on a search may omit some.
const FOUND_MAX: usize = 32;
const PARTS_MAX: usize = 8;

impl World {
    /// References of all objects and uploads.
    pub(super) fn census(&self) -> Census {
        let mut census = Census::default();
        for (_, model) in self.buckets.values() {
            model.objects.values().for_each(|(content, _)| census.count(content));
            for upload in model.uploads.values() {
                upload.deduplicated.iter().for_each(|content| census.count(content));
                upload.parts.values().for_each(|part| census.count_blob(part));
            }
        }
        census
    }

    /// Content of the model with this id of the store.
    pub(super) fn content(&self, id: ContentId) -> Content {
        if let ContentId::Blob(id) = id {
            return Content::Single(Rc::clone(&self.census().blobs[&id].0));
        }
        let held = self.contents().into_iter().find(|content| content.id() == id);
        held.expect("somebody has it")
    }

    /// True if an object or upload refers to it.
    pub(super) fn is_held(&self, id: ContentId) -> bool {
        match id {
            ContentId::Blob(id) => self.census().blobs.contains_key(&id),
            ContentId::Manifest(id) => self.census().manifests.contains_key(&id),
        }
    }

    /// Contents of objects, and of uploads that were created with content.
    fn contents(&self) -> Vec<Content> {
        let models = self.buckets.values().map(|(_, model)| model);
        let held = models.flat_map(|model| {
            let objects = model.objects.values().map(|(content, _)| content.clone());
            objects.chain(model.uploads.values().filter_map(|upload| upload.deduplicated.clone()))
        });
        held.collect()
    }

    /// True if the object or part that made the candidate readable still has its content.
    pub(super) fn holds(&self, candidate: &Candidate) -> bool {
        match &candidate.via {
            Via::Object { bucket, key, part } => {
                let models = self.buckets.values();
                let model = models.filter(|(rights, _)| rights.bucket().id == bucket.id);
                let object = model.filter_map(|(_, model)| model.objects.get(key.as_str())).next();
                let Some((content, _)) = object else { return false };
                let Some((manifest, number)) = part else {
                    return content.id() == candidate.content;
                };
                content.id() == ContentId::Manifest(*manifest)
                    && content
                        .parts()
                        .get(&number.get())
                        .is_some_and(|part| ContentId::Blob(part.id) == candidate.content)
            }
            Via::Part { upload, number, .. } => {
                let open = self.buckets.values().find_map(|(_, model)| model.uploads.get(upload));
                let part = open.and_then(|open| open.parts.get(&number.get()));
                part.is_some_and(|part| ContentId::Blob(part.id) == candidate.content)
            }
        }
    }

    /// Stages a body, often so that its SHA-256 is known.
    pub(super) fn stage(&mut self, bucket: &str, bytes: &Rc<[u8]>) -> (StagedBlob, ModelBlob) {
        let rights = &self.buckets[bucket].0;
        let is_known = bytes.len() > INLINE_BYTES && self.random.below(5) > 0;
        let staged = match is_known {
            true => self.fixture.stage_known(rights, bytes),
            false => self.fixture.stage(rights, bytes, None),
        };
        let blob = ModelBlob { id: staged.id(), bytes: Rc::clone(bytes), is_known };
        if blob.can_be_found() {
            self.made.insert(blob.id, Rc::clone(bytes));
        }
        (staged, blob)
    }

    /// The blob that `sent` became, by the id that the store answers. In a bucket that stores
    /// contents once it must be an older blob of the same bytes, if there is one; else it is `sent`
    /// itself. An older blob may be referred to only by parts that wait to be freed.
    pub(super) fn stored_or_shared(
        &mut self,
        bucket: &str,
        sent: ModelBlob,
        became: ContentId,
    ) -> Rc<ModelBlob> {
        let ContentId::Blob(id) = became else { panic!("{became:?} is no blob") };
        let is_once = bucket == ONCE && sent.can_be_found();
        let census = self.census();
        let same = census.same_as(&sent.bytes).filter(|_| is_once);
        if id == sent.id {
            assert!(same.is_none(), "{bucket}: {id} could have been shared");
            return Rc::new(sent);
        }
        assert!(is_once, "{bucket}: {id} should not have been shared");
        assert!(self.made.get(&id) == Some(&sent.bytes), "{id} has other bytes");
        let same = same.cloned();
        self.note("stored once");
        match same {
            Some(same) if same.id == id => same,
            Some(same) => {
                assert!(id < same.id, "{id} is not the first of its bytes");
                Rc::new(ModelBlob { id, ..sent })
            }
            None => Rc::new(ModelBlob { id, ..sent }),
        }
    }

    pub(super) fn content_of_object(&self, bucket: &str, name: &str) -> ContentId {
        let rights = &self.buckets[bucket].0;
        let found = objects::read_content_id(&self.fixture.store.engine.db, &rights.path(name));
        found.expect("a lookup").expect("an object")
    }

    pub(super) fn blob_of_part(&self, upload: UploadId, number: u16) -> ContentId {
        let db = &self.fixture.store.engine.db;
        ContentId::Blob(db.blob_of_part(upload, part_number(number)))
    }

    /// Single blobs of these bytes that may be read now, as the store finds them.
    fn find_blobs(&mut self, bucket: &str, bytes: &[u8]) -> Vec<Readable> {
        let prefix = *self.random.pick(&[None, None, None, Some("a"), Some("b/")]);
        let prefixes = prefix.map(|prefix| vec![prefix.to_owned()]);
        let rights = &self.buckets[bucket].0;
        let wanted = Wanted { prefixes, ..wanted(bytes) };
        // Of a blob with more parts than that, not all are looked at. Counted first: GC takes rows
        // away at any time, and adds none.
        let census = self.census();
        let same = census.blobs.values().map(|(blob, _)| blob);
        let same = same.filter(|blob| blob.can_be_found() && *blob.bytes == *bytes);
        let must: Vec<BlobId> = same
            .filter(|blob| self.is_readable(blob.id) && self.count_parts(blob.id) <= PARTS_MAX)
            .map(|blob| blob.id)
            .collect();
        let found =
            self.fixture.store.find_blobs(&rights.write("any"), wanted).run().expect("a search");
        self.check_found(bucket, prefix, bytes, &found);
        if prefix.is_none() && found.len() < FOUND_MAX {
            let got: BTreeSet<ContentId> = found.iter().map(|found| found.content).collect();
            let missed = must.into_iter().find(|id| !got.contains(&ContentId::Blob(*id)));
            assert_eq!(missed, None, "it can be read, and is not found");
        }
        self.grant(found)
    }

    /// True if the blob is an object, or a part of an object or of an open upload.
    fn is_readable(&self, id: BlobId) -> bool {
        let holds = |parts: &std::collections::BTreeMap<u16, Rc<ModelBlob>>| {
            parts.values().any(|part| part.id == id)
        };
        self.buckets.values().any(|(_, model)| {
            model.objects.values().any(|(content, _)| holds(&content.parts()))
                || model.uploads.values().any(|upload| holds(&upload.parts))
        })
    }

    /// Rows of parts with this blob, those that wait to be freed among them.
    pub(super) fn count_parts(&self, id: BlobId) -> usize {
        self.fixture.store.engine.db.count_parts_of(id)
    }

    /// Checks results of a search: the bytes and the prefix are those of the search, and the
    /// content can be taken now.
    fn check_found(&self, bucket: &str, prefix: Option<&str>, bytes: &[u8], found: &[Candidate]) {
        for candidate in found {
            assert!(self.holds(candidate), "{candidate:?} cannot be read so");
            assert!(self.content(candidate.content).bytes() == bytes, "{candidate:?}: other bytes");
            if let (Some(prefix), Some((of, key))) = (prefix, candidate.object()) {
                assert_eq!(of.id, self.buckets[bucket].0.bucket().id);
                assert!(key.as_str().starts_with(prefix), "{candidate:?} is outside of {prefix}");
            }
        }
    }

    fn grant(&self, found: Vec<Candidate>) -> Vec<Readable> {
        let grant = |candidate: Candidate| {
            let permit = self.fixture.permit_for(&candidate);
            candidate.granted(permit.as_ref()).expect("root may read all")
        };
        found.into_iter().map(grant).collect()
    }

    /// Whole contents that may be read now, for an upload that declares a file; sometimes none, as
    /// of a Create that does not ask. Sometimes results of earlier searches, also for other files,
    /// come before them.
    pub(super) fn readable_files(&mut self, bucket: &str, declared: Option<File>) -> Vec<Readable> {
        let Some(file) = declared else { return Vec::new() };
        let mut readables = Vec::new();
        if self.random.below(3) == 0 {
            readables.extend(self.kept.iter().flat_map(|(_, old)| old.clone()));
        }
        if self.random.below(3) > 0 {
            let rights = &self.buckets[bucket].0;
            let found =
                self.fixture.store.find_contents(&rights.write("any"), wanted(file.bytes())).run();
            let found = found.expect("a search");
            self.check_found(bucket, None, file.bytes(), &found);
            let got: BTreeSet<ContentId> = found.iter().map(|found| found.content).collect();
            let mut objects = self.buckets.values().flat_map(|(_, model)| model.objects.values());
            assert!(objects.all(|(content, _)| !content.is_found_by(file.bytes())
                || got.contains(&content.id())
                || found.len() >= FOUND_MAX));
            let fresh = self.grant(found);
            self.keep(file.bytes().into(), &fresh);
            readables.extend(fresh);
        }
        readables
    }

    fn keep(&mut self, bytes: Rc<[u8]>, readables: &[Readable]) {
        if self.kept.len() == KEPT_MAX {
            let at = self.random.below(KEPT_MAX);
            self.kept.swap_remove(at);
        }
        self.kept.push((bytes, readables.to_vec()));
    }

    /// Bytes and the single blobs that have them, from a search now or an earlier one.
    fn readables(&mut self, bucket: &str, bytes: Rc<[u8]>) -> (Rc<[u8]>, Vec<Readable>) {
        let is_single = |kept: &&(Rc<[u8]>, Vec<Readable>)| {
            kept.1.iter().all(|readable| readable.single().is_some())
        };
        let old: Vec<_> = self.kept.iter().filter(is_single).cloned().collect();
        if !old.is_empty() && self.random.below(3) == 0 {
            return self.random.pick(&old).clone();
        }
        let found = self.find_blobs(bucket, &bytes);
        self.keep(Rc::clone(&bytes), &found);
        (bytes, found)
    }

    /// The first that can be taken, by what the model knows.
    fn taken(&self, readables: &[Readable]) -> Option<Rc<ModelBlob>> {
        let taken = readables.iter().find(|readable| self.holds(&readable.candidate))?;
        match self.content(taken.content()) {
            Content::Single(blob) => Some(blob),
            Content::Joined(_) => panic!("a single blob was looked for"),
        }
    }

    /// PutObject of what is there already.
    pub(super) fn put_instant(&mut self, bucket: &str, name: &str) {
        let bytes = self.shared_body();
        let (bytes, readables) = self.readables(bucket, bytes);
        let taken = self.taken(&readables);
        let (condition, is_refused) = self.condition(bucket, name);
        let rights = &self.buckets[bucket].0;
        let new = NewObject { condition, ..new_object() };
        let result =
            self.fixture.store.put_object_instant(&rights.write(name), new, readables).wait();
        if is_refused {
            assert!(matches!(result, Err(Error::PreconditionFailed { .. })), "{result:?}");
            return;
        }
        let published = result.expect("an answer");
        assert_eq!(published.is_some(), taken.is_some(), "{bucket}/{name}");
        self.note(if taken.is_some() { "object taken" } else { "object not taken" });
        let (Some(published), Some(blob)) = (published, taken) else { return };
        assert_eq!(published.etag, etag(&bytes));
        let content = Content::Single(blob);
        assert_eq!(self.content_of_object(bucket, name), content.id());
        let (_, model) = self.buckets.get_mut(bucket).expect("a bucket");
        model.objects.insert(name.to_owned(), (content, published.etag));
    }

    /// UploadPart of what is there already; or all parts of a file at once, as a comparison of
    /// digests fills them.
    pub(super) fn put_parts_instant(&mut self) {
        let Some((bucket, id)) = self.pick_upload() else { return };
        let declared = self.upload(&bucket, id).declared;
        let numbers = match declared {
            Some(file) if self.random.below(2) == 0 => self.compare_blocks(&bucket, id, file),
            _ => vec![self.random.below(5) as u16 + 1],
        };
        let mut parts = Vec::new();
        for number in numbers {
            let bytes = match declared {
                Some(file) if self.random.below(6) > 0 => file.part(number),
                _ => self.shared_body(),
            };
            let (_, readables) = self.readables(&bucket, bytes);
            parts.push(InstantPart { number: part_number(number), readables, checksum: None });
        }
        let (rights, model) = &self.buckets[&bucket];
        let name = model.uploads[&id].name.as_str();
        let stored =
            self.fixture.store.put_parts_instant(&rights.upload(name, id), parts.clone()).wait();
        // One after the other, in one transaction: each sees what those before it have done.
        let before = self.upload(&bucket, id).clone();
        let mut wanted = Vec::new();
        for part in &parts {
            let number = part.number.get();
            let Some(blob) = self.taken(&part.readables) else {
                wanted.push(None);
                continue;
            };
            let upload = self.upload(&bucket, id);
            if !upload.fits(number, blob.bytes.len()) {
                *upload = before;
                self.note("instant part does not fit");
                assert!(matches!(stored, Err(Error::PartMisfit { .. })), "{stored:?}");
                return;
            }
            let was_deduplicated = upload.deduplicated.is_some();
            upload.add(number, Rc::clone(&blob));
            wanted.push(Some((number, etag(&blob.bytes), upload.next())));
            self.note(if was_deduplicated {
                "part taken by a deduplicated upload"
            } else {
                "part taken"
            });
        }
        let told = |added: Option<AddedPart>| {
            let AddedPart { part, next } = added?;
            Some((part.number.get(), part.etag, next.map(PartNumber::get)))
        };
        let stored: Vec<_> = stored.expect("an answer").into_iter().map(told).collect();
        assert_eq!(stored, wanted);
        for (number, blob) in &self.buckets[&bucket].1.uploads[&id].parts {
            assert_eq!(self.blob_of_part(id, *number), ContentId::Blob(blob.id));
        }
    }

    /// The numbers of the parts that a client lacks there which has the whole file.
    fn compare_blocks(&self, bucket: &str, id: UploadId, file: File) -> Vec<u16> {
        let (rights, model) = &self.buckets[bucket];
        let open = &model.uploads[&id];
        let claim = |number: u16| ClaimedPart {
            number: part_number(number),
            size: None,
            md5: Some(etag(&file.part(number)).md5),
            sha256: None,
            crc64nvme: None,
        };
        let numbers = 1..=file.layout.count();
        let claims: Vec<ClaimedPart> = numbers.clone().map(claim).collect();
        let blocks =
            self.fixture.store.compare_blocks(&rights.upload(&open.name, id), claims).run();
        let missing = blocks.expect("a comparison").missing;
        let missing: Vec<u16> =
            missing.iter().flat_map(|gap| gap.first.get()..=gap.last.get()).collect();
        let is_there = |number: &u16| {
            let part = open.parts.get(number);
            open.deduplicated.is_some() || part.is_some_and(|part| part.bytes == file.part(*number))
        };
        assert_eq!(missing, numbers.filter(|number| !is_there(number)).collect::<Vec<_>>());
        missing
    }

    /// An upload that is over takes nothing by reference either.
    pub(super) fn late_instant_part(&mut self, bucket: &str, name: &str, id: UploadId) {
        let bytes = self.shared_body();
        let (_, readables) = self.readables(bucket, bytes);
        let is_there = self.taken(&readables).is_some();
        let part = InstantPart { number: part_number(1), readables, checksum: None };
        let rights = &self.buckets[bucket].0;
        let late =
            self.fixture.store.put_parts_instant(&rights.upload(name, id), vec![part]).wait();
        match late {
            Err(Error::NoSuchUpload) => assert!(is_there),
            Ok(stored) => assert!(!is_there && stored.iter().all(Option::is_none)),
            Err(error) => panic!("{error}"),
        }
    }
}
