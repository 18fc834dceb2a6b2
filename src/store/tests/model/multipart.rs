//! Verbs on uploads: what is declared, found again, sent, copied, paused, completed and given up.

use std::rc::Rc;

use super::content::{Content, ModelManifest, join, joined_etag, sha256};
use super::*;

impl World {
    pub(super) fn create_upload(&mut self, bucket: &str, name: &str) {
        let declared = match self.random.below(4) {
            0 => None,
            kind => {
                let seed = self.random.below(FILES as usize) as u64;
                Some(File::new(seed, kind > 1, self.random.below(4) == 0))
            }
        };
        let instant = self.readable_files(bucket, declared);
        let wanted = declared.filter(|file| file.is_named);
        let is_it = |readable: &&Readable| {
            wanted.is_some_and(|file| {
                readable.candidate.sha256 == sha256(file.bytes())
                    && readable.candidate.size == file.layout.size()
            }) && self.holds(&readable.candidate)
        };
        let deduplicated = instant.iter().find(is_it).map(|taken| self.content(taken.content()));
        if deduplicated.is_some() {
            self.note("deduplicated upload created");
        }
        let found_by = wanted.map(|file| (file, deduplicated.as_ref().map(Content::id)));
        let (rights, model) = self.buckets.get_mut(bucket).expect("a bucket");
        let declaration = declared.map(File::declaration);
        let new = NewUpload { declaration, instant, ..NewUpload::default() };
        let created = self.fixture.store.create_upload(&rights.write(name), new).wait();
        let created = created.expect("an upload begins");
        let known = model.uploads.iter_mut().find(|(_, upload)| {
            found_by.is_some() && upload.name == name && upload.found_by == found_by
        });
        assert_eq!(created.is_resumed, known.is_some());
        match known {
            Some((id, upload)) => {
                assert_eq!(created.upload.id, *id);
                assert_eq!(created.upload.paused.is_some(), upload.is_paused);
                assert_eq!(created.is_instant, upload.deduplicated.is_some());
                upload.creators += 1;
                self.note(if deduplicated.is_some() {
                    "deduplicated upload resumed"
                } else {
                    "upload resumed"
                });
            }
            None => {
                assert_eq!(created.is_instant, deduplicated.is_some());
                let name = name.to_owned();
                let is_paused = false;
                let parts = Default::default();
                let upload = ModelUpload {
                    name,
                    parts,
                    declared,
                    deduplicated,
                    found_by,
                    creators: 1,
                    is_paused,
                };
                model.uploads.insert(created.upload.id, upload);
            }
        }
    }

    pub(super) fn pick_upload(&mut self) -> Option<(String, UploadId)> {
        let all: Vec<(String, UploadId)> = self
            .buckets
            .iter()
            .flat_map(|(name, (_, model))| model.uploads.keys().map(|id| (name.clone(), *id)))
            .collect();
        (!all.is_empty()).then(|| self.random.pick(&all).clone())
    }

    pub(super) fn upload(&mut self, bucket: &str, id: UploadId) -> &mut ModelUpload {
        let (_, model) = self.buckets.get_mut(bucket).expect("a bucket");
        model.uploads.get_mut(&id).expect("an upload")
    }

    /// A number and bytes for a part of this upload: mostly one of its file that is missing.
    fn part_to_send(&mut self, open: &ModelUpload) -> (u16, Rc<[u8]>) {
        let number = self.random.below(5) as u16 + 1;
        let Some(file) = open.declared.filter(|_| self.random.below(5) > 0) else {
            return (number, self.body());
        };
        let missing = open.missing();
        let number = match self.random.below(4) {
            0 => number,
            _ => missing.first().copied().unwrap_or(number),
        };
        let mut sent = file.part(number);
        // Other bytes of the same length: only the digest of the whole file can tell.
        if self.random.below(12) == 0 {
            Rc::get_mut(&mut sent).expect("nobody else has it")[0] ^= 1;
        }
        (number, sent)
    }

    pub(super) fn put_part(&mut self) {
        let Some((bucket, id)) = self.pick_upload() else { return };
        let open = self.upload(&bucket, id).clone();
        let (number, sent) = self.part_to_send(&open);
        let (staged, blob) = self.stage(&bucket, &sent);
        let rights = &self.buckets[&bucket].0;
        let stored = self.fixture.store.put_part(
            &rights.upload(&open.name, id),
            part_number(number),
            staged,
        );
        let stored = stored.wait();
        if !self.upload(&bucket, id).fits(number, sent.len()) {
            assert!(matches!(stored, Err(Error::PartMisfit { .. })), "{stored:?}");
            return;
        }
        let added = stored.expect("a part");
        assert_eq!((added.part.size, added.part.etag), (sent.len() as u64, etag(&sent)));
        let blob = self.stored_or_shared(&bucket, blob, self.blob_of_part(id, number));
        let upload = self.upload(&bucket, id);
        upload.add(number, blob);
        assert_eq!(added.next.map(PartNumber::get), upload.next());
    }

    /// A part that is a whole blob of an object.
    pub(super) fn copy_part(&mut self) {
        let Some((bucket, id)) = self.pick_upload() else { return };
        let (from, source) = (self.bucket(), *self.random.pick(KEYS));
        let (from_permit, model) = &self.buckets[&from];
        let Some((content, _)) = model.objects.get(source).cloned() else { return };
        let number = self.random.below(8) as u16 + 1;
        let parts = content.parts();
        let listed: Vec<u16> = parts.keys().copied().collect();
        let part = *self.random.pick(&listed);
        let opened = self.fixture.open(from_permit, source).expect("open");
        let range = match opened.part(part_number(part)).run().expect("a lookup") {
            None => None,
            Some(span) if span.size == 0 => return,
            Some(span) => Some(crate::types::ByteRange {
                first: span.first,
                last: span.first + span.size - 1,
            }),
        };
        let blob = opened.whole_blob(range).run().expect("a lookup").expect("a whole blob");
        assert_eq!(blob.id, parts[&part].id);
        let rights = &self.buckets[&bucket].0;
        let name = key(&self.buckets[&bucket].1.uploads[&id].name);
        let store = &self.fixture.store;
        let copied =
            store.copy_part(&rights.upload(name.as_str(), id), part_number(number), blob, None);
        let copied = copied.wait();
        let upload = self.upload(&bucket, id);
        if !upload.fits(number, parts[&part].bytes.len()) {
            assert!(matches!(copied, Err(Error::PartMisfit { .. })), "{copied:?}");
            return;
        }
        assert_eq!(copied.expect("copied").part.etag, etag(&parts[&part].bytes));
        upload.add(number, Rc::clone(&parts[&part]));
    }

    pub(super) fn pause_or_resume(&mut self) {
        let Some((bucket, id)) = self.pick_upload() else { return };
        let is_paused = self.random.below(2) == 0;
        let upload = self.upload(&bucket, id);
        upload.is_paused = is_paused;
        let name = key(&upload.name);
        let (store, rights) = (&self.fixture.store, &self.buckets[&bucket].0);
        let set = match is_paused {
            true => store.pause_upload(&rights.upload(name.as_str(), id)),
            false => store.resume_upload(&rights.upload(name.as_str(), id)),
        };
        set.wait().expect("a state");
    }

    pub(super) fn complete(&mut self) {
        let Some((bucket, id)) = self.pick_upload() else { return };
        let ModelUpload { name, declared, deduplicated, .. } = self.upload(&bucket, id).clone();
        let mut listed = self.upload(&bucket, id).shown();
        let all = declared.is_some() && self.random.below(4) > 0;
        let stored = listed.len();
        listed.retain(|_, _| all || self.random.below(4) > 0);
        let list: Vec<(u16, &[u8])> = listed.iter().map(|(n, part)| (*n, &*part.bytes)).collect();
        let mut request = complete_request(&list);
        let whole = sha256(&join(&listed));
        let named = declared.filter(|file| file.is_named).map(|file| sha256(file.bytes()));
        let is_told = named.is_none() && self.random.below(2) == 0;
        let is_lie = is_told && self.random.below(4) == 0;
        request.digests.sha256 = is_told.then_some(if is_lie { [7; 32] } else { whole });
        let (rights, _) = &self.buckets[&bucket];
        let result = self.fixture.complete_with(rights, &name, id, request.clone());
        let wanted = request.digests.sha256.or(named);
        if listed.is_empty() {
            assert!(matches!(result, Err(Error::NoParts)));
            return;
        }
        if deduplicated.is_some() && listed.len() < stored {
            assert!(matches!(result, Err(Error::InvalidPart { .. })), "{result:?}");
            return;
        }
        let count = declared.map_or(0, |file| usize::from(file.layout.count()));
        if deduplicated.is_none() && listed.len() < count {
            assert!(matches!(result, Err(Error::Incomplete(_))), "{result:?}");
            return;
        }
        if wanted.is_some_and(|wanted| wanted != whole) {
            assert!(matches!(result, Err(Error::WholeMismatch { .. })), "{result:?}");
            self.note("other bytes than declared");
            return;
        }
        let completed = result.expect("complete");
        self.note(if deduplicated.is_some() {
            "deduplicated upload completed"
        } else {
            "upload completed"
        });
        let tag = match &deduplicated {
            Some(Content::Single(blob)) => etag(&blob.bytes),
            _ => joined_etag(&listed),
        };
        assert_eq!(completed.etag, tag);
        let manifest =
            || Content::Joined(Rc::new(ModelManifest { id, parts: listed, sha256: wanted }));
        let content = deduplicated.unwrap_or_else(manifest);
        let (_, model) = self.buckets.get_mut(&bucket).expect("a bucket");
        model.objects.insert(name.clone(), (content, tag));
        model.uploads.remove(&id);
        self.over.push((bucket, id, name, Some((request, completed))));
    }

    pub(super) fn abort(&mut self) {
        let Some((bucket, id)) = self.pick_upload() else { return };
        let is_cancelled = self.random.below(4) == 0;
        let (rights, model) = self.buckets.get_mut(&bucket).expect("a bucket");
        let open = model.uploads.get_mut(&id).expect("an upload");
        let (store, name) = (&self.fixture.store, key(&open.name));
        if is_cancelled {
            store.cancel_upload(&rights.ending(name.as_str(), id)).wait().expect("cancel");
        } else {
            store.abort_upload(&rights.ending(name.as_str(), id)).wait().expect("abort");
            open.creators -= 1;
            if open.creators > 0 {
                return;
            }
        }
        let open = model.uploads.remove(&id).expect("an upload");
        self.over.push((bucket, id, open.name, None));
    }

    /// Expires every upload that is not paused.
    pub(super) fn expire(&mut self) {
        let late = self.fixture.store.now().plus_millis(IDLE_MS_MAX + 1);
        let expired = self.fixture.store.expire_uploads(late).run().expect("expiry");
        let before = self.over.len();
        for (bucket, (_, model)) in &mut self.buckets {
            for (id, open) in model.uploads.extract_if(.., |_, open| !open.is_paused) {
                self.over.push((bucket.clone(), id, open.name, None));
            }
        }
        assert_eq!(expired, (self.over.len() - before) as u64);
        if expired > 0 {
            self.note("upload expired");
        }
    }

    /// An upload that is over takes no part and no Abort; only the same Complete is repeated.
    pub(super) fn after_the_end(&mut self) {
        if self.over.is_empty() {
            return;
        }
        let (bucket, id, name, finished) = self.random.pick(&self.over).clone();
        let rights = &self.buckets[&bucket].0;
        let late = self.fixture.put_part(rights, &name, id, 1, &body(1, 2_000));
        assert!(matches!(late, Err(Error::NoSuchUpload)));
        let abort = self.fixture.store.abort_upload(&rights.ending(&name, id)).wait();
        assert!(matches!(abort, Err(Error::NoSuchUpload)));
        self.late_instant_part(&bucket, &name, id);
        let rights = &self.buckets[&bucket].0;
        let Some((mut request, completed)) = finished else { return };
        let again = self.fixture.complete_with(rights, &name, id, request.clone()).expect("again");
        assert_eq!(again, completed);
        request.parts.extend(complete_request(&[(9, b"")]).parts);
        let other = self.fixture.complete_with(rights, &name, id, request);
        assert!(matches!(other, Err(Error::NoSuchUpload)));
    }
}
