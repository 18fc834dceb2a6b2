//! `partita uploads watch`: open uploads as they go on; bars on a terminal, lines elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use http::{Method, StatusCode};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::key::printable;
use super::session::{Session, segment};
use super::upload::{all, number, rate, received};
use super::{Failure, Outcome, load};

/// Bars that are shown at once: a terminal has so many lines.
const BARS_MAX: usize = 40;

pub(super) fn command(filters: [Arg; 2]) -> Command {
    let id = Arg::new("id").value_name("UPLOAD").conflicts_with_all(["bucket", "prefix"]);
    let interval = Arg::new("interval-ms")
        .long("interval-ms")
        .value_name("N")
        .default_value("1000")
        .value_parser(clap::value_parser!(u64).range(100..=60_000))
        .help("Time between two looks [100 to 60000]");
    Command::new("watch")
        .about("Watch an upload until it is over, or all of them")
        .arg(id.help("Only this one"))
        .args(filters)
        .arg(interval)
}

/// Without a server nothing changes, and to look on would keep one from starting: one look is all.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let interval = *matches.get_one::<u64>("interval-ms").expect("it has a default");
    let mut shown = match (matches.get_flag("json"), io::stdout().is_terminal()) {
        (true, _) => Shown::Json,
        (false, true) => Shown::bars(),
        (false, false) => Shown::Lines(HashMap::new()),
    };
    let mut seen = false;
    while let Some(uploads) = look(&session, matches, seen)? {
        seen = true;
        shown.show(&uploads)?;
        if !session.is_live() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(interval));
    }
    shown.over()
}

/// The uploads now; `None` when the one that was seen is over.
fn look(
    session: &Session,
    matches: &ArgMatches,
    seen: bool,
) -> Result<Option<Vec<Value>>, Failure> {
    let Some(id) = matches.get_one::<String>("id") else {
        return Ok(Some(all(session, matches)?));
    };
    let path = format!("uploads/{}?limit=1", segment(id));
    match session.answer(Method::GET, &path, Value::Null)? {
        (status, mut upload) if status.is_success() => {
            // A line tells of one upload what it tells of many, and no page of a map.
            if let Some(fields) = upload.as_object_mut() {
                fields.retain(|name, _| name != "parts" && name != "nextFrom");
            }
            Ok(Some(vec![upload]))
        }
        (StatusCode::NOT_FOUND, _) if seen => Ok(None),
        (_, error) => Err(Failure::failed(error["message"].as_str().unwrap_or("it failed"))),
    }
}

/// What was shown, and how.
enum Shown {
    /// One document on a line.
    Json,
    /// A line for each upload that has changed; the last line of each.
    Lines(HashMap<String, String>),
    /// A bar for each upload.
    Bars(MultiProgress, HashMap<String, ProgressBar>),
}

impl Shown {
    fn bars() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self::Bars(bars, HashMap::new())
    }

    fn show(&mut self, uploads: &[Value]) -> Outcome {
        let id_of = |upload: &Value| upload["uploadId"].as_str().unwrap_or_default().to_owned();
        match self {
            Self::Json => {
                let mut out = io::stdout().lock();
                for upload in uploads {
                    writeln!(out, "{upload}")?;
                }
                out.flush()?;
            }
            Self::Lines(known) => {
                let mut out = io::stdout().lock();
                for upload in uploads {
                    let line = line(upload);
                    if known.get(&id_of(upload)) != Some(&line) {
                        writeln!(out, "{line}")?;
                        known.insert(id_of(upload), line);
                    }
                }
                out.flush()?;
                known.retain(|id, _| uploads.iter().any(|upload| id_of(upload) == *id));
            }
            Self::Bars(screen, bars) => {
                bars.retain(|id, bar| {
                    let is_there = uploads.iter().any(|upload| id_of(upload) == *id);
                    if !is_there {
                        bar.finish_and_clear();
                    }
                    is_there
                });
                for upload in uploads.iter().take(BARS_MAX) {
                    let bar =
                        bars.entry(id_of(upload)).or_insert_with(|| screen.add(new_bar(upload)));
                    set(bar, upload);
                }
            }
        }
        Ok(())
    }

    fn over(self) -> Outcome {
        match self {
            Self::Json => {}
            Self::Lines(_) => writeln!(io::stdout(), "the upload is over")?,
            Self::Bars(screen, _) => {
                screen.clear()?;
                writeln!(io::stdout(), "the upload is over")?;
            }
        }
        Ok(())
    }
}

fn line(upload: &Value) -> String {
    let text = |field: &str| printable(upload[field].as_str().unwrap_or("-"));
    let (id, bucket, key, status) = (text("uploadId"), text("bucket"), text("key"), text("status"));
    format!("{id} {status:<6} {} {} {bucket}/{key}", received(upload), rate(upload))
}

fn new_bar(upload: &Value) -> ProgressBar {
    let name = format!(
        "{}/{}",
        upload["bucket"].as_str().unwrap_or_default(),
        upload["key"].as_str().unwrap_or_default()
    );
    let form = match upload["totalSize"].as_u64() {
        Some(_) => "{wide_bar} {bytes:>11} of {total_bytes:<11} {prefix:>12} {msg}",
        None => "{bytes:>11} {prefix:>12} {msg}",
    };
    let style = ProgressStyle::with_template(form).expect("the template is well formed");
    let bar = ProgressBar::new(number(upload, "totalSize")).with_style(style);
    // What a client wrote must not steer the terminal.
    bar.set_message(name.replace(char::is_control, "?"));
    bar
}

fn set(bar: &ProgressBar, upload: &Value) {
    let on_its_way = number(upload, "receivedBytes") + number(upload, "inFlightBytes");
    bar.set_prefix(match upload["status"].as_str() {
        Some("pause") => "paused".to_owned(),
        _ => rate(upload),
    });
    bar.set_position(match upload["totalSize"].as_u64() {
        // A part that is sent again is on its way twice.
        Some(total) => on_its_way.min(total),
        None => on_its_way,
    });
}
