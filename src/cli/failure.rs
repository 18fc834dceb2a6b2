//! Results of commands, and their exit codes.

use std::fmt;
use std::io;

/// Result of a command.
pub(super) type Outcome = Result<(), Failure>;

/// End of a command that did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line or the configuration is wrong: exit code 2.
    Usage(String),
    /// The command failed: exit code 1.
    Failed(String),
    /// The command failed and has printed why: exit code 1.
    Silent,
    /// The reader of standard output closed it: exit code 0.
    OutputClosed,
}

impl Failure {
    /// A failure with the text of an error.
    pub(super) fn failed(error: impl fmt::Display) -> Self {
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
