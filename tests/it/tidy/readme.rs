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
