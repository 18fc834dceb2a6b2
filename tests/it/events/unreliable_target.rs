//! Delivery of events through kill -9 at random moments, to a target that fails one request in
//! five: each acknowledged change of an object or upload has its event, and the events of a key are
//! in order.
//!
//! `PARTITA_EVENTS` and `PARTITA_EVENT_KILLS` ask for more events and kills. The full size is
//! 10,000 and 50.

mod scenarios;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::receiver::{Reaction, Received, Receiver, SECRET, status, wait_until};
use crate::kill::client::Client;
use crate::kill::{ACCESS_KEY, BINARY, SECRET_KEY, Server, setting};
use crate::signer::Signer;
use scenarios::{EXPIRED, Step, Work, scenario};

const EVENTS: u64 = 600;
const KILLS: u64 = 6;
/// Longest time without a request: far more than any wait between two attempts.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Time by which uploads are made older: more than any expiry.
const YEAR_MS: i64 = 366 * 86_400_000;

/// A pseudorandom number that depends only on `of`.
fn mix(of: u64) -> u64 {
    let mut x = of.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Answers of the target: one request in five fails, in several ways.
fn unreliable(_: &Received, before: usize) -> Reaction {
    match mix(before as u64) % 200 {
        0..15 => status(500),
        15..20 => status(429),
        20..25 => Reaction::Answer(302, vec![("location", "/elsewhere".into())], String::new()),
        25..35 => Reaction::Close,
        35..36 => Reaction::Hang,
        _ => status(200),
    }
}

#[test]
fn no_event_is_lost_and_order_is_kept_through_kills_and_an_unreliable_target() {
    let events = setting("PARTITA_EVENTS").unwrap_or(EVENTS);
    let kills = setting("PARTITA_EVENT_KILLS").unwrap_or(KILLS);
    let receiver = Receiver::start(unreliable);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("partita.toml");
    let retries = vec!["20"; 32].join(", ");
    let table = format!(
        "[webhook.app]\nurl = \"{}\"\nsecrets = \"{SECRET}\"\nallow-addresses = \"127.0.0.1\"\n\
         timeout-ms = 300\nconcurrency-max = 8\nretry-ms = [{retries}]\n",
        receiver.url()
    );
    std::fs::write(&config, table).unwrap();
    let flags = ["--config", config.to_str().unwrap(), "--log-level", "error"];
    // Complete answers only when its result is known.
    let flags = [&flags[..], &["--verify-hold-ms", "25000"]].concat();
    let signer = Signer::new(ACCESS_KEY, SECRET_KEY);
    let work = Work::default();

    let mut server = Server::start_with(&data, &flags);
    subscribe_to(&mut Client::new(server.address, &signer), &PATTERNS);
    let started = Instant::now();
    let mut aged = HashSet::new();
    for number in 0..kills {
        let goal = (events * (number + 1) / kills) as usize;
        work.until(goal, &mut server, &signer, mix(number) % 40);
        aged.extend(age(&data).into_iter().map(|number| (number, EXPIRED)));
        server = Server::start_with(&data, &flags);
    }
    let acknowledged = work.acknowledged();
    let wanted: HashSet<ScenarioEvent> = acknowledged.iter().copied().chain(aged).collect();
    wait_for_all(&receiver, &wanted);
    wait_until(|| backlog(&data) == 0);
    server.kill();

    let received = receiver.received();
    check_order_and_ids(&received, work.begun());
    let accepted = received.iter().filter(|one| one.status == 200).count();
    println!(
        "{kills} kills, {} events acknowledged, {} requests received ({accepted} accepted), \
         0 missing, {:?}\n{:?}",
        acknowledged.len(),
        received.len(),
        started.elapsed(),
        counts(&wanted)
    );
    assert!(acknowledged.len() as u64 >= events);
    assert_eq!(counts(&wanted).len(), EVENT_NAMES, "each kind of event was sent");
    let check = Command::new(BINARY).args(["check", "--data"]).arg(&data).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

/// Waits until the target has accepted all these events. Panics after [`SILENCE_MAX`] without a
/// request.
fn wait_for_all(receiver: &Receiver, wanted: &HashSet<ScenarioEvent>) {
    let (mut count, mut since) = (0, Instant::now());
    loop {
        let received = receiver.received();
        let accepted: HashSet<ScenarioEvent> =
            received.iter().filter(|one| one.status == 200).map(event_of).collect();
        let missing: Vec<_> = wanted.difference(&accepted).collect();
        if missing.is_empty() {
            return;
        }
        if received.len() > count {
            (count, since) = (received.len(), Instant::now());
        }
        assert!(since.elapsed() < SILENCE_MAX, "missing: {missing:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Number of a scenario, and an event of it.
type ScenarioEvent<'a> = (u64, &'a str);

const PATTERNS: [&str; 3] = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "partita:Upload:*"];
/// Put, Complete and Delete of objects, and all six of uploads.
const EVENT_NAMES: usize = 9;

fn counts<'a>(events: &HashSet<ScenarioEvent<'a>>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    events.iter().for_each(|(_, event)| *counts.entry(*event).or_default() += 1);
    counts
}

/// Subscribes the target to new objects of `bkt`.
pub fn subscribe(client: &mut Client) {
    subscribe_to(client, &PATTERNS[..1]);
}

fn subscribe_to(client: &mut Client, patterns: &[&str]) {
    assert_eq!(client.send("PUT", "/bkt", &[], b"").unwrap().status, 200);
    let events: String = patterns.iter().map(|name| format!("<Event>{name}</Event>")).collect();
    let document = format!(
        "<NotificationConfiguration><QueueConfiguration>\
         <Queue>arn:partita:sqs::app:webhook</Queue>{events}\
         </QueueConfiguration></NotificationConfiguration>"
    );
    let made = client.send("PUT", "/bkt?notification", &[], document.as_bytes());
    assert_eq!(made.unwrap().status, 200);
}

/// Makes the uploads that a kill has left open a year older, so that the next server expires them.
/// Gives the numbers of their scenarios. The write-ahead log stays as the kill left it.
fn age(data: &Path) -> Vec<u64> {
    let vars = crate::harness::Inspector::open(data).age_uploads(YEAR_MS);
    vars.iter()
        .map(|var| {
            let var: serde_json::Value = serde_json::from_slice(var).expect("JSON");
            var["n"].as_u64().expect("each upload has its number")
        })
        .collect()
}

/// Scenario of an event, by its callback variable, or by its key if it has none.
fn event_of(received: &Received) -> ScenarioEvent<'_> {
    let of_key = || received.key().rsplit_once("/gone-").and_then(|(_, text)| text.parse().ok());
    let number = received.record()["opaqueData"]["n"].as_u64().or_else(of_key);
    (number.expect("each event has its number"), received.event())
}

/// Checks that each event has one id in all attempts, that the events of a key are in order, and
/// that each belongs to a scenario that was begun. The order is that of first attempts: a
/// repetition by a killed server may arrive after events of the next server.
fn check_order_and_ids(received: &[Received], begun: u64) {
    let mut last: HashMap<&str, &str> = HashMap::new();
    let mut ids: HashMap<ScenarioEvent, &str> = HashMap::new();
    let mut scenarios: BTreeMap<u64, Vec<(&str, &str)>> = BTreeMap::new();
    for one in received {
        let (event, id) = (event_of(one), one.header("webhook-id"));
        match ids.insert(event, id) {
            Some(before) => assert_eq!(before, id, "{event:?} is recorded more than once"),
            None => {
                let before = last.insert(one.key(), one.sequencer());
                assert!(before.is_none_or(|it| it < one.sequencer()), "{}: order", one.key());
                scenarios.entry(event.0).or_default().push((one.sequencer(), event.1));
            }
        }
    }
    for (number, mut events) in scenarios {
        assert!(number < begun, "scenario {number} was not begun");
        events.sort_unstable();
        check_scenario(number, events.into_iter().map(|(_, event)| event).collect());
    }
}

/// Checks the events of one scenario: they are those of its first steps, without a gap. The event
/// of an expiry may follow if the upload has not ended.
fn check_scenario(number: u64, mut got: Vec<&str>) {
    let steps: Vec<Step> =
        scenario(number).iter().copied().filter(|it| it.event().is_some()).collect();
    let has_expired = got.last() == Some(&EXPIRED);
    if has_expired {
        got.pop();
    }
    let wanted: Vec<&str> = steps.iter().filter_map(|step| step.event()).take(got.len()).collect();
    assert_eq!(got, wanted, "{number}: {steps:?}");
    let is_over = got.len() == steps.len() && steps.last().is_some_and(|step| step.is_end());
    let is_upload = matches!(steps[0], Step::Create | Step::CreateWrong);
    assert!(!has_expired || is_upload && !is_over && !got.is_empty(), "{number} has not expired");
}

/// Number of waiting events, by the command.
fn backlog(data: &Path) -> u64 {
    let out = Command::new(BINARY).args(["webhook", "list", "--json", "--data"]).arg(data).output();
    let out = out.expect("the binary starts");
    let list: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    list["webhooks"][0]["backlog"].as_u64().expect("a number")
}
