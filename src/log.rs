//! The log on standard error, written by its own thread.
//!
//! **Invariants**
//! - A slow reader of standard error never slows a request down: above a bound, lines are dropped,
//!   and the log says how many.
//! - A line wakes the thread only when nothing waited before it; the thread then gathers for a
//!   moment. So a busy server writes some fifty times a second, not once for each request.
//! - Other crates speak only from `warn` on: what they say below that may hold headers.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{Config, LogFormat, LogLevel};

/// The target of the lines that tell of requests, one each.
pub const ACCESS: &str = "access";
/// Bytes of lines that may wait to be written.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// How long lines are gathered before they are written together.
const GATHERING_MS: u64 = 20;
/// How long the end waits for a reader of standard error that takes nothing.
const END_MS_MAX: u64 = 1_000;

/// Starts the log. The lines that wait are written when the guard is dropped, if anybody reads.
pub fn start(config: &Config) -> Guard {
    let waiting = Arc::<Waiting>::default();
    let theirs = Arc::clone(&waiting);
    let thread = std::thread::Builder::new().name("log".into()).spawn(move || theirs.write_out());
    // It only fails when a log was started before, and then that one goes on.
    let _ = tracing::subscriber::set_global_default(subscriber(config, Lines(waiting.clone())));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place = place.unwrap_or_default(), message, "panic");
    }));
    // Without its thread (the system has none to give) the log is silent.
    Guard { waiting, thread: thread.ok() }
}

/// Ends the log when it is dropped.
pub struct Guard {
    waiting: Arc<Waiting>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.waiting.lock().ended = true;
        self.waiting.bell.notify_one();
        let Some(thread) = &self.thread else { return };
        let end = Instant::now() + Duration::from_millis(END_MS_MAX);
        // Not joined: nobody may read standard error any more, and the process must end.
        while !thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Lines between those who log and the thread that writes.
#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    bell: Condvar,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Lines that found no room.
    dropped: u64,
    ended: bool,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Whole lines are added, so a panic elsewhere leaves nothing half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut queue = self.lock();
        if queue.bytes.len() + line.len() > WAITING_BYTES_MAX {
            queue.dropped += 1;
            return;
        }
        let first = queue.bytes.is_empty();
        queue.bytes.extend_from_slice(line);
        drop(queue);
        if first {
            self.bell.notify_one();
        }
    }

    /// The thread: writes what waits until the log ends.
    fn write_out(&self) {
        let mut writing = Vec::new();
        loop {
            let nothing = |queue: &mut Queue| queue.bytes.is_empty() && !queue.ended;
            let queue = self.bell.wait_while(self.lock(), nothing);
            let ended = queue.unwrap_or_else(PoisonError::into_inner).ended;
            if !ended {
                std::thread::sleep(Duration::from_millis(GATHERING_MS));
            }
            let mut queue = self.lock();
            std::mem::swap(&mut queue.bytes, &mut writing);
            let dropped = std::mem::take(&mut queue.dropped);
            drop(queue);
            // Nobody can be told that standard error is gone.
            let _ = io::stderr().write_all(&writing);
            writing.clear();
            if dropped > 0 {
                tracing::warn!(dropped, "lines of the log found no room");
            } else if ended {
                return;
            }
        }
    }
}

/// Takes one line at a time.
#[derive(Clone)]
struct Lines(Arc<Waiting>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
