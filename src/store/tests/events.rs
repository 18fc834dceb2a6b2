//! The outbox, through verbs of the store: the recorded events, their order and their counts.

use std::collections::HashSet;

use super::*;
use crate::clock;
use crate::events::{CallbackVar, NotificationRule, NotificationRules, RuleKind};
use crate::store::db::sqlite::inspector::{Fault, make_older};
use crate::store::records::{Declaration, WholeDigests};
use crate::types::{Layout, Timestamp};

const TARGET: &str = "app";

fn fixture(backlog_max: u64) -> (Fixture, Rights) {
    let fixture = Fixture::with(|options| {
        options.upload_idle_ms_max = 1000;
        options.event_targets = vec![EventTarget { name: TARGET.into(), backlog_max }];
    });
    let rights = fixture.make_bucket("bkt");
    (fixture, rights)
}

fn rules(events: &[&str], prefix: &str) -> NotificationRules {
    let rule = NotificationRule {
        id: "rule".into(),
        kind: RuleKind::Queue,
        arn: "arn:partita:sqs::app:webhook".into(),
        target: TARGET.into(),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        prefix: Some(prefix.to_owned()),
        suffix: None,
    };
    NotificationRules::new(vec![rule]).expect("the rule is one")
}

const ALL: &[&str] = &["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "partita:Upload:*"];

impl Fixture {
    fn listen(&self, rights: &Rights, rules: NotificationRules) {
        self.store
            .set_event_rules(&rights.write_notification(), rules, false)
            .wait()
            .expect("rules are set");
    }

    fn due(&self) -> DueEvents {
        self.due_at(clock::now(), &HashSet::new())
    }

    fn due_at(&self, now: Timestamp, under_way: &HashSet<i64>) -> DueEvents {
        let due = self.store.due_events(TARGET, now, 1000, under_way.clone());
        due.run().expect("what is due can be read")
    }

    fn settle(&self, event: &DueEvent, fate: Outcome) {
        let tried = Attempt {
            id: event.id,
            at: clock::now(),
            millis: 1,
            status: Some(500),
            reply: b"no".to_vec(),
            outcome: fate,
        };
        self.store.finish_delivery(tried).wait().expect("a try is written down");
    }

    /// Takes everything, one after the other; gives event and key of each.
    fn take_all(&self) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        loop {
            let due = self.due().events;
            let Some(first) = due.first() else { return taken };
            let body: serde_json::Value = serde_json::from_slice(&first.body).expect("JSON");
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            taken.push((text("EventName"), text("Key")));
            self.settle(first, Outcome::Delivered);
        }
    }

    fn state(&self) -> TargetState {
        let states = self.store.event_targets().run().expect("states can be read");
        states.into_iter().find(|state| state.name == TARGET).expect("the target is known")
    }
}

fn body_of(event: &DueEvent) -> serde_json::Value {
    serde_json::from_slice(&event.body).expect("a body is JSON")
}

#[test]
fn what_changes_is_recorded_and_what_does_not_is_not() {
    let (fixture, rights) = fixture(100);
    fixture.put(&rights, "before", b"1").unwrap();
    fixture.listen(&rights, rules(ALL, ""));
    fixture.put(&rights, "a", b"1").unwrap();
    let source = fixture.open(&rights, "a").unwrap();
    let copy = NewObject { event: EventName::ObjectCreatedCopy, ..new_object() };
    fixture.store.copy_object(&rights.write("b"), copy, &source).wait().unwrap();
    let upload = fixture.create_upload(&rights, "c");
    fixture.put_part(&rights, "c", upload, 1, b"part").unwrap();
    let parts: &[(u16, &[u8])] = &[(1, b"part")];
    fixture.complete(&rights, "c", upload, parts).unwrap();
    // A repetition publishes nothing, so there is nothing to tell.
    fixture.complete(&rights, "c", upload, parts).unwrap();
    assert!(fixture.delete(&rights, "a").unwrap());
    assert!(!fixture.delete(&rights, "a").unwrap());
    fixture.store.delete_objects(&rights.deletes(["b", "none"])).wait().unwrap();
    let failing =
        WriteCondition { if_match: None, if_none_match: Some(crate::types::ETagMatch::Any) };
    fixture.put_if(&rights, "c", b"x", failing).unwrap_err();
    let aborted = fixture.create_upload(&rights, "d");
    fixture.store.abort_upload(&rights.ending("d", aborted)).wait().unwrap();
    let names: Vec<_> = fixture.take_all();
    let expected = [
        ("s3:ObjectCreated:Put", "bkt/a"),
        ("s3:ObjectCreated:Copy", "bkt/b"),
        ("partita:Upload:Created", "bkt/c"),
        ("s3:ObjectCreated:CompleteMultipartUpload", "bkt/c"),
        ("s3:ObjectRemoved:Delete", "bkt/a"),
        ("s3:ObjectRemoved:Delete", "bkt/b"),
        ("partita:Upload:Created", "bkt/d"),
        ("partita:Upload:Aborted", "bkt/d"),
    ];
    let sorted = |mut names: Vec<(String, String)>| {
        names.sort();
        names
    };
    let expected = expected.map(|(event, key)| (event.to_owned(), key.to_owned())).to_vec();
    assert_eq!(sorted(names), sorted(expected));
    assert_eq!((fixture.state().backlog, fixture.count_rows("outbox")), (0, 0));
    fixture.check();
}

#[test]
fn an_idle_upload_tells_of_its_end_and_what_its_client_wants_to_hear() {
    let (fixture, rights) = fixture(100);
    fixture.listen(&rights, rules(&["partita:Upload:Expired"], ""));
    let callback_var = CallbackVar::from_bytes(b"{\"order\": 7}".to_vec());
    let new = NewUpload { callback_var, ..NewUpload::default() };
    fixture.store.create_upload(&rights.write("k"), new).wait().unwrap();
    let late = clock::now().plus_millis(10_000);
    assert_eq!(fixture.store.expire_uploads(late).run().unwrap(), 1);
    let due = fixture.due().events;
    let body = body_of(&due[0]);
    assert_eq!(body["EventName"], "partita:Upload:Expired");
    assert_eq!(body["Records"][0]["opaqueData"]["order"], 7);
    assert_eq!(body["Records"][0]["userIdentity"]["principalId"], "partita");
    fixture.check();
}

/// A real change is told once: not a second pause, nor a second Create that finds the upload, nor
/// the Abort of one of its two creators.
#[test]
fn the_turns_of_a_shared_upload_are_told() {
    let (fixture, rights) = fixture(100);
    fixture.listen(&rights, rules(&["partita:Upload:*"], ""));
    let declaration = Declaration {
        layout: Layout::new(4, 4),
        digests: WholeDigests { md5: None, sha256: Some([7; 32]) },
    };
    let new = NewUpload { declaration: Some(declaration), ..NewUpload::default() };
    let create = || fixture.store.create_upload(&rights.write("k"), new.clone()).wait().unwrap();
    let (id, again) = (create().upload.id, create().upload.id);
    assert_eq!(id, again);
    for _ in 0..2 {
        fixture.store.pause_upload(&rights.upload("k", id)).wait().unwrap();
    }
    fixture.store.resume_upload(&rights.upload("k", id)).wait().unwrap();
    fixture.put_part(&rights, "k", id, 1, b"part").unwrap();
    fixture.complete(&rights, "k", id, &[(1, b"part")]).unwrap_err();
    for _ in 0..2 {
        fixture.store.abort_upload(&rights.ending("k", id)).wait().unwrap();
    }
    let told: Vec<_> = fixture.take_all().into_iter().map(|(event, _)| event).collect();
    let turns = ["Created", "Paused", "Resumed", "Failed", "Aborted"];
    assert_eq!(told, turns.map(|turn| format!("partita:Upload:{turn}")));
    fixture.check();
}

#[test]
fn of_one_key_there_is_one_event_due_and_they_keep_their_order() {
    let (mut fixture, rights) = fixture(100);
    fixture.listen(&rights, rules(ALL, ""));
    for body in [b"1", b"2", b"3"] {
        fixture.put(&rights, "k", body).unwrap();
        fixture.put(&rights, "other", body).unwrap();
    }
    let due = fixture.due().events;
    assert_eq!(due.len(), 2, "one of each key");
    fixture.check();
    // The first of "k" waits for a long time: the others of its key wait with it.
    let later = clock::now().plus_millis(1_000_000);
    fixture.settle(&due[0], Outcome::RetryAt(later));
    fixture.settle(&due[1], Outcome::Delivered);
    fixture.crash();
    let rest = fixture.due();
    assert_eq!((rest.events.len(), rest.next), (1, Some(later)));
    assert!(rest.events[0].id > due[1].id && rest.events[0].attempts == 0);
    let of_k = fixture.due_at(later, &HashSet::from([rest.events[0].id])).events;
    assert_eq!((of_k.len(), of_k[0].id, of_k[0].attempts), (1, due[0].id, 1));
    assert_eq!((of_k[0].message, &of_k[0].body), (due[0].message, &due[0].body));
    let mut sequence = Vec::new();
    while let Some(event) = fixture.due_at(later, &HashSet::new()).events.last() {
        let object = &body_of(event)["Records"][0]["s3"]["object"];
        sequence.push((object["key"].to_string(), object["sequencer"].to_string()));
        fixture.settle(event, Outcome::Delivered);
    }
    let of = |name: &str| sequence.iter().filter(|(key, _)| key.contains(name)).collect::<Vec<_>>();
    assert_eq!((of("k").len(), of("other").len()), (3, 2));
    assert!(of("k").is_sorted() && of("other").is_sorted(), "{sequence:?}");
    fixture.check();
}

#[test]
fn a_dead_event_lets_the_next_one_go_and_can_be_sent_again() {
    let (fixture, rights) = fixture(100);
    fixture.listen(&rights, rules(ALL, ""));
    for body in [b"1", b"2", b"3"] {
        fixture.put(&rights, "k", body).unwrap();
    }
    let first = fixture.due().events.remove(0);
    fixture.settle(&first, Outcome::Dead);
    let second = fixture.due().events.remove(0);
    assert!(second.id > first.id);
    let state = fixture.state();
    assert_eq!((state.backlog, state.dead), (2, 1));
    assert!(state.alarm().is_some_and(|alarm| alarm.contains("given up")));
    fixture.check();
    // Behind what waits already: that may be on its way.
    fixture.store.resend_event(TARGET, first.message).wait().unwrap();
    fixture.check();
    assert_eq!((fixture.state().backlog, fixture.state().dead), (3, 0));
    fixture.settle(&second, Outcome::Dead);
    let third = fixture.due().events.remove(0);
    fixture.settle(&third, Outcome::Delivered);
    let again = fixture.due().events.remove(0);
    assert_eq!((again.message, again.attempts), (first.message, 0));
    assert_eq!(fixture.store.resend_dead_events(TARGET).wait().unwrap(), 1);
    assert_eq!(fixture.store.resend_dead_events(TARGET).wait().unwrap(), 0);
    assert_eq!(fixture.take_all().len(), 2);
    let missing = fixture.store.resend_event(TARGET, first.message).wait();
    assert!(matches!(missing, Err(Error::NotFound { .. })));
    assert_eq!(fixture.store.deliveries(TARGET).run().unwrap().len(), 5);
    fixture.check();
}

#[test]
fn what_is_past_the_backlog_is_one_gap_and_no_put_fails_for_it() {
    let (mut fixture, rights) = fixture(4);
    fixture.listen(&rights, rules(ALL, ""));
    for n in 0..10 {
        fixture.put(&rights, &format!("k{n}"), b"x").unwrap();
    }
    let state = fixture.state();
    assert_eq!((state.backlog, state.dropped_count), (4, 6));
    assert!(state.alarm().is_some_and(|alarm| alarm.contains("6 events are missing")));
    fixture.check();
    fixture.crash();
    // Room for one, but the gap is open: it takes in what comes, until half is taken.
    fixture.settle(&fixture.due().events[0], Outcome::Delivered);
    fixture.put(&rights, "late", b"x").unwrap();
    assert_eq!((fixture.state().backlog, fixture.state().dropped_count), (3, 7));
    fixture.settle(&fixture.due().events[0], Outcome::Delivered);
    assert_eq!((fixture.state().backlog, fixture.state().dropped_count), (3, 0));
    fixture.put(&rights, "after", b"x").unwrap();
    let gap = fixture.due().events.iter().map(body_of).find(|body| body.get("Gap").is_some());
    let gap = gap.expect("the gap is an event");
    assert_eq!((&gap["Gap"]["count"], &gap["Gap"]["target"]), (&7.into(), &TARGET.into()));
    assert!(gap["Gap"]["first"].as_str() <= gap["Gap"]["last"].as_str());
    let names: Vec<String> = fixture.take_all().into_iter().map(|(event, _)| event).collect();
    assert_eq!(names.iter().filter(|name| *name == "partita:Events:Gap").count(), 1);
    assert_eq!(names.len(), 4);
    assert_eq!(fixture.state().alarm(), None);
    fixture.check();
}

#[test]
fn a_gap_of_an_older_database_is_that_of_a_full_backlog() {
    let (mut fixture, rights) = fixture(4);
    fixture.listen(&rights, rules(ALL, ""));
    for n in 0..5 {
        fixture.put(&rights, &format!("k{n}"), b"x").unwrap();
    }
    fixture.store.close();
    make_older(&fixture.options.data, 5);
    fixture.crash();
    fixture.settle(&fixture.due().events[0], Outcome::Delivered);
    fixture.put(&rights, "late", b"x").unwrap();
    assert_eq!((fixture.state().backlog, fixture.state().dropped_count), (3, 2));
}

/// Numbers of missing events, one for each gap.
fn gaps(bodies: &[serde_json::Value]) -> Vec<u64> {
    bodies.iter().filter_map(|body| body["Gap"]["count"].as_u64()).collect()
}

#[test]
fn one_key_has_a_share_of_the_backlog_and_the_others_the_rest() {
    let (mut fixture, rights) = fixture(64);
    fixture.listen(&rights, rules(ALL, ""));
    let upload = fixture.create_upload(&rights, "hot");
    for _ in 0..20 {
        fixture.store.pause_upload(&rights.upload("hot", upload)).wait().unwrap();
        fixture.store.resume_upload(&rights.upload("hot", upload)).wait().unwrap();
    }
    let state = fixture.state();
    assert_eq!((state.backlog, state.dropped_count), (16, 25), "a sixteenth, at least 16");
    fixture.crash();
    for n in 0..48 {
        fixture.put(&rights, &format!("k{n}"), b"x").unwrap();
    }
    assert_eq!(
        (fixture.state().backlog, fixture.state().dropped_count),
        (64, 25),
        "none is missing"
    );
    // Now all is full, and stays so until half is taken, whoever comes.
    fixture.put(&rights, "late", b"x").unwrap();
    fixture.settle(&fixture.due().events[1], Outcome::Delivered);
    fixture.put(&rights, "late", b"x").unwrap();
    assert_eq!((fixture.state().backlog, fixture.state().dropped_count), (63, 27));
    fixture.check();
    let due = fixture.due().events;
    due[1..32].iter().for_each(|event| fixture.settle(event, Outcome::Delivered));
    assert_eq!((fixture.state().backlog, fixture.state().dropped_count), (33, 0));
    assert_eq!(gaps(&fixture.due().events.iter().map(body_of).collect::<Vec<_>>()), [27]);
    fixture.put(&rights, "after", b"x").unwrap();
    assert_eq!((fixture.state().backlog, fixture.state().dropped_count), (34, 0));
    fixture.check();
}

#[test]
fn gaps_of_a_key_do_not_fill_the_backlog_themselves() {
    let (fixture, rights) = fixture(64);
    fixture.listen(&rights, rules(ALL, ""));
    let put = || fixture.put(&rights, "hot", b"x").unwrap();
    for _ in 0..17 {
        put();
    }
    let (mut taken, mut told) = (0, Vec::new());
    // The key takes each place that becomes free, and one more is missing each time.
    for _ in 0..30 {
        let due = fixture.due().events;
        let hot = due.iter().find(|event| body_of(event).get("Gap").is_none()).unwrap();
        fixture.settle(hot, Outcome::Delivered);
        taken += 1;
        put();
        put();
        assert_eq!(fixture.state().backlog, 17, "its sixteen and one gap");
    }
    assert_eq!(fixture.state().dropped_count, 30);
    fixture.check();
    while let Some(first) = fixture.due().events.first() {
        let body = body_of(first);
        told.extend(gaps(std::slice::from_ref(&body)));
        taken += u64::from(body.get("Gap").is_none());
        fixture.settle(first, Outcome::Delivered);
    }
    assert_eq!(told, [1, 30]);
    assert_eq!(taken + told.iter().sum::<u64>(), 17 + 60, "each is told or counted");
    assert_eq!((fixture.state().backlog, fixture.state().dropped_count), (0, 0));
}

#[test]
fn events_that_were_given_up_and_forgotten_are_counted() {
    let (fixture, rights) = fixture(4);
    fixture.listen(&rights, rules(ALL, ""));
    let mut bodies = Vec::new();
    let give_up = |bodies: &mut Vec<serde_json::Value>| {
        let due = fixture.due().events;
        bodies.extend(due.iter().map(body_of));
        due.iter().for_each(|event| fixture.settle(event, Outcome::Dead));
    };
    for number in 0..9 {
        fixture.put(&rights, &format!("k{number}"), b"x").unwrap();
        give_up(&mut bodies);
    }
    // Four are kept, and a gap for the others does not wait for nobody.
    let state = fixture.state();
    assert_eq!((state.backlog, state.dead, state.dropped_count), (0, 4, 5));
    // It is told when somebody listens again; when nobody took it, it is counted on.
    fixture.put(&rights, "k9", b"x").unwrap();
    fixture.settle(&fixture.due().events[0], Outcome::Delivered);
    give_up(&mut bodies);
    let state = fixture.state();
    assert_eq!((state.backlog, state.dead, state.dropped_count), (0, 4, 5));
    assert_eq!(gaps(&bodies), [5]);
    fixture.check();
    fixture.store.resend_dead_events(TARGET).wait().expect("the dead are asked for again");
    let mut counted = 0;
    while let Some(first) = fixture.due().events.first() {
        counted += gaps(&[body_of(first)]).iter().sum::<u64>();
        counted += u64::from(body_of(first).get("Gap").is_none());
        fixture.settle(first, Outcome::Delivered);
    }
    assert_eq!(counted, 9, "each is told or counted, once");
    fixture.check();
}

#[test]
fn a_disabled_target_keeps_its_events() {
    let (mut fixture, rights) = fixture(100);
    fixture.listen(&rights, rules(ALL, ""));
    fixture.put(&rights, "k", b"1").unwrap();
    fixture.settle(&fixture.due().events[0], Outcome::Disabled("gone".into()));
    fixture.crash();
    let due = fixture.due();
    assert_eq!((due.events.len(), due.disabled.as_deref()), (0, Some("gone")));
    fixture.put(&rights, "k", b"2").unwrap();
    assert_eq!(fixture.state().backlog, 2);
    fixture.store.disable_event_target(TARGET, None).wait().unwrap();
    assert_eq!(fixture.take_all().len(), 2);
    let unknown = fixture.store.disable_event_target("nobody", None).wait();
    assert!(matches!(unknown, Err(Error::NotFound { .. })));
    assert!(matches!(
        fixture.store.test_event_target("nobody").wait(),
        Err(Error::NotFound { .. })
    ));
    fixture.check();
}

#[test]
fn rules_go_with_their_bucket_and_events_do_not() {
    let (fixture, rights) = fixture(100);
    fixture
        .store
        .set_event_rules(&rights.write_notification(), rules(ALL, "a"), true)
        .wait()
        .unwrap();
    assert_eq!(fixture.store.event_rules(&rights.read_notification()).unwrap(), rules(ALL, "a"));
    fixture.put(&rights, "b", b"1").unwrap();
    fixture.put(&rights, "a", b"1").unwrap();
    fixture.delete(&rights, "a").unwrap();
    fixture.delete(&rights, "b").unwrap();
    fixture.store.delete_bucket(&rights.delete_bucket()).wait().unwrap();
    let again = fixture.make_bucket("bkt");
    assert!(fixture.store.event_rules(&again.read_notification()).unwrap().is_empty());
    fixture.put(&again, "a", b"1").unwrap();
    let test =
        fixture.due().events.iter().filter(|e| body_of(e)["Event"] == "s3:TestEvent").count();
    assert_eq!((test, fixture.take_all().len()), (1, 3));
    fixture.check();
}

#[test]
fn what_is_old_is_forgotten() {
    let (fixture, rights) = fixture(6);
    fixture.listen(&rights, rules(ALL, ""));
    for n in 0..6 {
        fixture.put(&rights, &format!("k{n}"), b"x").unwrap();
        fixture.settle(&fixture.due().events[0], Outcome::Dead);
    }
    assert_eq!((fixture.state().dead, fixture.state().backlog), (6, 0));
    assert_eq!(fixture.store.deliveries(TARGET).run().unwrap().len(), 6);
    let (old, now) = (Timestamp::from_millis(0), clock::now().plus_millis(1));
    assert_eq!(fixture.store.sweep_events(old, old).run().unwrap(), 0);
    assert_eq!(fixture.store.sweep_events(now, old).run().unwrap(), 6);
    assert_eq!(fixture.store.sweep_events(old, now).run().unwrap(), 6);
    assert_eq!((fixture.state().dead, fixture.count_rows("outbox")), (0, 0));
    fixture.check();
}

#[test]
fn the_log_of_tries_is_bounded() {
    let (fixture, rights) = fixture(100);
    fixture.listen(&rights, rules(ALL, ""));
    fixture.put(&rights, "k", b"x").unwrap();
    let event = fixture.due().events.remove(0);
    for _ in 0..TEST_BOUNDS.delivery_rows_max + 20 {
        fixture.settle(&event, Outcome::RetryAt(clock::now()));
    }
    assert_eq!(fixture.count_rows("deliveries"), TEST_BOUNDS.delivery_rows_max);
    let last = fixture.store.deliveries(TARGET).run().unwrap().remove(0);
    assert_eq!(i64::from(last.attempt), TEST_BOUNDS.delivery_rows_max + 20);
}

#[test]
fn check_sees_a_wrong_count_and_a_lane_without_a_first() {
    let (fixture, rights) = fixture(100);
    fixture.listen(&rights, rules(ALL, ""));
    fixture.put(&rights, "k", b"1").unwrap();
    fixture.put(&rights, "k", b"2").unwrap();
    for (fault, said) in [
        (Fault::Backlog, "its row says"),
        (Fault::BacklogAndDead, "its row says"),
        (Fault::AllWait, "no event of its ordering key is due"),
        (Fault::AllDue, "two events"),
        (Fault::FirstWaits, "no event of its ordering key is due"),
        (Fault::UnknownEvent, "of no known event"),
    ] {
        fixture.store.engine.db.plant(fault);
        let found = fixture.store.check().run().unwrap();
        assert!(found.iter().any(|line| line.contains(said)), "{fault:?}: {found:?}");
    }
    fixture.store.engine.db.plant(Fault::KnownEvent);
    fixture.check();
}
