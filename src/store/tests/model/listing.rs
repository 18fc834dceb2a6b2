//! Lists of the model, as S3 defines them, by a loop over all entries.

use std::collections::BTreeSet;

use super::*;

impl World {
    pub(super) fn list(&mut self, bucket: &str) {
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
        let (rights, model) = &self.buckets[bucket];
        let page =
            self.fixture.store.list_objects(&rights.list(), query.clone()).run().expect("a list");
        let got: Vec<(String, bool)> = page.entries.iter().map(entry_name).collect();
        let all = fold(model.objects.keys().map(String::as_str), prefix, delimiter, after);
        let wanted: Vec<_> = all.iter().take(max).cloned().collect();
        assert_eq!((got, page.truncated), (wanted, max > 0 && all.len() > max), "{query:?}");
        self.list_uploads(bucket, &query);
    }

    fn list_uploads(&self, bucket: &str, query: &ListQuery) {
        let (rights, model) = &self.buckets[bucket];
        let page = self
            .fixture
            .store
            .list_uploads(
                &rights.list_uploads(),
                UploadsQuery {
                    prefix: query.prefix.clone(),
                    delimiter: query.delimiter.clone(),
                    key_marker: query.after.clone(),
                    upload_id_marker: None,
                    max: query.max,
                },
            )
            .run();
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
}

fn entry_name(entry: &Listed<ListedObject>) -> (String, bool) {
    match entry {
        Listed::Item(object) => (object.key.clone(), true),
        Listed::Prefix(prefix) => (prefix.clone(), false),
    }
}

/// Page that S3 defines, by a loop over all entries: keys, each with true if it is an object.
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
