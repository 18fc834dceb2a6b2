//! WAL that a killed server left, with rot: the store does not open. Only rot of more than one bit
//! in the last transaction is not told from a torn write.

use super::*;
use crate::store::db::sqlite::connection::WAL_NAME;

/// Objects in the store, each of a transaction of its own.
const PUTS: u64 = 12;
/// Bytes of a frame with its page, and of the file's header.
const FRAME_BYTES: usize = 24 + 4096;
const HEADER_BYTES: usize = 32;

/// Outcome of an opening.
#[derive(PartialEq, Eq, Debug)]
enum Opened {
    /// With all objects.
    Whole,
    /// Without the last one.
    LastLost,
    /// Without the last two.
    TwoLost,
    /// Not at all: the WAL is damaged.
    Refused,
}

/// A data folder that a killed server left, and its WAL.
struct Killed {
    fixture: Fixture,
    database: Vec<u8>,
    wal: Vec<u8>,
}

fn file(fixture: &Fixture, name: &str) -> std::path::PathBuf {
    fixture.options.data.join(name)
}

impl Killed {
    fn new() -> Self {
        let mut fixture = Fixture::without_gc(|_| ());
        fixture.make_bucket("bucket");
        // Everything so far is in the database file, and the WAL begins anew.
        fixture.crash();
        let rights = fixture.make_bucket("bucket");
        for n in 0..PUTS {
            fixture.put(&rights, &format!("key-{n}"), &body(n, 100)).expect("put");
        }
        // Before a checkpoint moves them: these bytes are what a kill leaves.
        let database = std::fs::read(file(&fixture, "partita.db")).expect("the database");
        let mut wal = std::fs::read(file(&fixture, WAL_NAME)).expect("the WAL");
        let is_old = |at: &usize| wal[at + 8..at + 16] != wal[16..24];
        let old = (HEADER_BYTES..wal.len()).step_by(FRAME_BYTES).find(is_old);
        wal.truncate(old.unwrap_or(wal.len()));
        fixture.store.engine.halt();
        Self { fixture, database, wal }
    }

    /// Opens the folder with this WAL.
    fn open(&self, wal: &[u8]) -> Opened {
        std::fs::write(file(&self.fixture, "partita.db"), &self.database).expect("written");
        std::fs::write(file(&self.fixture, WAL_NAME), wal).expect("written");
        let _ = std::fs::remove_file(file(&self.fixture, "partita.db-shm"));
        let store = match Store::open_without_gc(self.fixture.options.clone()) {
            Ok(store) => store,
            Err(Error::Damaged { what }) => {
                assert!(what.contains("from a backup"), "{what}");
                return Opened::Refused;
            }
            Err(error) => panic!("{error}"),
        };
        let name = BucketName::parse("bucket").expect("a name");
        let bucket = store.bucket(&name).expect("the bucket is there");
        let rights = Rights::new(&self.fixture.root, &bucket);
        let has = |n: u64| {
            let found = store.open_object(&rights.access(&format!("key-{n}"))).wait();
            found.is_ok()
        };
        let lost: Vec<u64> = (0..PUTS).filter(|n| !has(*n)).collect();
        store.engine.halt();
        match lost.as_slice() {
            [] => Opened::Whole,
            [last] if *last == PUTS - 1 => Opened::LastLost,
            [first, _] if *first == PUTS - 2 => Opened::TwoLost,
            _ => panic!("lost without a word: {lost:?}"),
        }
    }

    /// Offsets of frames that end a transaction. (Frames of an earlier use of the file, with other
    /// salts, were cut off.)
    fn ends(&self) -> Vec<usize> {
        let frames = (HEADER_BYTES..self.wal.len()).step_by(FRAME_BYTES);
        frames.filter(|at| self.wal[at + 4..at + 8] != [0; 4]).collect()
    }
}

#[test]
fn a_flipped_bit_in_the_wal_loses_nothing_without_a_word() {
    let killed = Killed::new();
    assert_eq!(killed.open(&killed.wal), Opened::Whole);
    assert!(killed.ends().len() as u64 >= PUTS, "each put is a transaction");
    let bits_of_headers = (0..HEADER_BYTES)
        .chain((HEADER_BYTES..killed.wal.len()).step_by(FRAME_BYTES).flat_map(|at| at..at + 24))
        .map(|byte| byte * 8 + byte % 8);
    let bits_of_pages = (0..300).map(|n| n * (killed.wal.len() * 8 / 300) + n % 8);
    let mut flips = 0;
    for bit in bits_of_headers.chain(bits_of_pages) {
        let mut wal = killed.wal.clone();
        wal[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(killed.open(&wal), Opened::Refused, "bit {bit} of {}", wal.len() * 8);
        flips += 1;
    }
    println!("{flips} flipped bits: each refuses to open");
}

/// Rot of more bits in the middle; at the end it looks like a torn write.
#[test]
fn a_lost_page_in_the_middle_of_the_wal_is_rot() {
    let killed = Killed::new();
    let ends = killed.ends();
    let frames = (HEADER_BYTES..killed.wal.len()).step_by(FRAME_BYTES);
    let last = ends[ends.len() - 2] + FRAME_BYTES;
    for at in frames {
        let mut wal = killed.wal.clone();
        wal[at..at + FRAME_BYTES].fill(0);
        let expected = match at {
            at if at >= last => Opened::LastLost,
            // Without its mark, the last two transactions look like one.
            at if at == last - FRAME_BYTES => Opened::TwoLost,
            _ => Opened::Refused,
        };
        assert_eq!(killed.open(&wal), expected, "frame at {at}, the last ones at {last}");
    }
}

#[test]
fn a_torn_tail_is_no_rot() {
    let killed = Killed::new();
    let last = *killed.ends().last().expect("a transaction");
    // Cut at any place of the last transaction, or with a hole in it.
    for cut in [last + FRAME_BYTES - 1, last + 24, last + 1, last] {
        assert_eq!(killed.open(&killed.wal[..cut]), Opened::LastLost, "cut at {cut}");
    }
    let mut torn = killed.wal.clone();
    let first = killed.ends()[killed.ends().len() - 2] + FRAME_BYTES;
    torn[first..first + FRAME_BYTES].fill(0);
    assert_eq!(killed.open(&torn), Opened::LastLost, "its later frames came first");
    // There its place has a frame of an earlier use of the file, which ended a transaction.
    let end = killed.ends()[0];
    torn[first..first + FRAME_BYTES].copy_from_slice(&killed.wal[end..end + FRAME_BYTES]);
    torn[first + 8..first + 16].fill(0x5a);
    assert_eq!(killed.open(&torn), Opened::LastLost, "the earlier use shows through");
    // What is behind the last transaction is of an earlier use of the file.
    let old = [&killed.wal[..], &[7; FRAME_BYTES * 2]].concat();
    assert_eq!(killed.open(&old), Opened::Whole);
    // A file that was made longer before it was written.
    let zeros = [&killed.wal[..], &[0; FRAME_BYTES * 3]].concat();
    assert_eq!(killed.open(&zeros), Opened::Whole);
}

/// A new file whose first bytes were not written before the power cut: nothing was acknowledged.
#[test]
fn a_log_of_zeros_is_an_empty_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(WAL_NAME);
    for length in [0, 31, HEADER_BYTES, HEADER_BYTES + FRAME_BYTES, HEADER_BYTES + 5 * FRAME_BYTES]
    {
        std::fs::write(&path, vec![0; length]).expect("written");
        crate::store::db::sqlite::wal_file::refuse_rot(&path).expect("it is empty");
    }
}
