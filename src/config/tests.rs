//! Settings from every source and at the ends of their ranges.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::value::Value;
use super::*;

/// Configuration from these flags and environment variables.
fn load_with(flags: &[(&str, &[&str])], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let flags: HashMap<&str, Vec<String>> = flags
        .iter()
        .map(|(name, values)| (*name, values.iter().map(|value| value.to_string()).collect()))
        .collect();
    let variables: HashMap<&str, OsString> =
        variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
    load(&|setting| flags.get(setting.name).cloned(), &|name| variables.get(name).cloned())
}

/// Configuration file with this text, in a temporary folder.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("partita.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn every_number_is_accepted_up_to_its_edges_and_no_further() {
    for setting in SETTINGS {
        let SettingKind::Integer { min, max, default } = setting.kind else { continue };
        let name = setting.name;
        assert!((min..=max).contains(&default), "{name}: its default is outside its range");
        for inside in [min, max] {
            assert_eq!(setting.parse(&inside.to_string()), Some(Value::Integer(inside)), "{name}");
        }
        let below = min.checked_sub(1).map(|number| number.to_string());
        for outside in [below.unwrap_or("-1".into()), (max + 1).to_string()] {
            let error = load_with(&[(name, &[&outside])], &[]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(&format!("--{name}")), "{error}");
            assert!(error.contains(&setting.range()), "{error}");
        }
        for junk in ["", "+1", "1e3", "0x10", " 5", "99999999999999999999"] {
            assert_eq!(setting.parse(junk), None, "{name} accepts {junk:?}");
        }
    }
}

#[test]
fn words_and_texts_are_checked() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "listen",
            &["127.0.0.1:0", "[::1]:9000", "localhost:65535"],
            &["127.0.0.1", "[::1]", "::1:9000", "host:65536", "host:-1", ":9000", "a b:1"],
        ),
        ("region", &["us-east-1", "x"], &["", "US", "a_b", "a/b"]),
        ("domain", &["s3.example.com", "a,b.c", ""], &["-a", "a..b", "a b", "http://x"]),
        ("region-strict", &["true", "false", "on", "0"], &["TRUE", "2", ""]),
        ("log-format", &["text", "json"], &["xml", "JSON", ""]),
        ("log-level", &["error", "warn", "info", "debug", "trace"], &["all"]),
        ("default-object-ownership", &["BucketOwnerEnforced", "ObjectWriter"], &["Mine"]),
        ("data", &["/srv", "a b"], &[""]),
    ];
    for (name, good, bad) in cases {
        let setting = Setting::named(name).unwrap();
        for text in *good {
            assert!(setting.parse(text).is_some(), "{name} refuses {text:?}");
        }
        for text in *bad {
            assert!(setting.parse(text).is_none(), "{name} accepts {text:?}");
        }
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let (_folder, path) = file("region = \"from-file\"");
    let variables = [("PARTITA_REGION", "from-environment"), ("PARTITA_CONFIG", path.as_str())];
    let region = |flags: &[(&str, &[&str])], variables: &[(&str, &str)]| {
        load_with(flags, variables).unwrap().region
    };
    assert_eq!(region(&[("region", &["from-flag"])], &variables), "from-flag");
    assert_eq!(region(&[], &variables), "from-environment");
    assert_eq!(region(&[("config", &[&path])], &[]), "from-file");
    assert_eq!(region(&[], &[("PARTITA_REGION", "")]), "us-east-1");
    assert_eq!(region(&[], &[]), "us-east-1");
}

#[test]
fn a_wrong_value_names_its_setting_and_its_source() {
    let (_folder, path) = file("connections-max = 0");
    let cases = [
        load_with(&[("connections-max", &["0"])], &[]),
        load_with(&[], &[("PARTITA_CONNECTIONS_MAX", "0")]),
        load_with(&[("config", &[&path])], &[]),
    ];
    let sources = ["--connections-max", "PARTITA_CONNECTIONS_MAX", path.as_str()];
    for (result, source) in cases.into_iter().zip(sources) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("setting connections-max"), "{error}");
        assert!(error.contains(source) && error.contains("1 to 1000000"), "{error}");
    }
}

#[test]
fn the_file_has_types_and_no_unknown_keys() {
    let refused: &[(&str, &str)] = &[
        ("conections-max = 1", "\"conections-max\""),
        ("connections_max = 1", "did you mean \"connections-max\"?"),
        ("config = \"x\"", "\"config\""),
        ("[server]\nlisten = \"a:1\"", "\"server\""),
        ("connections-max = \"10\"", "connections-max"),
        ("connections-max = -1", "connections-max"),
        ("region-strict = \"true\"", "region-strict"),
        ("region = 7", "region"),
        ("domain = [1]", "domain"),
        ("region = ", "TOML"),
    ];
    for (text, needle) in refused {
        let (_folder, path) = file(text);
        let error = load_with(&[("config", &[&path])], &[]).unwrap_err().to_string();
        assert!(error.contains(needle) && error.contains(&path), "{text}: {error}");
    }
    let (folder, path) = file(
        "data = \"objects\"\nregion-strict = true\ndomain = [\"S3.Example.com\", \"b\"]\n\
         idle-timeout-ms = 5000\nlog-format = \"json\"",
    );
    let config = load_with(&[("config", &[&path])], &[]).unwrap();
    assert_eq!(config.data, folder.path().join("objects"));
    assert!(config.region_strict);
    assert_eq!(config.domains, ["s3.example.com", "b"]);
    assert_eq!(config.idle_timeout_ms, 5000);
    assert_eq!(config.log_format, LogFormat::Json);
    let missing = load_with(&[("config", &["/nowhere/partita.toml"])], &[]).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/partita.toml"));
}

#[test]
fn settings_that_belong_together_are_checked_together() {
    let error = |flags: &[(&str, &[&str])]| load_with(flags, &[]).unwrap_err().to_string();
    assert!(error(&[("tls-cert", &["c.pem"])]).contains("tls-key"));
    assert!(error(&[("tls-key", &["k.pem"])]).contains("tls-cert"));
    let wal: &[(&str, &[&str])] =
        &[("wal-bytes-max", &["33554432"]), ("wal-bytes-restart", &["33554432"])];
    assert!(error(wal).contains("wal-bytes-max"));
    assert!(error(&[("read-unit-bytes", &["65537"])]).contains("read-unit-bytes"));
    let config = load_with(&[("domain", &["a", "b,c"])], &[]).unwrap();
    assert_eq!(config.domains, ["a", "b", "c"]);
}

#[test]
fn root_credentials_come_as_a_pair_and_never_show() {
    let load_root = |id: &str, secret: &str| {
        load_with(&[], &[(ROOT_ACCESS_KEY_ID, id), (ROOT_SECRET_ACCESS_KEY, secret)])
    };
    assert_eq!(load_root("", "").unwrap().root, None);
    let config = load_root("root-key", "very-secret").unwrap();
    let root = config.root.clone().unwrap();
    assert_eq!((root.access_key_id(), root.secret_access_key()), ("root-key", "very-secret"));
    assert!(!format!("{config:?}").contains("very-secret"));
    let refused = [
        ("root-key", "", ROOT_SECRET_ACCESS_KEY),
        ("", "very-secret", ROOT_ACCESS_KEY_ID),
        ("root/key", "very-secret", ROOT_ACCESS_KEY_ID),
        ("ab", "very-secret", ROOT_ACCESS_KEY_ID),
        ("root-key", "1234567", ROOT_SECRET_ACCESS_KEY),
        ("root-key", "very secret", ROOT_SECRET_ACCESS_KEY),
    ];
    for (id, secret, name) in refused {
        let error = load_root(id, secret).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
        assert!(secret.is_empty() || !error.contains(secret), "{error} shows the secret");
    }
    assert!(SETTINGS.iter().all(|setting| !setting.name.contains("secret")));
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = Config::default();
    assert_eq!(config.data, PathBuf::from("./data"));
    assert_eq!((config.listen.as_str(), config.region.as_str()), ("127.0.0.1:9000", "us-east-1"));
    assert_eq!(config.default_object_ownership, ObjectOwnership::BucketOwnerEnforced);
    assert_eq!(config.store_options().upload_idle_ms_max, 7 * 24 * 3_600_000);
    assert!(
        config.signature_settings().sigv2_presigned && !config.signature_settings().region_strict
    );
    let loaded = load_with(&[], &[]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{loaded:?}"));
}

#[test]
fn the_table_names_each_setting_once_and_the_readme_table_has_them_all() {
    let table = readme_table();
    for setting in SETTINGS {
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(setting.name.chars().all(kebab), "{}", setting.name);
        assert_eq!(SETTINGS.iter().filter(|other| other.name == setting.name).count(), 1);
        assert!(table.contains(&format!("| `{}` |", setting.name)));
        assert!(setting.doc.ends_with('.') && !setting.doc.contains('|'), "{}", setting.name);
    }
    assert_eq!(table.lines().count(), SETTINGS.len() + 2);
}
