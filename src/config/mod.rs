//! Every setting and limit: one table, read from flags, environment and a file, validated once.
//!
//! **Invariants**
//! - A setting exists in one place: its row in the table below. The struct, the flags of
//!   `partita serve`, the environment, the TOML file, `--help` and the README come from it.
//! - A [`Config`] holds only values inside their ranges, so nothing below checks them again.
//! - A secret is never a flag: the root credentials come from the environment alone, those of
//!   webhooks from the file.

mod credentials;
mod error;
mod field;
mod load;
mod network;
mod setting;
mod webhook;

use std::path::PathBuf;
use std::time::Duration;

pub use credentials::{ACCESS_KEY_ID_SHAPE, KeyPair, SECRET_SHAPE};
pub use error::ConfigError;
pub use field::{LogFormat, LogLevel, ObjectOwnership};
pub use load::{ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY, load};
pub use network::Network;
pub use setting::{Kind, Setting, readme_table};
pub use webhook::{WEBHOOK_SETTINGS, Webhook, docs_table};

use field::{Field, Value};
use setting::{is_address, is_bucket_list, is_public_url, is_region};

use crate::store::PACKED_BYTES_MAX;
use crate::types::{PART_BYTES_MIN, PUT_BYTES_MAX};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const fn integer(default: u64, min: u64, max: u64) -> Kind {
    Kind::Integer { default, min, max }
}

macro_rules! settings {
    ($($field:ident: $type:ty, $name:literal, $kind:expr, $doc:literal;)*) => {
        /// The table of settings, in the order of `--help` and the README.
        pub const SETTINGS: &[Setting] = &[
            $(Setting { name: $name, kind: $kind, doc: $doc },)*
        ];

        /// What the operator decided; every value is inside its range.
        #[derive(Clone, Debug)]
        pub struct Config {
            $(#[doc = $doc] pub $field: $type,)*
            /// The root credentials of the environment, if they are there.
            pub root: Option<KeyPair>,
            /// The targets of events, by name: tables of the file alone.
            pub webhooks: Vec<Webhook>,
        }

        impl Config {
            /// `values` gives the value of each setting by its name.
            fn from_values(values: impl Fn(&str) -> Value, root: Option<KeyPair>) -> Self {
                let webhooks = Vec::new();
                Self { $($field: Field::from_value(values($name)),)* root, webhooks }
            }
        }
    };
}

settings! {
    data: PathBuf, "data", Kind::Path { default: Some("./data") },
        "Folder that holds everything; made at the first start.";
    listen: String, "listen",
        Kind::Text { default: "127.0.0.1:9000", shape: "host:port", check: is_address },
        "Address to listen on; port 0 takes a free one and prints it.";
    config: Option<PathBuf>, "config", Kind::Path { default: None },
        "TOML file with settings of these names (flag or environment only).";
    region: String, "region",
        Kind::Text { default: "us-east-1", shape: "1 to 63 of a-z, 0-9 and -", check: is_region },
        "Region that answers name.";
    region_strict: bool, "region-strict", Kind::Switch { default: false },
        "Refuse signatures made for another region.";
    domains: Vec<String>, "domain", Kind::Domains,
        "Base domain for addresses of the form bucket.domain; may be repeated.";
    public_url: String, "public-url",
        Kind::Text { default: "", shape: "http(s)://host[:port]", check: is_public_url },
        "Address that browsers reach this server by; granted URLs begin with it, else with Host.";
    tls_cert: Option<PathBuf>, "tls-cert", Kind::Path { default: None },
        "PEM file with the certificate chain; turns TLS on. Read again on SIGHUP.";
    tls_key: Option<PathBuf>, "tls-key", Kind::Path { default: None },
        "PEM file with the private key of the certificate.";
    sigv2_presigned: bool, "sigv2-presigned", Kind::Switch { default: true },
        "Accept the old SigV2 in presigned URLs and forms.";
    default_object_ownership: ObjectOwnership, "default-object-ownership",
        Kind::Choice { default: "BucketOwnerEnforced", options: ObjectOwnership::NAMES },
        "Object ownership of new buckets.";
    inline_bytes_max: usize, "inline-bytes-max", integer(8 * KIB, 0, MIB),
        "Bodies up to this size are kept in SQLite.";
    packed_bytes_max: usize, "packed-bytes-max", integer(256 * KIB, 0, PACKED_BYTES_MAX),
        "Larger ones up to this size share files; those above have a file each.";
    part_bytes_min: u64, "part-bytes-min", integer(PART_BYTES_MIN, 1, PUT_BYTES_MAX),
        "Smallest part of an upload, but for the last one. S3 has 5 MiB.";
    read_unit_bytes: usize, "read-unit-bytes", integer(256 * KIB, 64 * KIB, MIB),
        "Bytes read, checked and sent at once; a multiple of 64 KiB.";
    metadata_bytes_max: usize, "metadata-bytes-max", integer(2 * KIB, 0, 16 * KIB),
        "User metadata of an object, names and values together. S3 has 2 KiB.";
    header_bytes_max: usize, "header-bytes-max", integer(16 * KIB, 4 * KIB, 64 * KIB),
        "Headers of a request, all together.";
    uri_bytes_max: usize, "uri-bytes-max", integer(16 * KIB, 4 * KIB, 32 * KIB),
        "Request target: path and query, as sent.";
    connections_max: usize, "connections-max", integer(4096, 1, 1_000_000),
        "Connections served at once; more wait to be accepted.";
    tls_handshake_timeout_ms: u64, "tls-handshake-timeout-ms", integer(10_000, 100, 600_000),
        "Time for a TLS handshake.";
    head_timeout_ms: u64, "head-timeout-ms", integer(10_000, 100, 600_000),
        "Time from the first byte of a request to the end of its headers.";
    idle_timeout_ms: u64, "idle-timeout-ms", integer(60_000, 100, 3_600_000),
        "Time that a connection may wait for its next request.";
    stall_timeout_ms: u64, "stall-timeout-ms", integer(30_000, 100, 3_600_000),
        "Time without one byte of progress after which a transfer is cut.";
    drain_timeout_ms: u64, "drain-timeout-ms", integer(30_000, 0, 3_600_000),
        "Time that requests under way have to end after SIGTERM.";
    upload_idle_hours: u64, "upload-idle-hours", integer(168, 1, 87_600),
        "Hours without a new part after which an open upload is aborted.";
    webhook_log_days: u64, "webhook-log-days", integer(7, 1, 3650),
        "Days for which the log of tries to send events is kept.";
    webhook_dead_days: u64, "webhook-dead-days", integer(30, 1, 3650),
        "Days for which events that were given up can be sent again.";
    upload_pause_hours: u64, "upload-pause-hours", integer(720, 1, 87_600),
        "Hours after which a paused upload is aborted.";
    pause_hold_ms: u64, "pause-hold-ms", integer(25_000, 0, 55_000),
        "Time that a request on a paused upload waits before it is answered with SlowDown.";
    verify_hold_ms: u64, "verify-hold-ms", integer(5_000, 1, 25_000),
        "Time that Complete reads a file to verify it before its answer begins, and goes on.";
    instant_expect: bool, "instant-expect", Kind::Switch { default: true },
        "Answer an upload that waits with Expect without its body, if the bytes can be read anyway.";
    dedup_buckets: String, "dedup-buckets",
        Kind::Text { default: "", shape: "bucket names, separated by commas, or *",
            check: is_bucket_list },
        "Buckets that store the same bytes once; costs a SHA-256 of every body.";
    proof_buckets: String, "proof-buckets",
        Kind::Text { default: "", shape: "bucket names, separated by commas, or *",
            check: is_bucket_list },
        "Buckets in which who proves to have a stored file need not send it; tells that it is there.";
    free_bytes_min: u64, "free-bytes-min", integer(64 * MIB, 0, 1024 * GIB),
        "Free space of the disk below which writes are refused.";
    writer_queue_max: usize, "writer-queue-max", integer(4096, 1, 65_536),
        "Writes waiting for the database; more are answered with SlowDown.";
    wal_bytes_restart: u64, "wal-bytes-restart", integer(32 * MIB, MIB, GIB),
        "Size of the write-ahead log at which writes pause for a checkpoint.";
    wal_bytes_max: u64, "wal-bytes-max", integer(256 * MIB, 4 * MIB, 16 * GIB),
        "Size of the write-ahead log at which writes are answered with SlowDown.";
    blocking_threads_max: usize, "blocking-threads-max", integer(64, 1, 1024),
        "Threads for file input and output and for lists.";
    worker_threads: usize, "worker-threads", integer(0, 0, 1024),
        "Threads that serve connections; 0 is one for each core.";
    log_format: LogFormat, "log-format",
        Kind::Choice { default: "text", options: LogFormat::NAMES },
        "Form of the log on standard error.";
    log_level: LogLevel, "log-level", Kind::Choice { default: "info", options: LogLevel::NAMES },
        "Least level that is logged.";
    access_log: bool, "access-log", Kind::Switch { default: true },
        "Log one line for each request.";
}

impl Default for Config {
    /// Every setting at its default, no root credentials.
    fn default() -> Self {
        Self::from_values(
            |name| {
                let setting = Setting::named(name).expect("the struct and the table are one list");
                setting.default_value()
            },
            None,
        )
    }
}

impl Config {
    /// What the store needs to open.
    pub fn store_options(&self) -> crate::store::Options {
        crate::store::Options {
            data: self.data.clone(),
            inline_bytes_max: self.inline_bytes_max,
            part_bytes_min: self.part_bytes_min,
            read_unit_bytes: self.read_unit_bytes,
            free_bytes_min: self.free_bytes_min,
            upload_idle_ms_max: self.upload_idle_hours * 3_600_000,
            upload_pause_ms_max: self.upload_pause_hours * 3_600_000,
            writer_queue_max: self.writer_queue_max,
            wal_bytes_restart: self.wal_bytes_restart,
            wal_bytes_max: self.wal_bytes_max,
            dedup_buckets: names(&self.dedup_buckets),
            proof_buckets: names(&self.proof_buckets),
            event_targets: self.webhooks.iter().map(Webhook::event_target).collect(),
            sources: crate::store::Sources::default(),
        }
    }

    /// What the check of signatures needs.
    pub fn auth_rules(&self) -> crate::auth::Rules {
        crate::auth::Rules {
            region: self.region.clone(),
            region_strict: self.region_strict,
            sigv2_presigned: self.sigv2_presigned,
        }
    }

    /// [`Self::drain_timeout_ms`] as a duration.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

/// A list of buckets, taken apart.
fn names(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().into()).collect()
}

#[cfg(test)]
mod tests;
