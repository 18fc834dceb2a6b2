//! Commands of `partita`: their table, their exit codes, and what they share.
//!
//! A command is a file with `command()`, which describes it, and `run()`. Exit codes: 0 success,
//! 1 failure (or a violation found by `check`), 2 wrong command line or configuration. Commands
//! share `arguments`, `failure`, `output` and `session`.
//!
//! **Invariants**
//! - One process opens the store. A command takes the lock of the data folder, or asks the server
//!   that holds it (`session`).
//! - A closed standard output (`| head`) is not a failure.

mod arguments;
mod blocking;
mod check;
mod data_folder;
mod failure;
mod health;
mod key;
mod output;
mod reload;
mod root;
mod serve;
mod session;
mod upload_fields;
mod uploads;
mod user;
mod version;
mod watch;
mod webhook;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use failure::{Failure, Outcome};

/// Row of the table: a command and its implementation.
struct CommandRow {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> Outcome,
}

/// All commands, in the order of `--help`.
const COMMANDS: &[CommandRow] = &[
    CommandRow { command: serve::command, run: serve::run },
    CommandRow { command: user::command, run: user::run },
    CommandRow { command: key::command, run: key::run },
    CommandRow { command: uploads::command, run: uploads::run },
    CommandRow { command: webhook::command, run: webhook::run },
    CommandRow { command: check::command, run: check::run },
    CommandRow { command: health::command, run: health::run },
    CommandRow { command: version::command, run: version::run },
];

/// Runs a command. The first argument is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // The database holds secrets, so files of all commands are readable by their owner only.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are errors of clap too. A closed output is not a failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let (name, matches) = matches.subcommand().expect("a subcommand is required");
    let row = COMMANDS.iter().find(|row| (row.command)().get_name() == name);
    match (row.expect("clap knows only the commands of the table").run)(matches) {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Silent) => ExitCode::from(1),
        Err(Failure::Failed(message)) => print_error(&message, 1),
        Err(Failure::Usage(message)) => print_error(&message, 2),
    }
}

fn print_error(message: &str, code: u8) -> ExitCode {
    // If standard error is closed, only the exit code reports the failure.
    let _ = writeln!(io::stderr(), "partita: {message}");
    ExitCode::from(code)
}

fn command() -> Command {
    Command::new("partita")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(COMMANDS.iter().map(|row| (row.command)()))
}

#[cfg(test)]
mod tests;
