//! `partita version`.

use std::io::{self, Write};

use clap::{ArgMatches, Command};

use super::Outcome;

pub(super) fn command() -> Command {
    Command::new("version").about("Print the version")
}

pub(super) fn run(_: &ArgMatches) -> Outcome {
    writeln!(io::stdout(), "partita {}", env!("CARGO_PKG_VERSION"))?;
    Ok(())
}
