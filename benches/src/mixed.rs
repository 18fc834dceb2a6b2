//! `mixed`: latency of small writes beside large work of all kinds, and the greatest length of the
//! write-ahead log. Garbage of the large work is collected meanwhile.
//!
//! **Invariant:** the half beside large work ends with that work, so that undisturbed writes do not
//! dilute the result.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::load::{self, Answer, Measured, Plan, Request, Script};
use crate::servers::Own;
use crate::target::{BUCKET, Payload, Target, in_turn, once_each, spread};
use crate::workloads::{Kind, Unit, Workload};

const MIB: u64 = 1 << 20;
/// Parts of the large uploads.
const PARTS: u64 = 10_000;
/// Large uploads, each completed and then deleted.
const LARGE: u64 = 40;
/// Times five DeleteObjects of 1000 keys.
const BULKS: usize = 40;
const CONNECTIONS: usize = 16;

/// Requests of one connection, and whether they are repeated.
type Work = (Vec<Request>, bool);

/// Arguments of `mixed`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    own: Own,
    /// Seconds for each half, at most; the second one ends with the large work
    #[arg(long, default_value_t = 10.0)]
    time: f64,
}

/// Runs both halves and prints their figures.
///
/// # Errors
/// The server does not start, or a response is wrong.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let running = arguments.own.start("mixed")?;
    let target = &running.target;
    let work = large_work(target)?;
    rustix::fs::sync();

    let time = Duration::from_secs_f64(arguments.time);
    let plan = |scripts| Plan { address: target.address, scripts, time };
    let alone = load::run(plan(small_writes(target, "alone")))?.checked()?;
    let stop = Arc::new(AtomicBool::new(false));
    let log = thread::spawn(peak_of_log(running.folder.join("data"), Arc::clone(&stop)));
    let slow = thread::spawn(slow_reader(target, Arc::clone(&stop))?);
    let address = target.address;
    // Scripts of the finite work that have not ended.
    let left = Arc::new(AtomicUsize::new(work.iter().filter(|(_, again)| !again).count()));
    let under_way = Arc::clone(&left);
    // Signing takes longer than the large work, so all requests are signed before it starts.
    let small = small_writes(target, "beside").into_iter();
    let small = small.map(|script| while_any(&left, script)).collect();
    let large = thread::spawn(move || -> Result<Measured, String> {
        let scripts = work.into_iter().map(|(requests, again)| match again {
            true => while_any(&under_way, in_turn(requests.into(), 0)),
            false => counted_out(&under_way, once_each(requests)),
        });
        let plan = Plan { address, scripts: scripts.collect(), time };
        load::run(plan).and_then(Measured::checked).map_err(|error| error.to_string())
    });
    let beside = load::run(plan(small))?.checked()?;
    let large = large.join().map_err(|_| "the large work panicked")??;
    stop.store(true, Ordering::Relaxed);
    let log_bytes = log.join().map_err(|_| "the watcher of the log panicked")?;
    slow.join().map_err(|_| "the slow reader panicked")?;
    if beside.operations == 0 {
        return Err("the large work was over before anything was written beside it".into());
    }
    let puts = format!("PutObject of 4 KiB, {CONNECTIONS} connections");
    println!("| {puts} | seconds | per second | p50 ms | p99 ms | p99.9 ms |");
    println!("|---|---|---|---|---|---|");
    tell("alone", &alone);
    tell("beside large work", &beside);
    let ratio = quantile(&beside, 0.99) / quantile(&alone, 0.99);
    println!(
        "\np99 beside ÷ p99 alone: {ratio:.2}; large operations meanwhile: {}",
        large.operations
    );
    println!("longest write-ahead log: {} MiB", log_bytes / MIB);
    Ok(())
}

fn tell(name: &str, measured: &Measured) {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| quantile(measured, q));
    let (seconds, rate) = (measured.elapsed.as_secs_f64(), measured.rate());
    println!("| {name} | {seconds:.1} | {rate:.0} | {p50:.2} | {p99:.2} | {p999:.2} |");
}

/// Latency in milliseconds.
fn quantile(measured: &Measured, q: f64) -> f64 {
    measured.latency.value_at_quantile(q) as f64 / 1e3
}

/// Script that ends when `left` is 0.
fn while_any(left: &Arc<AtomicUsize>, mut script: Script) -> Script {
    let left = Arc::clone(left);
    Box::new(move |answer: Option<&Answer>| match left.load(Ordering::Relaxed) {
        0 => None,
        _ => script(answer),
    })
}

/// Script that decrements `left` when it ends.
fn counted_out(left: &Arc<AtomicUsize>, mut script: Script) -> Script {
    let left = Arc::clone(left);
    Box::new(move |answer: Option<&Answer>| {
        let next = script(answer);
        if next.is_none() {
            left.fetch_sub(1, Ordering::Relaxed);
        }
        next
    })
}

/// Repeated PutObject of 4 KiB, for each connection.
fn small_writes(target: &Target, name: &str) -> Vec<Script> {
    let body = Payload::new(4096);
    let put = |n| {
        let path = format!("/{BUCKET}/small-{name}/{n:08}");
        target.presigned("PUT", &path, Some(&body), 200)
    };
    spread((0..100_000).map(put).collect(), CONNECTIONS)
}

/// Requests of each connection, and whether they are repeated.
fn large_work(target: &Target) -> Result<Vec<Work>, Box<dyn Error>> {
    let (unit, kind) = (Unit::Milliseconds, Kind::Complete { parts: PARTS });
    let upload = Workload { name: "mixed", unit, kind, bytes: 1, connections: 1, seconds: 1 };
    let mut completes = Vec::new();
    for n in 0..LARGE {
        completes.push(upload.complete(target, &format!("large-{n}"), PARTS)?);
        // The upload before is complete: the requests of a connection are in order.
        if n > 0 {
            let path = format!("/{BUCKET}/large-{}", n - 1);
            completes.push(target.presigned("DELETE", &path, None, 204));
        }
    }
    let many = Workload { kind: Kind::DeleteMany, ..upload };
    let mut batches = Vec::new();
    for n in 0..BULKS {
        batches.extend(many.bulk(target, n)?);
    }
    let list = |n: u64| {
        let after = format!("small-alone%2F{:08}", n * 7_919 % 50_000);
        let query = format!("list-type=2&start-after={after}");
        target.presigned("GET", &format!("/{BUCKET}?{query}"), None, 200)
    };
    Ok(vec![(completes, false), (batches, false), ((0..100).map(list).collect(), true)])
}

/// Samples the length of the write-ahead log. Gives the greatest one in bytes.
fn peak_of_log(data: PathBuf, stop: Arc<AtomicBool>) -> impl FnOnce() -> u64 {
    move || {
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let mut peak = 0;
        while !stop.load(Ordering::Relaxed) {
            peak = peak.max(length(&data.join("partita.db-wal")));
            thread::sleep(Duration::from_millis(20));
        }
        peak
    }
}

/// Reads a large object slowly.
fn slow_reader(
    target: &Target,
    stop: Arc<AtomicBool>,
) -> Result<impl FnOnce() + use<>, Box<dyn Error>> {
    let path = format!("/{BUCKET}/slow");
    target.all(vec![target.signed("PUT", &path, &[], Some(&Payload::new(64 * MIB)), 200)], 1)?;
    let request = target.presigned("GET", &path, None, 200);
    let mut stream = TcpStream::connect(target.address)?;
    stream.write_all(&request.head)?;
    Ok(move || {
        let mut piece = vec![0; 64 << 10];
        while !stop.load(Ordering::Relaxed) && stream.read(&mut piece).is_ok_and(|n| n > 0) {
            thread::sleep(Duration::from_millis(50));
        }
    })
}
