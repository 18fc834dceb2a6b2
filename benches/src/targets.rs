//! Targets of Partita, relative to other servers in the same run and as absolute bounds.

use crate::report::{BEST_PEER, Report};

/// Target relative to another server in the same workload.
pub struct Goal {
    /// The workload.
    pub workload: &'static str,
    /// The other server: a server's name, or [`BEST_PEER`].
    pub with: &'static str,
    /// Required ratio: ours divided by theirs, or theirs divided by ours for times.
    pub ratio: f64,
}

/// Servers that are no store, but show the limits of the machine.
const LIMITS: [&str; 2] = ["nginx", "sink"];
/// Share of a limit that is enough where the limit is below the target.
pub const OF_LIMIT: f64 = 0.85;

macro_rules! goals {
    ($($workload:literal $with:tt $ratio:literal;)*) => {
        /// All targets relative to another server.
        pub const GOALS: &[Goal] = &[$(Goal {
            workload: $workload, with: goals!(@with $with), ratio: $ratio,
        },)*];
    };
    (@with best) => { BEST_PEER };
    (@with $name:ident) => { stringify!($name) };
}

goals! {
    "get-4k" best 3.0;
    "get-4k" nginx 0.4;
    "get-64k" best 2.5;
    "get-64k" nginx 0.5;
    "get-1m" best 1.05;
    "get-1m" nginx 0.85;
    "get-64m" best 1.1;
    "get-64m" nginx 0.85;
    "head" best 4.0;
    "put-4k-1" minio 4.0;
    "put-4k-1" best 1.5;
    "put-4k-16" minio 8.0;
    "put-4k-16" best 2.2;
    "put-4k-64" minio 8.0;
    "put-4k-64" best 2.2;
    "put-64k-16" minio 4.0;
    "put-64k-16" best 1.4;
    "put-64k-64" minio 4.0;
    "put-64k-64" best 1.4;
    "put-64m-1" best 1.3;
    "put-64m-1" sink 0.85;
    "put-64m-4" best 1.3;
    "put-64m-4" sink 0.85;
    "put-64m-32" best 1.3;
    "put-64m-32" sink 0.85;
    "multipart-1" best 1.3;
    "multipart-4" best 1.3;
    "multipart-32" best 1.3;
    "delete" best 5.0;
    "delete-1000" best 5.0;
    "list-10k" best 2.5;
    "list-100k-delimiter" best 2.5;
    "list-100k" best 2.5;
    "list-100k" minio 40.0;
    "complete-50" best 10.0;
    "copy-1g" best 10.0;
    "list-parts" best 10.0;
}

/// Target across workloads: the figure of Partita in one against that of a server in another.
pub struct Cross {
    /// Workload of Partita.
    pub workload: &'static str,
    /// The other workload and server.
    pub with: (&'static str, &'static str),
    /// Required ratio, as in [`Goal`].
    pub ratio: f64,
}

/// All targets across workloads. The cost of a range must not grow with the number of parts.
pub const CROSSES: &[Cross] = &[
    Cross { workload: "multipart-1", with: ("put-64m-1", "sink"), ratio: OF_LIMIT },
    Cross { workload: "multipart-4", with: ("put-64m-4", "sink"), ratio: OF_LIMIT },
    Cross { workload: "multipart-32", with: ("put-64m-32", "sink"), ratio: OF_LIMIT },
    Cross { workload: "tail-range-10000", with: ("tail-range-16", "partita"), ratio: 0.8 },
];

/// Workloads in which the 99th percentile must be below that of every peer.
const SHORTEST_WAIT: [&str; 2] = ["put-4k-64", "put-64k-64"];

/// Upper bound of a figure of Partita.
pub struct Bound {
    /// The workload.
    pub workload: &'static str,
    /// The bounded figure.
    pub figure: BoundedFigure,
    /// The bound.
    pub most: f64,
}

/// Figure that has a bound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BoundedFigure {
    /// CPU time per operation in microseconds.
    Cpu,
    /// Median of the figure of the workload, in milliseconds.
    Figure,
}

/// All bounds.
pub const BOUNDS: &[Bound] = &[
    Bound { workload: "get-4k", figure: BoundedFigure::Cpu, most: 60.0 },
    Bound { workload: "put-4k-16", figure: BoundedFigure::Cpu, most: 120.0 },
    Bound { workload: "put-4k-64", figure: BoundedFigure::Cpu, most: 120.0 },
    Bound { workload: "list-10k", figure: BoundedFigure::Figure, most: 2.0 },
    Bound { workload: "list-100k", figure: BoundedFigure::Figure, most: 2.0 },
    Bound { workload: "list-100k-delimiter", figure: BoundedFigure::Figure, most: 2.0 },
    Bound { workload: "complete-10000", figure: BoundedFigure::Figure, most: 60.0 },
    Bound { workload: "copy-1g", figure: BoundedFigure::Figure, most: 5.0 },
    Bound { workload: "part-copy", figure: BoundedFigure::Figure, most: 5.0 },
];

/// Table of the targets.
pub fn table(report: &Report) -> String {
    let lines = lines(report).join("\n");
    format!("\n### Targets\n\n| workload | target | reached | |\n|---|---|---|---|\n{lines}")
}

/// A line per target whose workloads were measured.
fn lines(report: &Report) -> Vec<String> {
    let mut lines: Vec<_> = GOALS.iter().filter_map(|goal| goal_line(report, goal)).collect();
    lines.extend(CROSSES.iter().filter_map(|cross| cross_line(report, cross)));
    lines.extend(SHORTEST_WAIT.iter().filter_map(|workload| wait_line(report, workload)));
    lines.extend(BOUNDS.iter().filter_map(|bound| bound_line(report, bound)));
    lines
}

fn result(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Result of a ratio for the target `asked`. A limit of the machine below the target, as a ratio to
/// the same figure, takes its place.
fn check(ratio: f64, asked: f64, limit: Option<f64>) -> &'static str {
    let by_limit = limit.is_some_and(|limit| limit < asked && ratio >= OF_LIMIT * limit);
    match by_limit {
        _ if ratio >= asked => result(true),
        true if ratio < 1.0 => "met (0.85 of the limit, which a peer has passed)",
        true => "met (0.85 of the limit)",
        false => result(false),
    }
}

fn goal_line(report: &Report, goal: &Goal) -> Option<String> {
    let entry = report.workload(goal.workload)?;
    let (ours, theirs) = (entry.ours()?, entry.theirs(goal.with)?);
    let better = entry.unit.more_is_better();
    let ratio = if better { ours / theirs } else { theirs / ours };
    let limit = LIMITS.iter().find_map(|name| entry.theirs(name));
    let limit = limit.filter(|_| better && !LIMITS.contains(&goal.with));
    let result = check(ratio, goal.ratio, limit.map(|limit| limit / theirs));
    let Goal { workload, with, ratio: asked } = goal;
    Some(format!("| {workload} | {asked} × {with} | {ratio:.2} × | {result} |"))
}

fn cross_line(report: &Report, cross: &Cross) -> Option<String> {
    let entry = report.workload(cross.workload)?;
    let (other, server) = cross.with;
    let (ours, theirs) = (entry.ours()?, report.workload(other)?.theirs(server)?);
    let ratio = if entry.unit.more_is_better() { ours / theirs } else { theirs / ours };
    let result = result(ratio >= cross.ratio);
    let Cross { workload, ratio: asked, .. } = cross;
    Some(format!("| {workload} | {asked} × {server}, {other} | {ratio:.2} × | {result} |"))
}

fn wait_line(report: &Report, workload: &str) -> Option<String> {
    let (ours, theirs) = report.workload(workload)?.p99s()?;
    let result = result(ours < theirs);
    Some(format!("| {workload} | p99 below {theirs:.1} ms | {ours:.1} ms | {result} |"))
}

fn bound_line(report: &Report, bound: &Bound) -> Option<String> {
    let entry = report.workload(bound.workload)?;
    let (figure, unit) = match bound.figure {
        BoundedFigure::Cpu => (entry.our_cpu()?, "µs of CPU"),
        BoundedFigure::Figure => (entry.ours()?, "ms"),
    };
    let result = result(figure <= bound.most);
    let Bound { workload, most, .. } = bound;
    Some(format!("| {workload} | ≤ {most} {unit} | {figure:.1} {unit} | {result} |"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_limit_below_the_target_takes_its_place() {
        assert_eq!(check(1.4, 1.4, Some(1.0)), "met");
        assert_eq!(check(1.39, 1.4, None), "MISSED");
        assert_eq!(check(1.1, 1.4, Some(1.2)), "met (0.85 of the limit)");
        assert_eq!(check(1.0, 1.4, Some(1.2)), "MISSED");
        // The limit of this machine is above the target.
        assert_eq!(check(1.3, 1.4, Some(1.5)), "MISSED");
        // A peer has passed the limit.
        let passed = "met (0.85 of the limit, which a peer has passed)";
        assert_eq!(check(0.7, 1.1, Some(0.7)), passed);
    }
}
