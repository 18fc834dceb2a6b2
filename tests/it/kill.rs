//! SIGKILL at random times under writers of objects and uploads.
//!
//! Each round: eight writers work against the real binary; it is killed, started again on the same
//! folder, and compared with what it had acknowledged. A kill cannot reveal a missing fsync,
//! because the page cache survives it; `tests/faults` cuts the power for that. It reveals torn
//! changes, lost rows, files that a restart takes for garbage, and uploads that come back. All
//! writers share a few contents, which are stored once, and again by reference.
//!
//! `PARTITA_KILL_ROUNDS` asks for more rounds, `PARTITA_KILL_SEED` for those of an earlier run.
//! (The time of a kill is repeated; the state of the server at that time is not.)

pub mod client;
mod model;
mod verify;
mod writer;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::signer::Signer;
use client::Client;
use model::{Book, Chance, Races};
use writer::{BUCKET, Round, Writer};

pub const BINARY: &str = env!("CARGO_BIN_EXE_partita");
const WRITERS: usize = 8;
const ROUNDS: u64 = 12;
/// Factor by which the number of rounds may grow until enough was done.
const ROUNDS_TIMES_MAX: u64 = 10;
/// Lifetime of a round's server, in milliseconds.
const LIFE_MS: (usize, usize) = (50, 1000);
pub const ACCESS_KEY: &str = "KILLTESTACCESSKEY";
pub const SECRET_KEY: &str = "the-secret-of-the-kill-test";

/// One run of the binary, killed on drop.
pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Server {
    fn start(data: &Path) -> Self {
        // Answers wait for their result, so that each has a known length.
        Self::start_with(data, &["--dedup-buckets", BUCKET, "--verify-hold-ms", "25000"])
    }

    /// Starts with more flags.
    pub fn start_with(data: &Path, flags: &[&str]) -> Self {
        let mut process = Command::new(BINARY)
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--listen", "127.0.0.1:0", "--part-bytes-min", "1", "--access-log", "false"])
            .args(flags)
            .env("PARTITA_ROOT_ACCESS_KEY_ID", ACCESS_KEY)
            .env("PARTITA_ROOT_SECRET_ACCESS_KEY", SECRET_KEY)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut out = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let line =
            out.find_map(|line| line.ok()?.strip_prefix("listening on http://").map(str::to_owned));
        // The pipe is not kept: nothing else is written to it.
        let address = line.and_then(|text| text.parse().ok()).expect("it tells where it listens");
        Self { process, address }
    }

    /// Sends SIGHUP, on which the server reloads its files.
    pub fn hang_up(&self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    }

    pub fn kill(&mut self) {
        // SIGKILL on Unix: no handler, no destructor, no drain.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let rounds = setting("PARTITA_KILL_ROUNDS").unwrap_or(ROUNDS);
    let random = || RandomState::new().build_hasher().finish();
    let seed = setting("PARTITA_KILL_SEED").unwrap_or_else(random);
    println!("PARTITA_KILL_SEED={seed} PARTITA_KILL_ROUNDS={rounds}");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let signer = Signer::new(ACCESS_KEY, SECRET_KEY);
    let mut books: Vec<Book> = (0..WRITERS).map(|_| Book::default()).collect();
    let races = Mutex::new(Races::default());
    let mut chance = Chance::new(seed, 0);

    let mut server = Server::start(&data);
    let made = Client::new(server.address, &signer).send("PUT", &format!("/{BUCKET}"), &[], b"");
    assert_eq!(made.expect("it is up").status, 200);
    let (mut acknowledged, mut taken) = (0, 0);
    for number in 0.. {
        // On a busy machine little happens in a round; then there are more rounds.
        let is_enough = acknowledged > rounds as usize * 20 && taken > rounds as usize;
        if number >= rounds && (is_enough || number >= rounds * ROUNDS_TIMES_MAX) {
            break;
        }
        let life = chance.within(LIFE_MS.0, LIFE_MS.1);
        let life = Duration::from_millis(life as u64);
        let workload = Workload { number, seed, races: &races, signer: &signer };
        workload.work_until_killed(&mut books, &mut server, life);
        server = Server::start(&data);
        let mut client = Client::new(server.address, &signer);
        let mut races = races.lock().unwrap();
        let wrong = verify::verify(&mut client, &mut books, &mut races, number);
        assert!(wrong.is_empty(), "round {number} of PARTITA_KILL_SEED={seed}: {wrong:#?}");
        acknowledged = books.iter().map(|book| book.acknowledged).sum();
        taken = books.iter().map(|book| book.taken).sum();
        println!("{} kills, {acknowledged} acknowledged, {taken} of them taken", number + 1);
    }
    server.kill();
    let is_enough = acknowledged > rounds as usize * 20 && taken > rounds as usize;
    assert!(is_enough, "too little was done to prove anything: {acknowledged}, {taken} taken");
    let check = Command::new(BINARY).args(["check", "--blocks", "--data"]).arg(&data).output();
    let check = check.expect("the binary starts");
    let text = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{text}{}", String::from_utf8_lossy(&check.stderr));
    verify::no_file_without_row(&data);
}

/// The writers of one round.
struct Workload<'a> {
    number: u64,
    seed: u64,
    races: &'a Mutex<Races>,
    signer: &'a Signer,
}

impl Workload<'_> {
    /// Returns when the server is dead and every writer has noticed.
    fn work_until_killed(&self, books: &mut [Book], server: &mut Server, life: Duration) {
        let is_killed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (name, book) in books.iter_mut().enumerate() {
                let client = Client::new(server.address, self.signer);
                let stream = self.number * WRITERS as u64 + name as u64 + 1;
                let chance = Chance::new(self.seed, stream);
                let round = Round { number: self.number, races: self.races, is_killed: &is_killed };
                let writer = Writer { name, book, client, chance, round };
                scope.spawn(move || writer.run());
            }
            std::thread::sleep(life);
            is_killed.store(true, Ordering::Release);
            server.kill();
        });
    }
}
