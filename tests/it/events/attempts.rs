//! Attempts of an event: order, waits, and the answers that end them.

use std::time::Duration;

use serde_json::{Value, json};

use super::receiver::{Reaction, Receiver, status, wait_until};
use super::{gateway_with, listen, put, state, target};
use crate::harness::Request;

#[test]
fn a_failed_delivery_is_sent_again_under_the_same_id_and_later_ones_wait() {
    let receiver = Receiver::start(|_, before| match before {
        0 => status(500),
        1 => Reaction::Close,
        2 => status(404),
        _ => status(204),
    });
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    gateway.send(&Request::new("PUT", "/bkt?notification").header(
        "x-amz-skip-destination-validation", "true").body(
        "<NotificationConfiguration><QueueConfiguration><Queue>arn:partita:sqs::app:webhook</Queue>\
         <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"))
        .expect(200);
    put(&gateway, "k");
    put(&gateway, "k");
    let received = receiver.wait_for(5);
    let ids: Vec<&str> = received.iter().map(|one| one.header("webhook-id")).collect();
    assert!(ids[..4].iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_ne!(ids[4], ids[0], "{ids:?}");
    assert!(received[0].sequencer() < received[4].sequencer());
    assert!(received[..4].iter().all(|one| one.bytes == received[0].bytes));
    for pair in received[..4].windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(45), "it waited");
    }
    wait_until(|| state(&gateway, "app").backlog == 0);
    let log = gateway.store().deliveries("app").run().unwrap();
    let tries: Vec<_> = log.iter().rev().map(|one| (one.attempt, one.status)).collect();
    let expected = [(1, Some(500)), (2, None), (3, Some(404)), (4, Some(204)), (1, Some(204))];
    assert_eq!(tries, expected);
    gateway.assert_sound();
}

/// The first waits of the schedule, at two thousand times the speed: an hour is 1.8 s. An attempt
/// is checked by its due time: on a busy machine it is late, but never early.
#[test]
fn an_hour_of_500_costs_four_attempts_and_no_event() {
    const FASTER: u64 = 2000;
    let waits = [5, 300, 1800, 7200, 18_000].map(|seconds| (seconds * 1000 / FASTER).to_string());
    let due = [0, 5, 305, 2105, 9305, 27_305];
    let tries: std::sync::Mutex<std::collections::HashMap<String, usize>> = Default::default();
    let receiver = Receiver::start(move |received, _| {
        let mut tries = tries.lock().unwrap();
        let before = tries.entry(received.header("webhook-id").to_owned()).or_default();
        *before += 1;
        status(if due[*before - 1] < 3600 { 500 } else { 200 })
    });
    let table = target("app", &receiver.url(), "").replace("50, 50, 50, 50, 50", &waits.join(", "));
    let (gateway, _folder) = gateway_with(&[table]);
    listen(&gateway, "app");
    for n in 0..5 {
        put(&gateway, &format!("k{n}"));
    }
    wait_until(|| state(&gateway, "app").backlog == 0);
    assert_eq!(state(&gateway, "app").dead, 0);
    let log = gateway.store().deliveries("app").run().unwrap();
    // Attempts fail at 0, 5 s, 5 min 5 s and 35 min 5 s; the one at 2 h 35 min succeeds.
    assert!(log.iter().filter(|one| one.status == Some(200)).all(|one| one.attempt == 5));
    assert_eq!(log.len(), 6 * 5);
    let received = receiver.received();
    assert_eq!(received.iter().filter(|one| one.status == 200).count(), 5);
    for taken in received.iter().filter(|one| one.status == 200) {
        let id = taken.header("webhook-id");
        let first = received.iter().find(|one| one.header("webhook-id") == id).unwrap();
        // A twentieth less: each wait has a little jitter.
        let waited = taken.at - first.at;
        let wanted = Duration::from_millis(due[4] * 1000 / FASTER) * 19 / 20;
        assert!(waited >= wanted, "taken after {waited:?}, not {wanted:?}");
    }
}

#[test]
fn retry_after_is_honoured() {
    let receiver = Receiver::start(|_, before| match before {
        0 => Reaction::Answer(503, vec![("retry-after", "1".into())], "busy".into()),
        _ => status(200),
    });
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    let received = {
        wait_until(|| receiver.all().len() >= 2);
        receiver.all()
    };
    assert!(received[1].at - received[0].at >= Duration::from_millis(950));
    let log = gateway.store().deliveries("app").run().unwrap();
    assert_eq!(log.last().unwrap().reply, b"busy");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::willing();
    let url = elsewhere.url();
    let receiver = Receiver::start(move |one, before| match before {
        0..3 => {
            Reaction::Answer([301, 307, 308][before], vec![("location", url.clone())], "".into())
        }
        _ => status(if one.path == "/hook" { 200 } else { 500 }),
    });
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    put(&gateway, "k");
    wait_until(|| state(&gateway, "app").backlog == 0);
    assert_eq!(elsewhere.connections(), 0);
    assert_eq!(state(&gateway, "app").dead, 0);
}

#[test]
fn a_target_that_answers_410_is_left_alone_until_it_is_enabled() {
    let receiver = Receiver::start(|_, _| status(410));
    let (mut gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    wait_until(|| state(&gateway, "app").disabled.is_some());
    assert!(state(&gateway, "app").alarm().unwrap().contains("410"));
    put(&gateway, "k");
    gateway.restart();
    put(&gateway, "k");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(receiver.all().len(), 1, "nothing more was sent");
    receiver.change(|_, _| status(200));
    gateway.store().disable_event_target("app", None).wait().unwrap();
    wait_until(|| state(&gateway, "app").backlog == 0);
    assert_eq!(receiver.received().len(), 2);
    gateway.assert_sound();
}

#[test]
fn an_event_that_fails_for_too_long_is_dead_and_can_be_resent() {
    let receiver = Receiver::start(|_, _| status(500));
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    put(&gateway, "a");
    put(&gateway, "b");
    wait_until(|| state(&gateway, "app").dead == 3);
    // One attempt and five more for each event.
    assert_eq!(receiver.all().len(), 18);
    let dead: std::collections::HashSet<String> =
        receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    receiver.change(|_, _| status(200));
    assert_eq!(gateway.store().resend_dead_events("app").wait().unwrap(), 3);
    wait_until(|| state(&gateway, "app").backlog == 0);
    let again: std::collections::HashSet<String> =
        receiver.received()[12..].iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(again, dead, "under the same ids");
    assert_eq!(state(&gateway, "app").alarm(), None);
    gateway.assert_sound();
}

#[test]
fn a_full_backlog_counts_dropped_events_and_reports_them_later() {
    let receiver = Receiver::start(|_, _| status(503));
    let more = "backlog-max = 5\nconcurrency-max = 1";
    let table = target("app", &receiver.url(), more).replace("50, 50, 50, 50, 50", "300, 300, 300");
    let (gateway, _folder) = gateway_with(&[table]);
    listen(&gateway, "app");
    for n in 0..20 {
        put(&gateway, &format!("k{n}"));
    }
    let full = state(&gateway, "app");
    assert_eq!(
        (full.backlog, full.dropped_count),
        (5, 16),
        "a test and four puts; the rest is counted"
    );
    assert!(full.alarm().unwrap().contains("backlog is full"));
    receiver.change(|_, _| status(200));
    wait_until(|| state(&gateway, "app").backlog == 0);
    let gaps: Vec<Value> = receiver
        .received()
        .iter()
        .filter(|one| one.event() == "partita:Events:Gap" && one.status == 200)
        .map(|one| one.body["Gap"].clone())
        .collect();
    assert_eq!((gaps.len(), &gaps[0]["count"]), (1, &json!(16)));
    put(&gateway, "after");
    wait_until(|| receiver.received().iter().any(|one| one.key() == "bkt/after"));
    gateway.assert_sound();
}
