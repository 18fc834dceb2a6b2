//! Errors of the start of deliveries.

use std::io;

/// Error of deliveries that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting of a webhook cannot be used.
    #[error("setting {setting} of [webhook.{name}]: {problem}")]
    Webhook {
        /// Name of the webhook.
        name: String,
        /// Name of the setting.
        setting: &'static str,
        /// Description of the problem.
        problem: String,
    },
    /// The system refuses the thread or its runtime.
    #[error("cannot start the webhook thread: {0}")]
    Thread(#[from] io::Error),
}
