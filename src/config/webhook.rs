//! Targets of events: the tables `[webhook.NAME]` of the configuration file.
//!
//! **Invariants**
//! - URLs come from the operator's file. No client can give one.
//! - `Debug` and error messages show no secret.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::ConfigError;
use super::network::Network;
use super::setting::{Setting, SettingKind};
use super::value::Value;
use crate::store::EventTarget;
use crate::types::decimal;

/// Name of the table in the file.
pub(super) const TABLE: &str = "webhook";
/// Longest name of a target in bytes.
const TARGET_NAME_LENGTH_MAX: usize = 64;
/// Most targets.
const WEBHOOKS_MAX: usize = 64;
/// Most secrets of one target: the new one and the old one during a rotation.
const SECRETS_MAX: usize = 2;
/// Length of a secret in bytes, as Standard Webhooks has it.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;
/// Most waits between attempts.
const RETRIES_MAX: usize = 32;
/// Longest wait between attempts in milliseconds.
const RETRY_MS_MAX: u64 = 7 * 24 * 3600 * 1000;
/// Schedule of Standard Webhooks: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
const RETRY_DEFAULT: &str =
    "5000,300000,1800000,7200000,18000000,36000000,50400000,72000000,86400000";

/// Settings of one target, each a key of its table. Lists may be TOML arrays.
pub const WEBHOOK_SETTINGS: &[Setting] = &[
    text(
        "url",
        "",
        "a URL of http or https, without user and fragment",
        is_url,
        "URL that events are sent to, by POST. Required.",
    ),
    text(
        "secrets",
        "",
        "one or two of whsec_ and 24 to 64 bytes in base64",
        is_secrets,
        "Keys of the signature; during a rotation the new and the old one. Required.",
    ),
    text("token", "", "printable ASCII without spaces", is_token, "Sent as Authorization: Bearer."),
    number("timeout-ms", 20_000, 100, 60_000, "Timeout of one attempt."),
    number(
        "backlog-max",
        100_000,
        1,
        10_000_000,
        "Events that may wait; further ones are only counted, in one partita:Events:Gap.",
    ),
    number("concurrency-max", 4, 1, 64, "Deliveries at once; never two of the same key."),
    text(
        "retry-ms",
        RETRY_DEFAULT,
        "up to 32 waits of at most 7 days",
        is_retries,
        "Waits between attempts; after the last attempt the event is dead.",
    ),
    text(
        "allow-addresses",
        "",
        "addresses or networks such as 10.1.0.0/16",
        is_networks,
        "Addresses that are not public and may be called all the same.",
    ),
    Setting {
        name: "ca-file",
        kind: SettingKind::Path { default: None },
        doc: "PEM file with the trusted certificate authorities, instead of the system's.",
    },
];

const fn text(
    name: &'static str,
    default: &'static str,
    shape: &'static str,
    check: fn(&str) -> bool,
    doc: &'static str,
) -> Setting {
    Setting { name, kind: SettingKind::Text { default, shape, check }, doc }
}

const fn number(
    name: &'static str,
    default: u64,
    min: u64,
    max: u64,
    doc: &'static str,
) -> Setting {
    Setting { name, kind: SettingKind::Integer { default, min, max }, doc }
}

/// Target of events.
#[derive(Clone)]
pub struct Webhook {
    /// Name in ARNs.
    pub name: String,
    /// URL of the POST requests.
    pub url: http::Uri,
    /// Keys of the signatures, the newest first.
    pub secrets: Vec<Vec<u8>>,
    /// Bearer token.
    pub token: Option<String>,
    /// Timeout of one attempt in milliseconds.
    pub timeout_ms: u64,
    /// Most events in the backlog.
    pub backlog_max: u64,
    /// Most concurrent deliveries.
    pub concurrency_max: usize,
    /// Waits between attempts in milliseconds.
    pub retry_ms: Vec<u64>,
    /// Addresses that are not public and may be called all the same.
    pub allow_addresses: Vec<Network>,
    /// PEM file with the trusted certificate authorities; `None` for those of the system.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({} {})", self.name, self.url)
    }
}

impl Webhook {
    pub(super) fn event_target(&self) -> EventTarget {
        EventTarget { name: self.name.clone(), backlog_max: self.backlog_max }
    }

    /// True if the other target differs at most in `secrets`. The pattern names all fields, so a
    /// new field is a compile error here.
    pub(crate) fn differs_in_secrets_at_most(&self, other: &Self) -> bool {
        let Self {
            name,
            url,
            secrets: _,
            token,
            timeout_ms,
            backlog_max,
            concurrency_max,
            retry_ms,
            allow_addresses,
            ca_file,
        } = self;
        (name, url, token, timeout_ms, backlog_max)
            == (&other.name, &other.url, &other.token, &other.timeout_ms, &other.backlog_max)
            && (concurrency_max, retry_ms, allow_addresses, ca_file)
                == (&other.concurrency_max, &other.retry_ms, &other.allow_addresses, &other.ca_file)
    }

    fn from_values(name: &str, values: &HashMap<&'static str, Value>) -> Self {
        let text = |name: &str| match values.get(name) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let integer = |name: &str| match values.get(name) {
            Some(Value::Integer(number)) => *number,
            other => panic!("the table gives {name} the value {other:?}"),
        };
        let list = |name: &str| list(&text(name)).map(str::to_owned).collect::<Vec<_>>();
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            name: name.to_owned(),
            url: text("url").parse().expect("it was checked"),
            secrets: list("secrets").iter().filter_map(|text| secret(text)).collect(),
            token: some(text("token")),
            timeout_ms: integer("timeout-ms"),
            backlog_max: integer("backlog-max"),
            concurrency_max: usize::try_from(integer("concurrency-max")).expect("at most 64"),
            retry_ms: list("retry-ms").iter().filter_map(|text| decimal::parse(text)).collect(),
            allow_addresses: list("allow-addresses")
                .iter()
                .filter_map(|text| Network::parse(text))
                .collect(),
            ca_file: some(text("ca-file")).map(PathBuf::from),
        }
    }
}

/// Targets from the table `webhook` of the file.
///
/// # Errors
/// The table and the key that is wrong.
pub(super) fn read(value: &toml::Value, path: &Path) -> Result<Vec<Webhook>, ConfigError> {
    let source = path.display().to_string();
    let tables = value.as_table().ok_or_else(|| {
        ConfigError::new(&source, "webhook must be tables of the form [webhook.NAME]")
    })?;
    if tables.len() > WEBHOOKS_MAX {
        let problem = format!("there are more than {WEBHOOKS_MAX} tables [webhook.NAME]");
        return Err(ConfigError::new(&source, problem));
    }
    tables.iter().map(|(name, value)| read_one(name, value, path)).collect()
}

fn read_one(name: &str, value: &toml::Value, path: &Path) -> Result<Webhook, ConfigError> {
    let source = format!("{}: [webhook.{name}]", path.display());
    let refuse = |problem: String| ConfigError::new(&source, problem);
    let legal = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if name.is_empty() || name.len() > TARGET_NAME_LENGTH_MAX || !name.bytes().all(legal) {
        return Err(refuse("the name must be 1 to 64 of A-Z, a-z, 0-9, - and _".into()));
    }
    let Some(table) = value.as_table() else { return Err(refuse("it must be a table".into())) };
    let mut values: HashMap<&'static str, Value> = HashMap::new();
    for (key, value) in table {
        let setting = WEBHOOK_SETTINGS.iter().find(|setting| setting.name == key);
        let setting = setting.ok_or_else(|| refuse(format!("unknown setting \"{key}\"")))?;
        let parsed = text_of(&setting.kind, value).and_then(|text| setting.parse(&text));
        let parsed = parsed.ok_or_else(|| refuse(refusal(setting, value)))?;
        values.insert(setting.name, setting.beside(path, parsed));
    }
    for name in ["url", "secrets"] {
        if !values.contains_key(name) {
            return Err(refuse(format!("setting {name} is missing")));
        }
    }
    for setting in WEBHOOK_SETTINGS {
        if !values.contains_key(setting.name)
            && let SettingKind::Integer { .. } | SettingKind::Text { default: RETRY_DEFAULT, .. } =
                setting.kind
        {
            values.insert(setting.name, setting.default_value());
        }
    }
    Ok(Webhook::from_values(name, &values))
}

/// Message for a refused value. It does not repeat secrets and tokens.
fn refusal(setting: &Setting, value: &toml::Value) -> String {
    let (name, range) = (setting.name, setting.range());
    match name {
        "secrets" | "token" => format!("setting {name}: it must be {range}"),
        _ => format!("setting {name}: {value} is not valid, it must be {range}"),
    }
}

/// Text of a value in TOML's own type. An array becomes a list with commas.
fn text_of(kind: &SettingKind, value: &toml::Value) -> Option<String> {
    let scalar = |value: &toml::Value| match value {
        toml::Value::String(text) if !text.contains(',') => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    match (kind, value) {
        (SettingKind::Integer { .. }, toml::Value::Integer(number)) => Some(number.to_string()),
        (SettingKind::Integer { .. }, _) => None,
        (_, toml::Value::String(text)) => Some(text.clone()),
        (SettingKind::Text { .. }, toml::Value::Array(values)) => {
            let texts: Option<Vec<String>> = values.iter().map(scalar).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn is_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let host = uri
        .authority()
        .is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
    matches!(uri.scheme_str(), Some("http" | "https")) && host && !text.contains('#')
}

/// Key after the prefix `whsec_`.
fn secret(text: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
    SECRET_BYTES.contains(&key.len()).then_some(key)
}

fn is_secrets(text: &str) -> bool {
    let count = list(text).count();
    (1..=SECRETS_MAX).contains(&count) && list(text).all(|text| secret(text).is_some())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic())
}

fn is_retries(text: &str) -> bool {
    let wait = |text: &str| decimal::parse::<u64>(text).is_some_and(|wait| wait <= RETRY_MS_MAX);
    list(text).count() <= RETRIES_MAX && list(text).all(wait)
}

fn is_networks(text: &str) -> bool {
    list(text).all(|text| Network::parse(text).is_some())
}

/// Table in Markdown for docs/events.md.
pub fn docs_table() -> String {
    let mut table = String::from("| Key | Default | Accepts | Meaning |\n|---|---|---|---|\n");
    for setting in WEBHOOK_SETTINGS {
        let default = match setting.default_text() {
            text if text.is_empty() => "none".into(),
            text => format!("`{}`", text.replace(',', ", ")),
        };
        let (name, range, doc) = (setting.name, setting.range(), setting.doc);
        table.push_str(&format!("| `{name}` | {default} | {range} | {doc} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn read_text(text: &str) -> Result<Vec<Webhook>, String> {
        let table: toml::Table = text.parse().unwrap();
        read(&table["webhook"], Path::new("/etc/p.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_target_is_read_with_its_defaults() {
        let text = format!("[webhook.app]\nurl = 'https://a.example/h'\nsecrets = '{SECRET}'");
        let webhooks = read_text(&text).unwrap();
        let app = &webhooks[0];
        assert_eq!((app.name.as_str(), app.url.to_string()), ("app", "https://a.example/h".into()));
        assert_eq!((app.timeout_ms, app.backlog_max, app.concurrency_max), (20_000, 100_000, 4));
        assert_eq!((app.retry_ms.len(), app.retry_ms[0]), (9, 5_000));
        assert_eq!(app.retry_ms[8], 24 * 3600 * 1000);
        assert_eq!((app.secrets.len(), app.secrets[0].len()), (1, 24));
        assert!(app.token.is_none() && app.ca_file.is_none() && app.allow_addresses.is_empty());
    }

    #[test]
    fn every_key_is_read_in_both_forms() {
        let text = format!(
            "[webhook.b]\nurl = 'http://[::1]:80/'\nsecrets = ['{SECRET}', '{SECRET}']\n\
             token = 't'\ntimeout-ms = 100\nbacklog-max = 5\nconcurrency-max = 1\n\
             retry-ms = [1, 2]\nallow-addresses = ['::1', '10.0.0.0/8']\nca-file = 'ca.pem'"
        );
        let webhook = read_text(&text).unwrap().remove(0);
        assert_eq!((webhook.secrets.len(), webhook.retry_ms), (2, vec![1, 2]));
        assert_eq!(webhook.ca_file, Some("/etc/ca.pem".into()));
        assert_eq!(webhook.allow_addresses.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_shown() {
        let base = format!("[webhook.a]\nurl = 'http://a/'\nsecrets = '{SECRET}'\n");
        for (text, named) in [
            ("[webhook]\na = 1".to_owned(), "[webhook.a]"),
            ("[webhook.'a b']\n".to_owned(), "the name"),
            ("[webhook.a]\nurl = 'http://a/'".to_owned(), "secrets is missing"),
            (format!("[webhook.a]\nsecrets = '{SECRET}'"), "url is missing"),
            (format!("{base}\ncolour = 1"), "unknown setting \"colour\""),
            (format!("{base}\ntimeout-ms = 99"), "timeout-ms: 99"),
            (format!("{base}\ntimeout-ms = '200'"), "timeout-ms"),
            (format!("{base}\nretry-ms = [-1]"), "retry-ms"),
            (format!("{base}\nallow-addresses = '10.0.0.1/8'"), "allow-addresses"),
            (base.replace("http://a/", "ftp://a/"), "url"),
            (base.replace("http://a/", "http://u:p@a/"), "url"),
            (base.replace("http://a/", "/path"), "url"),
            (base.replace("whsec_", "whsec"), "setting secrets: it must be"),
            (base.replace(SECRET, "whsec_MfKQ"), "setting secrets: it must be"),
        ] {
            let error = read_text(&text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
            assert!(!error.contains("MfKQ"), "{error}");
        }
    }

    #[test]
    fn a_secret_does_not_show() {
        let webhook = read_text(&format!(
            "[webhook.a]\nurl = 'http://a/'\nsecrets = '{SECRET}'\ntoken = 'T'"
        ));
        let shown = format!("{:?}", webhook.unwrap());
        assert_eq!(shown, "[Webhook(a http://a/)]");
    }
}
