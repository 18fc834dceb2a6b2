//! `seed`: fills a data folder with many small objects, through the store's own verbs.
//!
//! Each object is what a PutObject would have made: the same verb, the same group commit, synced.
//! There is no HTTP in between, and the keys come in byte order, which is the cheapest order for
//! the index; `--shuffle` has them come in no order at all.

use std::collections::VecDeque;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use partita::access::{Action, Credential, Permit, Principal, authorize};
use partita::config::{Config, KeyPair};
use partita::digest::{ChecksumAlgorithm, Digests, Hasher, ObjectChecksum, Want};
use partita::store::{
    self, CreatedBucket, NewObject, NewUser, Pending, Published, StagedBlob, Store,
};
use partita::types::{BucketName, ObjectHeaders, ObjectKey, WriteCondition};

/// The user whose buckets they are; a server that is started on the folder knows it as root.
const ROOT: &str = "root";
/// PUTs that wait for the writer at once: several of its batches.
const FLIGHT: usize = 2048;
/// Objects below one common prefix of the second level, and those of the first level.
const LEAF_OBJECTS: u64 = 500;
const BRANCH_LEAVES: u64 = 100;
/// How long a PUT waits that the store was too busy for.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// How often progress is told.
const REPORT_EVERY: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What to seed.
#[derive(clap::Args)]
pub struct Arguments {
    /// The data folder; no server may run on it
    #[arg(long)]
    data: PathBuf,
    /// Objects in the bucket `bench`, with keys like `branch/leaf/object`
    #[arg(long, default_value_t = 1_000_000)]
    objects: u64,
    /// Objects in the bucket `flat`, without any delimiter
    #[arg(long, default_value_t = 0)]
    flat: u64,
    /// Bytes of each body; up to 64 KiB they live in SQLite
    #[arg(long, default_value_t = 1)]
    bytes: usize,
    /// Have the keys come in no order
    #[arg(long)]
    shuffle: bool,
    /// Root's access key id and secret, to be given to the server as well
    #[arg(long, default_value = "bench-key:bench-secret")]
    key: String,
}

/// Fills the folder and prints how quickly.
///
/// # Errors
/// Whatever the store says.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut options = Config::default().store_options();
    options.data.clone_from(&arguments.data);
    let store = Store::open(options)?;
    let root = root(&store, &arguments.key)?;
    let body = Bytes::from(vec![b'x'; arguments.bytes]);
    for (name, objects, key) in [
        ("bench", arguments.objects, deep_key as fn(u64) -> String),
        ("flat", arguments.flat, flat_key as fn(u64) -> String),
    ] {
        let permit = bucket(&store, &root, name)?;
        let seeder = Seeder { store: &store, permit, body: body.clone(), digests: digests(&body) };
        let order = if arguments.shuffle { shuffled(objects) } else { 1 };
        seeder.fill(name, (0..objects).map(|i| key(multiply(i, order, objects))))?;
    }
    let closing = Instant::now();
    store.close();
    println!("closed in {:.1} s", closing.elapsed().as_secs_f64());
    Ok(())
}

/// `branch/leaf/object`, in byte order.
fn deep_key(i: u64) -> String {
    let leaf = i / LEAF_OBJECTS;
    format!("branch-{:05}/leaf-{:02}/{i:010}", leaf / BRANCH_LEAVES, leaf % BRANCH_LEAVES)
}

fn flat_key(i: u64) -> String {
    format!("object-{i:010}")
}

/// A factor that takes each number below `count` to another one: no common divisor.
fn shuffled(count: u64) -> u64 {
    let near = (count as f64 * 0.618_034) as u64;
    let divisor = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (near.max(1)..).find(|&factor| divisor(factor, count) == 1).unwrap_or(1)
}

fn multiply(i: u64, factor: u64, count: u64) -> u64 {
    ((u128::from(i) * u128::from(factor)) % u128::from(count)) as u64
}

fn digests(body: &[u8]) -> Digests {
    let mut hasher = Hasher::new(Want::default());
    hasher.update(body);
    hasher.finish()
}

/// The root user's key, made if the folder is empty.
fn root(store: &Store, key: &str) -> Result<Arc<Credential>> {
    let (id, secret) = key.split_once(':').ok_or("--key is ID:SECRET")?;
    if let Some(credential) = store.credential(id) {
        return Ok(credential);
    }
    let pair = KeyPair::parse(id, secret).map_err(|(what, shape)| format!("{what}: {shape}"))?;
    let key = Some(pair.into_parts());
    if store.user(ROOT).is_some() {
        return Ok(store.create_key(ROOT, key).wait()?);
    }
    let new = NewUser { name: ROOT.into(), root: true, key, ..NewUser::default() };
    Ok(store.create_user(new).wait()?.1)
}

/// Leave to put objects into the bucket, which is made if it is not there.
fn bucket(store: &Store, root: &Arc<Credential>, name: &str) -> Result<Permit> {
    let parsed = BucketName::parse(name).ok_or("the name of a bucket")?;
    let bucket = match store.create_bucket(parsed, &root.user, "us-east-1").wait()? {
        CreatedBucket::Created(bucket) | CreatedBucket::Exists(bucket) => bucket,
    };
    let principal = Principal::Key(Arc::clone(root));
    authorize(&principal, Action::PutObject, &bucket).map_err(|_| "root may do anything".into())
}

struct Seeder<'a> {
    store: &'a Store,
    permit: Permit,
    body: Bytes,
    digests: Digests,
}

impl Seeder<'_> {
    /// Puts one object under each key, many at a time.
    fn fill(&self, name: &str, keys: impl Iterator<Item = String>) -> Result<()> {
        let (started, mut told) = (Instant::now(), Instant::now());
        let mut flight: VecDeque<(ObjectKey, Pending<Published>)> = VecDeque::new();
        let mut done = 0_u64;
        for key in keys {
            let key = ObjectKey::parse(key.as_bytes()).map_err(|_| "a key")?;
            if flight.len() == FLIGHT {
                // Half of them, so that the writer always finds the other half waiting.
                done += self.land(flight.drain(..FLIGHT / 2))?;
            }
            let pending = self.put(&key);
            flight.push_back((key, pending));
            if told.elapsed() >= REPORT_EVERY {
                told = Instant::now();
                println!("{name}: {done} objects, {:.0}/s", rate(done, started));
            }
        }
        done += self.land(flight.drain(..))?;
        let (seconds, rate) = (started.elapsed().as_secs_f64(), rate(done, started));
        println!("{name}: {done} objects in {seconds:.1} s: {rate:.0} objects/s");
        Ok(())
    }

    fn put(&self, key: &ObjectKey) -> Pending<Published> {
        let checksum = self.digests.checksum_for(ChecksumAlgorithm::Crc64nvme);
        let new = NewObject {
            key: key.clone(),
            headers: ObjectHeaders::default(),
            checksum: checksum.map(ObjectChecksum::full),
            condition: WriteCondition::default(),
        };
        let staged = StagedBlob::inline(self.body.clone(), self.digests.clone());
        self.store.put_object(&self.permit, new, staged)
    }

    /// Waits for the answers; what the store was too busy for is put again.
    fn land(
        &self,
        flight: impl Iterator<Item = (ObjectKey, Pending<Published>)>,
    ) -> std::result::Result<u64, store::Error> {
        let mut landed = 0;
        for (key, mut pending) in flight {
            loop {
                match pending.wait() {
                    Err(store::Error::Overloaded) => {
                        std::thread::sleep(BUSY_PAUSE);
                        pending = self.put(&key);
                    }
                    Err(error) => return Err(error),
                    Ok(_) => break,
                }
            }
            landed += 1;
        }
        Ok(landed)
    }
}

fn rate(done: u64, started: Instant) -> f64 {
    done as f64 / started.elapsed().as_secs_f64().max(1e-9)
}
