//! Threads that call all verbs at once on few keys, with garbage collection and crashes between.
//! Each read gives one whole body that a thread wrote, and every invariant holds afterwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;

const THREADS: u64 = 6;
const ROUNDS: u64 = 4;
const ROUND: Duration = Duration::from_millis(400);
const KEYS: &[&str] = &["a", "b", "c", "d"];
const LENGTHS: &[usize] = &[0, 10, INLINE_BYTES, INLINE_BYTES + 1, 70_000];

/// One thread's work on the store.
struct Member<'a> {
    fixture: &'a Fixture,
    rights: &'a Rights,
    random: Random,
    bodies: &'a AtomicU64,
    done: u64,
}

impl Member<'_> {
    fn body(&mut self) -> Vec<u8> {
        let seed = self.bodies.fetch_add(1, Ordering::Relaxed);
        body(seed, *self.random.pick(LENGTHS))
    }

    fn key(&mut self) -> &'static str {
        self.random.pick::<&'static str>(KEYS)
    }

    fn step(&mut self) -> Result<()> {
        let name = self.key();
        match self.random.below(10) {
            0..2 => {
                let sent = self.body();
                self.fixture.put(self.rights, name, &sent).map(drop)
            }
            2 => self.fixture.delete(self.rights, name).map(drop),
            3 => {
                let permits = self.rights.deletes(KEYS.iter().copied());
                self.fixture.store.delete_objects(&permits).wait().map(drop)
            }
            4 => {
                let source = self.fixture.open(self.rights, self.key())?;
                self.fixture
                    .store
                    .copy_object(&self.rights.write(name), new_object(), &source)
                    .wait()?;
                Ok(())
            }
            5 => self.upload(name),
            6 => self.fixture.store.collect_garbage().run().map(drop),
            _ => self.read(name),
        }
    }

    /// GetObject of one key. The bytes must be those that the object's own row describes.
    fn read(&mut self, name: &str) -> Result<()> {
        let object = self.fixture.open(self.rights, name)?;
        let bytes = read_all(&object)?;
        assert_eq!(bytes.len() as u64, object.record.size);
        match object.record.parts {
            None => assert_eq!(etag(&bytes), object.record.etag, "one body, whole"),
            Some(_) => {
                let (parts, _) = object.parts(0, 1000).run()?;
                let mut joined = Vec::new();
                for (_, span) in &parts {
                    let part = &bytes[span.first as usize..(span.first + span.size) as usize];
                    joined.extend_from_slice(&etag(part).md5);
                }
                assert_eq!(etag(&joined).md5, object.record.etag.md5, "one list of parts, whole");
            }
        }
        Ok(())
    }

    /// Parts, some by reference, one of them replaced, one not listed; then completed or aborted.
    fn upload(&mut self, name: &str) -> Result<()> {
        let upload = self.fixture.create_upload(self.rights, name);
        let mut listed: Vec<(u16, Vec<u8>)> = Vec::new();
        for number in [1, 2, 3, 2] {
            let part = self.body();
            self.fixture.put_part(self.rights, name, upload, number, &part)?;
            listed.retain(|(other, _)| *other != number);
            listed.push((number, part));
        }
        let source = self.fixture.open(self.rights, self.key())?;
        if let Some(blob) = source.whole_blob(None).run()? {
            let (place, number) = (key(name), part_number(9));
            let store = &self.fixture.store;
            store
                .copy_part(&self.rights.upload(place.as_str(), upload), number, blob, None)
                .wait()?;
        }
        listed.sort_by_key(|(number, _)| *number);
        listed.remove(0);
        if self.random.below(4) == 0 {
            return self.fixture.store.abort_upload(&self.rights.ending(name, upload)).wait();
        }
        let listed: Vec<(u16, &[u8])> = listed.iter().map(|(n, part)| (*n, &part[..])).collect();
        self.fixture.complete(self.rights, name, upload, &listed).map(drop)
    }
}

#[test]
fn a_crowd_on_few_keys_breaks_nothing() {
    let mut fixture = Fixture::new();
    let bodies = AtomicU64::new(1);
    for round in 0..ROUNDS {
        let rights = fixture.make_bucket("bucket");
        let deadline = Instant::now() + ROUND;
        let done: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let random = Random(round * THREADS + number + 1);
                    let (fixture, rights, bodies) = (&fixture, &rights, &bodies);
                    let mut member = Member { fixture, rights, random, bodies, done: 0 };
                    scope.spawn(move || {
                        while Instant::now() < deadline || member.done < 2 {
                            match member.step() {
                                Ok(()) => member.done += 1,
                                // Another thread deleted it; the upload of it stays open.
                                Err(Error::NoSuchKey) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                        member.done
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert!(done > THREADS, "too little was done to prove anything");
        fixture.check();
        fixture.crash();
        fixture.check();
    }
    let rights = fixture.make_bucket("bucket");
    let permits = rights.deletes(KEYS.iter().copied());
    fixture.store.delete_objects(&permits).wait().expect("delete");
    fixture
        .store
        .delete_bucket(&rights.delete_bucket())
        .wait()
        .expect("its open uploads go with it");
    fixture.check();
    for table in ["blobs", "parts", "manifests", "manifest_runs", "uploads", "garbage"] {
        assert_eq!(fixture.count_rows(table), 0, "{table}");
    }
    assert_eq!((fixture.count_rows("inline_bytes"), fixture.count_files()), (0, 0));
}
