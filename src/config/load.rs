//! Reads the settings from their sources. Precedence: flag, environment variable, file, default.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use super::credentials::KeyPair;
use super::error::ConfigError;
use super::setting::{Setting, SettingKind};
use super::table::{Config, SETTINGS};
use super::value::Value;
use super::webhook::{self, Webhook};

/// Environment variable with the access key id of the root user.
pub const ROOT_ACCESS_KEY_ID: &str = "PARTITA_ROOT_ACCESS_KEY_ID";
/// Environment variable with the secret access key of the root user.
pub const ROOT_SECRET_ACCESS_KEY: &str = "PARTITA_ROOT_SECRET_ACCESS_KEY";
/// Divisor of setting `read-unit-bytes`: the size of a block with a checksum.
const READ_UNIT_BYTES_STEP: usize = 64 << 10;
/// Longest configuration file in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads all settings. `flag` gives the values of a flag on the command line, several for a
/// repeated flag. `variable` reads the environment; an empty value counts as absent.
///
/// # Errors
/// The first value that is refused, with its setting and source.
pub fn load(
    flag: &dyn Fn(&Setting) -> Option<Vec<String>>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Config, ConfigError> {
    let given = |setting: &Setting| -> Result<Option<Value>, ConfigError> {
        if let Some(values) = flag(setting) {
            let text = values.join(",");
            let source = format!("--{}", setting.name);
            return accept(setting, &source, &text).map(Some);
        }
        let source = setting.environment();
        match text_of(variable, &source)? {
            Some(text) => accept(setting, &source, &text).map(Some),
            None => Ok(None),
        }
    };
    let config = Setting::named("config").expect("it is in the table");
    let file = match given(config)? {
        Some(Value::Text(path)) => read_file(Path::new(&path))?,
        _ => ConfigFile::default(),
    };
    let mut values = HashMap::new();
    for setting in SETTINGS {
        let value = match (given(setting)?, file.values.get(setting.name)) {
            (Some(value), _) => value,
            (None, Some(value)) => value.clone(),
            (None, None) => setting.default_value(),
        };
        values.insert(setting.name, value);
    }
    let mut config = Config::from_values(|name| values[name].clone(), root_credentials(variable)?);
    config.webhooks = file.webhooks;
    check_together(&config)?;
    Ok(config)
}

/// Checks of conditions between settings, and of those finer than a range.
fn check_together(config: &Config) -> Result<(), ConfigError> {
    if config.tls_cert.is_some() != config.tls_key.is_some() {
        return Err(ConfigError::new("settings tls-cert and tls-key", "give both or neither"));
    }
    if config.wal_bytes_max <= config.wal_bytes_restart {
        let problem =
            format!("it must be more than wal-bytes-restart ({})", config.wal_bytes_restart);
        return Err(ConfigError::new("setting wal-bytes-max", problem));
    }
    if !config.read_unit_bytes.is_multiple_of(READ_UNIT_BYTES_STEP) {
        let problem = format!("it must be a multiple of {READ_UNIT_BYTES_STEP}");
        return Err(ConfigError::new("setting read-unit-bytes", problem));
    }
    Ok(())
}

fn accept(setting: &Setting, source: &str, text: &str) -> Result<Value, ConfigError> {
    setting.parse(text).ok_or_else(|| ConfigError::refused(setting, source, text))
}

fn text_of(
    variable: &dyn Fn(&str) -> Option<OsString>,
    name: &str,
) -> Result<Option<String>, ConfigError> {
    match variable(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(Err(_)) => Err(ConfigError::new(name, "the value is not UTF-8")),
    }
}

fn root_credentials(
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<KeyPair>, ConfigError> {
    let id = text_of(variable, ROOT_ACCESS_KEY_ID)?;
    let secret = text_of(variable, ROOT_SECRET_ACCESS_KEY)?;
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => KeyPair::parse(&id, &secret).map(Some).map_err(|wrong| {
            let (half, shape) = wrong;
            let name =
                if half == "accessKeyId" { ROOT_ACCESS_KEY_ID } else { ROOT_SECRET_ACCESS_KEY };
            ConfigError::new(name, format!("it must be {shape}"))
        }),
        (Some(_), None) => Err(ConfigError::new(
            ROOT_SECRET_ACCESS_KEY,
            format!("it is missing, but {ROOT_ACCESS_KEY_ID} is given"),
        )),
        (None, Some(_)) => Err(ConfigError::new(
            ROOT_ACCESS_KEY_ID,
            format!("it is missing, but {ROOT_SECRET_ACCESS_KEY} is given"),
        )),
    }
}

/// Content of the configuration file.
#[derive(Default)]
struct ConfigFile {
    values: HashMap<&'static str, Value>,
    webhooks: Vec<Webhook>,
}

fn read_file(path: &Path) -> Result<ConfigFile, ConfigError> {
    let source = path.display().to_string();
    let failed = |error: std::io::Error| ConfigError::new(&source, error);
    if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(ConfigError::new(&source, "the file is longer than 1 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    parse_file(&text, path)
}

fn parse_file(text: &str, path: &Path) -> Result<ConfigFile, ConfigError> {
    let source = path.display().to_string();
    let table: toml::Table = text.parse().map_err(|error| not_toml(&source, text, &error))?;
    let mut file = ConfigFile::default();
    for (key, value) in table {
        if key == webhook::TABLE {
            file.webhooks = webhook::read(&value, path)?;
            continue;
        }
        let setting = Setting::named(&key).filter(|setting| setting.name != "config");
        let Some(setting) = setting else {
            let hint = match Setting::named(&key.replace('_', "-")) {
                Some(setting) if setting.name != "config" => {
                    format!("; did you mean \"{}\"?", setting.name)
                }
                _ => String::new(),
            };
            return Err(ConfigError::new(&source, format!("unknown setting \"{key}\"{hint}")));
        };
        let given = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let refused = || ConfigError::refused(setting, &source, &given());
        let text = text_of_toml(&setting.kind, &value).ok_or_else(refused)?;
        let value = setting.parse(&text).ok_or_else(refused)?;
        file.values.insert(setting.name, setting.beside(path, value));
    }
    Ok(file)
}

/// Error of the TOML parser in one line, as all messages of a refused start. The parser's own
/// message has several.
fn not_toml(source: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let why = error.message().lines().collect::<Vec<_>>().join(", ");
    ConfigError::new(source, format!("line {line} is not TOML: {why}"))
}

/// Text of a value in TOML's own type: an integer for numbers, a boolean for switches.
fn text_of_toml(kind: &SettingKind, value: &toml::Value) -> Option<String> {
    match (kind, value) {
        (SettingKind::Integer { .. }, toml::Value::Integer(number)) => Some(number.to_string()),
        (SettingKind::Switch { .. }, toml::Value::Boolean(on)) => Some(on.to_string()),
        (SettingKind::Integer { .. } | SettingKind::Switch { .. }, _) => None,
        (_, toml::Value::String(text)) => Some(text.clone()),
        (SettingKind::Domains, toml::Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(toml::Value::as_str).collect();
            names.map(|names| names.join(","))
        }
        _ => None,
    }
}
