//! SIGHUP: reloads the certificate and the secrets of webhooks while the server runs.
//!
//! **Invariant:** a file that cannot be read or used changes nothing.

use std::sync::Arc;

use clap::ArgMatches;

use super::arguments::load;
use super::blocking::blocking;
use super::failure::Failure;
use crate::server::Tls;
use crate::webhooks::{Secrets, SecretsUpdate};

/// Reload of certificate and secrets.
pub(super) struct Reload {
    /// Arguments of the command line, for the configuration.
    matches: Arc<ArgMatches>,
    tls: Option<Tls>,
    secrets: Secrets,
}

impl Reload {
    pub(super) fn new(matches: ArgMatches, tls: Option<Tls>, secrets: Secrets) -> Self {
        Self { matches: Arc::new(matches), tls, secrets }
    }

    /// Reloads both, independently of each other, and logs the results.
    pub(super) async fn run(&self) {
        self.reload_certificate().await;
        self.reload_secrets().await;
    }

    async fn reload_certificate(&self) {
        let Some(tls) = self.tls.clone() else {
            tracing::info!("SIGHUP: no certificate is configured");
            return;
        };
        match blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("SIGHUP: the certificate was reloaded"),
            Ok(Err(error)) => {
                tracing::error!(%error, "SIGHUP: the certificate cannot be used, the old one stays")
            }
            Err(_) => tracing::error!("SIGHUP: reloading the certificate panicked"),
        }
    }

    /// Reloads the secrets of webhooks whose other settings are unchanged. The whole configuration
    /// must be valid.
    async fn reload_secrets(&self) {
        let (matches, secrets) = (Arc::clone(&self.matches), self.secrets.clone());
        let read = move || load(&matches).map(|config| secrets.replace(&config.webhooks));
        match blocking(read).await {
            Ok(Ok(SecretsUpdate { changed, unknown, altered })) => {
                if changed.is_empty() {
                    tracing::info!("SIGHUP: no secret of a running webhook has changed");
                } else {
                    let webhooks = changed.join(", ");
                    tracing::info!(webhooks, "SIGHUP: secrets of webhooks were reloaded");
                }
                if !unknown.is_empty() {
                    let webhooks = unknown.join(", ");
                    tracing::warn!(webhooks, "SIGHUP: adding or removing webhooks needs a restart");
                }
                if !altered.is_empty() {
                    let webhooks = altered.join(", ");
                    tracing::warn!(
                        webhooks,
                        "SIGHUP: other settings of webhooks have changed, so their old secrets \
                         stay: restart the server"
                    );
                }
            }
            Ok(Err(Failure::Usage(error))) => {
                tracing::error!(error, "SIGHUP: the configuration is wrong, the old secrets stay");
            }
            Ok(Err(_)) | Err(_) => tracing::error!("SIGHUP: reloading the configuration panicked"),
        }
    }
}
