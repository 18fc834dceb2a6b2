//! Tables of the README: the operations and the settings are those of the code.

use partita::ops::OPERATIONS;
use partita::request::operation::{Scope, Selector};

use super::root;

/// Lines of a README table, between its two markers.
fn readme_table(name: &str) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let begin = format!("<!-- {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let (_, rest) = readme.split_once(&begin).unwrap_or_else(|| panic!("README lacks {begin}"));
    rest.split_once(&end).unwrap_or_else(|| panic!("README lacks {end}")).0.to_owned()
}

/// Compares a README table with the one made from the code; `PARTITA_UPDATE=1` rewrites it.
pub fn compare(name: &str, wanted: &str) {
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
            Scope::Service => "/",
            Scope::Bucket => "/bucket",
            Scope::Object => "/bucket/key",
        };
        let mut words = Vec::new();
        let mut headers = String::new();
        for selector in row.selectors {
            match selector {
                Selector::Query(word) => words.push((*word).to_owned()),
                Selector::QueryValue(word, value) => {
                    words.push(format!("{word}={value}"));
                }
                Selector::Header(name) => headers = format!(", `{name}`"),
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

/// Fields of `Limits`, by name.
fn fields_of_limits() -> Vec<String> {
    let source = std::fs::read_to_string(root().join("src/limits/mod.rs")).unwrap();
    let (_, rest) = source.split_once("pub struct Limits {\n").unwrap();
    let fields = rest.split_once("\n}\n").unwrap().0.lines();
    let name = |line: &str| Some(line.trim().strip_prefix("pub ")?.split_once(':')?.0.to_owned());
    fields.filter_map(name).collect()
}

/// Each field of `Limits`, and each setting that is a limit or a time, has its row in
/// `docs/limits.md`, unless the README says all that there is to say.
#[test]
fn the_page_of_limits_lists_what_is_limited() {
    const OF_ONE_REQUEST: [&str; 8] = [
        "inline-bytes-max",
        "packed-bytes-max",
        "part-bytes-min",
        "metadata-bytes-max",
        "drain-timeout-ms",
        "verify-hold-ms",
        "webhook-log-days",
        "upload-pause-hours",
    ];
    let page = std::fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let fields = fields_of_limits();
    assert!(fields.len() > 10, "{fields:?}");
    let is_limit = |name: &&str| {
        let ends = ["-max", "-min", "-ms", "-hours", "-days"];
        ends.iter().any(|end| name.ends_with(end)) && !OF_ONE_REQUEST.contains(name)
    };
    let settings = partita::config::SETTINGS.iter().map(|setting| setting.name).filter(is_limit);
    let names = fields.iter().map(String::as_str).chain(settings);
    let missing: Vec<&str> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/limits.md has no row for {missing:?}");
    // The tests that it names are there.
    let sources = super::rust_files("src").into_iter().chain(super::rust_files("tests"));
    let sources: String = sources.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let tests = rows.filter_map(|row| row.rsplit('|').nth(1)?.trim().strip_prefix('`'));
    let name = |test: &str| test.trim_end_matches('`').rsplit("::").next().map(str::to_owned);
    let lost: Vec<String> =
        tests.filter_map(name).filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(lost.is_empty(), "docs/limits.md names tests that are not there: {lost:?}");
}
