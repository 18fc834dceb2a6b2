//! Output of commands: tables, JSON, new keys.
//!
//! **Invariant:** text of clients is printed without control characters.

use std::io::{self, Write};

use clap::ArgMatches;
use http::Method;
use serde_json::Value;

use super::failure::Outcome;
use super::session::Session;

/// Prints a new key with its secret, which is never printed again.
pub(super) fn print_new_key(out: &mut impl Write, key: &Value) -> io::Result<()> {
    let text = |field: &str| key[field].as_str().unwrap_or_default().to_owned();
    writeln!(out, "access key id      {}", text("accessKeyId"))?;
    writeln!(out, "secret access key  {}", text("secretAccessKey"))
}

/// A text with spaces for control characters, which could control a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Heading of a column: `LAST STATUS` for `lastStatus`.
fn heading(field: &str) -> String {
    let mut words = String::new();
    for letter in field.chars() {
        if letter.is_uppercase() {
            words.push(' ');
        }
        words.push(letter.to_ascii_uppercase());
    }
    words
}

/// Prints the result of a change if `--json` is given: the list `list` with only the changed item,
/// or an empty list if the item was deleted.
pub(super) fn print_changed(
    matches: &ArgMatches,
    session: &Session,
    list: &str,
    is_changed: impl Fn(&Value) -> bool,
) -> Outcome {
    if matches.get_flag("json") {
        let mut answer = session.ask(Method::GET, list, Value::Null)?;
        if let Some(rows) = answer[list].as_array_mut() {
            rows.retain(is_changed);
        }
        writeln!(io::stdout(), "{answer:#}")?;
    }
    Ok(())
}

/// Prints a document as JSON, or the list in its field `list` as a table with these columns.
pub(super) fn print_list(
    matches: &ArgMatches,
    document: &Value,
    list: &str,
    columns: &[&str],
) -> Outcome {
    let mut out = io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{document:#}")?;
        return Ok(());
    }
    let empty = Vec::new();
    let rows = document[list].as_array().unwrap_or(&empty);
    let cell = |row: &Value, column: &str| match &row[column] {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    };
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            let widest = rows.iter().map(|row| cell(row, column).chars().count()).max();
            widest.unwrap_or(0).max(column.len())
        })
        .collect();
    let mut line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    line(columns.iter().map(|column| heading(column)).collect())?;
    for row in rows {
        line(columns.iter().map(|column| cell(row, column)).collect())?;
    }
    Ok(())
}
