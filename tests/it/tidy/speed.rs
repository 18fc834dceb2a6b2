//! The speed table of the README and the results of the bench: each figure is the median of the
//! rounds in `benches/results`, and every measured workload has a row.

use std::collections::BTreeMap;

use serde_json::Value;

/// Columns: a server and its heading. A server that no run has measured has none.
const SERVERS: &[(&str, &str)] = &[
    ("partita", "Partita"),
    ("minio", "MinIO"),
    ("versitygw", "versitygw"),
    ("garage", "Garage"),
    ("rclone", "rclone"),
    ("seaweedfs", "SeaweedFS"),
];
/// Upper bounds that are no stores; they share one column.
const LIMITS: &[&str] = &["nginx", "sink"];

/// Rows: a workload and its label.
const ROWS: &[(&str, &str)] = &[
    ("get-4k", "GET 4 KiB, 16 connections"),
    ("get-16k", "GET 16 KiB, 16"),
    ("get-64k", "GET 64 KiB, 16"),
    ("get-256k", "GET 256 KiB, 16"),
    ("get-1m", "GET 1 MiB, 16"),
    ("get-64m", "GET 64 MiB, 4"),
    ("head", "HEAD, 16"),
    ("put-4k-1", "PUT 4 KiB, 1"),
    ("put-4k-16", "PUT 4 KiB, 16"),
    ("put-4k-64", "PUT 4 KiB, 64"),
    ("put-16k-16", "PUT 16 KiB, 16"),
    ("put-64k-1", "PUT 64 KiB, 1"),
    ("put-64k-16", "PUT 64 KiB, 16"),
    ("put-64k-64", "PUT 64 KiB, 64"),
    ("put-256k-16", "PUT 256 KiB, 16"),
    ("put-64m-1", "PUT 64 MiB, 1"),
    ("put-64m-4", "PUT 64 MiB, 4"),
    ("put-64m-32", "PUT 64 MiB, 32"),
    ("multipart-1", "multipart, parts of 5 MiB, 1"),
    ("multipart-4", "multipart, parts of 5 MiB, 4"),
    ("multipart-32", "multipart, parts of 5 MiB, 32"),
    ("delete", "DELETE, 16"),
    ("delete-1000", "DeleteObjects of 1000 keys"),
    ("list-10k", "LIST 1000 of 10,000 keys"),
    ("list-100k", "LIST 1000 of 100,000 keys"),
    ("list-100k-delimiter", "LIST 1000 common prefixes of 100,000 keys"),
    ("complete-50", "Complete of 50 parts of 5 MiB"),
    ("complete-10000", "Complete of 10,000 parts"),
    ("copy-1g", "CopyObject of 1 GiB"),
    ("part-copy", "UploadPartCopy of 64 MiB, whole"),
    ("part-copy-range", "UploadPartCopy of 64 MiB but a byte"),
    ("list-parts", "ListParts, a page of 10,000"),
    ("tail-range-1", "last MiB of an object of one part"),
    ("tail-range-16", "last MiB of 16 parts of 64 KiB"),
    ("tail-range-10000", "last MiB of 10,000 parts of 64 KiB"),
];

/// Measured workloads, each with its entry in the results.
fn measured() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for file in std::fs::read_dir(super::root().join("benches/results")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let run: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        // Workloads that grow are shown as curves, not in this table.
        for entry in run["entries"].as_array().into_iter().flatten() {
            let name = entry["workload"].as_str().unwrap();
            for server in entry["rounds"].as_object().unwrap().keys() {
                let column = SERVERS.iter().map(|(name, _)| name).any(|name| name == server);
                assert!(column || LIMITS.contains(&server.as_str()), "{server} has no column");
            }
            let before = all.insert(name.to_owned(), entry.clone());
            assert!(before.is_none(), "{name} stands twice in benches/results");
        }
    }
    all
}

/// Columns with a figure: a run may leave out a server.
fn columns(measured: &BTreeMap<String, Value>) -> Vec<(&'static str, &'static str)> {
    let is_measured =
        |server: &str| measured.values().any(|entry| entry["rounds"].get(server).is_some());
    SERVERS.iter().filter(|(server, _)| is_measured(server)).copied().collect()
}

/// One figure of each round of a server.
fn rounds(entry: &Value, server: &str, figure: &str) -> Vec<f64> {
    let rounds = entry["rounds"][server].as_array().into_iter().flatten();
    rounds.map(|round| round[figure].as_f64().unwrap()).collect()
}

/// Median, independent of the bench's own code, so that it is checked too.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let (lower, upper) = (figures.len().checked_sub(1)? / 2, figures.len() / 2);
    Some(f64::midpoint(figures[lower], figures[upper]))
}

/// Figure with three significant digits, and commas between thousands.
fn short(figure: f64) -> String {
    let digits = match figure {
        f if f >= 100.0 => format!("{f:.0}"),
        f if f >= 10.0 => return format!("{f:.1}"),
        f => return format!("{f:.2}"),
    };
    match digits.len().checked_sub(3).filter(|at| *at > 0) {
        Some(at) => format!("{},{}", &digits[..at], &digits[at..]),
        None => digits,
    }
}

fn row(entry: &Value, label: &str, columns: &[(&str, &str)]) -> String {
    let servers = entry["rounds"].as_object().unwrap();
    let whole = servers.values().map(|rounds| rounds.as_array().unwrap().len()).max().unwrap();
    let cell = |server: &str| {
        let rounds = rounds(entry, server, "figure");
        // Failed rounds are missing: then the figure is the median of fewer.
        let lost = match rounds.len() {
            some if some < whole => format!(" ({some} of {whole} rounds)"),
            _ => String::new(),
        };
        median(rounds).map(|figure| format!("{}{lost}", short(figure)))
    };
    let unit = match entry["unit"].as_str().unwrap() {
        "PerSecond" => "/s",
        "MibPerSecond" => "MiB/s",
        "Milliseconds" => "ms",
        other => panic!("a unit that nobody knows: {other}"),
    };
    let mut line = format!("| {label} | {unit} |");
    for (server, _) in columns {
        let figure = cell(server).unwrap_or_else(|| "–".into());
        let strong = if *server == "partita" { "**" } else { "" };
        line.push_str(&format!(" {strong}{figure}{strong} |"));
    }
    let limit = LIMITS.iter().find_map(|name| Some(format!("{name} {}", cell(name)?)));
    format!("{line} {} |\n", limit.unwrap_or_else(|| "–".into()))
}

fn peaks(measured: &BTreeMap<String, Value>, columns: &[(&str, &str)]) -> String {
    let mut line = String::from("| most memory, median of rounds | MiB |");
    for (server, _) in columns {
        let peak = |entry| median(rounds(entry, server, "peak_mib"));
        let most = measured.values().filter_map(peak).max_by(f64::total_cmp).unwrap_or_default();
        let strong = if *server == "partita" { "**" } else { "" };
        line.push_str(&format!(" {strong}{}{strong} |", short(most.round()).replace(".0", "")));
    }
    format!("{line} – |\n")
}

#[test]
fn the_readme_shows_the_measured_speed() {
    let measured = measured();
    let unknown = measured.keys().find(|name| !ROWS.iter().any(|(row, _)| row == name));
    assert_eq!(unknown, None, "a workload was measured and is not told");
    let columns = columns(&measured);
    let names: Vec<&str> = columns.iter().map(|(_, name)| *name).collect();
    let mut table = format!("| workload | | {} | limit |\n", names.join(" | "));
    table.push_str(&format!("{}|\n", "|---".repeat(names.len() + 3)));
    for (workload, label) in ROWS {
        // A run may leave out a workload.
        if let Some(entry) = measured.get(*workload) {
            table.push_str(&row(entry, label, &columns));
        }
    }
    table.push_str(&peaks(&measured, &columns));
    super::readme::compare("speed", &table);
}
