//! Imports between files: no circle, and the layers of the store.
//!
//! An import of a name that a file re-exports counts as an import of the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::paths::{Named, named};
use super::{fail, root, rust_files};

/// Module path of a file, from the root of its crate on.
type Module = Vec<String>;

/// The files of one crate and their imports.
struct Graph {
    files: BTreeMap<Module, String>,
    /// Names that a file re-exports, with the modules that define them.
    exports: BTreeMap<Module, BTreeMap<String, Module>>,
    /// Modules that a file re-exports with `*`.
    globs: BTreeMap<Module, Vec<Module>>,
}

impl Graph {
    /// The crate in this folder, without its tests.
    fn of(folder: &str) -> Self {
        let base = root().join(folder);
        let mut graph =
            Self { files: BTreeMap::new(), exports: BTreeMap::new(), globs: BTreeMap::new() };
        for path in rust_files(folder) {
            let name = path.strip_prefix(&base).unwrap().display().to_string();
            if !is_test(Path::new(&name)) {
                let text = code_of(&std::fs::read_to_string(&path).unwrap());
                graph.files.insert(module_path(&name), text);
            }
        }
        let modules: Vec<Module> = graph.files.keys().cloned().collect();
        for module in modules {
            graph.read_exports(&module);
        }
        graph
    }

    fn read_exports(&mut self, module: &Module) {
        let text = &self.files[module];
        let lines: Vec<&str> = text.split(';').map(str::trim_start).collect();
        let (mut exports, mut globs) = (BTreeMap::new(), Vec::new());
        for statement in lines {
            let Some(at) = statement.find("use ") else { continue };
            let is_export = statement[..at].lines().last().is_some_and(|it| it.starts_with("pub"));
            if !is_export {
                continue;
            }
            let statement = format!("{};", &statement[at..]);
            for Named { path, .. } in named(&file_name(module), &statement) {
                let Some((target, rest)) = self.target(&path) else { continue };
                if target == *module {
                    continue;
                }
                match rest.first() {
                    Some(name) => drop(exports.insert(name.clone(), target)),
                    None if statement.contains('*') => globs.push(target),
                    None => {}
                }
            }
        }
        self.exports.insert(module.clone(), exports);
        self.globs.insert(module.clone(), globs);
    }

    /// The file that a path leads into, and the rest of the path.
    fn target(&self, path: &[String]) -> Option<(Module, Vec<String>)> {
        (1..=path.len()).rev().find_map(|length| {
            let module = path[..length].to_vec();
            let found = self.files.contains_key(&module);
            found.then(|| (module, path[length..].to_vec()))
        })
    }

    /// The file that defines a name, behind re-exports.
    fn defining(&self, path: &[String]) -> Option<Module> {
        let (mut module, rest) = self.target(path)?;
        let Some(name) = rest.first() else { return Some(module) };
        for _ in 0..4 {
            let exported = self.exports[&module].get(name);
            let globbed = || {
                let defines = |module: &&Module| defines(&self.files[*module], name);
                self.globs[&module].iter().find(defines)
            };
            match exported.or_else(globbed) {
                Some(next) => module = next.clone(),
                None => break,
            }
        }
        Some(module)
    }

    /// The imports of each file.
    fn edges(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut edges = BTreeMap::new();
        for (module, text) in &self.files {
            let mut to = BTreeSet::new();
            for Named { path, .. } in named(&file_name(module), text) {
                to.extend(self.defining(&path));
            }
            to.remove(module);
            edges.insert(module.clone(), to);
        }
        edges
    }
}

/// True if the text defines the item.
fn defines(text: &str, name: &str) -> bool {
    ["struct", "enum", "fn", "const", "static", "type", "trait", "union"].iter().any(|kind| {
        let item = format!("{kind} {name}");
        text.match_indices(&item).any(|(at, _)| {
            let next = text[at + item.len()..].chars().next();
            next.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        })
    })
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

fn module_path(file: &str) -> Module {
    let mut module: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    module
}

fn file_name(module: &Module) -> String {
    format!("{}.rs", if module.is_empty() { "lib".to_owned() } else { module.join("/") })
}

/// The text without comments, tests and what only rustdoc reads; children are named by `self::`.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_hidden = line == "#[cfg(test)]" || line == "#[cfg(doc)]";
        if is_hidden {
            // The hidden item: one line, or all lines to its closing brace.
            if lines.next().is_some_and(|item| item.ends_with('{')) {
                lines.by_ref().find(|line| line.starts_with('}'));
            }
            continue;
        }
        // A visibility is no import.
        let line = &line.replace("(in crate::", "(in ");
        let comment = line.find("//").filter(|&at| !line[..at].ends_with(':'));
        code.push_str(&line[..comment.unwrap_or(line.len())]);
        code.push('\n');
    }
    for child in children(&code) {
        code = with_self(&code, &child);
    }
    code
}

/// The names in `mod name;`.
fn children(code: &str) -> Vec<String> {
    let declared = |line: &str| {
        let (before, name) = line.strip_suffix(';')?.split_once("mod ")?;
        let is_declaration = before.is_empty() || before.starts_with("pub");
        is_declaration.then(|| name.to_owned())
    };
    code.lines().filter_map(declared).collect()
}

/// Writes `self::` before each path that begins with this child.
fn with_self(code: &str, child: &str) -> String {
    let path = format!("{child}::");
    let mut text = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(&path) {
        let before = rest[..at].chars().next_back();
        text.push_str(&rest[..at]);
        if before.is_none_or(|c| !c.is_alphanumeric() && !"_:.".contains(c)) {
            text.push_str("self::");
        }
        text.push_str(&path);
        rest = &rest[at + path.len()..];
    }
    text + rest
}

/// The files from which each file can be reached, by a search from every file.
fn circles(edges: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let mut found = Vec::new();
    for start in edges.keys() {
        let mut seen: BTreeSet<&Module> = BTreeSet::new();
        let mut stack: Vec<&Module> = edges[start].iter().collect();
        while let Some(module) = stack.pop() {
            if seen.insert(module) {
                stack.extend(edges.get(module).into_iter().flatten());
            }
        }
        if seen.contains(start) {
            let back = |next: &&Module| reaches(edges, next, start);
            let through: Vec<String> = edges[start].iter().filter(back).map(file_name).collect();
            found.push(format!("{} → {}", file_name(start), through.join(", ")));
        }
    }
    found
}

fn reaches(edges: &BTreeMap<Module, BTreeSet<Module>>, from: &Module, to: &Module) -> bool {
    let mut seen: BTreeSet<&Module> = BTreeSet::new();
    let mut stack = vec![from];
    while let Some(module) = stack.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            stack.extend(edges.get(module).into_iter().flatten());
        }
    }
    false
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for folder in ["src", "benches/src"] {
        fail(&format!("circles of files in {folder}"), circles(&Graph::of(folder).edges()));
    }
}

/// The layers of the store, from the ground up. A file imports from its own layer and from those
/// below it.
const STORE_LAYERS: &[&[&str]] = &[
    &["error", "records", "sources"],
    &["memory"],
    &["blobs"],
    &["space"],
    &["rules"],
    &["db"],
    &["engine"],
    &[
        "accounts",
        "buckets",
        "configurations",
        "contents",
        "events",
        "handle",
        "objects",
        "staging",
        "upkeep",
        "uploads",
    ],
];

#[test]
fn the_store_is_built_in_layers() {
    let layer = |module: &Module| -> Option<usize> {
        let part = module.get(1).filter(|_| module[0] == "store")?;
        STORE_LAYERS.iter().position(|layer| layer.contains(&part.as_str()))
    };
    let mut found = Vec::new();
    for (module, imports) in Graph::of("src").edges() {
        if module.first().is_none_or(|first| first != "store") || module.len() < 2 {
            continue;
        }
        let Some(own) = layer(&module) else {
            found.push(format!("{} has no layer", file_name(&module)));
            continue;
        };
        for import in imports {
            if layer(&import).is_some_and(|other| other > own) {
                found.push(format!("{} imports {}", file_name(&module), file_name(&import)));
            }
        }
    }
    fail("a file of the store imports from a layer above its own", found);
}

#[test]
fn only_the_engine_of_sqlite_names_it() {
    let mut found = Vec::new();
    for path in rust_files("src") {
        let name = super::name_of(&path);
        let code = code_of(&std::fs::read_to_string(&path).unwrap());
        if code.contains("rusqlite") && !name.starts_with("src/store/db/sqlite/") {
            found.push(name);
        }
    }
    fail("rusqlite is named outside of src/store/db/sqlite", found);
}

#[test]
fn a_circle_is_seen_also_behind_a_re_export() {
    let files = [
        ("a", "use self::child::made;\nmod child;\npub use self::child::Thing;"),
        ("a/child", "use crate::b::other;"),
        ("b", "use crate::a::Thing;"),
        ("c", "use crate::b::other;"),
    ];
    let files = files.map(|(file, text)| (module_path(file), text.to_owned()));
    let mut graph =
        Graph { files: BTreeMap::from(files), exports: BTreeMap::new(), globs: BTreeMap::new() };
    for module in graph.files.keys().cloned().collect::<Vec<_>>() {
        graph.read_exports(&module);
    }
    let found = circles(&graph.edges());
    assert_eq!(found, ["a/child.rs → b.rs", "b.rs → a/child.rs"]);
}
