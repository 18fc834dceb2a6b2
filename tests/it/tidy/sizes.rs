//! Sizes, names and formatting of the Rust files.

use std::process::Command;

use super::{FOLDERS, fail, name_of, root, rust_files};
use crate::harness::skip;

const LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Files that are longer than [`LINES_MAX`], each with the reason that it is one piece.
const LONG_FILES: &[(&str, &str)] = &[];

/// Names of files that do not describe their content.
const BANNED_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager"];

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
        if (lines > LINES_MAX) != excused {
            found.push(format!("{name}: {lines} lines (the limit is {LINES_MAX})"));
        }
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            // A row of a table and a string stay on one line, however long.
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
            found.push(format!("{name}: a name that does not describe its content"));
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
            // Qualifiers before `fn`: `pub(crate)`, `async`, `const`.
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

#[test]
fn the_code_is_formatted() {
    let output = Command::new(env!("CARGO")).args(["fmt", "--check"]).current_dir(root()).output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("not installed") => {
            skip("rustfmt is not installed");
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => skip(&format!("cargo fmt cannot be run: {error}")),
    }
}
