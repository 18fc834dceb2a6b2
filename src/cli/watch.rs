//! `partita uploads watch`: progress of open uploads, as bars on a terminal and as lines elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use http::{Method, StatusCode};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::arguments::load;
use super::failure::{Failure, Outcome};
use super::output::printable;
use super::session::{Session, segment};
use super::upload_fields::{all, number, rate, received};

/// Most bars at once, for the lines of a terminal.
const BARS_MAX: usize = 40;

pub(super) fn command(filters: [Arg; 2]) -> Command {
    let id = Arg::new("id").value_name("UPLOAD").conflicts_with_all(["bucket", "prefix"]);
    let interval = Arg::new("interval-ms")
        .long("interval-ms")
        .value_name("N")
        .default_value("1000")
        .value_parser(clap::value_parser!(u64).range(100..=60_000))
        .help("Milliseconds between updates [100 to 60000]");
    Command::new("watch")
        .about("Watch one upload until it ends, or all open uploads")
        .arg(id.help("Only this upload"))
        .args(filters)
        .arg(interval)
}

/// Runs the command. Without a server it prints once: nothing can change, and this process holds
/// the lock that a server needs.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let session = Session::open(&load(matches)?, false)?;
    let interval = *matches.get_one::<u64>("interval-ms").expect("it has a default");
    let mut display = match (matches.get_flag("json"), io::stdout().is_terminal()) {
        (true, _) => Display::Json,
        (false, true) => Display::bars(),
        (false, false) => Display::Lines(HashMap::new()),
    };
    let mut seen = false;
    while let Some(uploads) = read_uploads(&session, matches, seen)? {
        seen = true;
        display.show(&uploads)?;
        if !session.is_live() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(interval));
    }
    display.finish()
}

/// The current uploads. `None` if the watched upload was seen before and has ended.
fn read_uploads(
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
            // The fields are the same as in a list, without the first page of the parts.
            if let Some(fields) = upload.as_object_mut() {
                fields.retain(|name, _| name != "parts" && name != "nextFrom");
            }
            Ok(Some(vec![upload]))
        }
        (StatusCode::NOT_FOUND, _) if seen => Ok(None),
        (_, error) => {
            Err(Failure::failed(error["message"].as_str().unwrap_or("the server gave no reason")))
        }
    }
}

/// Form of the output, and what was printed.
enum Display {
    /// One JSON document per line.
    Json,
    /// A line per changed upload, and the last line of each upload.
    Lines(HashMap<String, String>),
    /// A bar per upload.
    Bars(MultiProgress, HashMap<String, ProgressBar>),
}

impl Display {
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
                    let is_open = uploads.iter().any(|upload| id_of(upload) == *id);
                    if !is_open {
                        bar.finish_and_clear();
                    }
                    is_open
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

    fn finish(self) -> Outcome {
        match self {
            Self::Json => {}
            Self::Lines(_) => writeln!(io::stdout(), "the upload has ended")?,
            Self::Bars(screen, _) => {
                screen.clear()?;
                writeln!(io::stdout(), "the upload has ended")?;
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
    // Control characters in names could control the terminal.
    bar.set_message(name.replace(char::is_control, "?"));
    bar
}

fn set(bar: &ProgressBar, upload: &Value) {
    let sent = number(upload, "receivedBytes") + number(upload, "inFlightBytes");
    bar.set_prefix(match upload["status"].as_str() {
        Some("pause") => "paused".to_owned(),
        _ => rate(upload),
    });
    bar.set_position(match upload["totalSize"].as_u64() {
        // A part that is sent again is counted twice.
        Some(total) => sent.min(total),
        None => sent,
    });
}
