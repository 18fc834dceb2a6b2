//! State and constants of `src`: nothing that gateways of one process would share, nothing that is
//! different in a test.

use std::collections::BTreeMap;
use std::path::Path;

use super::{fail, name_of, rust_files};

/// Types that can change behind a shared reference, or that are set once.
const INTERIOR_MUTABILITY: &[&str] =
    &["Mutex", "RwLock", "Atomic", "LazyLock", "OnceLock", "OnceCell", "Cell", "Semaphore"];

/// Files that may have a constant with another value in tests. This list only becomes shorter.
const OTHER_IN_TESTS: &[&str] = &[];

/// Lines of a file of `src` with their numbers, without comments and without what is compiled for
/// tests only.
fn production_lines(path: &Path) -> Vec<(usize, String)> {
    let is_test = |part: &std::path::Component<'_>| {
        matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs"))
    };
    if path.components().any(|part| is_test(&part)) {
        return Vec::new();
    }
    without_tests(&std::fs::read_to_string(path).unwrap())
}

/// The same for the text of a file.
fn without_tests(text: &str) -> Vec<(usize, String)> {
    let mut kept = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let code = line.trim_start();
        if code == "#[cfg(test)]" {
            let indent = " ".repeat(line.len() - code.len());
            let is_end = |line: &str| {
                line.strip_prefix(&indent).is_some_and(|rest| {
                    !rest.starts_with(' ') && (rest.starts_with('}') || rest.ends_with(';'))
                })
            };
            let _ = lines.find(|(_, line)| is_end(line));
            continue;
        }
        kept.push((index + 1, code.split("//").next().unwrap().to_owned()));
    }
    kept
}

/// Statics among these lines whose type has interior mutability: line and name.
fn mutable_statics(lines: &[(usize, String)]) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        let Some((before, rest)) = line.split_once("static ") else { continue };
        let is_item = before.split_whitespace().all(|word| word.starts_with("pub"));
        let Some((name, kind)) = rest.split_once(':').filter(|_| is_item) else { continue };
        // The type may stand on the next line.
        let next = match lines.get(index + 1) {
            Some((_, next)) if !line.trim_end().ends_with(';') => next.as_str(),
            _ => "",
        };
        if INTERIOR_MUTABILITY.iter().any(|word| kind.contains(word) || next.contains(word)) {
            found.push((*number, name));
        }
    }
    found
}

/// The name of the limit that a line defines: a bound, a default or an interval.
fn limit_in(line: &str) -> Option<&str> {
    const ENDINGS: [&str; 5] = ["_MAX", "_MIN", "_DEFAULT", "_SECONDS", "_EVERY"];
    let (before, rest) = line.split_once("const ")?;
    let (name, _) = rest.split_once(':')?;
    let is_item = before.split_whitespace().all(|word| word.starts_with("pub"));
    (is_item && ENDINGS.iter().any(|ending| name.ends_with(ending))).then_some(name)
}

#[test]
fn no_state_is_global_to_the_process() {
    let mut found = Vec::new();
    for path in rust_files("src") {
        let file = name_of(&path);
        for (number, name) in mutable_statics(&production_lines(&path)) {
            found.push(format!("{file}:{number}: {name}"));
        }
    }
    fail("a static that gateways of one process would share", found);
}

#[test]
fn no_constant_has_another_value_in_tests() {
    let word = concat!("cfg!", "(test)");
    let mut found = Vec::new();
    for path in rust_files("src") {
        let file = name_of(&path);
        for (number, line) in production_lines(&path) {
            if line.contains(word) && !OTHER_IN_TESTS.contains(&file.as_str()) {
                found.push(format!("{file}:{number}"));
            }
        }
    }
    fail("a value depends on whether tests are compiled", found);
}

#[test]
fn a_limit_has_a_name_of_its_own() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in rust_files("src") {
        let file = name_of(&path);
        for (number, line) in production_lines(&path) {
            if let Some(name) = limit_in(&line) {
                places.entry(name.to_owned()).or_default().push(format!("{file}:{number}"));
            }
        }
    }
    assert!(places.len() > 100, "limits are found: {}", places.len());
    let found = places.into_iter().filter(|(_, places)| places.len() > 1);
    fail(
        "one name for two limits; if they are one, name it once",
        found.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect(),
    );
}

#[test]
fn limits_are_recognized() {
    for (line, name) in [
        ("pub(crate) const KEYS_MAX: usize = 4;", Some("KEYS_MAX")),
        ("    const SWEEP_EVERY: Duration = X;", Some("SWEEP_EVERY")),
        ("const MAXIMUM: u8 = 1;", None),
        ("fn f(KEYS_MAX: u8) {}", None),
    ] {
        assert_eq!(limit_in(line), name, "{line}");
    }
}

#[test]
fn statics_are_found_outside_of_tests() {
    let text = "pub(super) static SEEN: OnceLock<u8> = OnceLock::new();
static TABLE: &[Row] = &[];
fn f(text: &'static str) { // static COMMENT: Mutex
    static COUNT: // on two lines
        AtomicU64 = AtomicU64::new(0);
}
#[cfg(test)]
thread_local! {
    static LOOKED_AT: Cell<u8> = const { Cell::new(0) };
}
static AFTER: Mutex<u8> = Mutex::new(0);
#[cfg(test)]
mod tests {
    static IN_TESTS: Mutex<u8> = Mutex::new(0);
}
";
    let lines = without_tests(text);
    assert_eq!(mutable_statics(&lines), [(1, "SEEN"), (4, "COUNT"), (11, "AFTER")]);
}
