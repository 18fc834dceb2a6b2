//! One writer: changes its own keys and uploads at random until the server goes away.
//!
//! It is alone with its keys, so it knows what each answer must be, conditions included.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::client::{Answer, Broken, Client, texts};
use super::model::{
    Book, Chance, Content, DECLARED_BYTES, DECLARED_PARTS, Declared, End, Races, Upload,
};

/// The bucket of this test.
pub const BUCKET: &str = "kill";
const KEYS: usize = 6;
const UPLOADS_OPEN_MAX: usize = 3;
const UPLOADS_KEPT: usize = 8;
const PARTS: usize = 4;
/// Bodies that SQLite holds, and bodies that files hold.
const SMALL: (usize, usize) = (0, 8_000);
const LARGE: (usize, usize) = (65_537, 200_000);

/// What the writers of one round share.
pub struct Round<'a> {
    pub number: u64,
    pub races: &'a Mutex<Races>,
    /// Set before the kill: from then on answers may break.
    pub is_killed: &'a AtomicBool,
}

/// See the head of this file.
pub struct Writer<'a> {
    pub name: usize,
    pub book: &'a mut Book,
    pub client: Client,
    pub chance: Chance,
    pub round: Round<'a>,
}

impl Writer<'_> {
    /// Works until an answer does not come; panics at one that contradicts what was acknowledged.
    pub fn run(mut self) {
        let ended = loop {
            let step = match self.chance.within(0, 99) {
                0..26 => self.put(SMALL),
                26..42 => self.put(LARGE),
                42..53 => self.delete(),
                53..60 => self.create(),
                60..76 => self.put_part(),
                76..83 => self.complete(),
                83..87 => self.abort(),
                87..91 => self.put_if_absent(),
                91..96 => self.put_if_match(),
                _ => self.race(),
            };
            if let Err(Broken) = step {
                break self.round.is_killed.load(Ordering::Acquire);
            }
        };
        assert!(ended, "writer {}: an answer broke before the kill", self.name);
        let mut left = self.book.uploads.len().saturating_sub(UPLOADS_KEPT);
        self.book.uploads.retain(|upload| {
            let goes = left > 0 && upload.is_ended;
            left -= usize::from(goes);
            !goes
        });
    }

    fn key(&mut self) -> String {
        format!("writer-{}/key-{}", self.name, self.chance.within(0, KEYS - 1))
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

    /// Changes one key. The doubt stays when no answer comes.
    fn change(
        &mut self,
        key: String,
        new: Option<Content>,
        header: Option<(&str, &str)>,
        wanted: u16,
    ) -> Result<(), Broken> {
        let method = if new.is_some() { "PUT" } else { "DELETE" };
        let body = new.as_ref().map(Content::bytes).unwrap_or_default();
        self.book.doubt = Some((key.clone(), new.clone()));
        let answer = self.send(method, &key, header.as_slice(), &body)?;
        self.book.doubt = None;
        assert_eq!(answer.status, wanted, "{method} {key} {header:?}: {}", answer.text());
        if wanted < 300 {
            self.book.objects.insert(key, new);
            self.book.acknowledged += 1;
        }
        Ok(())
    }

    fn content(&mut self, (least, most): (usize, usize)) -> Content {
        let length = self.chance.within(least, most);
        Content::new(&mut self.chance, length)
    }

    fn put(&mut self, lengths: (usize, usize)) -> Result<(), Broken> {
        let (key, new) = (self.key(), self.content(lengths));
        self.change(key, Some(new), None, 200)
    }

    fn delete(&mut self) -> Result<(), Broken> {
        let key = self.key();
        self.change(key, None, None, 204)
    }

    fn put_if_absent(&mut self) -> Result<(), Broken> {
        let (key, new) = (self.key(), self.content(SMALL));
        let wanted = if self.book.object(&key).is_some() { 412 } else { 200 };
        self.change(key, Some(new), Some(("if-none-match", "*")), wanted)
    }

    fn put_if_match(&mut self) -> Result<(), Broken> {
        let (key, new) = (self.key(), self.content(LARGE));
        let is_right = self.chance.within(0, 2) > 0;
        let (etag, wanted) = match self.book.object(&key) {
            Some(old) if is_right => (old.etag(), 200),
            Some(_) => ("0".repeat(32), 412),
            None => ("0".repeat(32), 404),
        };
        self.change(key, Some(new), Some(("if-match", &etag)), wanted)
    }

    /// All writers try to be the one who creates a key.
    fn race(&mut self) -> Result<(), Broken> {
        let key = format!("race/{}-{}", self.round.number, self.chance.within(0, 9));
        let content = self.content(SMALL);
        let races = || self.round.races.lock().unwrap();
        races().doubts.entry(key.clone()).or_default().push(content.clone());
        let header = ("if-none-match", "*");
        let target = format!("/{BUCKET}/{key}");
        let answer = self.client.send("PUT", &target, &[header], &content.bytes())?;
        if answer.status >= 500 {
            return Err(Broken);
        }
        let mut races = races();
        let doubts = races.doubts.get_mut(&key).expect("it was put there");
        doubts.retain(|other| *other != content);
        let others_may_have_won = !doubts.is_empty();
        match answer.status {
            200 => {
                self.book.acknowledged += 1;
                let before = races.winners.insert(key.clone(), content);
                assert!(before.is_none(), "{key} was created twice");
            }
            // 409 is the other answer that S3 has for two who want the same.
            409 | 412 => {
                let explained = others_may_have_won || races.winners.contains_key(&key);
                assert!(explained, "{key}: refused, but nobody has created it");
            }
            _ => panic!("race for {key}: {} {}", answer.status, answer.text()),
        }
        Ok(())
    }

    fn create(&mut self) -> Result<(), Broken> {
        if self.book.open_uploads().len() >= UPLOADS_OPEN_MAX {
            return Ok(());
        }
        let key = self.key();
        let declared = match self.chance.within(0, 3) {
            0 => Some(Declared { sha256: None }),
            1 => Some(Declared { sha256: Some(format!("{:064x}", self.chance.next())) }),
            _ => None,
        };
        let headers = declared.as_ref().map(Declared::headers).unwrap_or_default();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.send("POST", &format!("{key}?uploads"), &headers, b"")?;
        let id = answer.texts("UploadId").pop();
        let id = id.unwrap_or_else(|| panic!("create {key}: {}", answer.text()));
        let (parts, doubt) = Default::default();
        let (ending, is_ended) = (None, false);
        self.book.uploads.push(Upload { key, id, parts, doubt, ending, is_ended, declared });
        self.book.acknowledged += 1;
        Ok(())
    }

    fn pick(&mut self) -> Option<usize> {
        let open = self.book.open_uploads();
        (!open.is_empty()).then(|| open[self.chance.within(0, open.len() - 1)])
    }

    fn put_part(&mut self) -> Result<(), Broken> {
        let Some(at) = self.pick() else { return self.create() };
        let is_declared = self.book.uploads[at].declared.is_some();
        let last = if is_declared { usize::from(DECLARED_PARTS) } else { PARTS };
        let number = self.chance.within(1, last) as u16;
        let lengths = match self.chance.within(0, 1) {
            _ if is_declared => (DECLARED_BYTES, DECLARED_BYTES),
            0 => SMALL,
            _ => LARGE,
        };
        let part = self.content(lengths);
        let upload = &mut self.book.uploads[at];
        upload.doubt = Some((number, part.clone()));
        let target = format!("{}?partNumber={number}&uploadId={}", upload.key, upload.id);
        let answer = self.send("PUT", &target, &[], &part.bytes())?;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        assert_eq!(answer.etag(), part.etag(), "{target}");
        let upload = &mut self.book.uploads[at];
        upload.doubt = None;
        upload.parts.insert(number, part);
        self.book.acknowledged += 1;
        Ok(())
    }

    fn complete(&mut self) -> Result<(), Broken> {
        let at = self.pick().filter(|at| self.book.uploads[*at].can_complete());
        let Some(at) = at else { return self.put_part() };
        let upload = &mut self.book.uploads[at];
        upload.ending = Some(End::Complete);
        let (key, result) = (upload.key.clone(), upload.result());
        self.book.doubt = Some((key.clone(), Some(result.clone())));
        let repeats = self.chance.within(0, 3) == 0;
        for _ in 0..1 + usize::from(repeats) {
            let answer = complete(&mut self.client, &self.book.uploads[at])?;
            if answer.status >= 500 {
                return Err(Broken);
            }
            self.book.doubt = None;
            let etags = texts(&answer.text(), "ETag");
            let wanted = format!("\"{}\"", result.etag());
            assert_eq!((answer.status, etags), (200, vec![wanted]), "{}", answer.text());
            self.book.uploads[at].is_ended = true;
            self.book.objects.insert(key.clone(), Some(result.clone()));
        }
        self.book.acknowledged += 1;
        Ok(())
    }

    fn abort(&mut self) -> Result<(), Broken> {
        let Some(at) = self.pick() else { return Ok(()) };
        let upload = &mut self.book.uploads[at];
        upload.ending = Some(End::Abort);
        let target = format!("{}?uploadId={}", upload.key, upload.id);
        let answer = self.send("DELETE", &target, &[], b"")?;
        assert_eq!(answer.status, 204, "{target}: {}", answer.text());
        self.book.uploads[at].is_ended = true;
        self.book.acknowledged += 1;
        Ok(())
    }
}

/// Sends Complete with all acknowledged parts.
pub fn complete(client: &mut Client, upload: &Upload) -> Result<Answer, Broken> {
    let target = format!("/{BUCKET}/{}?uploadId={}", upload.key, upload.id);
    client.send("POST", &target, &[], upload.document().as_bytes())
}
