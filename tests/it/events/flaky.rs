//! kill -9 at random moments, and a receiver that is as bad: nothing that was acknowledged is
//! missing, and what is told of a key is told in order.
//!
//! `PARTITA_EVENTS` and `PARTITA_EVENT_KILLS` ask for more of both; the full size is 10,000 and 50.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::receiver::{Reaction, Received, Receiver, SECRET, status, wait_until};
use crate::harness::base64;
use crate::kill::client::Client;
use crate::kill::{ACCESS_KEY, BINARY, SECRET_KEY, Server, setting};
use crate::signer::Signer;

const EVENTS: u64 = 600;
const KILLS: u64 = 6;
const WRITERS: usize = 4;
/// Keys of each writer: few, so that events of one key meet.
const KEYS: usize = 5;

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
    let signer = Signer::new(ACCESS_KEY, SECRET_KEY);
    let work = Work::default();

    let mut server = Server::start_with(&data, &flags);
    subscribe(&mut Client::new(server.address, &signer));
    let started = Instant::now();
    for number in 0..kills {
        let goal = (events * (number + 1) / kills) as usize;
        work.until(goal, &mut server, &signer, chance(number) % 40);
        server = Server::start_with(&data, &flags);
    }
    let acknowledged = work.acknowledged.lock().unwrap().clone();
    let missing = || -> Vec<u64> {
        let taken: HashSet<u64> =
            receiver.received().iter().filter(|one| one.status == 200).map(number_of).collect();
        acknowledged.iter().copied().filter(|number| !taken.contains(number)).collect()
    };
    let patience = Instant::now();
    while !missing().is_empty() {
        let left = missing();
        assert!(patience.elapsed() < Duration::from_secs(300), "missing: {left:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    wait_until(|| backlog(&data) == 0);
    server.kill();

    let received = receiver.received();
    judge(&received, &acknowledged, work.next.load(Ordering::Relaxed) as u64);
    println!(
        "{kills} kills, {} events acknowledged, {} requests received ({} taken), 0 missing, {:?}",
        acknowledged.len(),
        received.len(),
        received.iter().filter(|one| one.status == 200).count(),
        started.elapsed()
    );
    assert!(acknowledged.len() as u64 >= events);
    let check = Command::new(BINARY).args(["check", "--data"]).arg(&data).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

pub fn subscribe(client: &mut Client) {
    assert_eq!(client.send("PUT", "/bkt", &[], b"").unwrap().status, 200);
    let document = "<NotificationConfiguration><QueueConfiguration>\
        <Queue>arn:partita:sqs::app:webhook</Queue><Event>s3:ObjectCreated:*</Event>\
        </QueueConfiguration></NotificationConfiguration>";
    let made = client.send("PUT", "/bkt?notification", &[], document.as_bytes());
    assert_eq!(made.unwrap().status, 200);
}

/// The number that the event's client gave it.
fn number_of(received: &Received) -> u64 {
    received.record()["opaqueData"]["n"].as_u64().expect("each event has its number")
}

/// Each event is told under one id, in the order of its key, and nothing is told that nobody did.
/// The order is that of first tries: what a killed server sent may come in after what the next one
/// sends, but nothing is sent before what comes before it was taken.
fn judge(received: &[Received], acknowledged: &[u64], tried: u64) {
    let mut last: HashMap<&str, &str> = HashMap::new();
    let mut ids: BTreeMap<u64, HashSet<&str>> = BTreeMap::new();
    for one in received {
        let of_number = ids.entry(number_of(one)).or_default();
        if of_number.is_empty() {
            let before = last.insert(one.key(), one.sequencer());
            assert!(before.is_none_or(|before| before < one.sequencer()), "{}: order", one.key());
        }
        of_number.insert(one.header("webhook-id"));
    }
    for (number, ids) in &ids {
        assert!(*number < tried, "nobody did {number}");
        assert_eq!(ids.len(), 1, "{number} is recorded more than once");
    }
    assert!(acknowledged.iter().all(|number| ids.contains_key(number)));
}

/// Events that wait, as the command tells it.
fn backlog(data: &Path) -> u64 {
    let out = Command::new(BINARY).args(["webhook", "list", "--json", "--data"]).arg(data).output();
    let out = out.expect("the binary starts");
    let list: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    list[0]["backlog"].as_u64().expect("a number")
}

#[derive(Default)]
struct Work {
    next: AtomicUsize,
    acknowledged: Mutex<Vec<u64>>,
}

impl Work {
    /// Writers work until so many events are acknowledged, and a little longer; then the server is
    /// killed under them.
    fn until(&self, goal: usize, server: &mut Server, signer: &Signer, longer_ms: u64) {
        let is_killed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let mut client = Client::new(server.address, signer);
                let is_killed = &is_killed;
                scope.spawn(move || {
                    while !is_killed.load(Ordering::Acquire) {
                        self.write(writer, &mut client);
                    }
                });
            }
            while self.acknowledged.lock().unwrap().len() < goal {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(longer_ms));
            server.kill();
            is_killed.store(true, Ordering::Release);
        });
    }

    /// One event: a PUT, or now and then a whole upload whose Complete is sent twice.
    fn write(&self, writer: usize, client: &mut Client) {
        let number = self.next.fetch_add(1, Ordering::Relaxed) as u64;
        let target = format!("/bkt/w{writer}/k{}", chance(number) as usize % KEYS);
        let var = base64(format!("{{\"n\":{number}}}").as_bytes());
        let headers = [("x-partita-callback-var", var.as_str())];
        let done = match chance(number) % 10 {
            0 => upload(client, &target, &headers),
            _ => client.send("PUT", &target, &headers, b"body").is_ok_and(|it| it.status == 200),
        };
        if done {
            self.acknowledged.lock().unwrap().push(number);
        }
    }
}

fn upload(client: &mut Client, target: &str, headers: &[(&str, &str)]) -> bool {
    let Ok(made) = client.send("POST", &format!("{target}?uploads"), headers, b"") else {
        return false;
    };
    let Some(id) = made.texts("UploadId").pop() else { return false };
    let part = client.send("PUT", &format!("{target}?partNumber=1&uploadId={id}"), &[], b"part");
    let Ok(part) = part else { return false };
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
         </CompleteMultipartUpload>",
        part.etag()
    );
    let mut complete =
        || client.send("POST", &format!("{target}?uploadId={id}"), &[], document.as_bytes());
    // The repetition answers the same and tells nobody.
    let first = complete().is_ok_and(|answer| answer.status == 200);
    complete().is_ok_and(|answer| answer.status == 200) || first
}
