//! Targets that hang, answer without an end, have an address that is not public, or a certificate
//! that is not trusted.

use std::time::Duration;

use super::receiver::{Reaction, Receiver, wait_until};
use super::{gateway_with, put, state, target, tls};
use crate::harness::Request;

#[test]
fn a_target_that_hangs_or_answers_endlessly_delays_no_other() {
    let live = Receiver::willing();
    let hanging = Receiver::start(|_, _| Reaction::Hang);
    let babbling = Receiver::start(|_, _| Reaction::Endless);
    let endless_head = Receiver::start(|_, _| Reaction::EndlessHead);
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let slow = "timeout-ms = 300\nconcurrency-max = 1\nretry-ms = [100000]";
    let slow = |name: &str, url: &str| {
        target(name, url, slow).replace("retry-ms = [50, 50, 50, 50, 50]\n", "")
    };
    let (gateway, _folder) = gateway_with(&[
        target("live", &live.url(), ""),
        slow("hanging", &hanging.url()),
        slow("babbling", &babbling.url()),
        slow("head", &endless_head.url()),
        slow("nobody", &format!("http://{nobody}/")),
    ]);
    let rule = |name: &str| {
        format!(
            "<QueueConfiguration><Queue>arn:partita:sqs::{name}:webhook</Queue>\
             <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name>\
             <Value>{name}/</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
        )
    };
    let names = ["live", "hanging", "babbling", "head", "nobody"];
    let rules: String = names.iter().map(|name| rule(name)).collect();
    let document = format!("<NotificationConfiguration>{rules}</NotificationConfiguration>");
    gateway.send(&Request::new("PUT", "/bkt?notification").body(document)).expect(200);
    let started = std::time::Instant::now();
    for n in 0..20 {
        for name in names {
            put(&gateway, &format!("{name}/{n}"));
        }
    }
    live.wait_for(20);
    let took = started.elapsed();
    // Twenty events of the hanging target take six seconds by themselves.
    assert!(took < Duration::from_secs(5), "{took:?}");
    wait_until(|| state(&gateway, "babbling").backlog == 0);
    let log = gateway.store().deliveries("babbling").run().unwrap();
    assert_eq!((log[0].status, log[0].reply.len()), (Some(200), 1024));
    assert!(log.iter().all(|one| one.millis < 3_000));
    wait_until(|| gateway.store().deliveries("hanging").run().unwrap().len() >= 2);
    let log = gateway.store().deliveries("hanging").run().unwrap();
    assert_eq!((log[0].status, log[0].reply.as_slice()), (None, &b"it did not answer in time"[..]));
    wait_until(|| gateway.store().deliveries("head").run().unwrap().len() >= 2);
    assert_eq!(gateway.store().deliveries("head").run().unwrap()[0].status, None);
    wait_until(|| gateway.store().deliveries("nobody").run().unwrap().len() >= 21);
    assert_eq!(state(&gateway, "nobody").backlog, 21);
    gateway.assert_sound();
}

#[test]
fn an_address_that_is_not_public_is_not_called() {
    let receiver = Receiver::willing();
    let port = receiver.address().port();
    let urls = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://127.1:{port}/"),
    ];
    let forbid = |table: String| table.replace("allow-addresses = \"127.0.0.1\"\n", "");
    let tables: Vec<String> =
        urls.iter().enumerate().map(|(n, url)| forbid(target(&format!("t{n}"), url, ""))).collect();
    let (gateway, _folder) = gateway_with(&tables);
    for n in 0..urls.len() {
        gateway.store().test_event_target(&format!("t{n}")).wait().unwrap();
    }
    for (n, url) in urls.iter().enumerate() {
        let name = format!("t{n}");
        wait_until(|| state(&gateway, &name).dead == 1);
        let log = gateway.store().deliveries(&name).run().unwrap();
        assert_eq!(log[0].status, None);
        let problem = String::from_utf8_lossy(&log[0].reply).into_owned();
        let refused = problem.contains("not a public address") || problem.contains("lookup");
        assert!(refused, "{url}: {problem}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn https_needs_an_authority_that_is_trusted() {
    let tls = tls::Server::start();
    let trusting = format!("ca-file = \"{}\"", tls.authority().display());
    let (gateway, _folder) =
        gateway_with(&[target("trusting", &tls.url(), &trusting), target("other", &tls.url(), "")]);
    gateway.store().test_event_target("trusting").wait().unwrap();
    gateway.store().test_event_target("other").wait().unwrap();
    wait_until(|| state(&gateway, "trusting").backlog == 0);
    assert_eq!(gateway.store().deliveries("trusting").run().unwrap()[0].status, Some(200));
    wait_until(|| state(&gateway, "other").dead == 1);
    let log = gateway.store().deliveries("other").run().unwrap();
    let problem = String::from_utf8_lossy(&log[0].reply).into_owned();
    assert!(problem.contains("certificate"), "{problem}");
}
