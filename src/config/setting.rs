//! [`Setting`]: one row of the table, its accepted values and its description.

use std::path::Path;

use super::checks::domain;
use super::value::Value;
use crate::types::decimal;

/// Setting: a row of [`SETTINGS`](super::table::SETTINGS).
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name of the flag without `--`, and of the key in the file. The unit comes last.
    pub name: &'static str,
    /// Accepted values and default.
    pub kind: SettingKind,
    /// Description in one sentence.
    pub doc: &'static str,
}

/// Accepted values of a setting.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // The fields say what they are.
pub enum SettingKind {
    /// Path. Optional if it has no default.
    Path { default: Option<&'static str> },
    /// Text that `check` accepts. `shape` describes it.
    Text { default: &'static str, shape: &'static str, check: fn(&str) -> bool },
    /// Integer from `min` to `max`.
    Integer { default: u64, min: u64, max: u64 },
    /// `true` or `false`.
    Switch { default: bool },
    /// One of the words in `options`.
    Choice { default: &'static str, options: &'static [&'static str] },
    /// Domain names, separated by commas.
    Domains,
}

impl Setting {
    /// Name of the environment variable.
    pub fn environment(&self) -> String {
        format!("PARTITA_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    /// Accepted values in words, to follow "must be".
    pub fn range(&self) -> String {
        match self.kind {
            SettingKind::Path { .. } => "a path".into(),
            SettingKind::Text { shape, .. } => shape.into(),
            SettingKind::Integer { min, max, .. } => format!("{min} to {max}"),
            SettingKind::Switch { .. } => "true or false".into(),
            SettingKind::Choice { options, .. } => options.join(", "),
            SettingKind::Domains => "domain names, separated by commas".into(),
        }
    }

    /// Value of a key in `file`: a relative path is relative to the folder of the file.
    pub(super) fn beside(&self, file: &Path, value: Value) -> Value {
        match (&self.kind, value) {
            (SettingKind::Path { .. }, Value::Text(path)) => {
                let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
                Value::Text(folder.join(path).to_string_lossy().into_owned())
            }
            (_, value) => value,
        }
    }

    /// Default as an operator would write it. Empty for none.
    pub fn default_text(&self) -> String {
        match self.kind {
            SettingKind::Path { default } => default.unwrap_or_default().into(),
            SettingKind::Text { default, .. } | SettingKind::Choice { default, .. } => {
                default.into()
            }
            SettingKind::Integer { default, .. } => default.to_string(),
            SettingKind::Switch { default } => default.to_string(),
            SettingKind::Domains => String::new(),
        }
    }

    /// Text of `--help`.
    pub fn help(&self) -> String {
        let mut help = self.doc.trim_end_matches('.').to_owned();
        if let SettingKind::Integer { .. } | SettingKind::Choice { .. } = self.kind {
            help.push_str(&format!(" [{}]", self.range()));
        }
        let default = self.default_text();
        if !default.is_empty() {
            help.push_str(&format!(" [default: {default}]"));
        }
        help
    }

    /// Value if no source gives one.
    pub(super) fn default_value(&self) -> Value {
        match self.kind {
            SettingKind::Path { default: None } => Value::Absent,
            SettingKind::Domains => Value::List(Vec::new()),
            _ => self.parse(&self.default_text()).expect("a test parses every default"),
        }
    }

    /// Value of a text. `None` if the setting does not accept it.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        match self.kind {
            SettingKind::Path { .. } => (!text.is_empty()).then(|| Value::Text(text.into())),
            SettingKind::Text { check, .. } => check(text).then(|| Value::Text(text.into())),
            SettingKind::Integer { min, max, .. } => {
                let number = decimal::parse(text)?;
                (min..=max).contains(&number).then_some(Value::Integer(number))
            }
            SettingKind::Switch { .. } => match text {
                "true" | "on" | "yes" | "1" => Some(Value::Switch(true)),
                "false" | "off" | "no" | "0" => Some(Value::Switch(false)),
                _ => None,
            },
            SettingKind::Choice { options, .. } => {
                options.contains(&text).then(|| Value::Text(text.into()))
            }
            SettingKind::Domains => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                let names: Option<Vec<String>> = names.map(domain).collect();
                names.map(Value::List)
            }
        }
    }
}
