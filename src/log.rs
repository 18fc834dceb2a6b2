//! The log on standard error, written by its own thread.
//!
//! **Invariants**
//! - A slow reader of standard error never slows a request down: above a bound, lines are dropped.
//! - Other crates speak only from `warn` on: what they say below that may hold headers.

use std::io;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{Config, LogFormat, LogLevel};

/// The target of the lines that tell of requests, one each.
pub const ACCESS: &str = "access";
/// Lines that may wait to be written.
const LINES_WAITING_MAX: usize = 16_384;

/// Starts the log. The lines that wait are written when the guard is dropped.
pub fn start(config: &Config) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(io::stderr());
    // It only fails when a log was started before, and then that one goes on.
    let _ = tracing::subscriber::set_global_default(subscriber(config, writer));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place = place.unwrap_or_default(), message, "panic");
    }));
    guard
}

fn subscriber(
    config: &Config,
    writer: NonBlocking,
) -> impl tracing::Subscriber + Send + Sync + 'static {
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
