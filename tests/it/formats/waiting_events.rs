//! Waiting events of a folder: their attempts are listed, and each arrives at a target that accepts
//! it.

use serde_json::Value;

use super::compare::Differences;
use super::{items, sha256, text};
use crate::events::receiver::{Receiver, SECRET, wait_until};
use crate::harness::Gateway;
use partita::types::MessageId;

/// Comparison of the waiting events and their attempts.
pub fn compare_events(gateway: &Gateway, expected: &Value) {
    let mut found = Differences::default();
    let states = gateway.store().event_targets().run().unwrap();
    found.compare("targets", states.len(), expected["events"].as_object().unwrap().len());
    for state in states {
        let target = &expected["events"][&state.name];
        for (got, name) in
            [(state.backlog, "backlog"), (state.dead, "dead"), (state.dropped_count, "gap")]
        {
            let what = format!("{name} of {}", state.name);
            found.compare(&what, Some(got), target[name].as_u64());
        }
        found.compare(&state.name, state.disabled.as_deref(), target["disabled"].as_str());
        let tries = gateway.store().deliveries(&state.name).run().unwrap();
        let tries: Value = tries
            .iter()
            .map(|one| {
                serde_json::json!({
                    "id": format!("msg_{}", one.message),
                    "attempt": one.attempt,
                    "status": one.status,
                    "reply": String::from_utf8_lossy(&one.reply),
                })
            })
            .collect();
        found.compare(&state.name, &tries, &target["deliveries"]);
    }
    assert!(found.0.is_empty(), "{:#?}", found.0);
}

/// Configuration file in which all targets have the address of this receiver.
pub fn targets(expected: &Value, receiver: &Receiver) -> String {
    let names = expected["events"].as_object().unwrap().keys();
    let table = |name: &String| {
        format!(
            "[webhook.{name}]\nurl = \"{}\"\nsecrets = \"{SECRET}\"\n\
             allow-addresses = \"127.0.0.1\"\n",
            receiver.url()
        )
    };
    names.map(table).collect()
}

/// Checks that events that waited or were given up arrive unchanged, and then the counts of gaps.
pub fn deliver_events(gateway: &Gateway, expected: &Value, receiver: &Receiver) {
    let store = gateway.store();
    let mut messages = Vec::new();
    let mut missing = 0;
    for (name, target) in expected["events"].as_object().unwrap() {
        store.disable_event_target(name, None).wait().unwrap();
        while store.resend_dead_events(name).wait().unwrap() > 0 {}
        for message in items(&target["messages"]) {
            let id = text(&message["id"]);
            messages.push((id.to_owned(), text(&message["sha256"]).to_owned()));
            let id = MessageId::parse(id.strip_prefix("msg_").unwrap()).unwrap();
            // An event that waits for another is refused here, and sent after that one.
            let _ = store.resend_event(name, id).wait();
        }
        missing += target["gap"].as_u64().unwrap();
    }
    let is_sent = || store.event_targets().run().unwrap().iter().all(|state| state.backlog == 0);
    wait_until(is_sent);
    let all = receiver.all();
    let got = |id: &str| {
        let found = all.iter().find(|one| one.header("webhook-id") == id);
        found.map(|one| sha256(&one.bytes))
    };
    for (id, digest) in messages {
        assert_eq!(got(&id), Some(digest), "{id}");
    }
    let gaps = all.iter().filter(|one| one.event() == "partita:Events:Gap");
    let counted: u64 = gaps.map(|gap| gap.body["Gap"]["count"].as_u64().unwrap()).sum();
    assert_eq!((counted, missing > 0), (missing, true));
}
