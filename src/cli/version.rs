//! `partita version`: the version of this binary.

use std::io::{self, Write};

use clap::{ArgMatches, Command};
use serde_json::json;

use super::arguments::json_flag;
use super::failure::Outcome;

pub(super) fn command() -> Command {
    Command::new("version").about("Print the version").arg(json_flag())
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    match matches.get_flag("json") {
        true => writeln!(io::stdout(), "{:#}", json!({ "version": version }))?,
        false => writeln!(io::stdout(), "partita {version}")?,
    }
    Ok(())
}
