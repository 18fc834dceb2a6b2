//! Arguments that commands share, and the configuration that they give.

use clap::{Arg, ArgAction, ArgMatches};

use super::failure::Failure;
use crate::config::{self, Config, Setting, SettingKind};

/// Flag of a setting.
pub(super) fn flag(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.name).help(setting.help());
    match setting.kind {
        SettingKind::Path { .. } if setting.name == "data" => arg.value_name("DIR"),
        SettingKind::Path { .. } => arg.value_name("FILE"),
        SettingKind::Text { .. } => arg.value_name("TEXT"),
        // A negative number is parsed too, so that the error names the range of the setting.
        SettingKind::Integer { .. } => arg.value_name("N").allow_negative_numbers(true),
        SettingKind::Switch { .. } => {
            arg.value_name("BOOL").num_args(0..=1).default_missing_value("true")
        }
        SettingKind::Choice { .. } => arg.value_name("WORD"),
        SettingKind::Domains => arg.value_name("NAME").action(ArgAction::Append),
    }
}

/// Flags of commands that work on a data folder: `--data` and `--config`.
pub(super) fn folder_flags() -> [Arg; 2] {
    ["data", "config"].map(|name| flag(Setting::named(name).expect("both are in the table")))
}

/// The flag `--json`.
pub(super) fn json_flag() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON, for programs")
}

/// Configuration from the flags of a command, the environment and the file.
///
/// # Errors
/// [`Failure::Usage`] that names the wrong setting.
pub(super) fn load(matches: &ArgMatches) -> Result<Config, Failure> {
    let flag = |setting: &Setting| {
        let values = matches.try_get_many::<String>(setting.name).ok().flatten()?;
        Some(values.cloned().collect())
    };
    config::load(&flag, &|name| std::env::var_os(name))
        .map_err(|error| Failure::Usage(error.to_string()))
}
