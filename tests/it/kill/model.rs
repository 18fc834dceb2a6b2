//! Acknowledged changes, and the states that they allow.
//!
//! **Invariant:** a change is acknowledged only by a whole 200. From its request until then it is
//! unanswered: after a restart it is there wholly, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};
use sha2::Sha256;

/// Random numbers from a seed.
pub struct Random(u64);

impl Random {
    /// A generator, different for every seed and stream.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from `least` to `most`.
    pub fn within(&mut self, least: usize, most: usize) -> usize {
        least + (self.next() >> 11) as usize % (most - least + 1)
    }
}

/// Content as pieces of (seed, length), from which its bytes can be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pieces: Vec<(u64, usize)>,
    is_multipart: bool,
}

impl Content {
    /// New content of this length.
    pub fn new(random: &mut Random, length: usize) -> Self {
        Self { pieces: vec![(random.next(), length)], is_multipart: false }
    }

    /// One of a few contents that all writers share: stored once, and again by reference.
    pub fn shared(random: &mut Random) -> Self {
        Self {
            pieces: vec![(random.within(1, SHARED) as u64, DECLARED_BYTES)],
            is_multipart: false,
        }
    }

    /// Content of an object that is completed from parts.
    pub fn joined<'a>(parts: impl Iterator<Item = &'a Content>) -> Self {
        Self { pieces: parts.flat_map(|part| part.pieces.clone()).collect(), is_multipart: true }
    }

    /// The SHA-256 of the bytes, in hexadecimal.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.bytes()))
    }

    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|piece| piece_bytes(*piece)).collect()
    }

    /// Number of bytes.
    pub fn length(&self) -> usize {
        self.pieces.iter().map(|(_, length)| length).sum()
    }

    /// The entity tag, without quotes.
    pub fn etag(&self) -> String {
        let digests: Vec<_> =
            self.pieces.iter().map(|piece| Md5::digest(piece_bytes(*piece))).collect();
        match self.is_multipart {
            true => format!("{}-{}", hex::encode(Md5::digest(digests.concat())), digests.len()),
            false => hex::encode(digests[0]),
        }
    }
}

fn piece_bytes((seed, length): (u64, usize)) -> Vec<u8> {
    let mut random = Random::new(seed, 0);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The end of an upload, acknowledged or unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Complete,
    Abort,
}

/// One multipart upload.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    pub key: String,
    pub id: String,
    /// Acknowledged parts.
    pub parts: BTreeMap<u16, Content>,
    /// A part that was sent but not answered.
    pub unanswered: Option<(u16, Content)>,
    /// Request that was sent to end the upload.
    pub ending: Option<End>,
    /// True if the end was acknowledged or observed.
    pub is_ended: bool,
    /// Declaration at Create, if there was one.
    pub declared: Option<Declared>,
    /// True if Create found the bytes: `parts` is that one content, and nothing is sent.
    pub is_instant: bool,
    /// True if Complete names the SHA-256 of the whole file, so that all bytes are read.
    pub names_sha256: bool,
}

/// A file of [`DECLARED_PARTS`] parts, all of [`DECLARED_BYTES`].
#[derive(Clone, Debug)]
pub struct Declared {
    /// A SHA-256 that no file has: Create finds the upload by it, and Complete never succeeds.
    pub sha256: Option<String>,
}

/// Number of contents that all writers share.
const SHARED: usize = 4;
/// Number of parts of a declared file.
pub const DECLARED_PARTS: u16 = 4;
/// Bytes of each part of a declared file.
pub const DECLARED_BYTES: usize = 70_000;

impl Declared {
    /// Headers of Create.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let size = usize::from(DECLARED_PARTS) * DECLARED_BYTES;
        let mut headers = vec![
            ("x-partita-object-size", size.to_string()),
            ("x-partita-part-size", DECLARED_BYTES.to_string()),
        ];
        headers.extend(self.sha256.clone().map(|sha256| ("x-partita-content-sha256", sha256)));
        headers
    }
}

impl Upload {
    /// True if Complete would accept the acknowledged parts.
    pub fn can_complete(&self) -> bool {
        match &self.declared {
            None => !self.parts.is_empty(),
            Some(declared) => {
                declared.sha256.is_none() && self.parts.len() == usize::from(DECLARED_PARTS)
            }
        }
    }

    /// Content that Complete makes of the acknowledged parts.
    pub fn result(&self) -> Content {
        match self.parts.get(&1) {
            Some(content) if self.is_instant => content.clone(),
            _ => Content::joined(self.parts.values()),
        }
    }

    /// Body of Complete.
    pub fn document(&self) -> String {
        let parts = self.parts.iter().map(|(number, content)| {
            let etag = content.etag();
            format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>")
        });
        let parts: String = parts.collect();
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    }
}

/// Keys and uploads of one writer, which no other writer changes.
#[derive(Default)]
pub struct WriterState {
    /// Acknowledged contents; `None` is an acknowledged delete.
    pub objects: BTreeMap<String, Option<Content>>,
    /// The change that was sent but not answered. A writer ends with its first one.
    pub unanswered: Option<(String, Option<Content>)>,
    pub uploads: Vec<Upload>,
    pub acknowledged: usize,
    /// Number of these whose bytes were stored already, and not sent.
    pub by_reference: usize,
}

impl WriterState {
    /// Acknowledged content of the key.
    pub fn object(&self, key: &str) -> Option<&Content> {
        self.objects.get(key)?.as_ref()
    }

    /// Contents that the key may have.
    pub fn allowed(&self, key: &str) -> Vec<Option<Content>> {
        let unanswered =
            self.unanswered.iter().filter(|(other, _)| other == key).map(|(_, new)| new.clone());
        [self.object(key).cloned()].into_iter().chain(unanswered).collect()
    }

    /// All keys that were ever changed.
    pub fn keys(&self) -> BTreeSet<String> {
        let unanswered = self.unanswered.iter().map(|(key, _)| key.clone());
        self.objects.keys().cloned().chain(unanswered).collect()
    }

    /// The [`Self::open_uploads`] that get parts.
    pub fn uploads_for_parts(&self) -> Vec<usize> {
        let mut open = self.open_uploads();
        open.retain(|at| !self.uploads[*at].is_instant);
        open
    }

    /// Positions of the uploads without an attempt to end them.
    pub fn open_uploads(&self) -> Vec<usize> {
        (0..self.uploads.len()).filter(|at| self.uploads[*at].ending.is_none()).collect()
    }
}

/// Keys that all writers try to create with If-None-Match: one of them wins.
#[derive(Default)]
pub struct Races {
    pub winners: BTreeMap<String, Content>,
    /// Attempts without an answer, of which one may have won.
    pub unanswered: BTreeMap<String, Vec<Content>>,
}

impl Races {
    /// Contents that the key may have.
    pub fn allowed(&self, key: &str) -> Vec<Option<Content>> {
        match self.winners.get(key) {
            Some(winner) => vec![Some(winner.clone())],
            None => {
                let unanswered = self.unanswered.get(key).into_iter().flatten().cloned().map(Some);
                [None].into_iter().chain(unanswered).collect()
            }
        }
    }
}
