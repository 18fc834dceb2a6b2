//! Benchmarks of Partita against other servers. README.md of this package has the commands.

mod compare;
mod curve;
mod growth;
mod load;
mod mixed;
mod plots;
mod process;
mod report;
mod seed;
mod servers;
/// Signer of the tests, which shares no code with the gateway.
#[path = "../../tests/it/signer.rs"]
#[allow(dead_code)]
mod signer;
mod sink;
mod target;
mod targets;
mod workloads;
mod wrk;

use base64::Engine;
use clap::{Parser, Subcommand};
use md5::{Digest, Md5};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare servers, workload by workload
    Compare(compare::Arguments),
    /// Measure how costs grow
    Growth(growth::Arguments),
    /// Measure small writes beside large work of all kinds
    Mixed(mixed::Arguments),
    /// Check the load generator against wrk
    Wrk(wrk::Arguments),
    /// Fill an empty data folder with many small objects
    Seed(seed::Arguments),
    /// Receive bodies as fast as the machine can
    #[command(hide = true)]
    Sink(sink::Arguments),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match Arguments::parse().command {
        Command::Compare(arguments) => compare::run(arguments),
        Command::Growth(arguments) => growth::run(&arguments),
        Command::Mixed(arguments) => mixed::run(&arguments),
        Command::Wrk(arguments) => wrk::run(&arguments),
        Command::Seed(arguments) => seed::run(&arguments),
        Command::Sink(arguments) => sink::run(&arguments),
    }
}

/// Value of a Content-MD5 header.
fn md5_base64(bytes: &[u8]) -> String {
    base64::prelude::BASE64_STANDARD.encode(Md5::digest(bytes))
}
