//! What was acknowledged, and what may therefore be seen.
//!
//! **Invariant:** a change becomes a fact only after the whole 200. From sending until then it is a
//! doubt, which may turn out either way, wholly.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};
use sha2::Sha256;

/// Random numbers that a seed repeats.
pub struct Chance(u64);

impl Chance {
    /// Different for every seed and stream.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut chance = Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        chance.next();
        chance
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

/// Bytes that can be made again: pieces of (seed, length).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pieces: Vec<(u64, usize)>,
    is_multipart: bool,
}

impl Content {
    /// New bytes of this length.
    pub fn new(chance: &mut Chance, length: usize) -> Self {
        Self { pieces: vec![(chance.next(), length)], is_multipart: false }
    }

    /// One of a few contents that all writers have: stored once, and given without its bytes.
    pub fn shared(chance: &mut Chance) -> Self {
        Self {
            pieces: vec![(chance.within(1, SHARED) as u64, DECLARED_BYTES)],
            is_multipart: false,
        }
    }

    /// What Complete makes of parts.
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

    /// How many.
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
    let mut chance = Chance::new(seed, 0);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&chance.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// How an upload was ended, or is believed to have been.
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
    /// A part that was sent, and not answered.
    pub doubt: Option<(u16, Content)>,
    /// What was sent to end it.
    pub ending: Option<End>,
    /// Whether that was acknowledged, or seen.
    pub is_ended: bool,
    /// What Create declared, if anything.
    pub declared: Option<Declared>,
    /// Whether Create found its bytes: `parts` is that one content, and nothing is sent.
    pub is_born: bool,
    /// Whether Complete tells the SHA-256 of the whole, so that all bytes are read.
    pub is_told: bool,
}

/// A file of [`DECLARED_PARTS`] parts, all of [`DECLARED_BYTES`].
#[derive(Clone, Debug)]
pub struct Declared {
    /// A SHA-256 that no file has: so it is found by Create, and can never be completed.
    pub sha256: Option<String>,
}

/// Contents that all writers have.
const SHARED: usize = 4;
/// Parts of a declared file.
pub const DECLARED_PARTS: u16 = 4;
/// Bytes of each of them.
pub const DECLARED_BYTES: usize = 70_000;

impl Declared {
    /// The headers of Create.
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
    /// Whether Complete would take what is there.
    pub fn can_complete(&self) -> bool {
        match &self.declared {
            None => !self.parts.is_empty(),
            Some(declared) => {
                declared.sha256.is_none() && self.parts.len() == usize::from(DECLARED_PARTS)
            }
        }
    }

    /// What Complete makes of the acknowledged parts.
    pub fn result(&self) -> Content {
        match self.parts.get(&1) {
            Some(content) if self.is_born => content.clone(),
            _ => Content::joined(self.parts.values()),
        }
    }

    /// The body of Complete.
    pub fn document(&self) -> String {
        let parts = self.parts.iter().map(|(number, content)| {
            let etag = content.etag();
            format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>")
        });
        let parts: String = parts.collect();
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    }
}

/// The keys and uploads of one writer, who is alone with them.
#[derive(Default)]
pub struct Book {
    /// Acknowledged contents; `None` is an acknowledged delete.
    pub objects: BTreeMap<String, Option<Content>>,
    /// The change that was sent, and not answered. A writer ends with its first one.
    pub doubt: Option<(String, Option<Content>)>,
    pub uploads: Vec<Upload>,
    pub acknowledged: usize,
    /// How many of these were of bytes that were there already, and were not sent.
    pub taken: usize,
}

impl Book {
    /// What is acknowledged to be under the key.
    pub fn object(&self, key: &str) -> Option<&Content> {
        self.objects.get(key)?.as_ref()
    }

    /// Everything that may be under the key.
    pub fn allowed(&self, key: &str) -> Vec<Option<Content>> {
        let doubt = self.doubt.iter().filter(|(other, _)| other == key).map(|(_, new)| new.clone());
        [self.object(key).cloned()].into_iter().chain(doubt).collect()
    }

    /// Every key that was ever changed.
    pub fn keys(&self) -> BTreeSet<String> {
        let doubt = self.doubt.iter().map(|(key, _)| key.clone());
        self.objects.keys().cloned().chain(doubt).collect()
    }

    /// Those of [`Self::open_uploads`] to which parts are sent.
    pub fn fed_uploads(&self) -> Vec<usize> {
        let mut open = self.open_uploads();
        open.retain(|at| !self.uploads[*at].is_born);
        open
    }

    /// The positions of the uploads that nobody tried to end.
    pub fn open_uploads(&self) -> Vec<usize> {
        (0..self.uploads.len()).filter(|at| self.uploads[*at].ending.is_none()).collect()
    }
}

/// Keys that all writers try to create with If-None-Match: one of them wins.
#[derive(Default)]
pub struct Races {
    pub winners: BTreeMap<String, Content>,
    /// Tries without an answer, of which one may have won.
    pub doubts: BTreeMap<String, Vec<Content>>,
}

impl Races {
    /// Everything that may be under the key.
    pub fn allowed(&self, key: &str) -> Vec<Option<Content>> {
        match self.winners.get(key) {
            Some(winner) => vec![Some(winner.clone())],
            None => {
                let doubts = self.doubts.get(key).into_iter().flatten().cloned().map(Some);
                [None].into_iter().chain(doubts).collect()
            }
        }
    }
}
