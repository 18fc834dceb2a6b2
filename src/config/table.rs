//! Table of settings, and [`Config`], which is generated from it.

use std::path::PathBuf;
use std::time::Duration;

use super::checks::{is_address, is_bucket_list, is_public_url, is_region};
use super::choices::{LogFormat, LogLevel, ObjectOwnership};
use super::credentials::KeyPair;
use super::setting::{Setting, SettingKind};
use super::value::{FromValue, Value};
use super::webhook::Webhook;
use crate::auth::SignatureSettings;
use crate::store::{self, PACKED_BYTES_MAX};
use crate::types::{PART_BYTES_MIN, PUT_BYTES_MAX};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const fn integer(default: u64, min: u64, max: u64) -> SettingKind {
    SettingKind::Integer { default, min, max }
}

macro_rules! settings {
    ($($field:ident: $type:ty, $name:literal, $kind:expr, $doc:literal;)*) => {
        /// Table of settings, in the order of `--help` and the README.
        pub const SETTINGS: &[Setting] = &[
            $(Setting { name: $name, kind: $kind, doc: $doc },)*
        ];

        /// Values of all settings, each inside its range.
        #[derive(Clone, Debug)]
        pub struct Config {
            $(#[doc = $doc] pub $field: $type,)*
            /// Root credentials of the environment.
            pub root: Option<KeyPair>,
            /// Targets of events, from the tables `[webhook.NAME]` of the file.
            pub webhooks: Vec<Webhook>,
        }

        impl Config {
            /// Configuration from values by the name of their setting.
            pub(super) fn from_values(
                values: impl Fn(&str) -> Value,
                root: Option<KeyPair>,
            ) -> Self {
                let webhooks = Vec::new();
                Self { $($field: FromValue::from_value(values($name)),)* root, webhooks }
            }
        }
    };
}

settings! {
    data: PathBuf, "data", SettingKind::Path { default: Some("./data") },
        "Data folder; created at the first start.";
    listen: String, "listen",
        SettingKind::Text { default: "127.0.0.1:9000", shape: "host:port", check: is_address },
        "Address to listen on; port 0 takes a free port and prints it.";
    config: Option<PathBuf>, "config", SettingKind::Path { default: None },
        "TOML file with settings of these names (flag or environment only).";
    region: String, "region",
        SettingKind::Text { default: "us-east-1", shape: "1 to 63 of a-z, 0-9 and -",
            check: is_region },
        "Region reported in answers.";
    region_strict: bool, "region-strict", SettingKind::Switch { default: false },
        "Refuse signatures made for another region.";
    domains: Vec<String>, "domain", SettingKind::Domains,
        "Base domain for addresses of the form bucket.domain; may be repeated.";
    public_url: String, "public-url",
        SettingKind::Text { default: "", shape: "http(s)://host[:port]", check: is_public_url },
        "URL at which browsers reach this server; granted URLs begin with it, otherwise with Host.";
    tls_cert: Option<PathBuf>, "tls-cert", SettingKind::Path { default: None },
        "PEM file with the certificate chain; turns TLS on. Read again on SIGHUP.";
    tls_key: Option<PathBuf>, "tls-key", SettingKind::Path { default: None },
        "PEM file with the private key of the certificate.";
    sigv2_presigned: bool, "sigv2-presigned", SettingKind::Switch { default: true },
        "Accept the old SigV2 in presigned URLs and forms.";
    default_object_ownership: ObjectOwnership, "default-object-ownership",
        SettingKind::Choice { default: "BucketOwnerEnforced", options: ObjectOwnership::NAMES },
        "Object ownership of new buckets; without effect until ACLs exist: it is BucketOwnerEnforced.";
    inline_bytes_max: usize, "inline-bytes-max", integer(8 * KIB, 0, MIB),
        "Bodies up to this size are stored in SQLite.";
    packed_bytes_max: usize, "packed-bytes-max", integer(256 * KIB, 0, PACKED_BYTES_MAX),
        "Bodies up to this size share files (segments); larger ones have a file each.";
    part_bytes_min: u64, "part-bytes-min", integer(PART_BYTES_MIN, 1, PUT_BYTES_MAX),
        "Smallest part of an upload, except for the last one. S3 has 5 MiB.";
    read_unit_bytes: usize, "read-unit-bytes", integer(256 * KIB, 64 * KIB, MIB),
        "Bytes read, checked and sent at once; a multiple of 64 KiB.";
    metadata_bytes_max: usize, "metadata-bytes-max", integer(2 * KIB, 0, 16 * KIB),
        "User metadata of an object, names and values together. S3 has 2 KiB.";
    header_bytes_max: usize, "header-bytes-max", integer(16 * KIB, 4 * KIB, 64 * KIB),
        "Size of all headers of a request together.";
    uri_bytes_max: usize, "uri-bytes-max", integer(16 * KIB, 4 * KIB, 32 * KIB),
        "Size of the request target, path and query, as sent.";
    connections_max: usize, "connections-max", integer(4096, 1, 1_000_000),
        "Connections served at once; more take the place of idle ones, or get 503 SlowDown.";
    address_connections_max: usize, "address-connections-max", integer(0, 0, 1_000_000),
        "Connections of one address; 0 means three quarters of all.";
    tls_handshake_timeout_ms: u64, "tls-handshake-timeout-ms", integer(10_000, 100, 600_000),
        "Time for a TLS handshake.";
    head_timeout_ms: u64, "head-timeout-ms", integer(10_000, 100, 600_000),
        "Time from the first byte of a request to the end of its headers.";
    idle_timeout_ms: u64, "idle-timeout-ms", integer(60_000, 100, 3_600_000),
        "Time that a connection may wait for its next request.";
    stall_timeout_ms: u64, "stall-timeout-ms", integer(30_000, 100, 3_600_000),
        "Time without a byte of progress after which a transfer is cut.";
    rate_window_ms: u64, "rate-window-ms", integer(30_000, 1_000, 3_600_000),
        "Time over which a request body must have 1 KiB per second, or it is cut.";
    drain_timeout_ms: u64, "drain-timeout-ms", integer(30_000, 0, 3_600_000),
        "Time that running requests have to end after SIGTERM.";
    buckets_per_user_max: u64, "buckets-per-user-max", integer(1000, 1, 1_000_000),
        "Buckets that one user may own.";
    upload_idle_hours: u64, "upload-idle-hours", integer(168, 1, 87_600),
        "Hours without a new part after which an open upload is aborted.";
    webhook_log_days: u64, "webhook-log-days", integer(7, 1, 3650),
        "Days for which the log of delivery attempts is kept.";
    webhook_dead_days: u64, "webhook-dead-days", integer(30, 1, 3650),
        "Days for which events whose attempts all failed can be sent again.";
    upload_pause_hours: u64, "upload-pause-hours", integer(720, 1, 87_600),
        "Hours after which a paused upload is aborted.";
    pause_hold_ms: u64, "pause-hold-ms", integer(25_000, 0, 55_000),
        "Time that a request on a paused upload waits before it is answered with SlowDown.";
    verify_hold_ms: u64, "verify-hold-ms", integer(5_000, 1, 25_000),
        "Time after which Complete begins its answer while it still verifies a file.";
    instant_expect: bool, "instant-expect", SettingKind::Switch { default: true },
        "Skip the body of an upload with Expect: 100-continue if the sender can read its bytes.";
    dedup_buckets: String, "dedup-buckets",
        SettingKind::Text { default: "", shape: "bucket names, separated by commas, or *",
            check: is_bucket_list },
        "Buckets that store equal bodies once; costs a SHA-256 of every body.";
    proof_buckets: String, "proof-buckets",
        SettingKind::Text { default: "", shape: "bucket names, separated by commas, or *",
            check: is_bucket_list },
        "Buckets accepting proof of possession instead of data; reveals that the file exists.";
    free_bytes_min: u64, "free-bytes-min", integer(64 * MIB, 0, 1024 * GIB),
        "Free disk space below which writes are refused.";
    writer_queue_max: usize, "writer-queue-max", integer(4096, 1, 65_536),
        "Writes that wait for the database; more are answered with SlowDown.";
    wal_bytes_restart: u64, "wal-bytes-restart", integer(32 * MIB, MIB, GIB),
        "Size of the write-ahead log at which writes pause for a checkpoint.";
    wal_bytes_max: u64, "wal-bytes-max", integer(256 * MIB, 4 * MIB, 16 * GIB),
        "Size of the write-ahead log at which writes are answered with SlowDown.";
    blocking_threads_max: usize, "blocking-threads-max", integer(64, 1, 1024),
        "Threads for file input and output and for listings.";
    worker_threads: usize, "worker-threads", integer(0, 0, 1024),
        "Threads that serve connections; 0 means one for each core.";
    log_format: LogFormat, "log-format",
        SettingKind::Choice { default: "text", options: LogFormat::NAMES },
        "Format of the log on standard error.";
    log_level: LogLevel, "log-level",
        SettingKind::Choice { default: "info", options: LogLevel::NAMES },
        "Lowest level that is logged.";
    access_log: bool, "access-log", SettingKind::Switch { default: true },
        "Log one line for each request.";
}

impl Default for Config {
    /// Defaults of all settings, without root credentials.
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
    /// Settings of the store.
    pub fn store_options(&self) -> store::Options {
        store::Options {
            data: self.data.clone(),
            inline_bytes_max: self.inline_bytes_max,
            part_bytes_min: self.part_bytes_min,
            read_unit_bytes: self.read_unit_bytes,
            free_bytes_min: self.free_bytes_min,
            buckets_per_user_max: self.buckets_per_user_max,
            upload_idle_ms_max: self.upload_idle_hours * 3_600_000,
            upload_pause_ms_max: self.upload_pause_hours * 3_600_000,
            writer_queue_max: self.writer_queue_max,
            wal_bytes_restart: self.wal_bytes_restart,
            wal_bytes_max: self.wal_bytes_max,
            dedup_buckets: names(&self.dedup_buckets),
            proof_buckets: names(&self.proof_buckets),
            event_targets: self.webhooks.iter().map(Webhook::event_target).collect(),
            bounds: store::Bounds::default(),
            sources: store::Sources::default(),
        }
    }

    /// Settings of the checks of signatures.
    pub fn signature_settings(&self) -> SignatureSettings {
        SignatureSettings {
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

/// Names of a list separated by commas.
fn names(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().into()).collect()
}

impl Setting {
    /// Row by its name.
    pub fn named(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }
}

/// Table in Markdown for the README.
pub fn readme_table() -> String {
    let mut table = String::from("| Setting | Default | Accepts | Meaning |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let default = setting.default_text();
        let default = if default.is_empty() { "none".into() } else { format!("`{default}`") };
        let (name, range, doc) = (setting.name, setting.range(), setting.doc);
        table.push_str(&format!("| `{name}` | {default} | {range} | {doc} |\n"));
    }
    table
}
