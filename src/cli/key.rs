//! `partita key create | list | enable | disable | delete`.

use std::io::{self, Write};

use clap::{Arg, ArgMatches, Command};
use http::Method;
use serde_json::{Value, json};

use super::session::{Session, segment};
use super::{Outcome, folder_flags, json_flag, load};

pub(super) fn command() -> Command {
    let user = Arg::new("user").value_name("USER");
    let id = Arg::new("id").value_name("ACCESS-KEY-ID").required(true);
    let create = Command::new("create")
        .about("Make an access key for a user and print it")
        .arg(user.clone().required(true))
        .arg(half("access-key-id"))
        .arg(half("secret-access-key"));
    let list = Command::new("list").about("List access keys, without their secrets").arg(user);
    let disable = Command::new("disable").about("Refuse a key from now on").arg(id.clone());
    let enable = Command::new("enable").about("Accept a key again").arg(id.clone());
    let delete = Command::new("delete").about("Delete a key").arg(id);
    Command::new("key")
        .about("Make, list, disable, enable and delete access keys")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(
            [create, list, disable, enable, delete]
                .map(|command| command.args(folder_flags()).arg(json_flag())),
        )
}

fn half(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("TEXT").help("Chosen by you; random if not given")
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand().expect("a subcommand is required") {
        ("create", matches) => create(matches),
        ("list", matches) => list(matches),
        ("disable", matches) => change(matches, Method::PUT, json!({ "enabled": false })),
        ("enable", matches) => change(matches, Method::PUT, json!({ "enabled": true })),
        (_, matches) => change(matches, Method::DELETE, Value::Null),
    }
}

fn create(matches: &ArgMatches) -> Outcome {
    let text = |flag: &str| matches.get_one::<String>(flag).map(String::as_str);
    let request = json!({
        "accessKeyId": text("access-key-id"),
        "secretAccessKey": text("secret-access-key"),
    });
    let session = Session::open(&load(matches)?, false)?;
    let path = format!("users/{}/keys", segment(text("user").expect("it is required")));
    let answer = session.ask(Method::POST, &path, request)?;
    let mut out = io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    print_new(&mut out, &answer["key"])?;
    Ok(())
}

fn list(matches: &ArgMatches) -> Outcome {
    let path = match matches.get_one::<String>("user") {
        Some(user) => format!("users/{}/keys", segment(user)),
        None => "keys".into(),
    };
    let session = Session::open(&load(matches)?, false)?;
    let answer = session.ask(Method::GET, &path, Value::Null)?;
    print_list(matches, &answer, "keys", &["accessKeyId", "user", "enabled", "createdAt"])
}

fn change(matches: &ArgMatches, method: Method, request: Value) -> Outcome {
    let id = matches.get_one::<String>("id").expect("it is required");
    let session = Session::open(&load(matches)?, false)?;
    session.ask(method, &format!("keys/{}", segment(id)), request)?;
    print_left(matches, &session, "keys", |key| key["accessKeyId"] == **id)
}

/// A key that was just made. Its secret is shown here and never again.
pub(super) fn print_new(out: &mut impl Write, key: &Value) -> io::Result<()> {
    let text = |field: &str| key[field].as_str().unwrap_or_default().to_owned();
    writeln!(out, "access key id      {}", text("accessKeyId"))?;
    writeln!(out, "secret access key  {}", text("secretAccessKey"))
}

/// A text without control characters: what came from elsewhere must not steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The heading of a column: `lastStatus` is LAST STATUS.
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

/// What a change has left of the one thing that it was about, for programs: the list of its kind
/// with that one, or with none when it is gone.
pub(super) fn print_left(
    matches: &ArgMatches,
    session: &Session,
    list: &str,
    is_it: impl Fn(&Value) -> bool,
) -> Outcome {
    if matches.get_flag("json") {
        let mut answer = session.ask(Method::GET, list, Value::Null)?;
        if let Some(rows) = answer[list].as_array_mut() {
            rows.retain(is_it);
        }
        writeln!(io::stdout(), "{answer:#}")?;
    }
    Ok(())
}

/// A document as JSON, or the list in one of its fields as a table with these columns.
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
