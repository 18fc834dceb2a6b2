//! `partita webhook …`, with a server on the folder and without one.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::receiver::{Reaction, Receiver, status, wait_until};
use super::target;
use crate::harness::command_json;
use crate::kill::client::Client;
use crate::kill::{ACCESS_KEY, BINARY, SECRET_KEY, Server};
use crate::signer::Signer;

fn run(data: &Path, config: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("webhook").args(words).arg("--data").arg(data).arg("--config").arg(config);
    command.output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_operator_sees_and_resends_failed_deliveries() {
    let receiver = Receiver::willing();
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("partita.toml"));
    let table = target("app", &receiver.url(), "").replace("50, 50, 50, 50, 50", "10");
    std::fs::write(&config, table).unwrap();
    let on = |words: &[&str]| {
        let output = run(&data, &config, words);
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let json_on = |words: &[&str]| {
        command_json(&[&["webhook"], words].concat(), &on(&[words, &["--json"]].concat()))
    };
    let state = || json_on(&["list"])["webhooks"][0].clone();
    let refused = |words: &[&str], why: &str| {
        let output = run(&data, &config, words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(text(&output.stderr).contains(why), "{words:?}: {}", text(&output.stderr));
    };

    let flags = ["--config", config.to_str().unwrap()];
    let mut server = Server::start_with(&data, &flags);
    let signer = Signer::new(ACCESS_KEY, SECRET_KEY);
    let mut client = Client::new(server.address, &signer);
    super::unreliable_target::subscribe(&mut client);
    wait_until(|| state()["lastStatus"] == 200);
    let tested = on(&["test", "app"]);
    assert!(tested.starts_with("status 200 in "), "{tested}");
    assert_eq!(json_on(&["test", "app"])["deliveries"][0]["status"], 200);

    // A reply with terminal escapes that is longer than a line.
    let evil = format!("\u{1b}[31m\r\n{}", "no".repeat(600));
    receiver.change(move |_, _| Reaction::Answer(500, Vec::new(), evil.clone()));
    let failed = run(&data, &config, &["test", "app"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stdout).starts_with("status 500 in "));
    assert_eq!(client.send("PUT", "/bkt/k", &[], b"x").unwrap().status, 200);
    wait_until(|| state()["dead"] == 2);
    let listed = on(&["list"]);
    assert!(listed.contains("webhook app: 2 events were given up"), "{listed}");
    for shown in [text(&failed.stdout), on(&["deliveries", "app"])] {
        assert!(shown.contains("no") && !shown.contains('\u{1b}') && !shown.contains('\r'));
    }
    assert!(on(&["deliveries", "app"]).lines().all(|line| line.len() < 300));
    let log = json_on(&["deliveries", "app"])["deliveries"].clone();
    assert_eq!(log[0]["reply"].as_str().unwrap().len(), 1024);
    let of_test = log.as_array().unwrap().iter().find(|row| row["bucket"].is_null()).unwrap();
    assert_eq!((&of_test["event"], &of_test["key"]), (&"s3:TestEvent".into(), &Value::Null));
    let of_k = log.as_array().unwrap().iter().find(|row| row["key"] == "k").unwrap();
    assert_eq!((&of_k["event"], &of_k["status"]), (&"s3:ObjectCreated:Put".into(), &500.into()));
    let message = of_k["messageId"].as_str().unwrap();

    receiver.change(|_, _| status(200));
    assert_eq!(on(&["resend", "app", message]), "1 events will be sent again\n");
    wait_until(|| state()["dead"] == 1);
    let again = receiver.received().pop().unwrap();
    assert_eq!((again.header("webhook-id"), again.status), (message, 200));
    assert_eq!(json_on(&["resend", "app", "--dead"])["resent"], 1);
    wait_until(|| state()["alarm"] == Value::Null && state()["backlog"] == 0);

    let disabled = json_on(&["disable", "app"])["webhooks"][0].clone();
    assert_eq!(disabled["disabledReason"], "by the operator");
    assert_eq!((&disabled["enabled"], &disabled), (&false.into(), &state()));
    refused(&["test", "app"], "is disabled");
    assert!(on(&["list"]).contains("webhook app is disabled: by the operator"));
    on(&["enable", "app"]);
    refused(&["resend", "app", message], "is not there");
    refused(&["resend", "app", "msg_1"], "not a message id");
    refused(&["resend", "nobody", "--dead"], "the webhook nobody is not there");
    refused(&["deliveries", "nobody"], "the webhook nobody is not there");
    refused(&["test", "nobody"], "the webhook nobody is not there");
    server.kill();
    // Without a server: the same state, but no test delivery can be sent.
    assert_eq!(state()["name"], "app");
    on(&["disable", "app"]);
    on(&["enable", "app"]);
    refused(&["test", "app"], "no server answers");
}

#[test]
fn an_invalid_target_prevents_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("partita.toml"));
    let url = "https://127.0.0.1/";
    for (table, code, said) in [
        (target("app", url, "timeout-ms = 1"), 2, "[webhook.app]: setting timeout-ms: 1 is not"),
        (target("app", "gopher://a/", ""), 2, "[webhook.app]: setting url"),
        (target("app", url, "ca-file = \"none.pem\""), 1, "setting ca-file of [webhook.app]"),
    ] {
        std::fs::write(&config, table).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
        let output = command.arg("--config").arg(&config).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}
