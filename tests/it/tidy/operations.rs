//! Files of the operations: one for each in `src/ops`, one for its tests, named by the table only.

use std::collections::BTreeSet;

use partita::ops::OPERATIONS;

use super::paths::Named;
use super::{fail, name_of, paths_of, root, rust_files};

/// Names, without extension, of the Rust files directly in a folder.
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
