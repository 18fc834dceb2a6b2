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
    Bound { workload: "complete-10000", what: What::Figure, most: 60.0 },
    Bound { workload: "copy-1g", what: What::Figure, most: 5.0 },
];

/// A line for each target that this run can judge.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for goal in GOALS {
        let Some(entry) = report.workload(goal.workload) else { continue };
        let (Some(ours), Some(theirs)) = (entry.ours(), entry.theirs(goal.with)) else { continue };
        let better = entry.unit.more_is_better();
        let ratio = if better { ours / theirs } else { theirs / ours };
        // The limit of the machine may lie below what was asked for.
        let limit = LIMITS.iter().find_map(|name| entry.theirs(name));
        let of_limit =
            limit.filter(|_| better && !LIMITS.contains(&goal.with)).map(|limit| ours / limit);
        let by_limit = of_limit.is_some_and(|of| of >= OF_LIMIT && ratio < goal.ratio);
        let verdict = match () {
            () if ratio >= goal.ratio => "met",
            () if by_limit => "met (0.85 of the limit)",
            () => "MISSED",
        };
        lines.push(format!(
            "| {} | {} × {} | {ratio:.2} × | {verdict} |",
            goal.workload, goal.ratio, goal.with
        ));
    }
    for bound in BOUNDS {
        let Some(entry) = report.workload(bound.workload) else { continue };
        let figure = match bound.what {
            What::Cpu => entry.our_cpu(),
            What::Figure => entry.ours(),
        };
        let Some(figure) = figure else { continue };
        let unit = if bound.what == What::Cpu { "µs of CPU" } else { "ms" };
        let verdict = if figure <= bound.most { "met" } else { "MISSED" };
        lines.push(format!(
            "| {} | ≤ {} {unit} | {figure:.1} {unit} | {verdict} |",
            bound.workload, bound.most
        ));
    }
    lines
}
