//! The commands of `partita`: what they are called, how they fail, and what they print.
//!
//! A command is a file with `command()`, which describes it, and `run()`. Exit codes: 0 done, 1 it
//! failed (or `check` found something), 2 the command line or the configuration is wrong.
//!
//! **Invariants**
//! - One process opens the store. A command takes the folder's lock itself or, when a server holds
//!   it, asks that server ([`session`]).
//! - A reader of our output that goes away (`| head`) is no failure.

mod check;
mod health;
mod key;
mod reload;
mod root;
mod serve;
mod session;
mod upload;
mod uploads;
mod user;
mod version;
mod watch;
mod webhook;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{self, Config, SETTINGS, Setting, SettingKind};

/// How a command ends when it does not succeed.
#[derive(Debug)]
enum Failure {
    /// The command line or the configuration is wrong: exit code 2.
    Usage(String),
    /// It was tried and failed: exit code 1.
    Failed(String),
    /// Everything was said already: exit code 1.
    Silent,
    /// Nobody reads our output any more: exit code 0.
    OutputClosed,
}

impl Failure {
    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::failed(error),
        }
    }
}

type Outcome = Result<(), Failure>;

struct Entry {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> Outcome,
}

const COMMANDS: &[Entry] = &[
    Entry { command: serve::command, run: serve::run },
    Entry { command: user::command, run: user::run },
    Entry { command: key::command, run: key::run },
    Entry { command: uploads::command, run: uploads::run },
    Entry { command: webhook::command, run: webhook::run },
    Entry { command: check::command, run: check::run },
    Entry { command: health::command, run: health::run },
    Entry { command: version::command, run: version::run },
];

/// Runs the command that `arguments` name; the first of them is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // The database holds secrets: whatever a command makes is for its own user alone, also in a
    // folder that others may look into.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version come this way too. A closed output is no reason to fail.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let (name, matches) = matches.subcommand().expect("a subcommand is required");
    let entry = COMMANDS.iter().find(|entry| (entry.command)().get_name() == name);
    match (entry.expect("clap knows the commands of the table").run)(matches) {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Silent) => ExitCode::from(1),
        Err(Failure::Failed(message)) => complain(&message, 1),
        Err(Failure::Usage(message)) => complain(&message, 2),
    }
}

fn complain(message: &str, code: u8) -> ExitCode {
    // If standard error is closed, the exit code has to say it alone.
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
        .subcommands(COMMANDS.iter().map(|entry| (entry.command)()))
}

/// The flag of a setting.
fn flag(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.name).help(setting.help());
    match setting.kind {
        SettingKind::Path { .. } if setting.name == "data" => arg.value_name("DIR"),
        SettingKind::Path { .. } => arg.value_name("FILE"),
        SettingKind::Text { .. } => arg.value_name("TEXT"),
        // A negative number gets the answer that names the range.
        SettingKind::Integer { .. } => arg.value_name("N").allow_negative_numbers(true),
        SettingKind::Switch { .. } => {
            arg.value_name("BOOL").num_args(0..=1).default_missing_value("true")
        }
        SettingKind::Choice { .. } => arg.value_name("WORD"),
        SettingKind::Domains => arg.value_name("NAME").action(ArgAction::Append),
    }
}

/// The flags of commands that work on a data folder.
fn folder_flags() -> [Arg; 2] {
    ["data", "config"].map(|name| flag(Setting::named(name).expect("both are in the table")))
}

/// `--json`, for commands whose output programs read.
fn json_flag() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON, for programs")
}

/// The configuration from a command's flags, the environment and the file.
fn load(matches: &ArgMatches) -> Result<Config, Failure> {
    let flag = |setting: &Setting| {
        let values = matches.try_get_many::<String>(setting.name).ok().flatten()?;
        Some(values.cloned().collect())
    };
    config::load(&flag, &|name| std::env::var_os(name))
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// Refuses to touch a folder of another user: what we would write there, its owner could not read.
fn check_owner(data: &Path) -> Outcome {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = std::fs::metadata(data) else { return Ok(()) };
    let (owner, ours) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == ours {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the data folder {} belongs to user {owner}, and this is user {ours}: \
         run the command as its owner",
        data.display()
    )))
}

/// Runs what blocks on the pool for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(Failure::failed)
}

#[cfg(test)]
mod tests;
