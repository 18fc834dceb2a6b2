//! Binary of the command line. Everything is in [`partita::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    partita::cli::run(std::env::args_os())
}
