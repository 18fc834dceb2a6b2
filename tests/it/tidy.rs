//! Rules for the source files, the README and the structure of the crate, one test for each.

mod circles;
mod imports;
mod operations;
mod paths;
mod prose;
mod readme;
mod sizes;
mod speed;
mod state;

use std::path::{Path, PathBuf};

use self::paths::{Named, named};

/// Folders with Rust files. (Builds below `benches` are not part of the source.)
const FOLDERS: &[&str] = &["src", "tests", "benches/src", "benches/micro"];

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

/// Module of a file of `src`: its first folder, or its own name.
fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn fail(rule: &str, mut found: Vec<String>) {
    found.sort();
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// Paths within the crate that a file of `src` names.
fn paths_of(path: &Path) -> Vec<Named> {
    let file = path.strip_prefix(root().join("src")).unwrap().display().to_string();
    named(&file, &std::fs::read_to_string(path).unwrap())
}
