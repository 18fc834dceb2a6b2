//! Events delivered to webhooks over real sockets.

mod attempts;
mod cli;
mod content;
mod hostile_targets;
mod page;
pub mod receiver;
mod secrets;
mod silent;
mod tls;
mod unreliable_target;

use crate::harness::{Gateway, Request};
use receiver::SECRET;

/// Configuration table of a target; `more` are further lines.
fn target(name: &str, url: &str, more: &str) -> String {
    format!(
        "[webhook.{name}]\nurl = \"{url}\"\nsecrets = \"{SECRET}\"\n\
         allow-addresses = \"127.0.0.1\"\nretry-ms = [50, 50, 50, 50, 50]\n{more}\n"
    )
}

/// A gateway with these targets. The folder of its configuration must be kept.
fn gateway_with(targets: &[String]) -> (Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("partita.toml");
    std::fs::write(&path, targets.concat()).expect("a file");
    let path = path.display().to_string();
    (Gateway::with(&[("config", &path), ("part-bytes-min", "1")]), folder)
}

/// Subscribes the target to all events of `bkt`.
fn listen(gateway: &Gateway, name: &str) {
    let document = format!(
        "<NotificationConfiguration><QueueConfiguration><Id>all</Id>\
         <Queue>arn:partita:sqs:us-east-1:{name}:webhook</Queue>\
         <Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event>\
         </QueueConfiguration></NotificationConfiguration>"
    );
    let request = Request::new("PUT", "/bkt?notification").body(document);
    gateway.send(&request).expect(200);
}

fn put(gateway: &Gateway, key: &str) {
    gateway.send(&Request::new("PUT", format!("/bkt/{key}")).body("hello")).expect(200);
}

/// State of a target, as the command shows it.
fn state(gateway: &Gateway, name: &str) -> partita::store::TargetState {
    let states = gateway.store().event_targets().run().expect("states can be read");
    states.into_iter().find(|state| state.name == name).expect("the target is known")
}
