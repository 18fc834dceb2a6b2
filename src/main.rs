//! The command line: see [`partita::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    partita::cli::run(std::env::args_os())
}
