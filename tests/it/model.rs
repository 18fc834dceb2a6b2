//! Random operations against a gateway and a map: both must give the same answers.
//!
//! `PARTITA_SEED` repeats a run (a failure prints its seed); `PARTITA_MODEL_OPS` makes it longer.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::Digest;

use crate::harness::{Answer, Gateway, Request, bytes_of, md5_hex};
use crate::signer;

/// Number of operations, unless `PARTITA_MODEL_OPS` is set.
const OPERATIONS: usize = 1_500;
/// Sizes around every boundary: nothing, an inline body, a block, a packed body, a read unit.
const SIZES: [usize; 12] =
    [0, 1, 100, 8_192, 8_193, 65_535, 65_536, 65_537, 131_072, 262_144, 262_145, 270_000];
/// Keys with common prefixes and unusual characters.
const KEYS: [&str; 20] = [
    "a",
    "a/",
    "a/b",
    "a/b/c",
    "a/b/d",
    "a//b",
    "a.b",
    "a0",
    "ab",
    "b",
    "b c",
    "b+c",
    "b&<>\"'",
    "c\u{1}d",
    "d/é",
    "d/e\u{301}",
    "d/\u{fffd}",
    "d/😀",
    "d/😀/x",
    "zz%2Fz",
];

/// Seeded generator: the same numbers for the same seed on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Object {
    bytes: Arc<Vec<u8>>,
    tag: String,
    note: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Upload {
    key: String,
    note: String,
    parts: BTreeMap<u16, Object>,
}

#[derive(Default)]
struct Model {
    objects: BTreeMap<String, Object>,
    /// Uploads by id, which is the order of initiation.
    uploads: BTreeMap<String, Upload>,
}

impl Model {
    /// Keys and common prefixes of a list, in order.
    fn listed(&self, prefix: &str, delimiter: &str) -> Vec<String> {
        let mut entries: Vec<String> = Vec::new();
        for key in self.objects.keys().filter(|key| key.starts_with(prefix)) {
            let rest = &key[prefix.len()..];
            let cut = if delimiter.is_empty() { None } else { rest.find(delimiter) };
            let entry = match cut {
                Some(at) => key[..prefix.len() + at + delimiter.len()].to_owned(),
                None => key.clone(),
            };
            if entries.last() != Some(&entry) {
                entries.push(entry);
            }
        }
        entries
    }
}

struct Run {
    gateway: Gateway,
    random: Random,
    model: Model,
    history: Vec<String>,
}

fn target(key: &str) -> String {
    format!("/bkt/{}", signer::encode(key.as_bytes(), true))
}

fn decoded(texts: Vec<String>) -> Vec<String> {
    texts
        .iter()
        .map(|text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned())
        .collect()
}

impl Run {
    fn key(&mut self) -> String {
        self.random.pick(&KEYS).to_owned()
    }

    fn body(&mut self) -> Arc<Vec<u8>> {
        let size = match self.random.below(3) {
            0 => self.random.pick(&SIZES),
            1 => self.random.below(2_000),
            _ => self.random.below(200_000),
        };
        Arc::new(bytes_of(size, self.random.next()))
    }

    fn some_key(&mut self) -> Option<String> {
        let keys: Vec<&String> = self.model.objects.keys().collect();
        (!keys.is_empty()).then(|| keys[self.random.below(keys.len())].clone())
    }

    fn some_upload(&mut self) -> Option<String> {
        let ids: Vec<&String> = self.model.uploads.keys().collect();
        (!ids.is_empty()).then(|| ids[self.random.below(ids.len())].clone())
    }

    fn send(&mut self, request: &Request) -> Answer {
        self.history.push(format!("{} {} {}", request.method, request.target, request.body.len()));
        self.gateway.send(request)
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..20 => self.put(),
            20..38 => self.get(),
            38..46 => self.delete(),
            46..48 => self.delete_many(),
            48..54 => self.copy(),
            54..64 => self.list(),
            64..68 => self.create_upload(),
            68..82 => self.upload_part(),
            82..85 => self.copy_part(),
            85..88 => self.list_parts(),
            88..94 => self.complete(),
            94..96 => self.abort(),
            96..98 => self.list_uploads(),
            98 => self.restart(),
            _ => {
                self.gateway.store().collect_garbage().run().unwrap();
            }
        }
    }

    fn put(&mut self) {
        let (key, bytes) = (self.key(), self.body());
        let note = self.random.chance(2).then(|| format!("note {}", self.random.below(1000)));
        let mut request = Request::new("PUT", target(&key)).body(bytes.as_slice());
        if let Some(note) = &note {
            request = request.header("x-amz-meta-note", note.clone());
        }
        let condition = self.random.chance(6);
        if condition {
            request = request.header("if-none-match", "*");
        }
        let answer = self.send(&request);
        if condition && self.model.objects.contains_key(&key) {
            answer.expect(412);
            return;
        }
        let tag = format!("\"{}\"", md5_hex(&bytes));
        assert_eq!(answer.expect(200).header("etag"), Some(tag.clone()));
        self.model.objects.insert(key, Object { bytes, tag, note });
    }

    fn get(&mut self) {
        let key = self.key();
        self.get_key(&key);
    }

    fn get_key(&mut self, key: &str) {
        let Some(object) = self.model.objects.get(key).cloned() else {
            self.send(&Request::new("GET", target(key))).expect(404);
            return;
        };
        let size = object.bytes.len();
        let mut request = Request::new("GET", target(key));
        let mut expected = &object.bytes[..];
        let mut status = 200;
        if size > 0 && self.random.chance(2) {
            let first = self.random.below(size);
            let last = first + self.random.below(size - first);
            request = request.header("range", format!("bytes={first}-{last}"));
            expected = &object.bytes[first..=last];
            status = 206;
        }
        let answer = self.send(&request).expect(status);
        assert!(answer.body == expected, "{key}: other bytes");
        assert_eq!(answer.header("etag"), Some(object.tag.clone()), "{key}");
        assert_eq!(answer.header("x-amz-meta-note"), object.note, "{key}");
        let head = self.send(&Request::new("HEAD", target(key))).expect(200);
        assert_eq!(head.header("content-length"), Some(size.to_string()), "{key}");
    }

    fn delete(&mut self) {
        let key = self.key();
        self.send(&Request::new("DELETE", target(&key))).expect(204);
        self.model.objects.remove(&key);
    }

    fn delete_many(&mut self) {
        let keys: Vec<String> = (0..3).map(|_| self.key()).collect();
        let listed: String = keys
            .iter()
            .map(|key| {
                let key = key.replace('&', "&amp;").replace('<', "&lt;").replace('\u{1}', "&#1;");
                format!("<Object><Key>{key}</Key></Object>")
            })
            .collect();
        let request = Request::new("POST", "/bkt?delete");
        let answer = self.send(&request.body(format!("<Delete>{listed}</Delete>"))).expect(200);
        assert_eq!(answer.xml().texts("Deleted/Key"), keys);
        for key in keys {
            self.model.objects.remove(&key);
        }
    }

    fn copy(&mut self) {
        let (Some(from), to) = (self.some_key(), self.key()) else { return };
        let source = &target(&from)[1..];
        let request = Request::new("PUT", target(&to)).header("x-amz-copy-source", source);
        let answer = self.send(&request);
        if from == to {
            answer.expect(400);
            return;
        }
        let object = self.model.objects[&from].clone();
        assert_eq!(answer.expect(200).text("ETag"), object.tag);
        self.model.objects.insert(to, object);
    }

    fn list(&mut self) {
        let prefix = self.random.pick(&["", "", "a", "a/", "a/b", "d/", "d/😀", "none"]);
        let delimiter = self.random.pick(&["", "/", "/", "b", "é"]);
        let max = self.random.pick(&[1, 2, 3, 7, 1000]);
        let kind = self.random.pick(&["", "list-type=2&", "versions&"]);
        let encoded = |text: &str| signer::encode(text.as_bytes(), false);
        let base = format!(
            "/bkt?{kind}encoding-type=url&max-keys={max}&prefix={}&delimiter={}",
            encoded(prefix),
            encoded(delimiter)
        );
        let mut found = Vec::new();
        let mut place = String::new();
        loop {
            let answer = self.send(&Request::new("GET", format!("{base}{place}"))).expect(200);
            let root = answer.xml();
            let mut page = decoded(root.texts("Contents/Key"));
            page.extend(decoded(root.texts("Version/Key")));
            page.extend(decoded(root.texts("CommonPrefixes/Prefix")));
            page.sort();
            assert!(page.len() <= max, "{base}: a page of {}", page.len());
            let last = page.last().cloned().unwrap_or_default();
            found.extend(page);
            if answer.text("IsTruncated") == "false" {
                break;
            }
            place = match kind {
                "list-type=2&" => {
                    format!("&continuation-token={}", answer.text("NextContinuationToken"))
                }
                "versions&" => format!("&key-marker={}", answer.text("NextKeyMarker")),
                _ => format!("&marker={}", encoded(&last)),
            };
        }
        assert_eq!(found, self.model.listed(prefix, delimiter), "{base}");
    }

    fn create_upload(&mut self) {
        let key = self.key();
        let note = format!("note {}", self.random.below(1000));
        let request = Request::new("POST", format!("{}?uploads", target(&key)));
        let answer = self.send(&request.header("x-amz-meta-note", note.clone())).expect(200);
        let upload = Upload { key, note, parts: BTreeMap::new() };
        self.model.uploads.insert(answer.text("UploadId"), upload);
    }

    fn part_target(&self, id: &str, number: u16) -> String {
        let upload = &self.model.uploads[id];
        format!("{}?partNumber={number}&uploadId={id}", target(&upload.key))
    }

    fn insert_part(&mut self, id: &str, number: u16, bytes: Arc<Vec<u8>>, tag: String) {
        let upload = self.model.uploads.get_mut(id).expect("it is open");
        upload.parts.insert(number, Object { bytes, tag, note: None });
    }

    fn upload_part(&mut self) {
        let Some(id) = self.some_upload() else { return };
        let (number, bytes) = (1 + self.random.below(6) as u16, self.body());
        let request = Request::new("PUT", self.part_target(&id, number)).body(bytes.as_slice());
        let tag = format!("\"{}\"", md5_hex(&bytes));
        assert_eq!(self.send(&request).expect(200).header("etag"), Some(tag.clone()));
        self.insert_part(&id, number, bytes, tag);
    }

    fn copy_part(&mut self) {
        let (Some(id), Some(from)) = (self.some_upload(), self.some_key()) else { return };
        let number = 1 + self.random.below(6) as u16;
        let source = self.model.objects[&from].bytes.clone();
        let mut request = Request::new("PUT", self.part_target(&id, number))
            .header("x-amz-copy-source", &target(&from)[1..]);
        let mut bytes = source.clone();
        if source.len() > 1 && self.random.chance(2) {
            let first = self.random.below(source.len());
            let last = first + self.random.below(source.len() - first);
            request = request.header("x-amz-copy-source-range", format!("bytes={first}-{last}"));
            bytes = Arc::new(source[first..=last].to_vec());
        }
        let tag = self.send(&request).expect(200).text("ETag");
        self.insert_part(&id, number, bytes, tag);
    }

    fn list_parts(&mut self) {
        let Some(id) = self.some_upload() else { return };
        let upload = self.model.uploads[&id].clone();
        let max = self.random.pick(&[1, 2, 1000]);
        let (mut numbers, mut tags, mut after) = (Vec::new(), Vec::new(), "0".to_owned());
        loop {
            let key = target(&upload.key);
            let page = format!("{key}?uploadId={id}&max-parts={max}&part-number-marker={after}");
            let answer = self.send(&Request::new("GET", page)).expect(200);
            numbers.extend(answer.xml().texts("Part/PartNumber"));
            tags.extend(answer.xml().texts("Part/ETag"));
            after = answer.text("NextPartNumberMarker");
            if answer.text("IsTruncated") == "false" {
                break;
            }
        }
        let expected: Vec<String> = upload.parts.keys().map(u16::to_string).collect();
        assert_eq!(numbers, expected);
        let expected: Vec<&String> = upload.parts.values().map(|part| &part.tag).collect();
        assert_eq!(tags.iter().collect::<Vec<_>>(), expected);
    }

    fn complete(&mut self) {
        let Some(id) = self.some_upload() else { return };
        let upload = self.model.uploads[&id].clone();
        let mut listed: Vec<(u16, &Object)> =
            upload.parts.iter().map(|(number, part)| (*number, part)).collect();
        if listed.len() > 1 && self.random.chance(2) {
            let out = self.random.below(listed.len());
            listed.remove(out);
        }
        let parts: String = listed
            .iter()
            .map(|(number, part)| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", part.tag)
            })
            .collect();
        let request = Request::new("POST", format!("{}?uploadId={id}", target(&upload.key)))
            .body(format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"));
        let answer = self.send(&request);
        // Each part but the last needs a byte, the least size in these runs.
        let (_, all_but_last) = listed.split_last().map_or((None, &[][..]), |(l, r)| (Some(l), r));
        let too_small = all_but_last.iter().any(|(_, part)| part.bytes.is_empty());
        if listed.is_empty() || too_small {
            answer.expect(400);
            return;
        }
        let digests: Vec<u8> =
            listed.iter().flat_map(|(_, part)| md5::Md5::digest(&*part.bytes).to_vec()).collect();
        let tag = format!("\"{}-{}\"", md5_hex(&digests), listed.len());
        let answer = answer.expect(200);
        assert_eq!(answer.text("ETag"), tag);
        let bytes: Vec<u8> = listed.iter().flat_map(|(_, part)| part.bytes.to_vec()).collect();
        let object = Object { bytes: Arc::new(bytes), tag, note: Some(upload.note.clone()) };
        self.model.objects.insert(upload.key.clone(), object);
        self.model.uploads.remove(&id);
        if self.random.chance(3) {
            assert_eq!(self.send(&request).expect(200).body, answer.body, "a repetition");
        }
        self.get_key(&upload.key);
    }

    fn abort(&mut self) {
        let Some(id) = self.some_upload() else { return };
        let upload = self.model.uploads.remove(&id).expect("it is open");
        let request = Request::new("DELETE", format!("{}?uploadId={id}", target(&upload.key)));
        self.send(&request).expect(204);
        self.send(&request).expect(404);
    }

    fn list_uploads(&mut self) {
        let max = self.random.pick(&[1, 2, 1000]);
        let (mut found, mut place) = (Vec::new(), String::new());
        loop {
            let page = format!("/bkt?uploads&encoding-type=url&max-uploads={max}{place}");
            let answer = self.send(&Request::new("GET", page)).expect(200);
            let root = answer.xml();
            let keys = decoded(root.texts("Upload/Key"));
            found.extend(keys.into_iter().zip(root.texts("Upload/UploadId")));
            if answer.text("IsTruncated") == "false" {
                break;
            }
            let (key, id) = (answer.text("NextKeyMarker"), answer.text("NextUploadIdMarker"));
            place = format!("&key-marker={key}&upload-id-marker={id}");
        }
        let mut expected: Vec<(String, String)> =
            self.model.uploads.iter().map(|(id, up)| (up.key.clone(), id.clone())).collect();
        expected.sort();
        assert_eq!(found, expected);
    }

    fn restart(&mut self) {
        self.history.push("restart".into());
        self.gateway.restart();
    }

    /// Compares everything once more, and runs the store's own check.
    fn compare_all(&mut self) {
        self.gateway.assert_sound();
        for key in KEYS {
            self.get_key(key);
        }
        self.list_uploads();
        self.gateway.restart();
        self.gateway.assert_sound();
        for (key, object) in &self.model.objects {
            let got = self.gateway.send(&Request::new("GET", target(key))).expect(200);
            assert!(got.body == *object.bytes, "{key}");
        }
    }
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn a_gateway_behaves_like_a_map() {
    let seed =
        number_of("PARTITA_SEED").unwrap_or_else(|| u64::from(std::process::id()) ^ signer::now());
    let operations = number_of("PARTITA_MODEL_OPS").unwrap_or(OPERATIONS as u64);
    println!("PARTITA_SEED={seed} PARTITA_MODEL_OPS={operations}");
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let model = Model::default();
    let mut run = Run { gateway, random: Random(seed), model, history: Vec::new() };
    for operation in 0..operations {
        let step = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.step()));
        if let Err(panic) = step {
            let recent = run.history.len().saturating_sub(30);
            println!("PARTITA_SEED={seed}: operation {operation} failed, after");
            run.history[recent..].iter().for_each(|line| println!("  {line}"));
            std::panic::resume_unwind(panic);
        }
    }
    run.compare_all();
}
