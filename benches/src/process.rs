//! Resource usage of a server as counted by the kernel: its process and all descendants.

use std::fs;
use std::time::Duration;

/// Counters of a process tree.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Usage {
    /// CPU time, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Bytes written to disk.
    pub written_bytes: u64,
    /// Peak memory since the last reset, in bytes.
    pub peak_bytes: u64,
    /// Current memory, in bytes.
    pub resident_bytes: u64,
}

/// Length of a tick of `/proc`.
const TICK: Duration = Duration::from_millis(10);

/// Current counters.
pub fn usage(pid: u32) -> Usage {
    let mut all = Usage::default();
    for pid in tree(pid) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = after_name(&stat);
        let ticks = |index: usize| -> f64 {
            fields.get(index).and_then(|field| field.parse().ok()).unwrap_or(0.0)
        };
        // utime and stime are the 14th and 15th field, without the first two.
        all.cpu_seconds += (ticks(11) + ticks(12)) * TICK.as_secs_f64();
        all.written_bytes += value(pid, "io", "write_bytes:");
        all.peak_bytes += value(pid, "status", "VmHWM:") * 1024;
        all.resident_bytes += value(pid, "status", "VmRSS:") * 1024;
    }
    all
}

/// Resets the peak of memory.
pub fn reset_peak(pid: u32) {
    for pid in tree(pid) {
        // Without support of the kernel the peak is that of the whole lifetime.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
}

fn value(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default()
}

/// A process and its descendants.
pub fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, after_name(&stat).get(1)?.parse().ok()?))
        })
        .collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}
