//! `partita health`: whether the server that holds a data folder is ready; for containers, whose
//! image has no other client, and independent of port and certificate.

use std::io::{self, Write};

use clap::{ArgMatches, Command};
use http::Method;
use serde_json::Value;

use super::session::Session;
use super::{Failure, Outcome, folder_flags, json_flag, load};

pub(super) fn command() -> Command {
    Command::new("health")
        .about("Ask the running server whether it is ready; exit 1 when it is not, or not there")
        .args(folder_flags())
        .arg(json_flag())
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let session = Session::with_server(&load(matches)?)?;
    // One that is not ready says why in the same document.
    let (status, answer) = session.answer(Method::GET, "health/ready", Value::Null)?;
    let Some(word) = answer["status"].as_str() else {
        return Err(Failure::Failed(format!("the server answered {status}")));
    };
    let mut out = io::stdout().lock();
    match matches.get_flag("json") {
        true => writeln!(out, "{answer:#}")?,
        false => writeln!(out, "{word}")?,
    }
    if status.is_success() { Ok(()) } else { Err(Failure::Silent) }
}
