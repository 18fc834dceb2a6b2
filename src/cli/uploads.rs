//! `partita uploads list | show | pause | resume | extend | abort | clean | watch`: open uploads.

use std::io::{self, Write};

use clap::{Arg, ArgAction, ArgMatches, Command};
use http::Method;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::arguments::{folder_flags, json_flag, load};
use super::failure::Outcome;
use super::output::{print_list, printable};
use super::session::{Session, segment};
use super::upload_fields::{all, id_of, number, parts, rate, received};
use super::watch;

const SECONDS_PER_HOUR: u64 = 3600;

/// Commands that change one upload: name, action of the request, help.
const CHANGES: &[(&str, &str, &str)] = &[
    ("pause", "pause", "Pause an upload: parts are refused until it is resumed"),
    ("resume", "resume", "Resume a paused upload"),
    ("extend", "extend", "Reset the expiry of an upload"),
    ("abort", "cancel", "Abort an upload and delete its parts"),
];

pub(super) fn command() -> Command {
    let id = Arg::new("id").value_name("UPLOAD").required(true);
    let list = Command::new("list").about("List the open uploads").args(filters());
    let show = Command::new("show").about("Show an upload and its parts").arg(id.clone());
    let changes =
        CHANGES.iter().map(|(name, _, about)| Command::new(*name).about(*about).arg(id.clone()));
    Command::new("uploads")
        .about("List, watch, pause, resume and abort open uploads")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(
            [list, show, clean_command(), watch::command(filters())]
                .into_iter()
                .chain(changes)
                .map(|command| command.args(folder_flags()).arg(json_flag())),
        )
}

fn clean_command() -> Command {
    let hours = Arg::new("idle-hours")
        .long("idle-hours")
        .value_name("N")
        .required(true)
        .value_parser(clap::value_parser!(u32))
        .help("Only uploads that were idle for at least N hours");
    let yes = Arg::new("yes")
        .long("yes")
        .action(ArgAction::SetTrue)
        .help("Abort them; without it they are only listed");
    Command::new("clean")
        .about("List idle uploads; with --yes, abort them")
        .args(filters())
        .args([hours, yes])
}

/// Flags that select uploads.
fn filters() -> [Arg; 2] {
    [
        ("bucket", "BUCKET", "Only uploads in this bucket"),
        ("prefix", "PREFIX", "Only uploads of keys that start with this"),
    ]
    .map(|(name, value, help)| Arg::new(name).long(name).value_name(value).help(help))
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand().expect("a subcommand is required") {
        ("list", matches) => list(matches),
        ("show", matches) => show(matches),
        ("clean", matches) => clean(matches),
        ("watch", matches) => watch::run(matches),
        (name, matches) => {
            let row = CHANGES.iter().find(|(known, ..)| *known == name);
            change(matches, row.expect("clap knows only the commands of the table").1)
        }
    }
}

fn list(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let mut uploads = all(&session, matches)?;
    if !matches.get_flag("json") {
        uploads.iter_mut().for_each(|upload| *upload = row(upload));
    }
    // All pages in one document.
    let document = json!({ "uploads": uploads, "nextMarker": null });
    let columns = ["upload", "bucket", "key", "status", "received", "parts", "rate", "lastActive"];
    print_list(matches, &document, "uploads", &columns)
}

/// Upload as a row of the table.
fn row(upload: &Value) -> Value {
    json!({
        "upload": upload["uploadId"],
        "bucket": upload["bucket"],
        "key": upload["key"],
        "status": upload["status"],
        "received": received(upload),
        "parts": parts(upload),
        "rate": rate(upload),
        "lastActive": upload["lastActiveAt"],
    })
}

fn show(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let path = format!("uploads/{}", segment(id_of(matches)));
    let mut upload = session.ask(Method::GET, &path, Value::Null)?;
    while let Some(from) = upload["nextFrom"].as_u64() {
        let mut page = session.ask(Method::GET, &format!("{path}?from={from}"), Value::Null)?;
        if let (Some(runs), Value::Array(more)) =
            (upload["parts"].as_array_mut(), page["parts"].take())
        {
            runs.extend(more);
        }
        upload["nextFrom"] = page["nextFrom"].take();
    }
    let mut out = io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{upload:#}")?;
        return Ok(());
    }
    let text = |field: &str| printable(upload[field].as_str().unwrap_or("-"));
    for (name, value) in [
        ("upload", text("uploadId")),
        ("bucket", text("bucket")),
        ("key", text("key")),
        ("status", text("status")),
        ("initiator", upload["initiator"]["id"].as_str().unwrap_or("-").to_owned()),
        ("initiated", text("initiatedAt")),
        ("last active", text("lastActiveAt")),
        ("expires", text("expiresAt")),
        ("received", received(&upload)),
        ("in flight", HumanBytes(number(&upload, "inFlightBytes")).to_string()),
        ("rate", rate(&upload)),
        ("parts", parts(&upload)),
    ] {
        writeln!(out, "{name:<12} {value}")?;
    }
    for run in upload["parts"].as_array().into_iter().flatten() {
        let (first, last) = (number(run, "firstPart"), number(run, "lastPart"));
        writeln!(out, "  {first:>5} - {last:<5} {}", HumanBytes(number(run, "bytes")))?;
    }
    Ok(())
}

fn change(matches: &ArgMatches, action: &str) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let path = format!("uploads/{}", segment(id_of(matches)));
    session.ask(Method::PUT, &path, json!({ "action": action }))?;
    if matches.get_flag("json") {
        let upload = match action {
            "cancel" => json!({ "uploadId": id_of(matches), "status": "cancel" }),
            _ => session.ask(Method::GET, &path, Value::Null)?,
        };
        writeln!(io::stdout(), "{upload:#}")?;
    }
    Ok(())
}

fn clean(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let hours = matches.get_one::<u32>("idle-hours").expect("it is required");
    let (mut uploads, mut bytes, mut marker) = (Vec::new(), 0, Value::Null);
    loop {
        let request = json!({
            "idleSeconds": u64::from(*hours) * SECONDS_PER_HOUR,
            "bucket": text("bucket"),
            "prefix": text("prefix"),
            "dryRun": !matches.get_flag("yes"),
            "marker": marker,
        });
        let mut page = session.ask(Method::POST, "uploads/clean", request)?;
        if let Value::Array(more) = page["uploads"].take() {
            uploads.extend(more);
        }
        bytes += number(&page, "receivedBytes");
        marker = page["nextMarker"].take();
        if marker.is_null() {
            break;
        }
    }
    let count = uploads.len();
    let columns = ["uploadId", "bucket", "key", "receivedBytes", "lastActiveAt"];
    let document = json!({
        "dryRun": !matches.get_flag("yes"),
        "uploads": uploads,
        "receivedBytes": bytes,
        "nextMarker": null,
    });
    print_list(matches, &document, "uploads", &columns)?;
    if !matches.get_flag("json") {
        let what = if matches.get_flag("yes") { "aborted" } else { "idle (--yes aborts them)" };
        writeln!(io::stdout(), "{count} uploads, {} {what}", HumanBytes(bytes))?;
    }
    Ok(())
}
