//! `wrk`: compares the load generator with wrk on the same server and URL. A slower generator would
//! measure itself.

use std::error::Error;
use std::io;
use std::process::Command;
use std::time::Duration;

use crate::load::{self, Measured, Plan, Request};
use crate::report::median;
use crate::servers::Own;
use crate::target::{BUCKET, Payload, spread};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 3;
/// Accepted ratio of both rates, for the noise of a shared machine.
const RATIO_MIN: f64 = 0.9;

/// Arguments of `wrk`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    own: Own,
    /// Seconds for each round
    #[arg(long, default_value_t = 3)]
    time: u64,
}

/// Runs both in turn and prints their rates.
///
/// # Errors
/// A response is wrong, or this generator is slower.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if Command::new("wrk").arg("-v").output().is_err() {
        println!("SKIPPED: wrk is not installed");
        return Ok(());
    }
    let running = arguments.own.start("wrk")?;
    let target = &running.target;
    println!("| body | ours, GET per second | wrk | ratio |\n|---|---|---|---|");
    let mut slower = false;
    for kib in [4, 64] {
        let path = format!("/{BUCKET}/{kib}k");
        let body = Payload::new(kib << 10);
        target.all(vec![target.signed("PUT", &path, &[], Some(&body), 200)], 1)?;
        let get = target.presigned("GET", &path, None, 200);
        let get =
            Request { answer_bytes: kib << 10..=kib << 10, answer_body: Some(body.bytes()), ..get };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let scripts = spread(vec![get.clone()], CONNECTIONS);
            let time = Duration::from_secs(arguments.time);
            let plan = Plan { address: target.address, scripts, time };
            ours.push(load::run(plan).and_then(Measured::checked)?.rate());
            theirs.push(rate_of_wrk(&running.target.url(&get), arguments.time)?);
        }
        let ours = median(ours).unwrap_or_default();
        let theirs = median(theirs).unwrap_or_default();
        println!("| {kib} KiB | {ours:.0} | {theirs:.0} | {:.2} |", ours / theirs);
        slower |= ours < theirs * RATIO_MIN;
    }
    match slower {
        true => Err("our load generator is slower than wrk".into()),
        false => Ok(()),
    }
}

fn rate_of_wrk(url: &str, seconds: u64) -> io::Result<f64> {
    let connections = CONNECTIONS.to_string();
    let time = format!("{seconds}s");
    let output =
        Command::new("wrk").args(["-t", "1", "-c", &connections, "-d", &time, url]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx")) {
        return Err(io::Error::other(line.trim().to_owned()));
    }
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = rate.and_then(|rate| rate.trim().parse().ok());
    rate.ok_or_else(|| io::Error::other(format!("wrk gave no rate: {text}")))
}
