//! What Partita is to reach: its median over another's in the same run.

use crate::report::Report;

/// The best S3 server but ours.
pub const BEST: &str = "best peer";

/// One target: the figure of ours has to be so many times better than the other's.
pub struct Goal {
    /// The workload.
    pub workload: &'static str,
    /// Whom it is compared with: a server's name, or [`BEST`].
    pub with: &'static str,
    /// Ours divided by theirs; of times, theirs divided by ours.
    pub ratio: f64,
}

/// What is no store, but shows what the machine gives.
const LIMITS: [&str; 2] = ["nginx", "sink"];
/// Of a limit that lies lower than a target, this much is enough.
pub const OF_LIMIT: f64 = 0.85;

macro_rules! goals {
    ($($workload:literal $with:tt $ratio:literal;)*) => {
        /// All of them.
        pub const GOALS: &[Goal] = &[$(Goal {
            workload: $workload, with: goals!(@with $with), ratio: $ratio,
        },)*];
    };
    (@with best) => { BEST };
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

/// One target across workloads: our figure in one against a server's in another.
pub struct Cross {
    /// Ours.
    pub workload: &'static str,
    /// The other workload, and whose figure in it.
    pub with: (&'static str, &'static str),
    /// As in [`Goal`].
    pub ratio: f64,
}

/// All of them. A range at the end of many parts costs what it costs at the end of few.
pub const CROSSES: &[Cross] = &[
    Cross { workload: "multipart-1", with: ("put-64m-1", "sink"), ratio: OF_LIMIT },
    Cross { workload: "multipart-4", with: ("put-64m-4", "sink"), ratio: OF_LIMIT },
    Cross { workload: "multipart-32", with: ("put-64m-32", "sink"), ratio: OF_LIMIT },
    Cross { workload: "tail-range-10000", with: ("tail-range-16", "partita"), ratio: 0.8 },
];

/// Workloads in which our p99 is to be below every peer's.
const SHORTEST_WAIT: [&str; 2] = ["put-4k-64", "put-64k-64"];

/// One bound of ours alone: a figure that may not be passed.
pub struct Bound {
    /// The workload.
    pub workload: &'static str,
    /// What is bounded.
    pub what: What,
    /// At most this.
    pub most: f64,
}

/// A figure with a bound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Microseconds of the processor for an operation.
    Cpu,
    /// The median of the workload's own figure, in milliseconds.
    Figure,
}

/// All of them.
pub const BOUNDS: &[Bound] = &[
    Bound { workload: "get-4k", what: What::Cpu, most: 60.0 },
    Bound { workload: "put-4k-16", what: What::Cpu, most: 120.0 },
    Bound { workload: "put-4k-64", what: What::Cpu, most: 120.0 },
    Bound { workload: "list-10k", what: What::Figure, most: 2.0 },
    Bound { workload: "list-100k", what: What::Figure, most: 2.0 },
    Bound { workload: "list-100k-delimiter", what: What::Figure, most: 2.0 },
    Bound { workload: "complete-10000", what: What::Figure, most: 60.0 },
    Bound { workload: "copy-1g", what: What::Figure, most: 5.0 },
    Bound { workload: "part-copy", what: What::Figure, most: 5.0 },
];

/// A line for each target that this run can judge.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines: Vec<_> = GOALS.iter().filter_map(|goal| goal_line(report, goal)).collect();
    lines.extend(CROSSES.iter().filter_map(|cross| cross_line(report, cross)));
    lines.extend(SHORTEST_WAIT.iter().filter_map(|workload| wait_line(report, workload)));
    lines.extend(BOUNDS.iter().filter_map(|bound| bound_line(report, bound)));
    lines
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// What a ratio is worth where `asked` is the target, given the limit's ratio to the same figure. A
/// limit that lies below what was asked for takes its place.
fn judge(ratio: f64, asked: f64, limit: Option<f64>) -> &'static str {
    let by_limit = limit.is_some_and(|limit| limit < asked && ratio >= OF_LIMIT * limit);
    match by_limit {
        _ if ratio >= asked => verdict(true),
        true if ratio < 1.0 => "met (0.85 of the limit, which a peer has passed)",
        true => "met (0.85 of the limit)",
        false => verdict(false),
    }
}

fn goal_line(report: &Report, goal: &Goal) -> Option<String> {
    let entry = report.workload(goal.workload)?;
    let (ours, theirs) = (entry.ours()?, entry.theirs(goal.with)?);
    let better = entry.unit.more_is_better();
    let ratio = if better { ours / theirs } else { theirs / ours };
    let limit = LIMITS.iter().find_map(|name| entry.theirs(name));
    let limit = limit.filter(|_| better && !LIMITS.contains(&goal.with));
    let verdict = judge(ratio, goal.ratio, limit.map(|limit| limit / theirs));
    let Goal { workload, with, ratio: asked } = goal;
    Some(format!("| {workload} | {asked} × {with} | {ratio:.2} × | {verdict} |"))
}

fn cross_line(report: &Report, cross: &Cross) -> Option<String> {
    let entry = report.workload(cross.workload)?;
    let (other, server) = cross.with;
    let (ours, theirs) = (entry.ours()?, report.workload(other)?.theirs(server)?);
    let ratio = if entry.unit.more_is_better() { ours / theirs } else { theirs / ours };
    let verdict = verdict(ratio >= cross.ratio);
    let Cross { workload, ratio: asked, .. } = cross;
    Some(format!("| {workload} | {asked} × {server}, {other} | {ratio:.2} × | {verdict} |"))
}

fn wait_line(report: &Report, workload: &str) -> Option<String> {
    let (ours, theirs) = report.workload(workload)?.p99s()?;
    let verdict = verdict(ours < theirs);
    Some(format!("| {workload} | p99 below {theirs:.1} ms | {ours:.1} ms | {verdict} |"))
}

fn bound_line(report: &Report, bound: &Bound) -> Option<String> {
    let entry = report.workload(bound.workload)?;
    let (figure, unit) = match bound.what {
        What::Cpu => (entry.our_cpu()?, "µs of CPU"),
        What::Figure => (entry.ours()?, "ms"),
    };
    let verdict = verdict(figure <= bound.most);
    let Bound { workload, most, .. } = bound;
    Some(format!("| {workload} | ≤ {most} {unit} | {figure:.1} {unit} | {verdict} |"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_limit_below_what_was_asked_for_takes_its_place() {
        assert_eq!(judge(1.4, 1.4, Some(1.0)), "met");
        assert_eq!(judge(1.39, 1.4, None), "MISSED");
        assert_eq!(judge(1.1, 1.4, Some(1.2)), "met (0.85 of the limit)");
        assert_eq!(judge(1.0, 1.4, Some(1.2)), "MISSED");
        // This machine gives more than was asked for: its limit excuses nothing.
        assert_eq!(judge(1.3, 1.4, Some(1.5)), "MISSED");
        // What a peer has passed is told.
        let passed = "met (0.85 of the limit, which a peer has passed)";
        assert_eq!(judge(0.7, 1.1, Some(0.7)), passed);
    }
}
