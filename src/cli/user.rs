//! `partita user create | list | delete`: users.

use std::io::{self, Write};

use clap::{Arg, ArgMatches, Command};
use http::Method;
use serde_json::{Map, Value};

use super::arguments::{folder_flags, json_flag, load};
use super::failure::Outcome;
use super::output::{print_changed, print_list, print_new_key};
use super::session::{Session, segment};

/// Flags of `create`: flag, field of the request, help.
const FIELDS: &[(&str, &str, &str)] = &[
    ("id", "id", "Canonical id; random if not given"),
    ("display-name", "displayName", "Display name in responses of S3; the name if not given"),
    ("email", "email", "E-mail address"),
    ("access-key-id", "accessKeyId", "Access key id; random if not given"),
    ("secret-access-key", "secretAccessKey", "Secret access key; random if not given"),
];

pub(super) fn command() -> Command {
    let name = Arg::new("name").value_name("NAME").required(true);
    let fields = FIELDS
        .iter()
        .map(|(flag, _, help)| Arg::new(*flag).long(*flag).value_name("TEXT").help(*help));
    let create = Command::new("create")
        .about("Create a user with a first access key and print the key")
        .arg(name.clone())
        .args(fields);
    let list = Command::new("list").about("List the users");
    let delete = Command::new("delete")
        .about("Delete a user and its keys; the user must own no buckets")
        .arg(name);
    Command::new("user")
        .about("Create, list and delete users")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(
            [create, list, delete].map(|command| command.args(folder_flags()).arg(json_flag())),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand().expect("a subcommand is required") {
        ("create", matches) => create(matches),
        ("list", matches) => list(matches),
        ("delete", matches) => delete(matches),
        (other, _) => unreachable!("clap knows no subcommand {other}"),
    }
}

fn create(matches: &ArgMatches) -> Outcome {
    let mut request = Map::new();
    request.insert("name".into(), name_of(matches).into());
    for (flag, field, _) in FIELDS {
        if let Some(text) = matches.get_one::<String>(flag) {
            request.insert((*field).into(), text.as_str().into());
        }
    }
    let session = Session::open(&load(matches)?, true)?;
    let answer = session.ask(Method::POST, "users", request.into())?;
    let mut out = io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    writeln!(out, "user               {}", text(&answer["user"]["name"]))?;
    writeln!(out, "id                 {}", text(&answer["user"]["id"]))?;
    print_new_key(&mut out, &answer["key"])?;
    Ok(())
}

fn list(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let answer = session.ask(Method::GET, "users", Value::Null)?;
    let columns = ["name", "id", "displayName", "email", "root"];
    print_list(matches, &answer, "users", &columns)
}

fn delete(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let name = name_of(matches);
    session.ask(Method::DELETE, &format!("users/{}", segment(name)), Value::Null)?;
    print_changed(matches, &session, "users", |user| user["name"] == *name)
}

fn name_of(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("name").expect("it is required")
}
