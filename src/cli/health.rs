//! `partita health`: readiness of the server that holds a data folder. Containers use it as their
//! health check: it needs no other client, no port and no certificate.

use std::io::{self, Write};

use clap::{ArgMatches, Command};
use http::Method;
use serde_json::Value;

use super::arguments::{folder_flags, json_flag, load};
use super::failure::{Failure, Outcome};
use super::session::Session;

pub(super) fn command() -> Command {
    Command::new("health")
        .about(
            "Ask the running server whether it is ready; exit with 1 if it is not, or if none runs",
        )
        .args(folder_flags())
        .arg(json_flag())
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let session = Session::with_server(&load(matches)?)?;
    // The document of a 503 has the reason.
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
