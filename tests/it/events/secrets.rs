//! Rotation of a webhook secret while the server runs.

use std::time::Duration;

use super::receiver::{Received, Receiver, SECRET, wait_until};
use super::target;
use crate::kill::client::Client;
use crate::kill::{ACCESS_KEY, SECRET_KEY, Server};
use crate::signer::Signer;

const NEW: &str = "whsec_dGhlIG5ldyBzZWNyZXQgb2YgMzIgYnl0ZXMgaW4gYWxsISE=";

fn is_signed_by(received: &Received, secret: &str) -> bool {
    let verifier = standardwebhooks::Webhook::new(secret).unwrap();
    let headers: http::HeaderMap = received
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    verifier.verify(&received.bytes, &headers).is_ok()
}

#[test]
fn secrets_are_read_again_and_bad_ones_not_taken() {
    let receiver = Receiver::willing();
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("partita.toml"));
    let write = |secrets: &str| {
        let table = target("app", &receiver.url(), "");
        std::fs::write(&config, table.replace(SECRET, secrets)).unwrap();
    };
    write(SECRET);
    let server = Server::start_with(&data, &["--config", config.to_str().unwrap()]);
    let signer = Signer::new(ACCESS_KEY, SECRET_KEY);
    let mut client = Client::new(server.address, &signer);
    super::unreliable_target::subscribe(&mut client);
    let mut count = 0;
    let mut next = || {
        assert_eq!(client.send("PUT", "/bkt/k", &[], b"x").unwrap().status, 200);
        count += 1;
        let event = receiver.wait_for(count).pop().unwrap();
        (is_signed_by(&event, SECRET), is_signed_by(&event, NEW))
    };
    assert_eq!(next(), (true, false));
    write(&format!("{NEW}, {SECRET}"));
    assert_eq!(next(), (true, false), "nobody has asked");
    server.send_sighup();
    wait_until(|| next() == (true, true));
    write(NEW);
    server.send_sighup();
    wait_until(|| next() == (false, true));
    for wrong in [format!("{SECRET}\"\ncolour = \"red"), "whsec_short".into()] {
        write(&wrong);
        server.send_sighup();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(next(), (false, true), "the old ones stay");
    }
    // Secrets of another receiver are not used for this one.
    let table = target("app", "http://127.0.0.1:9/elsewhere", "");
    std::fs::write(&config, table).unwrap();
    server.send_sighup();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(next(), (false, true), "another URL waits for a restart, and its secrets with it");
    write(SECRET);
    server.send_sighup();
    wait_until(|| next() == (true, false));
}
