//! Figures of a run: gathered, printed as tables, written as JSON.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use crate::load::Measured;
use crate::process::Usage;
use crate::servers::Class;
use crate::workloads::{Unit, Workload};

/// Name of the best S3 server other than Partita, in targets.
pub const BEST_PEER: &str = "best peer";

const MIB: f64 = 1_048_576.0;

/// Server of a run.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// Name in the tables.
    pub name: String,
    /// Version, as the server prints it.
    pub version: String,
    /// Durability class of its writes.
    pub class: Class,
    /// Durability in words.
    pub durability: String,
    /// True for Partita.
    pub ours: bool,
}

/// Figures of one round of one server.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Figure of the workload, in its unit.
    pub figure: f64,
    /// Operations that succeeded.
    pub operations: u64,
    /// Median latency in milliseconds.
    pub p50: f64,
    /// 99th percentile in milliseconds.
    pub p99: f64,
    /// 99.9th percentile in milliseconds.
    pub p999: f64,
    /// CPU time of the server per operation, in microseconds.
    pub cpu: f64,
    /// CPU time of the load generator per operation, in microseconds.
    pub client_cpu: f64,
    /// Bytes written to disk per byte of the bodies; NaN without bodies.
    pub written_ratio: f64,
    /// Peak memory in MiB.
    pub peak_mib: f64,
}

impl Row {
    /// A row from a result and the counters of the server before and after.
    pub fn new(workload: &Workload, measured: &Measured, before: &Usage, after: &Usage) -> Self {
        let operations = measured.operations as f64;
        let quantile = |q| measured.latency.value_at_quantile(q) as f64 / 1e3;
        Self {
            figure: match workload.unit {
                Unit::PerSecond => measured.rate(),
                Unit::MibPerSecond => measured.bytes_rate() / MIB,
                Unit::Milliseconds => quantile(0.5),
            },
            operations: measured.operations,
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            cpu: (after.cpu_seconds - before.cpu_seconds) * 1e6 / operations,
            client_cpu: measured.cpu.as_secs_f64() * 1e6 / operations,
            written_ratio: match measured.bytes {
                0 => f64::NAN,
                bytes => {
                    after.written_bytes.saturating_sub(before.written_bytes) as f64 / bytes as f64
                }
            },
            peak_mib: after.peak_bytes as f64 / MIB,
        }
    }
}

/// Rounds of one workload.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Name of the workload.
    pub workload: &'static str,
    /// Unit of its figure.
    pub unit: Unit,
    /// Concurrent connections.
    pub connections: usize,
    /// Rounds by name of the server.
    pub rounds: BTreeMap<String, Vec<Row>>,
    #[serde(skip)]
    order: Vec<About>,
}

/// All figures of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Date and machine.
    pub machine: String,
    /// Servers.
    pub servers: Vec<About>,
    /// Workloads.
    pub entries: Vec<Entry>,
}

/// Median of figures; `None` without figures.
pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(figures[middle - 1], figures[middle])),
        _ => Some(figures[middle]),
    }
}

impl Entry {
    /// Median of a figure over the rounds of a server.
    pub fn median_of(&self, server: &str, figure: impl Fn(&Row) -> f64) -> Option<f64> {
        median(self.rounds.get(server)?.iter().map(figure).collect())
    }

    fn figure(&self, server: &str) -> Option<f64> {
        self.median_of(server, |row| row.figure)
    }

    fn our_name(&self) -> Option<&str> {
        self.order.iter().find(|about| about.ours).map(|about| about.name.as_str())
    }

    /// Figure of Partita.
    pub fn ours(&self) -> Option<f64> {
        self.figure(self.our_name()?)
    }

    /// CPU time of Partita per operation, in microseconds.
    pub fn our_cpu(&self) -> Option<f64> {
        self.median_of(self.our_name()?, |row| row.cpu)
    }

    /// Figure of a server, or of the best peer for [`BEST_PEER`].
    pub fn theirs(&self, name: &str) -> Option<f64> {
        if name != BEST_PEER {
            return self.figure(name);
        }
        let peers = self.order.iter().filter(|a| !a.ours && a.class != Class::Limit);
        let figures = peers.filter_map(|about| self.figure(&about.name));
        match self.unit.more_is_better() {
            true => figures.max_by(f64::total_cmp),
            false => figures.min_by(f64::total_cmp),
        }
    }

    /// 99th percentile of Partita and the lowest one of a peer, in milliseconds.
    pub fn p99s(&self) -> Option<(f64, f64)> {
        let peers = self.order.iter().filter(|a| !a.ours && a.class != Class::Limit);
        let theirs = peers.filter_map(|about| self.median_of(&about.name, |row| row.p99));
        Some((self.median_of(self.our_name()?, |row| row.p99)?, theirs.min_by(f64::total_cmp)?))
    }

    fn table(&self) -> String {
        let unit = match self.unit {
            Unit::PerSecond => "per second",
            Unit::MibPerSecond => "MiB/s",
            Unit::Milliseconds => "ms",
        };
        let mut text = format!("\n### {} ({} connections)\n\n", self.workload, self.connections);
        let _ = writeln!(
            text,
            "| server | {unit} | spread | p50 ms | p99 ms | p99.9 ms | CPU µs | client CPU µs \
             | written/stored | peak MiB |\n|---|---|---|---|---|---|---|---|---|---|",
        );
        let whole = self.rounds.values().map(Vec::len).max().unwrap_or(0);
        for about in &self.order {
            let Some(rounds) = self.rounds.get(&about.name) else { continue };
            // Failed rounds have no figure, so the name shows how many succeeded.
            let name = match rounds.len() {
                some if some < whole => format!("{} ({some} of {whole} rounds)", about.name),
                _ => about.name.clone(),
            };
            let of = |figure: fn(&Row) -> f64| self.median_of(&about.name, figure).unwrap_or(0.0);
            let least = rounds.iter().map(|row| row.figure).fold(f64::INFINITY, f64::min);
            let most = rounds.iter().map(|row| row.figure).fold(0.0, f64::max);
            let _ = writeln!(
                text,
                "| {name} | {} | {}–{} | {:.2} | {:.2} | {:.2} | {:.0} | {:.1} | {} | {:.0} |",
                short(of(|row| row.figure)),
                short(least),
                short(most),
                of(|row| row.p50),
                of(|row| row.p99),
                of(|row| row.p999),
                of(|row| row.cpu),
                of(|row| row.client_cpu),
                match of(|row| row.written_ratio) {
                    ratio if ratio.is_nan() => "–".to_owned(),
                    ratio => format!("{ratio:.2}"),
                },
                of(|row| row.peak_mib),
            );
        }
        text
    }
}

/// Figure with three significant digits.
pub fn short(figure: f64) -> String {
    match figure {
        f if f >= 100.0 => format!("{f:.0}"),
        f if f >= 10.0 => format!("{f:.1}"),
        f => format!("{f:.2}"),
    }
}

impl Report {
    /// An empty report. Prints the table of servers.
    pub fn new(servers: &[About]) -> Self {
        let machine = machine();
        println!(
            "{machine}\n\n| server | version | class | a 200 to a write means |\n|---|---|---|---|"
        );
        for about in servers {
            let About { name, version, class, durability, .. } = about;
            println!("| {name} | {version} | {class:?} | {durability} |");
        }
        Self { machine, servers: servers.to_vec(), entries: Vec::new() }
    }

    /// Adds a workload's rounds.
    pub fn add(&mut self, workload: &Workload, rounds: BTreeMap<String, Vec<Row>>) {
        self.entries.push(Entry {
            workload: workload.name,
            unit: workload.unit,
            connections: workload.connections,
            rounds,
            order: self.servers.clone(),
        });
    }

    /// The rounds of a workload.
    pub fn workload(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.workload == name)
    }

    /// The table of the workload that was added last.
    pub fn last(&self) -> String {
        self.entries.last().map(Entry::table).unwrap_or_default()
    }

    /// Writes all figures.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_json(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        std::fs::write(path, serde_json::to_string_pretty(self)?)?;
        Ok(())
    }

    /// Checks that every workload has a figure of Partita.
    ///
    /// # Errors
    /// A workload without one.
    pub fn check(&self) -> Result<(), Box<dyn Error>> {
        match self.entries.iter().find(|entry| entry.ours().is_none()) {
            Some(entry) if self.servers.iter().any(|about| about.ours) => {
                Err(format!("{} has no figure of Partita", entry.workload).into())
            }
            _ => Ok(()),
        }
    }
}

/// Date, processors, memory and kernel of this machine.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name\t: "));
    let memory = read("/proc/meminfo");
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let date = crate::signer::basic_date(crate::signer::now());
    format!(
        "{}-{}-{}: {cores} cores of {}, {} GiB, Linux {}",
        &date[..4],
        &date[4..6],
        &date[6..8],
        model.unwrap_or("an unknown processor"),
        kib >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
    )
}
