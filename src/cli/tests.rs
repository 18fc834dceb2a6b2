//! Command line as clap parses it, and the root user of a start.

use std::path::Path;

use super::arguments::load;
use super::*;
use crate::config::SETTINGS;
use crate::store::Store;

fn parse(arguments: &[&str]) -> Result<ArgMatches, clap::Error> {
    command().try_get_matches_from(std::iter::once("partita").chain(arguments.iter().copied()))
}

#[test]
fn the_commands_are_well_formed() {
    command().debug_assert();
    let names: Vec<_> =
        command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert_eq!(names, ["serve", "user", "key", "uploads", "webhook", "check", "health", "version"]);
}

#[test]
fn help_names_every_setting_with_its_default() {
    let help = command().find_subcommand_mut("serve").unwrap().render_long_help().to_string();
    for setting in SETTINGS {
        assert!(help.contains(&format!("--{} ", setting.name)), "{} is not there", setting.name);
        let default = setting.default_text();
        assert!(default.is_empty() || help.contains(&format!("[default: {default}]")));
    }
    assert!(help.contains("PARTITA_ROOT_SECRET_ACCESS_KEY"));
}

#[test]
fn flags_become_settings_and_a_secret_is_never_one() {
    let matches = parse(&[
        "serve",
        "--data",
        "d",
        "--region-strict",
        "--sigv2-presigned",
        "false",
        "--domain",
        "a",
        "--domain",
        "b,c",
        "--connections-max",
        "7",
    ])
    .unwrap();
    let config = load(matches.subcommand().unwrap().1).unwrap();
    assert_eq!(config.data, Path::new("d"));
    assert!(config.region_strict && !config.sigv2_presigned);
    assert_eq!(config.domains, ["a", "b", "c"]);
    assert_eq!(config.connections_max, 7);
    for wrong in ["0", "-1", "x"] {
        let matches = parse(&["serve", "--connections-max", wrong]).unwrap();
        match load(matches.subcommand().unwrap().1) {
            Err(Failure::Usage(message)) => assert!(message.contains("1 to 1000000"), "{message}"),
            other => panic!("{wrong}: {other:?}"),
        }
    }
    for unknown in [["serve", "--root-secret-access-key", "x"], ["serve", "--secret", "x"]] {
        assert_eq!(parse(&unknown).unwrap_err().exit_code(), 2);
    }
}

mod root_user {
    use super::*;
    use crate::cli::root::ensure;
    use crate::config::{Config, KeyPair};

    struct Bench {
        store: Store,
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let config = Config { data: folder.path().to_owned(), ..Config::default() };
            Self { store: Store::open(config.store_options()).unwrap(), folder }
        }
        fn start(&self, given: Option<&KeyPair>) -> Result<Option<KeyPair>, Failure> {
            ensure(&self.store, self.folder.path(), given)
        }
        fn file(&self) -> String {
            std::fs::read_to_string(self.folder.path().join("root-credentials")).unwrap()
        }
        fn root_keys(&self) -> Vec<String> {
            let keys = self.store.keys(Some("root"));
            let mut ids: Vec<_> = keys.iter().map(|key| key.access_key_id.clone()).collect();
            ids.sort();
            ids
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            self.store.close();
        }
    }

    fn pair(id: &str, secret: &str) -> KeyPair {
        KeyPair::parse(id, secret).unwrap()
    }

    #[test]
    fn the_first_start_makes_a_pair_and_shows_it_once() {
        let bench = Bench::new();
        let made = bench.start(None).unwrap().unwrap();
        let stored = bench.store.credential(made.access_key_id()).unwrap();
        assert!(stored.user.root && stored.secret_access_key == made.secret_access_key());
        let text = bench.file();
        assert!(text.starts_with("[default]\naws_access_key_id = PART"), "{text}");
        assert!(text.contains(&format!("aws_secret_access_key = {}\n", made.secret_access_key())));
        let path = bench.folder.path().join("root-credentials");
        let mode = std::fs::metadata(&path).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
        assert_eq!(bench.start(None).unwrap(), None);
        assert_eq!(bench.root_keys(), [made.access_key_id()]);
        let other = Bench::new().start(None).unwrap().unwrap();
        assert_ne!(other, made, "it is random");
    }

    #[test]
    fn a_pair_left_by_a_crash_is_taken_up() {
        let bench = Bench::new();
        let text = "[default]\naws_access_key_id = left\naws_secret_access_key = left-secret\n";
        std::fs::write(bench.folder.path().join("root-credentials"), text).unwrap();
        assert_eq!(bench.start(None).unwrap(), Some(pair("left", "left-secret")));
        assert_eq!(bench.root_keys(), ["left"]);
    }

    #[test]
    fn the_environment_replaces_the_key_of_an_earlier_start_and_no_other() {
        let bench = Bench::new();
        let made = bench.start(None).unwrap().unwrap();
        let own = Some(("own-key".to_owned(), "own-secret".to_owned()));
        bench.store.create_key("root", own).wait().unwrap();
        for given in [pair("first", "first-secret"), pair("second", "second-secret")] {
            assert_eq!(bench.start(Some(&given)).unwrap(), None);
            let mut expected = [given.access_key_id(), "own-key"];
            expected.sort();
            assert_eq!(bench.root_keys(), expected);
            assert!(!bench.file().contains("secret_access_key ="), "{}", bench.file());
        }
        assert!(bench.store.credential(made.access_key_id()).is_none());

        let changed = pair("second", "another-secret");
        bench.start(Some(&changed)).unwrap();
        assert_eq!(bench.store.credential("second").unwrap().secret_access_key, "another-secret");
        bench.store.set_key_enabled("second", false).wait().unwrap();
        bench.start(Some(&changed)).unwrap();
        assert!(bench.store.credential("second").unwrap().enabled);
        assert_eq!(bench.start(None).unwrap(), None, "without the environment all stays");
        assert_eq!(bench.root_keys(), ["own-key", "second"]);
    }

    #[test]
    fn a_key_of_another_user_is_not_taken_from_it() {
        let bench = Bench::new();
        let new = crate::store::NewUser {
            name: "ann".into(),
            key: Some(("shared".into(), "ann-secret".into())),
            ..Default::default()
        };
        bench.store.create_user(new).wait().unwrap();
        match bench.start(Some(&pair("shared", "root-secret"))) {
            Err(Failure::Failed(message)) => assert!(message.contains("ann"), "{message}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.store.credential("shared").unwrap().secret_access_key, "ann-secret");
    }
}
