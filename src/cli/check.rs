//! `partita check`: verifies all invariants of rows and files.

use std::io::{self, Write};

use clap::{Arg, ArgAction, ArgMatches, Command};
use http::Method;
use serde_json::json;

use super::arguments::{folder_flags, json_flag, load};
use super::failure::{Failure, Outcome};
use super::session::Session;

pub(super) fn command() -> Command {
    let blocks = Arg::new("blocks")
        .long("blocks")
        .action(ArgAction::SetTrue)
        .help("Also read and verify every byte of every file");
    Command::new("check")
        .about("Verify all invariants of rows and files; exit with 1 if any is violated")
        .arg(blocks)
        .args(folder_flags())
        .arg(json_flag())
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let request = json!({ "blocks": matches.get_flag("blocks") });
    let answer = session.ask(Method::POST, "check", request)?;
    let violations = answer["violations"].as_array().cloned().unwrap_or_default();
    let mut out = io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{answer:#}")?;
    } else {
        for violation in &violations {
            writeln!(out, "{}", violation.as_str().unwrap_or_default())?;
        }
        match violations.len() {
            0 => writeln!(out, "all invariants hold")?,
            count => writeln!(out, "{count} violations")?,
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(Failure::Silent) }
}
