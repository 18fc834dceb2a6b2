//! `compare`: all installed servers, all workloads, in interleaved rounds.
//!
//! In each round a workload runs against one server after the other, so that a slow minute of the
//! machine affects all of them. Servers that are not measured are stopped by a signal, so that
//! their background work costs the others nothing.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use crate::load::{self, Plan};
use crate::process;
use crate::report::{self, Report, Row};
use crate::servers::{Running, SERVERS, Server, find, version};
use crate::workloads::{WORKLOADS, Workload};

/// Arguments of `compare`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Binary of Partita; several, as NAME=FILE, compare changes
    #[arg(long, value_delimiter = ',', default_value = "target/dist/partita")]
    partita: Vec<String>,
    /// Folder with the peers' binaries
    #[arg(long, default_value = "target/peers")]
    peers: PathBuf,
    /// Folder for the data of servers; created, and emptied
    #[arg(long, default_value = "target/bench-data")]
    folder: PathBuf,
    /// Only these servers (partita, minio, versitygw, garage, rclone, seaweedfs, nginx, sink)
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// Only these workloads; NAME* selects all that start with NAME
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Factor on the time of each workload
    #[arg(long, default_value_t = 1.0)]
    time: f64,
    /// A smoke test: seconds in all, Partita and the sink alone
    #[arg(long)]
    quick: bool,
    /// Write the figures here as well
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write plots into this folder as well
    #[arg(long)]
    plots: Option<PathBuf>,
}

/// Workloads of `--quick`.
const QUICK: &[&str] = &[
    "get-4k",
    "get-1m",
    "head",
    "put-4k-16",
    "put-64m-1",
    "multipart-4",
    "delete",
    "list-10k",
    "complete-50",
    "copy-1g",
];

/// Server to be started: name, kind, binary.
type Candidate = (String, &'static Server, PathBuf);

/// Runs the comparison and prints it.
///
/// # Errors
/// A server cannot be started, a response is wrong, or a file cannot be written.
pub fn run(mut arguments: Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.quick {
        arguments.servers = vec!["partita".into(), "sink".into()];
        arguments.only = QUICK.iter().map(|name| (*name).to_owned()).collect();
        (arguments.rounds, arguments.time) = (1, 0.03);
    }
    check_names(&arguments)?;
    std::fs::create_dir_all(&arguments.folder)?;
    let folder = arguments.folder.canonicalize()?;
    let entries = candidates(&arguments);
    let mut report = Report::new(&entries.iter().map(about).collect::<Vec<_>>());
    let mut failed = 0;
    for workload in WORKLOADS.iter().filter(|workload| wanted(&arguments, workload.name)) {
        let mut running = Vec::new();
        for (name, server, binary) in &entries {
            running.push(Running::start(server, name, binary, &folder)?);
        }
        for running in &running {
            running.make_bucket()?;
            running.pause(true);
        }
        let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for round in 0..arguments.rounds {
            for running in &running {
                if workload.refused_by(running).is_some() {
                    continue;
                }
                running.pause(false);
                let row = measure(workload, running, round, &arguments);
                running.pause(true);
                let row =
                    row.map_err(|error| format!("{} {}: {error}", running.name, workload.name));
                match row {
                    Ok(row) => rows.entry(running.name.clone()).or_default().push(row),
                    // A failure of a peer is only printed; one of Partita fails the run at its end.
                    Err(error) if running.server.name != "partita" => println!("SKIPPED: {error}"),
                    Err(error) => {
                        println!("FAILED: {error}");
                        failed += 1;
                    }
                }
            }
        }
        running.iter().for_each(|running| running.pause(false));
        report.add(workload, rows);
        println!("{}", report.last());
    }
    println!("{}", crate::targets::table(&report));
    if let Some(path) = &arguments.json {
        report.write_json(path)?;
    }
    if let Some(folder) = &arguments.plots {
        crate::plots::write(&report, folder)?;
    }
    if failed > 0 {
        return Err(format!("{failed} rounds of Partita failed").into());
    }
    report.check()
}

fn wanted(arguments: &Arguments, name: &str) -> bool {
    let only = &arguments.only;
    only.is_empty() || only.iter().any(|pattern| matches(pattern, name))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Checks names of servers and workloads: an unknown name would silently measure nothing.
fn check_names(arguments: &Arguments) -> Result<(), String> {
    let server = |name: &&String| !SERVERS.iter().any(|server| server.name == **name);
    if let Some(name) = arguments.servers.iter().find(server) {
        return Err(format!("--servers: there is no {name}"));
    }
    let workload = |name: &&String| !WORKLOADS.iter().any(|workload| matches(name, workload.name));
    match arguments.only.iter().find(workload) {
        Some(name) => Err(format!("--only: there is no {name}")),
        None => Ok(()),
    }
}

fn candidates(arguments: &Arguments) -> Vec<Candidate> {
    let mut entries = Vec::new();
    for server in SERVERS {
        let listed = arguments.servers.iter().any(|name| name == server.name);
        if !arguments.servers.is_empty() && !listed {
            continue;
        }
        if server.name == "partita" {
            for variant in &arguments.partita {
                let (name, file) = variant.split_once('=').unwrap_or(("partita", variant));
                entries.push((name.to_owned(), server, PathBuf::from(file)));
            }
            continue;
        }
        match find(server, &arguments.peers) {
            Some(binary) => entries.push((server.name.to_owned(), server, binary)),
            None => println!("SKIPPED: {} is not installed", server.name),
        }
    }
    entries
}

fn about((name, server, binary): &Candidate) -> report::About {
    report::About {
        name: name.clone(),
        version: version(server, binary),
        class: server.class,
        durability: server.durability.to_owned(),
        ours: server.name == "partita",
    }
}

fn measure(
    workload: &Workload,
    running: &Running,
    round: usize,
    arguments: &Arguments,
) -> Result<Row, Box<dyn Error>> {
    let scripts = workload.scripts(running, round)?;
    // Prepared data is on disk before the measurement starts.
    rustix::fs::sync();
    let pid = running.pid();
    process::reset_peak(pid);
    let before = process::usage(pid);
    let time = workload.time(arguments.rounds, arguments.time);
    let measured = load::run(Plan { address: running.target.address, scripts, time })?;
    let after = process::usage(pid);
    if measured.errors > 0 || measured.operations == 0 {
        let errors = measured.error_texts.join("; ");
        return Err(format!("{} responses are wrong: {errors}", measured.errors).into());
    }
    Ok(Row::new(workload, &measured, &before, &after))
}
