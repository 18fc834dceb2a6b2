//! kill -9 at random moments, and a receiver that is as bad: nothing that was acknowledged is
//! missing, of objects and of uploads, and what is told of a key is told in order.
//!
//! `PARTITA_EVENTS` and `PARTITA_EVENT_KILLS` ask for more of both; the full size is 10,000 and 50.

mod lives;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::receiver::{Reaction, Received, Receiver, SECRET, status, wait_until};
use crate::kill::client::Client;
use crate::kill::{ACCESS_KEY, BINARY, SECRET_KEY, Server, setting};
use crate::signer::Signer;
use lives::{EXPIRED, Step, Work, life};

const EVENTS: u64 = 600;
const KILLS: u64 = 6;
/// Far longer than any wait between two tries.
const SILENCE: Duration = Duration::from_secs(60);
/// Older than any upload may be.
const YEAR_MS: i64 = 366 * 86_400_000;

/// A number that follows from others as if by chance.
fn chance(of: u64) -> u64 {
    let mut x = of.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One request in five is not taken, each in its way.
fn flaky(_: &Received, before: usize) -> Reaction {
    match chance(before as u64) % 200 {
        0..15 => status(500),
        15..20 => status(429),
        20..25 => Reaction::Answer(302, vec![("location", "/elsewhere".into())], String::new()),
        25..35 => Reaction::Close,
        35..36 => Reaction::Hang,
        _ => status(200),
    }
}

#[test]
fn no_event_is_lost_and_order_is_kept_through_kills_and_a_flaky_receiver() {
    let events = setting("PARTITA_EVENTS").unwrap_or(EVENTS);
    let kills = setting("PARTITA_EVENT_KILLS").unwrap_or(KILLS);
    let receiver = Receiver::start(flaky);
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
    // What a Complete finds is known before its answer begins.
    let flags = [&flags[..], &["--verify-hold-ms", "25000"]].concat();
    let signer = Signer::new(ACCESS_KEY, SECRET_KEY);
    let work = Work::default();

    let mut server = Server::start_with(&data, &flags);
    subscribe_to(&mut Client::new(server.address, &signer), &PATTERNS);
    let started = Instant::now();
    let mut aged = HashSet::new();
    for number in 0..kills {
        let goal = (events * (number + 1) / kills) as usize;
        work.until(goal, &mut server, &signer, chance(number) % 40);
        aged.extend(age(&data).into_iter().map(|number| (number, EXPIRED)));
        server = Server::start_with(&data, &flags);
    }
    let acknowledged = work.acknowledged();
    let wanted: HashSet<Told> = acknowledged.iter().copied().chain(aged).collect();
    wait_for_all(&receiver, &wanted);
    wait_until(|| backlog(&data) == 0);
    server.kill();

    let received = receiver.received();
    judge(&received, work.begun());
    let taken = received.iter().filter(|one| one.status == 200).count();
    println!(
        "{kills} kills, {} events acknowledged, {} requests received ({taken} taken), 0 missing, \
         {:?}\n{:?}",
        acknowledged.len(),
        received.len(),
        started.elapsed(),
        counts(&wanted)
    );
    assert!(acknowledged.len() as u64 >= events);
    assert_eq!(counts(&wanted).len(), EVENT_NAMES, "each event was there");
    let check = Command::new(BINARY).args(["check", "--data"]).arg(&data).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

/// Waits until all of it was taken, or nothing has come for long.
fn wait_for_all(receiver: &Receiver, wanted: &HashSet<Told>) {
    let (mut count, mut since) = (0, Instant::now());
    loop {
        let received = receiver.received();
        let taken: HashSet<Told> =
            received.iter().filter(|one| one.status == 200).map(told_by).collect();
        let missing: Vec<_> = wanted.difference(&taken).collect();
        if missing.is_empty() {
            return;
        }
        if received.len() > count {
            (count, since) = (received.len(), Instant::now());
        }
        assert!(since.elapsed() < SILENCE, "missing: {missing:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The number of a life, and what was told of it.
type Told<'a> = (u64, &'a str);

const PATTERNS: [&str; 3] = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "partita:Upload:*"];
/// Put, Complete and Delete of objects, and all six of uploads.
const EVENT_NAMES: usize = 9;

fn counts<'a>(told: &HashSet<Told<'a>>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    told.iter().for_each(|(_, event)| *counts.entry(*event).or_default() += 1);
    counts
}

/// Has `bkt` tell of new objects.
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

/// Makes the uploads that a kill has left open a year older, so that the next server ends them, and
/// tells their numbers. The next server still finds the log as the kill left it.
fn age(data: &Path) -> Vec<u64> {
    let vars = crate::harness::Inspector::open(data).age_uploads(YEAR_MS);
    vars.iter()
        .map(|var| {
            let var: serde_json::Value = serde_json::from_slice(var).expect("JSON");
            var["n"].as_u64().expect("each upload has its number")
        })
        .collect()
}

/// The life that an event is of, by its variable; by its key where it has none.
fn told_by(received: &Received) -> Told<'_> {
    let of_key = || received.key().rsplit_once("/gone-").and_then(|(_, text)| text.parse().ok());
    let number = received.record()["opaqueData"]["n"].as_u64().or_else(of_key);
    (number.expect("each event has its number"), received.event())
}

/// Each event is told under one id, in the order of its key, and nothing is told that nobody did.
/// The order is that of first tries: what a killed server sent may come in after what the next one
/// sends, but nothing is sent before what comes before it was taken.
fn judge(received: &[Received], begun: u64) {
    let mut last: HashMap<&str, &str> = HashMap::new();
    let mut ids: HashMap<Told, &str> = HashMap::new();
    let mut lives: BTreeMap<u64, Vec<(&str, &str)>> = BTreeMap::new();
    for one in received {
        let (told, id) = (told_by(one), one.header("webhook-id"));
        match ids.insert(told, id) {
            Some(before) => assert_eq!(before, id, "{told:?} is recorded more than once"),
            None => {
                let before = last.insert(one.key(), one.sequencer());
                assert!(before.is_none_or(|it| it < one.sequencer()), "{}: order", one.key());
                lives.entry(told.0).or_default().push((one.sequencer(), told.1));
            }
        }
    }
    for (number, mut events) in lives {
        assert!(number < begun, "nobody did {number}");
        events.sort_unstable();
        judge_life(number, events.into_iter().map(|(_, event)| event).collect());
    }
}

/// Checks the events of one life: they are those of its first steps, without a gap. The event of an
/// expiry may follow if the upload has not ended.
fn judge_life(number: u64, mut told: Vec<&str>) {
    let steps: Vec<Step> = life(number).iter().copied().filter(|it| it.event().is_some()).collect();
    let has_expired = told.last() == Some(&EXPIRED);
    if has_expired {
        told.pop();
    }
    let events: Vec<&str> = steps.iter().filter_map(|step| step.event()).take(told.len()).collect();
    assert_eq!(told, events, "{number}: {steps:?}");
    let is_over = told.len() == steps.len() && steps.last().is_some_and(|step| step.is_end());
    let is_upload = matches!(steps[0], Step::Create | Step::CreateWrong);
    assert!(!has_expired || is_upload && !is_over && !told.is_empty(), "{number} has not expired");
}

/// Events that wait, as the command tells it.
fn backlog(data: &Path) -> u64 {
    let out = Command::new(BINARY).args(["webhook", "list", "--json", "--data"]).arg(data).output();
    let out = out.expect("the binary starts");
    let list: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    list["webhooks"][0]["backlog"].as_u64().expect("a number")
}
