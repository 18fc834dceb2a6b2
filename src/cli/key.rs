//! `partita key create | list | enable | disable | delete`: access keys.

use std::io::{self, Write};

use clap::{Arg, ArgMatches, Command};
use http::Method;
use serde_json::{Value, json};

use super::arguments::{folder_flags, json_flag, load};
use super::failure::Outcome;
use super::output::{print_changed, print_list, print_new_key};
use super::session::{Session, segment};

pub(super) fn command() -> Command {
    let user = Arg::new("user").value_name("USER");
    let id = Arg::new("id").value_name("ACCESS-KEY-ID").required(true);
    let create = Command::new("create")
        .about("Create an access key for a user and print it")
        .arg(user.clone().required(true))
        .arg(credential_flag("access-key-id"))
        .arg(credential_flag("secret-access-key"));
    let list = Command::new("list").about("List access keys, without their secrets").arg(user);
    let disable =
        Command::new("disable").about("Disable a key: its requests are refused").arg(id.clone());
    let enable = Command::new("enable").about("Enable a disabled key").arg(id.clone());
    let delete = Command::new("delete").about("Delete a key").arg(id);
    Command::new("key")
        .about("Create, list, disable, enable and delete access keys")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(
            [create, list, disable, enable, delete]
                .map(|command| command.args(folder_flags()).arg(json_flag())),
        )
}

fn credential_flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("TEXT").help("Random if not given; give both or neither")
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand().expect("a subcommand is required") {
        ("create", matches) => create(matches),
        ("list", matches) => list(matches),
        ("disable", matches) => change(matches, Method::PUT, json!({ "enabled": false })),
        ("enable", matches) => change(matches, Method::PUT, json!({ "enabled": true })),
        ("delete", matches) => change(matches, Method::DELETE, Value::Null),
        (other, _) => unreachable!("clap knows no subcommand {other}"),
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
    print_new_key(&mut out, &answer["key"])?;
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
    print_changed(matches, &session, "keys", |key| key["accessKeyId"] == **id)
}
