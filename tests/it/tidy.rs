//! The rules of the structure, checked like any other behaviour: a rule without a test is a wish.

mod circles;
mod paths;
mod speed;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use partita::ops::OPERATIONS;

use self::paths::{Named, named};

const LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;
/// Where our Rust is. (What is built below `benches` is not.)
const FOLDERS: &[&str] = &["src", "tests", "benches/src", "benches/micro"];

/// Files that are longer than [`LINES_MAX`], each with the reason that it is one piece.
const LONG_FILES: &[(&str, &str)] = &[];

/// Which module may name which others of this crate: imports only point downwards.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("clock", &["types"]),
    ("digest", &["types"]),
    ("access", &["types"]),
    ("events", &["types"]),
    ("wire", &["types", "digest", "access", "events"]),
    ("auth", &["types", "access", "wire"]),
    ("store", &["types", "clock", "digest", "access", "events"]),
    ("config", &["types", "auth", "store"]),
    ("limits", &["types", "digest", "store", "wire"]),
    ("request", &["types", "clock", "access", "auth", "config", "limits", "store", "wire"]),
    ("transfer", &["types", "digest", "auth", "limits", "request", "store", "wire"]),
    ("access_log", &["wire"]),
    (
        "ops",
        &[
            "types", "clock", "digest", "access", "auth", "config", "events", "limits", "request",
            "store", "transfer", "wire",
        ],
    ),
    (
        "admin",
        &[
            "types", "clock", "access", "auth", "config", "limits", "ops", "request", "store",
            "wire",
        ],
    ),
    (
        "gateway",
        &[
            "types",
            "clock",
            "access",
            "access_log",
            "admin",
            "auth",
            "config",
            "ops",
            "request",
            "store",
            "transfer",
            "wire",
        ],
    ),
    ("server", &["types", "config", "gateway", "store", "wire", "clock", "log"]),
    ("webhooks", &["types", "clock", "config", "store"]),
    ("log", &["config"]),
    (
        "cli",
        &[
            "types", "access", "admin", "clock", "config", "gateway", "log", "ops", "request",
            "server", "store", "webhooks", "wire",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Crates that a layer must not name: the store knows no HTTP, the dialect no database.
const MAY_NOT_NAME: &[(&str, &[&str])] = &[
    ("store", &["http::", "hyper", "quick_xml", "http_body"]),
    ("wire", &["rusqlite", "std::fs", "hyper::", "tokio"]),
    ("auth", &["rusqlite", "std::fs", "hyper", "tokio", "clock::"]),
    ("ops", &["rusqlite", "std::fs", "hyper::"]),
    ("types", &["http::", "hyper", "rusqlite", "tokio"]),
    ("limits", &["rusqlite", "std::fs", "hyper::"]),
    ("request", &["rusqlite", "std::fs", "hyper::"]),
    ("transfer", &["rusqlite", "std::fs", "hyper::"]),
];

/// Names that say nothing.
const BANNED_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(under: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join(under), &mut files);
    files.sort();
    files
}

fn name_of(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The module that a file of `src` belongs to: its first folder, or its own name.
fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn fail(rule: &str, mut found: Vec<String>) {
    found.sort();
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn imports_only_point_downwards() {
    let mut found = Vec::new();
    for path in rust_files("src") {
        let module = module_of(&path);
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = allowed else {
            found.push(format!("{}: {module} is not in the table", name_of(&path)));
            continue;
        };
        for Named { line, path: to } in paths_of(&path) {
            let Some(named) = to.first().filter(|name| name.starts_with(char::is_lowercase)) else {
                continue;
            };
            if *named != module && !allowed.contains(&named.as_str()) {
                found.push(format!("{}:{line}: {module} names {named}", name_of(&path)));
            }
        }
    }
    fail("imports only point downwards", found);
}

/// The paths within the crate that a file names.
fn paths_of(path: &Path) -> Vec<Named> {
    let file = path.strip_prefix(root().join("src")).unwrap().display().to_string();
    named(&file, &std::fs::read_to_string(path).unwrap())
}

#[test]
fn layers_do_not_name_what_is_beneath_them() {
    let mut found = Vec::new();
    for path in rust_files("src") {
        let module = module_of(&path);
        let Some((_, banned)) = MAY_NOT_NAME.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap();
            for word in *banned {
                let names_it = code.match_indices(word).any(|(at, _)| {
                    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                if names_it {
                    found.push(format!("{}:{}: {word}", name_of(&path), number + 1));
                }
            }
        }
    }
    fail("a layer names a crate that it must not know", found);
}

#[test]
fn files_open_with_their_docs_and_stay_short() {
    let mut found = Vec::new();
    for path in FOLDERS.iter().flat_map(|folder| rust_files(folder)) {
        let name = name_of(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            found.push(format!("{name}: does not open with //!"));
        }
        let lines = text.lines().count();
        let excused = LONG_FILES.iter().any(|(long, _)| *long == name);
        if !name.starts_with("tests/") && (lines > LINES_MAX) != excused {
            found.push(format!("{name}: {lines} lines (the limit is {LINES_MAX})"));
        }
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            // A row of a table stays on its line, however long; so does a string.
            let row = line.trim_start();
            let table = row.contains("A::")
                || row.starts_with('"')
                || row.starts_with("// name ")
                || row.starts_with(|c: char| c.is_ascii_digit());
            if columns > COLUMNS_MAX && !table && !line.contains("://") {
                found.push(format!("{name}:{}: {columns} columns", number + 1));
            }
        }
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if BANNED_NAMES.contains(&stem.as_str()) {
            found.push(format!("{name}: a name that says nothing"));
        }
    }
    fail("docs, sizes and names", found);
}

#[test]
fn functions_stay_short() {
    let mut found = Vec::new();
    let folders = FOLDERS.iter().filter(|folder| **folder != "tests");
    for path in folders.flat_map(|folder| rust_files(folder)) {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            // With whatever stands before it: `pub(crate)`, `async`, `const`.
            let (before, _) = code.split_once("fn ").unwrap_or(("-", ""));
            let is_function = before.split_whitespace().all(|word| {
                word.starts_with("pub")
                    || ["async", "const", "unsafe"].contains(&word)
                    || word.ends_with(')')
            });
            if !is_function {
                continue;
            }
            let indent = line.len() - code.len();
            let closing = format!("{}}}", " ".repeat(indent));
            let end = lines[at..].iter().position(|line| *line == closing);
            let length = end.map_or(0, |end| end + 1);
            if length > FUNCTION_LINES_MAX {
                found.push(format!("{}:{}: {length} lines", name_of(&path), at + 1));
            }
        }
    }
    fail("functions over 70 lines", found);
}

#[test]
fn nothing_is_left_unfinished() {
    let words =
        [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X:"), concat!("HA", "CK")];
    let mut found = Vec::new();
    for path in FOLDERS.iter().flat_map(|folder| rust_files(folder)) {
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", name_of(&path), number + 1, line.trim()));
            }
        }
    }
    fail("left unfinished", found);
}

/// The stems of the files that stand in a folder itself.
fn stems(folder: &str) -> BTreeSet<String> {
    let folder = root().join(folder);
    let files = rust_files(&folder.display().to_string()).into_iter();
    let own = files.filter(|path| path.parent() == Some(&folder));
    own.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn each_operation_has_its_file_and_its_test_file() {
    let mut modules: BTreeSet<String> =
        OPERATIONS.iter().map(|row| row.module.to_owned()).collect();
    let uploads = |folder: &str| stems(&format!("{folder}/uploads"));
    let in_both = |folder: &str| &stems(folder) | &uploads(folder);
    modules.insert("mod".to_owned());
    let tests = &in_both("tests/it/ops") - &BTreeSet::from(["uploads".to_owned()]);
    assert_eq!(tests, modules, "tests/it/ops mirrors the operations");
    modules.extend(["errors", "listing", "routing"].map(str::to_owned));
    let files = stems("src/ops");
    let beyond = uploads("src/ops");
    assert!(modules.is_subset(&(&files | &beyond)), "each operation has its file");
    let own: Vec<&String> =
        files.iter().filter(|file| !modules.contains(*file) && *file != "uploads").collect();
    assert!(own.is_empty(), "src/ops holds operations, their table and its routing: {own:?}");
}

#[test]
fn operations_are_named_by_their_table_only() {
    let modules: BTreeSet<&str> = OPERATIONS.iter().map(|row| row.module).collect();
    let mut found = Vec::new();
    for path in rust_files("src") {
        for Named { line, path: to } in paths_of(&path) {
            let [first, second, ..] = to.as_slice() else { continue };
            let own =
                path.ends_with(format!("src/ops/{second}.rs")) || path.ends_with("src/ops/mod.rs");
            if first == "ops" && modules.contains(second.as_str()) && !own {
                found.push(format!("{}:{line}: {second}", name_of(&path)));
            }
        }
    }
    fail("an operation is named by another file", found);
}

/// The lines of a README table between its two markers.
fn readme_table(name: &str) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let begin = format!("<!-- {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let (_, rest) = readme.split_once(&begin).unwrap_or_else(|| panic!("README lacks {begin}"));
    rest.split_once(&end).unwrap_or_else(|| panic!("README lacks {end}")).0.to_owned()
}

/// Compares a README table with the code's; `PARTITA_UPDATE=1` rewrites it.
fn compare(name: &str, wanted: &str) {
    static UPDATING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = UPDATING.lock();
    if readme_table(name) == wanted {
        return;
    }
    if std::env::var_os("PARTITA_UPDATE").is_some() {
        let path = root().join("README.md");
        let readme = std::fs::read_to_string(&path).unwrap();
        let begin = format!("<!-- {name} -->\n");
        let (before, rest) = readme.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&format!("<!-- end of {name} -->")).unwrap();
        let text = format!("{before}{begin}{wanted}<!-- end of {name} -->{after}");
        std::fs::write(path, text).unwrap();
        return;
    }
    panic!("the table {name} of the README is not the code's; PARTITA_UPDATE=1 rewrites it");
}

#[test]
fn the_readme_lists_the_operations() {
    let mut table = String::from("| operation | request |\n|---|---|\n");
    for row in OPERATIONS {
        let path = match row.scope {
            partita::request::operation::Scope::Service => "/",
            partita::request::operation::Scope::Bucket => "/bucket",
            partita::request::operation::Scope::Object => "/bucket/key",
        };
        let mut words = Vec::new();
        let mut headers = String::new();
        for selector in row.selectors {
            match selector {
                partita::request::operation::Selector::Query(word) => {
                    words.push((*word).to_owned())
                }
                partita::request::operation::Selector::QueryValue(word, value) => {
                    words.push(format!("{word}={value}"));
                }
                partita::request::operation::Selector::Header(name) => {
                    headers = format!(", `{name}`")
                }
            }
        }
        let query = if words.is_empty() { String::new() } else { format!("?{}", words.join("&")) };
        let request = format!("`{} {path}{query}`{headers}", row.method);
        table.push_str(&format!("| {} | {request} |\n", row.name));
    }
    compare("operations", &table);
}

#[test]
fn the_readme_lists_the_settings() {
    compare("settings", &partita::config::readme_table());
}

#[test]
fn the_code_is_formatted() {
    let output = Command::new(env!("CARGO")).args(["fmt", "--check"]).current_dir(root()).output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("not installed") => {
            println!("SKIPPED: rustfmt is not installed");
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => println!("SKIPPED: cargo fmt cannot be run: {error}"),
    }
}
