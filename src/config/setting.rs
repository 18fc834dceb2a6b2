//! One row of the table of settings: its kind, what it accepts, and how it is described.

use std::path::Path;

use super::field::Value;

/// A setting: a row of [`SETTINGS`](super::SETTINGS).
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The flag without `--`, and the key in the file; the unit stands last.
    pub name: &'static str,
    /// What it accepts, and its default.
    pub kind: Kind,
    /// One sentence on what it does.
    pub doc: &'static str,
}

/// What a setting accepts.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // The fields say what they are.
pub enum Kind {
    /// A path; without a default it may be absent.
    Path { default: Option<&'static str> },
    /// Text that `check` accepts; `shape` says what that is.
    Text { default: &'static str, shape: &'static str, check: fn(&str) -> bool },
    /// A whole number from `min` to `max`.
    Integer { default: u64, min: u64, max: u64 },
    /// `true` or `false`.
    Switch { default: bool },
    /// One of these words.
    Choice { default: &'static str, options: &'static [&'static str] },
    /// Domain names, separated by commas.
    Domains,
}

impl Setting {
    /// The row of this name.
    pub fn named(name: &str) -> Option<&'static Setting> {
        super::SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The variable of the environment.
    pub fn environment(&self) -> String {
        format!("PARTITA_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    /// What a value must be, to follow "must be".
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Path { .. } => "a path".into(),
            Kind::Text { shape, .. } => shape.into(),
            Kind::Integer { min, max, .. } => format!("{min} to {max}"),
            Kind::Switch { .. } => "true or false".into(),
            Kind::Choice { options, .. } => options.join(", "),
            Kind::Domains => "domain names, separated by commas".into(),
        }
    }

    /// The value as the file means it: a relative path is beside the file, wherever the server is
    /// started.
    pub(super) fn beside(&self, file: &Path, value: Value) -> Value {
        match (&self.kind, value) {
            (Kind::Path { .. }, Value::Text(path)) => {
                let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
                Value::Text(folder.join(path).to_string_lossy().into_owned())
            }
            (_, value) => value,
        }
    }

    /// The default as one would write it; empty for none.
    pub fn default_text(&self) -> String {
        match self.kind {
            Kind::Path { default } => default.unwrap_or_default().into(),
            Kind::Text { default, .. } | Kind::Choice { default, .. } => default.into(),
            Kind::Integer { default, .. } => default.to_string(),
            Kind::Switch { default } => default.to_string(),
            Kind::Domains => String::new(),
        }
    }

    /// The text of `--help`.
    pub fn help(&self) -> String {
        let mut help = self.doc.trim_end_matches('.').to_owned();
        if let Kind::Integer { .. } | Kind::Choice { .. } = self.kind {
            help.push_str(&format!(" [{}]", self.range()));
        }
        let default = self.default_text();
        if !default.is_empty() {
            help.push_str(&format!(" [default: {default}]"));
        }
        help
    }

    /// The value when nobody gives one.
    pub(super) fn default_value(&self) -> Value {
        match self.kind {
            Kind::Path { default: None } => Value::Absent,
            Kind::Domains => Value::List(Vec::new()),
            _ => self.parse(&self.default_text()).expect("a test parses every default"),
        }
    }

    /// The value that `text` says; `None` when it is none that the setting accepts.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Path { .. } => (!text.is_empty()).then(|| Value::Text(text.into())),
            Kind::Text { check, .. } => check(text).then(|| Value::Text(text.into())),
            Kind::Integer { min, max, .. } => {
                let digits = text.bytes().all(|c| c.is_ascii_digit());
                let number = digits.then(|| text.parse().ok()).flatten()?;
                (min..=max).contains(&number).then_some(Value::Integer(number))
            }
            Kind::Switch { .. } => match text {
                "true" | "on" | "yes" | "1" => Some(Value::Switch(true)),
                "false" | "off" | "no" | "0" => Some(Value::Switch(false)),
                _ => None,
            },
            Kind::Choice { options, .. } => {
                options.contains(&text).then(|| Value::Text(text.into()))
            }
            Kind::Domains => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                let names: Option<Vec<String>> = names.map(domain).collect();
                names.map(Value::List)
            }
        }
    }
}

/// The table as Markdown, for the README.
pub fn readme_table() -> String {
    let mut table = String::from("| Setting | Default | Accepts | Meaning |\n|---|---|---|---|\n");
    for setting in super::SETTINGS {
        let default = setting.default_text();
        let default = if default.is_empty() { "none".into() } else { format!("`{default}`") };
        let (name, range, doc) = (setting.name, setting.range(), setting.doc);
        table.push_str(&format!("| `{name}` | {default} | {range} | {doc} |\n"));
    }
    table
}

fn domain(name: &str) -> Option<String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let port_ok = port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let host_ok = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => domain(host).is_some(),
    };
    host_ok && port_ok
}

/// Scheme and authority, no path; nothing, for no address.
pub(super) fn is_public_url(text: &str) -> bool {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.is_empty()
        || authority.is_some_and(|host| is_address(host) || is_address(&format!("{host}:0")))
}

/// Names of buckets separated by commas, or `*`; nothing is a list too.
pub(super) fn is_bucket_list(text: &str) -> bool {
    matches!(text, "" | "*")
        || text.split(',').all(|name| crate::types::BucketName::parse(name.trim()).is_some())
}

pub(super) fn is_region(text: &str) -> bool {
    let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(letter)
}
