//! A target that does not answer gets one event at a time until it does, and then all.

use std::collections::HashMap;
use std::time::Duration;

use super::receiver::{Reaction, Receiver, status, wait_until};
use super::{gateway_with, listen, put, state, target};

const KEYS: usize = 30;
const CONCURRENCY: usize = 8;
const TIMEOUT_MS: u64 = 150;
const RETRY_MS: u64 = 1_500;

#[test]
fn a_silent_target_is_tried_with_one_event_at_a_time() {
    let receiver = Receiver::start(|_, _| Reaction::Hang);
    let more = format!("timeout-ms = {TIMEOUT_MS}\nconcurrency-max = {CONCURRENCY}\n");
    let retries = format!("retry-ms = [{}]", vec![RETRY_MS.to_string(); 16].join(", "));
    let app = target("app", &receiver.url(), &more);
    let app = app.replace("retry-ms = [50, 50, 50, 50, 50]", &retries);
    let (gateway, _folder) = gateway_with(&[app]);
    listen(&gateway, "app");
    for key in (0..KEYS).flat_map(|key| [key, key]) {
        put(&gateway, &format!("k{key}"));
    }
    let log = || gateway.store().deliveries("app").run().unwrap();
    wait_until(|| log().len() >= 3 * CONCURRENCY);
    let mut tries: Vec<_> = log().iter().map(|one| (one.at.millis(), one.millis)).collect();
    tries.sort_unstable();
    // Attempts that ran when the silence was noticed may overlap.
    let later = &tries[2 * CONCURRENCY..];
    for (before, after) in later.iter().zip(&later[1..]) {
        // The clock counts milliseconds and is read twice.
        assert!(after.0 + 2 >= before.0 + before.1, "two at once: {later:?}");
    }
    receiver.change(|_, _| status(200));
    wait_until(|| state(&gateway, "app").backlog == 0);

    let taken = |received: &super::receiver::Received| received.status == 200;
    let received: Vec<_> = receiver.received().into_iter().filter(taken).collect();
    assert_eq!(received.len(), 2 * KEYS, "each is told once");
    let mut last: HashMap<&str, &str> = HashMap::new();
    for one in &received {
        let before = last.insert(one.key(), one.sequencer());
        assert!(before.is_none_or(|before| before < one.sequencer()), "{}: order", one.key());
    }
    let mut tried: HashMap<String, Vec<u64>> = HashMap::new();
    for one in log() {
        tried.entry(one.message.to_string()).or_default().push(one.at.millis());
    }
    for times in tried.values_mut() {
        times.sort_unstable();
        let soonest = times.windows(2).map(|two| Duration::from_millis(two[1] - two[0])).min();
        assert!(soonest.is_none_or(|wait| wait >= Duration::from_millis(RETRY_MS)), "{soonest:?}");
    }
    gateway.assert_sound();
}
