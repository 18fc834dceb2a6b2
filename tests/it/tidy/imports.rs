//! Imports between the modules of `src`: the table of what each module may name.
//!
//! Imports between files, and the layers of the store, are checked in `circles.rs`.

use super::paths::Named;
use super::{fail, module_of, name_of, paths_of, rust_files};

/// Modules of `src`, each with the other modules that it may import: imports only point downwards.
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
    ("request", &["types", "access", "auth", "config", "limits", "store", "wire"]),
    ("transfer", &["types", "digest", "access", "auth", "limits", "request", "store", "wire"]),
    ("access_log", &["types", "limits", "wire"]),
    (
        "ops",
        &[
            "types", "digest", "access", "auth", "config", "events", "limits", "request", "store",
            "transfer", "wire",
        ],
    ),
    ("admin", &["types", "access", "auth", "config", "limits", "ops", "request", "store", "wire"]),
    (
        "gateway",
        &[
            "types",
            "access",
            "access_log",
            "limits",
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
    ("server", &["types", "config", "gateway", "limits", "store", "wire", "log"]),
    ("webhooks", &["types", "clock", "config", "store"]),
    ("log", &["config"]),
    (
        "cli",
        &[
            "types", "access", "admin", "config", "gateway", "log", "ops", "request", "server",
            "store", "webhooks", "wire",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Modules of `src`, each with the crates that it must not name: the store has no HTTP, the
/// dialect no database.
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
