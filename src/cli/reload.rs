//! SIGHUP: reads again what may change while the server runs, the certificate and the secrets of
//! webhooks.
//!
//! **Invariant:** what cannot be read or used changes nothing.

use std::sync::Arc;

use clap::ArgMatches;

use super::{Failure, blocking, load};
use crate::server::Tls;
use crate::webhooks::{Replaced, Secrets};

/// What is read again.
pub(super) struct Reload {
    /// Where the configuration came from.
    matches: Arc<ArgMatches>,
    tls: Option<Tls>,
    secrets: Secrets,
}

impl Reload {
    pub(super) fn new(matches: ArgMatches, tls: Option<Tls>, secrets: Secrets) -> Self {
        Self { matches: Arc::new(matches), tls, secrets }
    }

    /// Reads all of it, each for itself; the log tells what came of it.
    pub(super) async fn run(&self) {
        self.read_certificate().await;
        self.read_secrets().await;
    }

    async fn read_certificate(&self) {
        let Some(tls) = self.tls.clone() else {
            tracing::info!("SIGHUP: there is no certificate to read again");
            return;
        };
        match blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("SIGHUP: the certificate was read again"),
            Ok(Err(error)) => tracing::error!(%error, "SIGHUP: the old certificate stays"),
            Err(_) => tracing::error!("SIGHUP: reading the certificate broke off"),
        }
    }

    /// The whole configuration must be right, and of it the secrets are taken, of
    /// targets of which nothing else was changed.
    async fn read_secrets(&self) {
        let (matches, secrets) = (Arc::clone(&self.matches), self.secrets.clone());
        let read = move || load(&matches).map(|config| secrets.replace(&config.webhooks));
        match blocking(read).await {
            Ok(Ok(Replaced { changed, strange, altered })) => {
                if changed.is_empty() {
                    tracing::info!("SIGHUP: no secret of a webhook at work has changed");
                } else {
                    let webhooks = changed.join(", ");
                    tracing::info!(webhooks, "SIGHUP: the secrets of webhooks were read again");
                }
                if !strange.is_empty() {
                    let webhooks = strange.join(", ");
                    tracing::warn!(webhooks, "SIGHUP: webhooks come and go with a restart only");
                }
                if !altered.is_empty() {
                    let webhooks = altered.join(", ");
                    tracing::warn!(
                        webhooks,
                        "SIGHUP: webhooks whose other settings were changed keep their old secrets \
                         too: all of it needs a restart"
                    );
                }
            }
            Ok(Err(Failure::Usage(error))) => {
                tracing::error!(error, "SIGHUP: the old secrets of webhooks stay");
            }
            Ok(Err(_)) | Err(_) => tracing::error!("SIGHUP: reading the configuration broke off"),
        }
    }
}
