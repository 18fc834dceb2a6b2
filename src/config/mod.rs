//! Settings of the server: one table, read from flags, environment and a file, validated once.
//!
//! Owns the table, the reading of its sources and [`Config`]. Other limits are not settings. Those
//! that the requests of a gateway share are constants in [`crate::limits`]; those that S3 documents
//! are in [`crate::types`]; those of one parser, queue or format are named constants at the top of
//! its file.
//!
//! **Invariants**
//! - A setting is one row of the table in `table.rs`. The fields of [`Config`], the flags of
//!   `partita serve`, the environment variables, the keys of the TOML file, `--help` and the table
//!   in the README are generated from the rows.
//! - A [`Config`] holds only values inside their ranges. Lower layers do not check them again.
//! - A secret is never a flag. Root credentials come from the environment, those of webhooks from
//!   the file.

mod checks;
mod choices;
mod credentials;
mod error;
mod load;
mod network;
mod setting;
mod table;
mod value;
mod webhook;

pub use choices::{LogFormat, LogLevel, ObjectOwnership};
pub use credentials::{ACCESS_KEY_ID_SHAPE, KeyPair, SECRET_SHAPE};
pub use error::ConfigError;
pub use load::{ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY, load};
pub use network::Network;
pub use setting::{Setting, SettingKind};
pub use table::{Config, SETTINGS, readme_table};
pub use webhook::{WEBHOOK_SETTINGS, Webhook, docs_table};

#[cfg(test)]
mod tests;
