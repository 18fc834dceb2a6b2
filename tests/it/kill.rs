//! SIGKILL at random times under writers of objects and uploads.
//!
//! In each round eight writers send requests to the real binary. It is killed, started again on the
//! same folder, and compared with what it had acknowledged. A kill cannot reveal a missing fsync,
//! because the page cache survives it; `tests/faults` cuts the power for that. It reveals changes
//! that are there in part, lost rows, files that a restart deletes wrongly, and uploads that are
//! open again after their end. All writers use a few contents in common, which are stored once, and
//! then by reference.
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
use model::{Races, Random, WriterState};
use writer::{BUCKET, Round, Writer};

pub const BINARY: &str = env!("CARGO_BIN_EXE_partita");
const WRITERS: usize = 8;
const ROUNDS: u64 = 12;
/// Factor by which the number of rounds may grow until enough changes were acknowledged.
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
    pub fn send_sighup(&self) {
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
    let new_seed = || RandomState::new().build_hasher().finish();
    let seed = setting("PARTITA_KILL_SEED").unwrap_or_else(new_seed);
    println!("PARTITA_KILL_SEED={seed} PARTITA_KILL_ROUNDS={rounds}");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let signer = Signer::new(ACCESS_KEY, SECRET_KEY);
    let mut states: Vec<WriterState> = (0..WRITERS).map(|_| WriterState::default()).collect();
    let races = Mutex::new(Races::default());
    let mut random = Random::new(seed, 0);

    let mut server = Server::start(&data);
    let made = Client::new(server.address, &signer).send("PUT", &format!("/{BUCKET}"), &[], b"");
    assert_eq!(made.expect("it is up").status, 200);
    let (mut acknowledged, mut by_reference) = (0, 0);
    for number in 0.. {
        // On a busy machine little happens in a round; then there are more rounds.
        let is_enough = acknowledged > rounds as usize * 20 && by_reference > rounds as usize;
        if number >= rounds && (is_enough || number >= rounds * ROUNDS_TIMES_MAX) {
            break;
        }
        let life = random.within(LIFE_MS.0, LIFE_MS.1);
        let life = Duration::from_millis(life as u64);
        let workload = Workload { number, seed, races: &races, signer: &signer };
        workload.work_until_killed(&mut states, &mut server, life);
        server = Server::start(&data);
        let mut client = Client::new(server.address, &signer);
        let mut races = races.lock().unwrap();
        let wrong = verify::verify(&mut client, &mut states, &mut races, number);
        assert!(wrong.is_empty(), "round {number} of PARTITA_KILL_SEED={seed}: {wrong:#?}");
        acknowledged = states.iter().map(|state| state.acknowledged).sum();
        by_reference = states.iter().map(|state| state.by_reference).sum();
        println!(
            "{} kills, {acknowledged} acknowledged, {by_reference} of them by reference",
            number + 1
        );
    }
    server.kill();
    let is_enough = acknowledged > rounds as usize * 20 && by_reference > rounds as usize;
    assert!(
        is_enough,
        "too little was done to prove anything: {acknowledged}, {by_reference} by reference"
    );
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
    /// Runs all writers, and kills the server after `life`. Returns when every writer has ended.
    fn work_until_killed(&self, states: &mut [WriterState], server: &mut Server, life: Duration) {
        let is_killed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (name, state) in states.iter_mut().enumerate() {
                let client = Client::new(server.address, self.signer);
                let stream = self.number * WRITERS as u64 + name as u64 + 1;
                let random = Random::new(self.seed, stream);
                let round = Round { number: self.number, races: self.races, is_killed: &is_killed };
                let writer = Writer { name, state, client, random, round };
                scope.spawn(move || writer.run());
            }
            std::thread::sleep(life);
            is_killed.store(true, Ordering::Release);
            server.kill();
        });
    }
}
