//! [`ConfigError`]: the reason why a configuration is refused.

use std::fmt;

use super::setting::Setting;

/// Message for the operator: the setting, the source of its value, and the problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(String);

impl ConfigError {
    pub(super) fn new(source: &str, problem: impl fmt::Display) -> Self {
        Self(format!("{source}: {problem}"))
    }
    pub(super) fn refused(setting: &Setting, source: &str, given: &str) -> Self {
        let (name, range) = (setting.name, setting.range());
        Self(format!(
            "setting {name} (from {source}): \"{given}\" is not valid, it must be {range}"
        ))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}
