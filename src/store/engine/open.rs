//! Start of a store: lock, recovery, loading of the tables in memory, and the threads.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::Engine;
use super::data_folder::DataFolder;
use crate::store::blobs::earlier_runs;
use crate::store::blobs::files::Blobs;
use crate::store::blobs::lock::lock;
use crate::store::blobs::packer::packer;
use crate::store::db::sqlite::connection::{FILE_NAME, Role, WAL_NAME, connect};
use crate::store::db::sqlite::database::Database;
use crate::store::db::sqlite::job::SeqBlock;
use crate::store::db::sqlite::queue::queue;
use crate::store::db::sqlite::readers::Readers;
use crate::store::db::sqlite::state::DatabaseState;
use crate::store::db::sqlite::writer::Writer;
use crate::store::db::sqlite::{accounts, configurations, outbox, runs, wal, wal_file};
use crate::store::error::{Error, Result};
use crate::store::memory::damage_log::DamageLog;
use crate::store::memory::digest_cache::DigestCache;
use crate::store::memory::targets::Targets;
use crate::store::records::options::Options;
use crate::store::space::admission::Space;
use crate::store::space::ballast::Ballast;

impl Engine {
    /// Opens and recovers a store: the WAL of an earlier run is moved into the database here. The
    /// GC thread sweeps the files of earlier runs.
    pub(crate) fn open(options: Options) -> Result<Arc<Self>> {
        let lock = lock(&options.data)?;
        let ballast = Arc::new(Ballast::new(&options.data));
        ballast.make_room_to_open()?;
        let path = options.data.join(FILE_NAME);
        refuse_lost_database(&path, &options)?;
        // SQLite forgets without a word what is behind a damaged frame, so this comes first.
        wal_file::refuse_rot(&options.data.join(WAL_NAME))?;
        let mut connection = connect(&path, Role::Writer)?;
        sync_folder(&options)?;
        wal::recover(&connection)?;
        let begun = runs::begin(&connection, &options.data, options.sources.now())?;
        let blobs = Blobs::open(&options.data, begun.run, options.sources.clone())?;
        outbox::insert_targets(&connection, &options.event_targets)?;
        let targets = Targets::new(&options.event_targets);
        let state = Arc::new(DatabaseState::new(
            Arc::clone(&blobs),
            Arc::clone(&ballast),
            targets,
            options.sources.clone(),
        ));
        state.directory.apply(accounts::load(&connection)?);
        state.directory.apply(configurations::load(&connection)?);
        wal::watch(&mut connection, &state)?;

        let folder = Arc::new(DataFolder::open(&options.data)?);
        let space = Arc::new(Space::new(Arc::clone(&blobs), ballast, options.free_bytes_min));
        let (packing, packer) = packer(&blobs);
        let (sender, queue) = queue(&state, options.writer_queue_max.max(1));
        let writer = Writer {
            connection,
            queue,
            state: Arc::clone(&state),
            batch_time_max: options.bounds.batch_time_max,
            wal_bytes_restart: options.wal_bytes_restart,
            wal_bytes_wait: options.wal_bytes_max / 2,
            restart_at: options.wal_bytes_restart,
            seqs: SeqBlock::default(),
        };
        let mover = connect(&path, Role::Checkpointer)?;
        let (mover_state, mover_space) = (Arc::clone(&state), Arc::clone(&space));
        let options = Arc::new(options);
        let db =
            Database { options: Arc::clone(&options), state, readers: Readers::new(path), sender };
        let engine = Arc::new(Self {
            options,
            db,
            blobs,
            space,
            pins: Arc::default(),
            swept: AtomicBool::new(false),
            is_clock_settled: AtomicBool::new(false),
            verified: DigestCache::default(),
            damage: DamageLog::default(),
            collecting: Mutex::default(),
            packing,
            folder: Arc::clone(&folder),
            last_noted: begun.last_noted,
            threads: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        });
        engine.start("partita-writer", move || writer.run())?;
        engine.start("partita-packer", move || packer.run())?;
        engine.start("partita-wal", move || wal::run(&mover, &mover_state, &mover_space))?;
        let files = Arc::clone(&engine.blobs);
        engine.start("partita-folder", move || folder.watch(&files))?;
        Ok(engine)
    }

    /// Starts a thread that is joined at the end of the store. A panic in it poisons the store.
    pub(crate) fn start(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        let (blobs, what) = (Arc::clone(&self.blobs), name.to_owned());
        // A store without one of its threads works no longer: it is better to end and recover.
        let guarded = move || {
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                blobs.poison(format!("the thread {what} panicked"));
            }
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(guarded)
            .map_err(|source| Error::io("start a thread for", &self.options.data, source))?;
        self.threads.lock().push(thread);
        Ok(())
    }
}

/// Refuses files of objects without a database: their rows were lost or not restored yet. An empty
/// database would take all of them for garbage.
fn refuse_lost_database(path: &Path, options: &Options) -> Result<()> {
    if path.exists() || !earlier_runs::holds_any(&options.data)? {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{} is not there, but {} holds files of objects: restore the database from a backup, or \
         name an empty data folder",
        path.display(),
        options.data.display()
    )))
}

/// Syncs the folder: the entry of the database file must survive a power cut.
fn sync_folder(options: &Options) -> Result<()> {
    let sync = || File::open(&options.data)?.sync_all();
    sync().map_err(|source| Error::io("sync", &options.data, source))
}
