//! `seed`: fills a data folder with many small objects, with verbs of the store.
//!
//! Each object is like that of a PutObject: the same verb and the same durable group commit,
//! without HTTP. Keys are in byte order, the cheapest order for the index.

use std::collections::VecDeque;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use partita::access::{
    Action, Bucket, CreateBucket, Credential, ObjectPath, Permit, Principal, Question, Resource,
    Right, Rules, WriteObject, decide,
};
use partita::config::{Config, KeyPair};
use partita::digest::{ChecksumAlgorithm, Digests, Hasher, ObjectChecksum, WantedDigests};
use partita::events::EventName;
use partita::store::{self, CreatedBucket, NewObject, NewUser, Pending, Published, Store};
use partita::types::{BucketName, ObjectHeaders, ObjectKey, WriteCondition};

/// Owner of the buckets. A server on the folder uses it as root.
const ROOT: &str = "root";
/// PUTs that wait for the writer at once: several batches.
const FLIGHT: usize = 2048;
/// Objects per common prefix.
const OBJECTS_OF_PREFIX: u64 = 10;
/// Pause before a PUT that the store refused as overloaded is repeated.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Objects between two lines of progress.
const REPORT_EVERY: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Arguments of `seed`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The data folder; no server may run on it
    #[arg(long)]
    data: PathBuf,
    /// Objects in the bucket `bench`, ten below each common prefix
    #[arg(long, default_value_t = 1_000_000)]
    objects: u64,
    /// Root's access key id and secret, to be given to the server as well
    #[arg(long, default_value = "bench-key:bench-secret")]
    key: String,
}

/// Fills the folder and prints the rate.
///
/// # Errors
/// Errors of the store.
pub fn run(arguments: &Arguments) -> Result<()> {
    let began = Instant::now();
    fill(&arguments.data, arguments.objects, &arguments.key)?;
    let rate = rate(arguments.objects, began);
    println!("{} objects, {rate:.0} a second", arguments.objects);
    Ok(())
}

/// Fills a folder: the root user gets `key`, an id and a secret with a colon between them.
///
/// # Errors
/// Errors of the store.
pub fn fill(data: &Path, objects: u64, key: &str) -> Result<()> {
    let mut options = Config::default().store_options();
    options.data = data.to_owned();
    let store = Store::open(options)?;
    let root = root(&store, key)?;
    let body = Bytes::from_static(b"x");
    let bucket = bucket(&store, &root, crate::target::BUCKET)?;
    let digests = digests(&body);
    let seeder = Seeder { store: &store, root, bucket, body, digests };
    seeder.fill((0..objects).map(self::key))?;
    store.close();
    Ok(())
}

/// Key of an object. Keys ascend with their numbers.
pub fn key(number: u64) -> String {
    format!("dir-{:08}/{number:010}", number / OBJECTS_OF_PREFIX)
}

fn digests(body: &[u8]) -> Digests {
    let mut hasher = Hasher::new(WantedDigests::default());
    hasher.update(body);
    hasher.finish()
}

/// Key of the root user, created if the folder is empty.
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

/// The bucket, which is created if it is missing.
fn bucket(store: &Store, root: &Arc<Credential>, name: &str) -> Result<Arc<Bucket>> {
    let parsed = BucketName::parse(name).ok_or("the name of a bucket")?;
    let new = Resource::NewBucket(parsed);
    let permit = permit::<CreateBucket>(root, Action::CreateBucket, new)?;
    let created = store.create_bucket(&permit, "us-east-1").wait()?;
    let (CreatedBucket::Created(bucket) | CreatedBucket::Exists(bucket)) = created;
    Ok(bucket)
}

fn permit<R: Right>(
    root: &Arc<Credential>,
    action: Action,
    resource: Resource,
) -> Result<Permit<R>> {
    let principal = Principal::Key(Arc::clone(root));
    let rules = Rules::default();
    let question = Question { principal, action, resource, origin: None, rules, object: None };
    let permit = decide(question).permit::<R>();
    permit.map_err(|_| "root may do anything".into())
}

struct Seeder<'a> {
    store: &'a Store,
    root: Arc<Credential>,
    bucket: Arc<Bucket>,
    body: Bytes,
    digests: Digests,
}

impl Seeder<'_> {
    /// Puts one object under each key, many at once.
    fn fill(&self, keys: impl Iterator<Item = String>) -> Result<()> {
        let (started, mut told) = (Instant::now(), Instant::now());
        let mut flight: VecDeque<(ObjectKey, Pending<Published>)> = VecDeque::new();
        let mut done = 0_u64;
        for key in keys {
            let key = ObjectKey::parse(key.as_bytes()).map_err(|_| "a key")?;
            if flight.len() == FLIGHT {
                // Waits for half of them, so that the writer always has the other half.
                done += self.land(flight.drain(..FLIGHT / 2))?;
            }
            let pending = self.put(&key)?;
            flight.push_back((key, pending));
            if told.elapsed() >= REPORT_EVERY {
                told = Instant::now();
                eprintln!("{done} objects, {:.0} a second", rate(done, started));
            }
        }
        self.land(flight.drain(..))?;
        Ok(())
    }

    fn put(&self, key: &ObjectKey) -> Result<Pending<Published>> {
        let checksum = self.digests.checksum_for(ChecksumAlgorithm::Crc64nvme);
        let new = NewObject {
            headers: ObjectHeaders::default(),
            checksum: checksum.map(ObjectChecksum::full),
            condition: WriteCondition::default(),
            event: EventName::ObjectCreatedPut,
            callback_var: None,
        };
        let path = ObjectPath { bucket: Arc::clone(&self.bucket), key: key.clone() };
        let permit = permit::<WriteObject>(&self.root, Action::PutObject, Resource::Object(path))?;
        let staged = self.store.stage_inline(self.body.clone(), self.digests.clone());
        Ok(self.store.put_object(&permit, new, staged))
    }

    /// Waits for the results. PUTs that were refused as overloaded are repeated.
    fn land(&self, flight: impl Iterator<Item = (ObjectKey, Pending<Published>)>) -> Result<u64> {
        let mut landed = 0;
        for (key, mut pending) in flight {
            loop {
                match pending.wait() {
                    Err(store::Error::Overloaded) => {
                        std::thread::sleep(BUSY_PAUSE);
                        pending = self.put(&key)?;
                    }
                    Err(error) => return Err(error.into()),
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
