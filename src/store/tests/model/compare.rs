//! Comparison of the store with the model: answers, rows, counts of references, files.

use super::content::Census;
use super::*;
use crate::store::db::sqlite::inspector::Counted;

impl World {
    /// Compares everything, in every way.
    pub(super) fn compare_everything(&mut self) {
        self.end_readers();
        self.compare_all();
        self.fixture.check();
        self.compare_rows();
    }

    pub(super) fn compare_all(&self) {
        for (bucket, (rights, model)) in &self.buckets {
            for name in KEYS {
                let read = self.fixture.read(rights, name);
                match model.objects.get(*name) {
                    None => assert!(matches!(read, Err(Error::NoSuchKey)), "{bucket}/{name}"),
                    Some((content, etag)) => {
                        let wanted = content.bytes();
                        assert!(read.expect("read") == wanted, "{bucket}/{name}");
                        let record = self.fixture.head(rights, name).expect("head");
                        assert_eq!((record.etag, record.size), (*etag, wanted.len() as u64));
                    }
                }
            }
            for (id, open) in &model.uploads {
                self.compare_upload(rights, *id, open);
            }
        }
    }

    fn compare_upload(&self, rights: &Rights, id: UploadId, open: &ModelUpload) {
        let (store, name) = (&self.fixture.store, &open.name);
        let page = store.list_parts(&rights.upload(name, id), 0, 1000).run().expect("parts");
        let got: Vec<_> = page.parts.iter().map(|p| (p.number.get(), p.etag, p.size)).collect();
        let tell = |(number, part): (u16, Rc<ModelBlob>)| {
            (number, etag(&part.bytes), part.bytes.len() as u64)
        };
        assert_eq!(got, open.shown().into_iter().map(tell).collect::<Vec<_>>());
        let blocks = store.missing_blocks(&rights.upload(name, id), PartNumber::FIRST, 1000).run();
        let blocks = blocks.expect("what is missing");
        let numbers = blocks.missing.iter().flat_map(|gap| gap.first.get()..=gap.last.get());
        assert_eq!(numbers.collect::<Vec<_>>(), open.missing());
        assert_eq!(blocks.upload.paused.is_some(), open.is_paused);
        assert_eq!(
            store.upload(&rights.upload(name, id)).wait().expect("open").is_instant,
            open.deduplicated.is_some()
        );
    }

    /// Blobs and manifests are those that somebody has, with as many references as there are; and
    /// the files are those of the blobs, no more and no fewer. Everything dropped must be freed.
    fn compare_rows(&self) {
        let db = &self.fixture.store.engine.db;
        let Census { blobs, manifests } = self.census();
        let wanted: Vec<_> = blobs.iter().map(|(id, (_, count))| (*id, *count)).collect();
        assert_eq!(db.references::<BlobId>(Counted::Blobs), wanted);
        let wanted: Vec<_> = manifests.into_iter().collect();
        assert_eq!(db.references::<UploadId>(Counted::Manifests), wanted);
        let files = blobs.values().filter(|(blob, _)| blob.is_file()).count();
        assert_eq!(self.fixture.count_files(), files);
        let extents = blobs.values().map(|(blob, _)| blob.extent_bytes()).sum::<u64>();
        assert_eq!(self.fixture.segment_bytes(), extents);
        let creators: BTreeMap<UploadId, usize> = db.creators().into_iter().collect();
        let models = self.buckets.values().flat_map(|(_, model)| &model.uploads);
        let declared = models.filter(|(_, upload)| upload.declared.is_some());
        assert_eq!(creators, declared.map(|(id, upload)| (*id, upload.creators)).collect());
    }

    /// With the buckets goes everything.
    pub(super) fn empty_everything(self) {
        for (rights, model) in self.buckets.values() {
            let permits = rights.deletes(model.objects.keys().map(String::as_str));
            self.fixture.store.delete_objects(&permits).wait().expect("gone");
            self.fixture
                .store
                .delete_bucket(&rights.delete_bucket())
                .wait()
                .expect("the bucket is empty");
        }
        self.fixture.check();
        assert_eq!((self.fixture.count_files(), self.fixture.segment_bytes()), (0, 0));
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
