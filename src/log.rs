//! Log on standard error, written by a thread of its own.
//!
//! [`start`] installs the subscriber and the panic hook of the process, so only the command line
//! calls it. The format and the levels are settings.
//!
//! **Invariants**
//! - A slow reader of standard error never blocks a request: lines above `LOG_BYTES_MAX` are
//!   dropped and counted.
//! - A line wakes the thread only if the buffer was empty. The thread then collects lines for
//!   `COLLECT_MS`, so a busy server writes about fifty times a second.
//! - An event is one line of at most `LINE_BYTES_MAX` bytes: control characters in it, which may be
//!   a client's, are escaped.
//! - Other crates log only from `warn` on, since their lower levels may contain headers.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{Config, LogFormat, LogLevel};

/// Target of the access log: one line per request.
pub const ACCESS: &str = "access";
/// Most bytes of lines that wait to be written.
const LOG_BYTES_MAX: usize = 4 << 20;
/// Longest line. What is longer is cut.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Milliseconds for which lines are collected before they are written together.
const COLLECT_MS: u64 = 20;
/// Longest wait of a drop for the thread, in milliseconds. The reader of standard error may be
/// blocked.
const LOG_STOP_MS_MAX: u64 = 1_000;

/// Starts the log. Dropping the guard writes the lines that wait.
pub fn start(config: &Config) -> LogGuard {
    let buffer = Arc::<Buffer>::default();
    let shared = Arc::clone(&buffer);
    let thread = std::thread::Builder::new().name("log".into()).spawn(move || shared.write_out());
    // Fails only if a log was started before, which then stays in use.
    let _ = tracing::subscriber::set_global_default(subscriber(config, Lines(buffer.clone())));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place = place.unwrap_or_default(), message, "panic");
    }));
    // If the system refuses the thread, nothing is logged.
    LogGuard { buffer, thread: thread.ok() }
}

/// Guard of the log. Dropping it writes the lines that wait and stops the thread.
pub struct LogGuard {
    buffer: Arc<Buffer>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.buffer.lines.lock().is_stopped = true;
        self.buffer.changed.notify_one();
        let Some(thread) = &self.thread else { return };
        let deadline = Instant::now() + Duration::from_millis(LOG_STOP_MS_MAX);
        // Not joined: a write to standard error may block for ever.
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Buffer between the threads that log and the thread that writes.
#[derive(Default)]
struct Buffer {
    lines: Mutex<BufferedLines>,
    /// Signals that lines were added to an empty buffer, or that the log stops.
    changed: Condvar,
}

/// Whole lines that wait to be written.
#[derive(Default)]
struct BufferedLines {
    bytes: Vec<u8>,
    /// Lines that were dropped because the buffer was full.
    dropped: u64,
    is_stopped: bool,
}

impl Buffer {
    fn add(&self, line: &[u8]) {
        let mut lines = self.lines.lock();
        if lines.bytes.len() + line.len() > LOG_BYTES_MAX {
            lines.dropped += 1;
            return;
        }
        let was_empty = lines.bytes.is_empty();
        lines.bytes.extend_from_slice(line);
        drop(lines);
        if was_empty {
            self.changed.notify_one();
        }
    }

    /// Body of the thread: writes lines until the log is stopped and the buffer is empty.
    fn write_out(&self) {
        let mut writing = Vec::new();
        loop {
            let mut lines = self.lines.lock();
            let has_nothing =
                |lines: &mut BufferedLines| lines.bytes.is_empty() && !lines.is_stopped;
            self.changed.wait_while(&mut lines, has_nothing);
            let is_stopped = lines.is_stopped;
            drop(lines);
            if !is_stopped {
                std::thread::sleep(Duration::from_millis(COLLECT_MS));
            }
            let mut lines = self.lines.lock();
            std::mem::swap(&mut lines.bytes, &mut writing);
            let dropped = std::mem::take(&mut lines.dropped);
            drop(lines);
            // An error of standard error cannot be reported anywhere.
            let _ = io::stderr().write_all(&writing);
            writing.clear();
            if dropped > 0 {
                tracing::warn!(
                    dropped,
                    "log lines were dropped: the reader of standard error is too slow"
                );
            } else if is_stopped {
                return;
            }
        }
    }
}

/// Writer that receives one line per write.
#[derive(Clone)]
struct Lines(Arc<Buffer>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match is_printable(line) {
            true => self.0.add(line),
            false => self.0.add(&escaped(line)),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// True for a line that can be written as it is: text without control characters, of the longest
/// length at most, that ends with a line end.
fn is_printable(line: &[u8]) -> bool {
    let Some((b'\n', text)) = line.split_last() else { return false };
    let has_control = || text.iter().any(|byte| byte.is_ascii_control());
    // The controls of ISO 8859 are 0xc2 and one of 0x80 to 0x9f in UTF-8.
    let has_wide_control = || text.windows(2).any(|pair| pair[0] == 0xc2 && pair[1] < 0xa0);
    line.len() <= LINE_BYTES_MAX && !has_control() && !has_wide_control()
}

/// The line with its control characters escaped, cut to the longest length.
fn escaped(line: &[u8]) -> Vec<u8> {
    let line = String::from_utf8_lossy(line);
    let mut out = String::with_capacity(line.len());
    for c in line.strip_suffix('\n').unwrap_or(&line).chars() {
        match c.is_control() {
            // The form of JSON, which both formats can have.
            true => out += &format!("\\u{:04x}", u32::from(c)),
            false => out.push(c),
        }
        if out.len() >= LINE_BYTES_MAX - 16 {
            out.push_str(" [cut]");
            break;
        }
    }
    out.push('\n');
    out.into_bytes()
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn subscriber(config: &Config, writer: Lines) -> impl tracing::Subscriber + Send + Sync + 'static {
    let lines = match config.log_format {
        LogFormat::Text => fmt::layer().with_ansi(false).with_writer(writer).boxed(),
        LogFormat::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(false);
            lines.with_span_list(false).with_writer(writer).boxed()
        }
    };
    Registry::default().with(lines.with_filter(filter(config)))
}

fn filter(config: &Config) -> Targets {
    let level = match config.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let access = if config.access_log { LevelFilter::INFO } else { LevelFilter::OFF };
    Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target(ACCESS, access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_whatever_is_in_it() {
        for (line, wanted) in [
            ("INFO a b=\"c\"\n", "INFO a b=\"c\"\n"),
            ("ä ☃\n", "ä ☃\n"),
            ("no end", "no end\n"),
            ("a\nERROR forged\n", "a\\u000aERROR forged\n"),
            ("a\r\u{1b}[2J\u{0}\u{9b}\u{7f}\n", "a\\u000d\\u001b[2J\\u0000\\u009b\\u007f\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&escaped(line.as_bytes())), wanted);
            assert_eq!(is_printable(line.as_bytes()), line == wanted, "{line:?}");
        }
        let long = escaped("ä".repeat(LINE_BYTES_MAX).as_bytes());
        assert!(long.len() <= LINE_BYTES_MAX && long.ends_with(b" [cut]\n"), "{}", long.len());
        assert!(!is_printable("a".repeat(LINE_BYTES_MAX + 1).as_bytes()));
    }
}
