//! `growth`: cost of operations by number of objects, parts and connections, and by size of a body.
//! Where the design says that a cost does not depend on a size, its curve must be flat.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::curve::Curve;
use crate::load::{self, Measured, Plan, Request, Script};
use crate::process;
use crate::seed;
use crate::servers::{Own, Running, SERVERS};
use crate::target::{ACCESS_KEY, BUCKET, Payload, SECRET_KEY, once_each, spread};
use crate::workloads::{Kind, Unit, Workload};

const MIB: u64 = 1 << 20;

/// Arguments of `growth`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    own: Own,
    /// Most objects
    #[arg(long, default_value_t = 10_000_000)]
    objects: u64,
    /// Only along these: objects, parts, connections, bodies
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Seconds for each point
    #[arg(long, default_value_t = 2.0)]
    time: f64,
    /// Write the curves here as well
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write plots into this folder as well
    #[arg(long)]
    plots: Option<PathBuf>,
}

/// The curves so far.
#[derive(Default)]
struct Curves(Vec<Curve>);

impl Curves {
    fn add(&mut self, along: &'static str, what: &'static str, size: u64, figure: f64) {
        println!("{along} {size}: {what}: {}", crate::report::short(figure));
        match self.0.iter_mut().find(|curve| (curve.along, curve.what) == (along, what)) {
            Some(curve) => curve.points.push((size, figure)),
            None => self.0.push(Curve { along, what, points: vec![(size, figure)] }),
        }
    }
}

/// Measures and prints the curves.
///
/// # Errors
/// The server does not start, or a response is wrong.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut curves = Curves::default();
    let wanted = |what: &str| arguments.only.is_empty() || arguments.only.iter().any(|w| w == what);
    if wanted("objects") {
        objects(arguments, &mut curves)?;
    }
    let running = arguments.own.start("growth")?;
    let started = running.started_in.as_secs_f64() * 1e3;
    curves.add("objects", "start on an empty folder, ms", 0, started);
    if wanted("parts") {
        parts(&running, &mut curves)?;
    }
    if wanted("connections") {
        connections(arguments, &running, &mut curves)?;
    }
    if wanted("bodies") {
        bodies(arguments, &running, &mut curves)?;
    }
    if let Some(path) = &arguments.json {
        fs::write(path, serde_json::to_string_pretty(&curves.0)?)?;
    }
    if let Some(folder) = &arguments.plots {
        crate::plots::curves(&curves.0, folder)?;
    }
    Ok(())
}

/// Objects in a bucket: 10^3, 10^4 …
fn objects(arguments: &Arguments, curves: &mut Curves) -> Result<(), Box<dyn Error>> {
    const ALONG: &str = "objects";
    let mut count = 1_000;
    while count <= arguments.objects {
        let folder = arguments.own.folder.join("objects");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let started = Instant::now();
        seed::fill(&folder.join("data"), count, &format!("{ACCESS_KEY}:{SECRET_KEY}"))?;
        let rate = count as f64 / started.elapsed().as_secs_f64();
        curves.add(ALONG, "seeding, objects per second", count, rate);
        let folder = folder.canonicalize()?;
        let running = Running::resume(&SERVERS[0], "objects", &arguments.own.partita, folder)?;
        let started = running.started_in.as_secs_f64() * 1e3;
        curves.add(ALONG, "start, ms", count, started);
        let resident = process::usage(running.pid()).resident_bytes;
        curves.add(ALONG, "memory when idle, MiB", count, resident as f64 / MIB as f64);
        let target = &running.target;
        let some = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count;
        let path = |n| format!("/{BUCKET}/{}", seed::key(some(n)));
        let list = |n, rest: &str| {
            let after = seed::key(some(n) * 9 / 10).replace('/', "%2F");
            let query = format!("list-type=2&start-after={after}{rest}");
            target.presigned("GET", &format!("/{BUCKET}?{query}"), None, 200)
        };
        let body = Payload::new(4096);
        let put = |n| {
            let path = format!("/{BUCKET}/{}-new", seed::key(some(n)));
            target.presigned("PUT", &path, Some(&body), 200)
        };
        let get = |n| target.presigned("GET", &path(n), None, 200);
        let head = |n| target.presigned("HEAD", &path(n), None, 200);
        for (what, connections, requests) in [
            ("GetObject, µs", 1, (0..5_000).map(get).collect::<Vec<_>>()),
            ("HeadObject, µs", 1, (0..5_000).map(head).collect()),
            ("PutObject of 4 KiB, 16 connections, µs", 16, (0..5_000).map(put).collect()),
            ("ListObjectsV2, 1000 keys, µs", 1, (0..200).map(|n| list(n, "")).collect()),
            (
                "ListObjectsV2, 1000 common prefixes, µs",
                1,
                (0..200).map(|n| list(n, "&delimiter=%2F")).collect(),
            ),
        ] {
            let measured = repeat(&running, requests, connections, arguments.time)?;
            curves.add(ALONG, what, count, median(&measured));
        }
        let delete = |n| target.presigned("DELETE", &path(n), None, 204);
        let deletes = vec![once_each((0..count.min(2_000)).map(delete).collect())];
        let measured = load(&running, deletes, 60.0)?;
        curves.add(ALONG, "DeleteObject, µs", count, median(&measured));
        count *= 10;
    }
    Ok(())
}

/// Parts of an upload: 1, 10 … 10^4.
fn parts(running: &Running, curves: &mut Curves) -> Result<(), Box<dyn Error>> {
    const ALONG: &str = "parts";
    for parts in [1, 10, 100, 1_000, 10_000] {
        for (what, kind, bytes) in [
            ("Complete, ms", Kind::Complete { parts }, 1),
            ("ListParts, a page, ms", Kind::ListParts { parts }, 1),
            (
                "GetObject, 1 MiB at the end, ms",
                Kind::TailRange { parts },
                (2 * MIB / parts).max(MIB / 16),
            ),
        ] {
            let workload = Workload {
                name: "growth",
                unit: Unit::Milliseconds,
                kind,
                bytes,
                connections: 1,
                seconds: 1,
            };
            let scripts = workload.scripts(running, 0)?;
            let measured = load(running, scripts, 1.0)?;
            curves.add(ALONG, what, parts, median(&measured) / 1e3);
        }
    }
    Ok(())
}

/// Connections at once: 1 … 1,000.
fn connections(
    arguments: &Arguments,
    running: &Running,
    curves: &mut Curves,
) -> Result<(), Box<dyn Error>> {
    const ALONG: &str = "connections";
    let body = Payload::new(4096);
    let path = |n: u64| format!("/{BUCKET}/connections-{n}");
    let put = |n| running.target.presigned("PUT", &path(n), Some(&body), 200);
    let get = |n| running.target.presigned("GET", &path(n), None, 200);
    running.target.all((0..2_000).map(put).collect(), 16)?;
    for connections in [1, 4, 16, 64, 256, 1_000] {
        for (what, peak, requests) in [
            ("PutObject of 4 KiB, per second", "", (0..2_000).map(put).collect::<Vec<_>>()),
            ("GetObject of 4 KiB, per second", "memory, MiB", (0..2_000).map(get).collect()),
        ] {
            process::reset_peak(running.pid());
            let measured = repeat(running, requests, connections, arguments.time)?;
            curves.add(ALONG, what, connections as u64, measured.rate());
            if !peak.is_empty() {
                curves.add(ALONG, peak, connections as u64, peak_mib(running));
            }
        }
    }
    // A new process, so that memory of the connections before is not counted.
    let running = &arguments.own.start("growth-large")?;
    let large = Payload::new(16 * MIB);
    let get = |n| running.target.presigned("GET", &path(n), None, 200);
    let put = |n| running.target.presigned("PUT", &path(n), Some(&large), 200);
    process::reset_peak(running.pid());
    running.target.all((0..256).map(put).collect(), 256)?;
    curves.add("connections, each a PUT of 16 MiB", "memory, MiB", 256, peak_mib(running));
    process::reset_peak(running.pid());
    repeat(running, (0..256).map(get).collect(), 256, 1.0)?;
    curves.add("connections, each a GET of 16 MiB", "memory, MiB", 256, peak_mib(running));
    Ok(())
}

/// Bytes of a body: 1 … 1 GiB.
fn bodies(
    arguments: &Arguments,
    running: &Running,
    curves: &mut Curves,
) -> Result<(), Box<dyn Error>> {
    const ALONG: &str = "bytes of a body";
    for bytes in (0..=30).step_by(3).map(|power| 1_u64 << power) {
        let body = Payload::new(bytes);
        let path = |n: u64| format!("/{BUCKET}/body-{bytes}-{n}");
        let keys = (256 * MIB / bytes).clamp(1, 100);
        let put = |n| running.target.presigned("PUT", &path(n), Some(&body), 200);
        let get = |n| running.target.presigned("GET", &path(n), None, 200);
        for (what, requests) in [
            ("PutObject, ms", (0..keys).map(put).collect::<Vec<_>>()),
            ("GetObject, ms", (0..keys).map(get).collect()),
        ] {
            // Each key at least once, since the keys are read afterwards.
            running.target.all(requests.clone(), 1)?;
            let measured = repeat(running, requests, 1, arguments.time)?;
            curves.add(ALONG, what, bytes, median(&measured) / 1e3);
        }
    }
    Ok(())
}

/// Repeats requests for `seconds`, spread over connections.
fn repeat(
    running: &Running,
    requests: Vec<Request>,
    connections: usize,
    seconds: f64,
) -> Result<Measured, Box<dyn Error>> {
    load(running, spread(requests, connections), seconds)
}

fn load(running: &Running, scripts: Vec<Script>, seconds: f64) -> Result<Measured, Box<dyn Error>> {
    let time = Duration::from_secs_f64(seconds);
    Ok(load::run(Plan { address: running.target.address, scripts, time })?.checked()?)
}

/// Peak memory since the last reset, in MiB.
fn peak_mib(running: &Running) -> f64 {
    process::usage(running.pid()).peak_bytes as f64 / MIB as f64
}

/// Median latency in microseconds.
fn median(measured: &Measured) -> f64 {
    measured.latency.value_at_quantile(0.5) as f64
}
