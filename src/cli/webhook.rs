//! `partita webhook list | deliveries | resend | test | enable | disable`: webhooks.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use http::Method;
use serde_json::{Value, json};

use super::arguments::{folder_flags, json_flag, load};
use super::failure::{Failure, Outcome};
use super::output::{print_changed, print_list, printable};
use super::session::{Session, segment};

/// Longest wait for a test event, in milliseconds. One attempt takes less.
const TEST_MS_MAX: u64 = 65_000;
/// Most characters of a reply in a table.
const REPLY_CHARS_MAX: usize = 60;
/// Pause between two requests for the deliveries, in milliseconds.
const TEST_PAUSE_MS: u64 = 100;

pub(super) fn command() -> Command {
    let name = Arg::new("name").value_name("NAME").required(true);
    let list = Command::new("list").about("List webhooks with their backlog and state");
    let deliveries = Command::new("deliveries")
        .about("List the last attempts to send events to a webhook")
        .arg(name.clone());
    let message =
        Arg::new("message").value_name("MESSAGE").help("Id of the event, as listed by deliveries");
    let all = Arg::new("dead")
        .long("dead")
        .action(ArgAction::SetTrue)
        .conflicts_with("message")
        .required_unless_present("message")
        .help("All events of the webhook whose attempts all failed");
    let resend =
        Command::new("resend").about("Send events again").arg(name.clone()).arg(message).arg(all);
    let test = Command::new("test").about("Send a test event and print the response");
    let enable = Command::new("enable").about("Enable a webhook: events are sent again");
    let disable = Command::new("disable").about("Disable a webhook: events are kept, but not sent");
    Command::new("webhook")
        .about("See and test webhooks, and send events again")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(
            [
                list,
                deliveries,
                resend,
                test.arg(name.clone()),
                enable.arg(name.clone()),
                disable.arg(name),
            ]
            .map(|command| command.args(folder_flags()).arg(json_flag())),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand().expect("a subcommand is required") {
        ("list", matches) => list(matches),
        ("deliveries", matches) => deliveries(matches),
        ("resend", matches) => resend(matches),
        ("test", matches) => test(matches),
        ("enable", matches) => change(matches, true),
        ("disable", matches) => change(matches, false),
        (other, _) => unreachable!("clap knows no subcommand {other}"),
    }
}

fn list(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let answer = session.ask(Method::GET, "webhooks", Value::Null)?;
    let columns = [
        "name",
        "backlog",
        "dead",
        "missing",
        "lastAttemptAt",
        "lastStatus",
        "nextAttemptAt",
        "alarm",
    ];
    print_list(matches, &answer, "webhooks", &columns)
}

fn path(matches: &ArgMatches, row: &str) -> String {
    let name = matches.get_one::<String>("name").expect("it is required");
    format!("webhooks/{}{row}", segment(name))
}

fn deliveries(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let mut answer = session.ask(Method::GET, &path(matches, "/deliveries"), Value::Null)?;
    if !matches.get_flag("json") {
        answer["deliveries"].as_array_mut().into_iter().flatten().for_each(shorten_reply);
    }
    let columns = [
        "attemptedAt",
        "messageId",
        "event",
        "bucket",
        "key",
        "attempt",
        "status",
        "milliseconds",
        "reply",
    ];
    print_list(matches, &answer, "deliveries", &columns)
}

/// Shortens the reply of a delivery for the table.
fn shorten_reply(row: &mut Value) {
    let reply = row["reply"].as_str().unwrap_or_default();
    let short: String = reply.chars().take(REPLY_CHARS_MAX).collect();
    row["reply"] = short.into();
}

fn resend(matches: &ArgMatches) -> Outcome {
    let request = json!({ "messageId": matches.get_one::<String>("message") });
    let session = Session::open(&load(matches)?, false)?;
    let answer = session.ask(Method::POST, &path(matches, "/resend"), request)?;
    let mut out = io::stdout().lock();
    match matches.get_flag("json") {
        true => writeln!(out, "{answer:#}")?,
        false => writeln!(out, "{} events will be sent again", answer["resent"])?,
    }
    Ok(())
}

/// Queues a test event, and waits until the server has sent it and recorded the delivery.
fn test(matches: &ArgMatches) -> Outcome {
    let session = Session::with_server(&load(matches)?)?;
    let made = session.ask(Method::POST, &path(matches, "/test"), Value::Null)?;
    let started = Instant::now();
    let delivery = loop {
        let log = session.ask(Method::GET, &path(matches, "/deliveries"), Value::Null)?;
        let rows = log["deliveries"].as_array().into_iter().flatten();
        if let Some(delivery) = rows.into_iter().find(|row| row["messageId"] == made["messageId"]) {
            break delivery.clone();
        }
        if started.elapsed() > Duration::from_millis(TEST_MS_MAX) {
            return Err(Failure::Failed(
                "the test event was not sent in time; see the log of the server".into(),
            ));
        }
        std::thread::sleep(Duration::from_millis(TEST_PAUSE_MS));
    };
    let mut out = io::stdout().lock();
    let reply = printable(delivery["reply"].as_str().unwrap_or_default());
    if matches.get_flag("json") {
        writeln!(out, "{:#}", json!({ "deliveries": [delivery] }))?;
    } else {
        writeln!(out, "status {} in {} ms {reply}", delivery["status"], delivery["milliseconds"])?;
    }
    match delivery["status"].as_u64() {
        Some(200..=299) => Ok(()),
        _ => Err(Failure::Silent),
    }
}

fn change(matches: &ArgMatches, enabled: bool) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    session.ask(Method::PUT, &path(matches, ""), json!({ "enabled": enabled }))?;
    let name = matches.get_one::<String>("name").expect("it is required");
    print_changed(matches, &session, "webhooks", |webhook| webhook["name"] == **name)
}
