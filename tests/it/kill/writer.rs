//! A writer: random changes to its own keys and uploads until the server is killed.
//!
//! No other writer changes its keys, so every answer can be predicted, those to conditions
//! included.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::client::{Answer, Broken, Client, EXPECT, texts};
use super::model::{
    Content, DECLARED_BYTES, DECLARED_PARTS, Declared, End, Races, Random, Upload, WriterState,
};

/// Bucket of this test.
pub const BUCKET: &str = "kill";
const KEYS: usize = 6;
const UPLOADS_OPEN_MAX: usize = 3;
const UPLOADS_KEPT: usize = 8;
const PARTS: usize = 4;
/// Sizes of inline bodies, and of bodies in files.
const SMALL: (usize, usize) = (0, 8_000);
const MIDDLE: (usize, usize) = (8_193, 262_144);
const LARGE: (usize, usize) = (262_145, 500_000);

/// State that the writers of one round share.
pub struct Round<'a> {
    pub number: u64,
    pub races: &'a Mutex<Races>,
    /// Set before the kill: from then on, answers may be missing.
    pub is_killed: &'a AtomicBool,
}

/// One writer, with its connection.
pub struct Writer<'a> {
    pub name: usize,
    pub state: &'a mut WriterState,
    pub client: Client,
    pub random: Random,
    pub round: Round<'a>,
}

impl Writer<'_> {
    /// Works until an answer is missing; panics at one that contradicts acknowledged changes.
    pub fn run(mut self) {
        let ended = loop {
            let step = match self.random.within(0, 99) {
                0..20 => self.put(SMALL),
                20..28 => self.put(MIDDLE),
                28..32 => self.put(LARGE),
                32..40 => self.put_known(),
                40..50 => self.delete(),
                50..56 => self.create(),
                56..60 => self.create_instant(),
                60..72 => self.put_part(),
                72..77 => self.fill_part(),
                77..84 => self.complete(),
                84..88 => self.abort(),
                88..92 => self.put_if_absent(),
                92..96 => self.put_if_match(),
                _ => self.race(),
            };
            if let Err(Broken) = step {
                break self.round.is_killed.load(Ordering::Acquire);
            }
        };
        assert!(ended, "writer {}: an answer broke before the kill", self.name);
        let mut left = self.state.uploads.len().saturating_sub(UPLOADS_KEPT);
        self.state.uploads.retain(|upload| {
            let goes = left > 0 && upload.is_ended;
            left -= usize::from(goes);
            !goes
        });
    }

    fn key(&mut self) -> String {
        format!("writer-{}/key-{}", self.name, self.random.within(0, KEYS - 1))
    }

    fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Broken> {
        let answer = self.client.send(method, &format!("/{BUCKET}/{target}"), headers, body)?;
        if answer.status >= 500 {
            let is_killed = self.round.is_killed.load(Ordering::Acquire);
            assert!(is_killed, "{method} {target}: {} {}", answer.status, answer.text());
            return Err(Broken);
        }
        Ok(answer)
    }

    /// Changes one key. Without an answer the change stays unanswered.
    fn change(
        &mut self,
        key: String,
        new: Option<Content>,
        header: Option<(&str, &str)>,
        wanted: u16,
    ) -> Result<(), Broken> {
        let method = if new.is_some() { "PUT" } else { "DELETE" };
        let body = new.as_ref().map(Content::bytes).unwrap_or_default();
        self.state.unanswered = Some((key.clone(), new.clone()));
        let answer = self.send(method, &key, header.as_slice(), &body)?;
        self.state.unanswered = None;
        assert_eq!(answer.status, wanted, "{method} {key} {header:?}: {}", answer.text());
        if wanted < 300 {
            self.state.objects.insert(key, new);
            self.state.acknowledged += 1;
            self.state.by_reference += usize::from(answer.header("x-partita-upload") == "instant");
        }
        Ok(())
    }

    fn content(&mut self, (least, most): (usize, usize)) -> Content {
        if (least, most) != SMALL && self.random.within(0, 2) == 0 {
            return Content::shared(&mut self.random);
        }
        let length = self.random.within(least, most);
        Content::new(&mut self.random, length)
    }

    fn put(&mut self, lengths: (usize, usize)) -> Result<(), Broken> {
        let (key, new) = (self.key(), self.content(lengths));
        self.change(key, Some(new), None, 200)
    }

    /// Puts content that may be stored already, and then is not sent.
    fn put_known(&mut self) -> Result<(), Broken> {
        let (key, new) = (self.key(), Content::shared(&mut self.random));
        self.change(key, Some(new), Some(EXPECT), 200)
    }

    fn delete(&mut self) -> Result<(), Broken> {
        let key = self.key();
        self.change(key, None, None, 204)
    }

    fn put_if_absent(&mut self) -> Result<(), Broken> {
        let (key, new) = (self.key(), self.content(SMALL));
        let wanted = if self.state.object(&key).is_some() { 412 } else { 200 };
        self.change(key, Some(new), Some(("if-none-match", "*")), wanted)
    }

    fn put_if_match(&mut self) -> Result<(), Broken> {
        let (key, new) = (self.key(), self.content(LARGE));
        let is_right = self.random.within(0, 2) > 0;
        let (etag, wanted) = match self.state.object(&key) {
            Some(old) if is_right => (old.etag(), 200),
            Some(_) => ("0".repeat(32), 412),
            None => ("0".repeat(32), 404),
        };
        self.change(key, Some(new), Some(("if-match", &etag)), wanted)
    }

    /// Tries to create a key that all writers try to create.
    fn race(&mut self) -> Result<(), Broken> {
        let key = format!("race/{}-{}", self.round.number, self.random.within(0, 9));
        let content = self.content(SMALL);
        let races = || self.round.races.lock().unwrap();
        races().unanswered.entry(key.clone()).or_default().push(content.clone());
        let header = ("if-none-match", "*");
        let target = format!("/{BUCKET}/{key}");
        let answer = self.client.send("PUT", &target, &[header], &content.bytes())?;
        if answer.status >= 500 {
            return Err(Broken);
        }
        let mut races = races();
        let unanswered = races.unanswered.get_mut(&key).expect("it was put there");
        unanswered.retain(|other| *other != content);
        let others_may_have_won = !unanswered.is_empty();
        match answer.status {
            200 => {
                self.state.acknowledged += 1;
                let before = races.winners.insert(key.clone(), content);
                assert!(before.is_none(), "{key} was created twice");
            }
            // S3 answers concurrent conditional writes with 409, too.
            409 | 412 => {
                let explained = others_may_have_won || races.winners.contains_key(&key);
                assert!(explained, "{key}: refused, but nobody has created it");
            }
            _ => panic!("race for {key}: {} {}", answer.status, answer.text()),
        }
        Ok(())
    }

    fn create(&mut self) -> Result<(), Broken> {
        if self.state.open_uploads().len() >= UPLOADS_OPEN_MAX {
            return Ok(());
        }
        let key = self.key();
        let declared = match self.random.within(0, 3) {
            0 => Some(Declared { sha256: None }),
            1 => Some(Declared { sha256: Some(format!("{:064x}", self.random.next())) }),
            _ => None,
        };
        let headers = declared.as_ref().map(Declared::headers).unwrap_or_default();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.send("POST", &format!("{key}?uploads"), &headers, b"")?;
        let id = answer.texts("UploadId").pop();
        let id = id.unwrap_or_else(|| panic!("create {key}: {}", answer.text()));
        let names_sha256 = self.random.within(0, 1) == 0;
        self.state.uploads.push(Upload { key, id, declared, names_sha256, ..Upload::default() });
        self.state.acknowledged += 1;
        Ok(())
    }

    /// Creates an upload of a file that may be stored already. One that must be sent is abandoned.
    fn create_instant(&mut self) -> Result<(), Broken> {
        if self.state.open_uploads().len() >= UPLOADS_OPEN_MAX {
            return Ok(());
        }
        let (key, content) = (self.key(), Content::shared(&mut self.random));
        let (size, sha256) = (content.length().to_string(), content.sha256());
        // Metadata of its own, so that no other Create finds the upload.
        let own = format!("{:x}", self.random.next());
        let headers = [
            ("x-partita-object-size", size.as_str()),
            ("x-partita-part-size", size.as_str()),
            ("x-partita-content-sha256", sha256.as_str()),
            ("x-amz-meta-own", own.as_str()),
        ];
        let answer = self.send("POST", &format!("{key}?uploads"), &headers, b"")?;
        let id = answer.texts("UploadId").pop();
        let id = id.unwrap_or_else(|| panic!("create {key}: {}", answer.text()));
        match answer.header("x-partita-upload") {
            "instant" => {
                let parts = [(1, content)].into();
                let upload = Upload { key, id, parts, is_instant: true, ..Upload::default() };
                self.state.uploads.push(upload);
                self.state.acknowledged += 1;
                self.state.by_reference += 1;
            }
            "created" => {
                let target = format!("{key}?uploadId={id}");
                assert_eq!(self.send("DELETE", &target, &[], b"")?.status, 204, "{target}");
            }
            other => panic!("create {key}: {other}"),
        }
        Ok(())
    }

    fn pick(&mut self, from: Vec<usize>) -> Option<usize> {
        (!from.is_empty()).then(|| from[self.random.within(0, from.len() - 1)])
    }

    fn put_part(&mut self) -> Result<(), Broken> {
        let Some(at) = self.pick(self.state.uploads_for_parts()) else { return self.create() };
        let is_declared = self.state.uploads[at].declared.is_some();
        let last = if is_declared { usize::from(DECLARED_PARTS) } else { PARTS };
        let number = self.random.within(1, last) as u16;
        let lengths = match self.random.within(0, 2) {
            _ if is_declared => (DECLARED_BYTES, DECLARED_BYTES),
            0 => SMALL,
            1 => MIDDLE,
            _ => LARGE,
        };
        let part = self.content(lengths);
        let upload = &mut self.state.uploads[at];
        upload.unanswered = Some((number, part.clone()));
        let target = format!("{}?partNumber={number}&uploadId={}", upload.key, upload.id);
        let answer = self.send("PUT", &target, &[], &part.bytes())?;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        assert_eq!(answer.etag(), part.etag(), "{target}");
        let upload = &mut self.state.uploads[at];
        upload.unanswered = None;
        upload.parts.insert(number, part);
        self.state.acknowledged += 1;
        Ok(())
    }

    /// Fills a part by its digest, if its bytes are stored.
    fn fill_part(&mut self) -> Result<(), Broken> {
        let Some(at) = self.pick(self.state.uploads_for_parts()) else { return self.create() };
        let number = self.random.within(1, PARTS) as u16;
        let part = Content::shared(&mut self.random);
        let upload = &mut self.state.uploads[at];
        upload.unanswered = Some((number, part.clone()));
        let target = format!("{}?uploadId={}&partita-blocks", upload.key, upload.id);
        let (size, sha256) = (part.length(), part.sha256());
        let claims = serde_json::json!([{"partNumber": number, "size": size, "sha256": sha256}]);
        let answer = self.send("POST", &target, &[], claims.to_string().as_bytes())?;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        let blocks: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        let is_missing = blocks["expectBlocks"].as_array().expect("a list").iter().any(|block| {
            let end = |name: &str| block[name].as_u64().expect("a number");
            (end("firstPart")..=end("lastPart")).contains(&number.into())
        });
        let upload = &mut self.state.uploads[at];
        upload.unanswered = None;
        if !is_missing && upload.parts.insert(number, part.clone()).as_ref() != Some(&part) {
            self.state.acknowledged += 1;
            self.state.by_reference += 1;
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<(), Broken> {
        let at = self
            .pick(self.state.open_uploads())
            .filter(|at| self.state.uploads[*at].can_complete());
        let Some(at) = at else { return self.put_part() };
        let upload = &mut self.state.uploads[at];
        upload.ending = Some(End::Complete);
        let (key, result) = (upload.key.clone(), upload.result());
        self.state.unanswered = Some((key.clone(), Some(result.clone())));
        let repeats = self.random.within(0, 3) == 0;
        for _ in 0..1 + usize::from(repeats) {
            let answer = complete(&mut self.client, &self.state.uploads[at])?;
            if answer.status >= 500 {
                return Err(Broken);
            }
            self.state.unanswered = None;
            let etags = texts(&answer.text(), "ETag");
            let wanted = format!("\"{}\"", result.etag());
            assert_eq!((answer.status, etags), (200, vec![wanted]), "{}", answer.text());
            self.state.uploads[at].is_ended = true;
            self.state.objects.insert(key.clone(), Some(result.clone()));
        }
        self.state.acknowledged += 1;
        Ok(())
    }

    fn abort(&mut self) -> Result<(), Broken> {
        let Some(at) = self.pick(self.state.open_uploads()) else { return Ok(()) };
        let upload = &mut self.state.uploads[at];
        upload.ending = Some(End::Abort);
        let target = format!("{}?uploadId={}", upload.key, upload.id);
        let answer = self.send("DELETE", &target, &[], b"")?;
        assert_eq!(answer.status, 204, "{target}: {}", answer.text());
        self.state.uploads[at].is_ended = true;
        self.state.acknowledged += 1;
        Ok(())
    }
}

/// Sends Complete with all acknowledged parts.
pub fn complete(client: &mut Client, upload: &Upload) -> Result<Answer, Broken> {
    let target = format!("/{BUCKET}/{}?uploadId={}", upload.key, upload.id);
    // An object of one part would be found by the same digest as the part.
    let names_sha256 = upload.names_sha256 && upload.parts.len() > 1;
    let sha256 = if names_sha256 { upload.result().sha256() } else { String::new() };
    let header = names_sha256.then_some(("x-partita-content-sha256", sha256.as_str()));
    client.send("POST", &target, header.as_slice(), upload.document().as_bytes())
}
