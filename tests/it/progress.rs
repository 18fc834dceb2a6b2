//! Open uploads in the management interface: what an operator and users see, and their actions.

use partita::access::{Action, CreateBucket, Resource};
use partita::types::BucketName;
use serde_json::{Value, json};

use crate::grants::{ask, failure, gateway};
use crate::harness::{Gateway, Request, Who, permit, valid_json};

fn get(gateway: &Gateway, who: Who, path: &str) -> Value {
    let answer = ask(gateway, who, &format!("GET {path}"), &Value::Null).expect(200);
    let schema = match path {
        path if path.starts_with("uploads/") => "upload",
        path if path.starts_with("buckets/") => "held",
        _ => "uploads",
    };
    valid_json(schema, &answer.body)
}

fn create(gateway: &Gateway, who: Who, target: &str, size: Option<u64>) -> String {
    let mut request = Request::new("POST", format!("{target}?uploads")).by(who);
    if let Some(size) = size {
        request = request.header("x-partita-object-size", size.to_string());
        request = request.header("x-partita-part-size", "10");
    }
    gateway.send(&request).expect(200).text("UploadId")
}

fn put(gateway: &Gateway, target: &str, id: &str, number: u16, bytes: usize) {
    let target = format!("{target}?partNumber={number}&uploadId={id}");
    gateway.send(&Request::new("PUT", target).body(vec![b'x'; bytes])).expect(200);
}

fn keys(page: &Value) -> Vec<&str> {
    page["uploads"].as_array().unwrap().iter().map(|of| of["key"].as_str().unwrap()).collect()
}

#[test]
fn an_upload_shows_how_far_it_is() {
    let gateway = gateway();
    let declared = create(&gateway, Who::Root, "/bkt/a", Some(45));
    let plain = create(&gateway, Who::Root, "/bkt/b", None);
    for number in [1, 2, 4] {
        put(&gateway, "/bkt/a", &declared, number, 10);
    }
    put(&gateway, "/bkt/b", &plain, 7, 3);
    let page = get(&gateway, Who::Root, "uploads?bucket=bkt");
    assert_eq!((keys(&page), &page["nextMarker"]), (vec!["a", "b"], &Value::Null));
    let [a, b] = [&page["uploads"][0], &page["uploads"][1]];
    for (field, of_a, of_b) in [
        ("totalSize", json!(45), Value::Null),
        ("partSize", json!(10), Value::Null),
        ("partCount", json!(5), Value::Null),
        ("receivedBytes", json!(30), json!(3)),
        ("receivedParts", json!(3), json!(1)),
        ("inFlightBytes", json!(0), json!(0)),
        ("status", json!("upload"), json!("upload")),
    ] {
        assert_eq!((&a[field], &b[field]), (&of_a, &of_b), "{field}");
    }
    assert!(a["bytesPerSecond"].as_u64().unwrap() > 0, "{a}");
    assert_eq!(a["initiator"]["id"], "root");
    let one = get(&gateway, Who::Root, &format!("uploads/{declared}"));
    let runs = json!([{ "firstPart": 1, "lastPart": 2, "bytes": 20 },
        { "firstPart": 4, "lastPart": 4, "bytes": 10 }]);
    assert_eq!((&one["parts"], &one["nextFrom"]), (&runs, &Value::Null));
    let first = get(&gateway, Who::Root, &format!("uploads/{declared}?limit=1"));
    assert_eq!((&first["parts"], &first["nextFrom"]), (&json!([runs[0]]), &json!(4)));
    let rest = get(&gateway, Who::Root, &format!("uploads/{declared}?from=4&limit=1"));
    assert_eq!((&rest["parts"], &rest["nextFrom"]), (&json!([runs[1]]), &Value::Null));
    let held = get(&gateway, Who::Root, "buckets/bkt/uploads");
    assert_eq!((&held["uploadCount"], &held["receivedBytes"]), (&json!(2), &json!(33)));
    assert_eq!(held["receivedParts"], 4);
    let half = get(&gateway, Who::Root, "buckets/bkt/uploads?limit=1");
    let marker = half["nextMarker"].as_str().unwrap();
    let path = format!("buckets/bkt/uploads?limit=1&marker={marker}");
    let rest = get(&gateway, Who::Root, &path);
    assert_eq!((&half["receivedBytes"], &rest["receivedBytes"]), (&json!(30), &json!(3)));
}

#[test]
fn a_deduplicated_upload_has_all_its_bytes() {
    let gateway = gateway();
    let whole = crate::instant::file(1);
    let size = whole.len() as u64;
    crate::instant::put(&gateway, Who::Root, "/bkt/stored", &whole);
    let part = (size / 4 + 1).to_string();
    let request = crate::instant::create("/bkt/again?uploads", &whole);
    let request = request.header("x-partita-part-size", part.as_str());
    let created = gateway.send(&request).expect(200);
    assert_eq!(created.header("x-partita-upload").as_deref(), Some("instant"));
    let id = created.text("UploadId");
    let page = get(&gateway, Who::Root, "uploads?bucket=bkt");
    let one = get(&gateway, Who::Root, &format!("uploads/{id}"));
    for of in [&page["uploads"][0], &one] {
        let told = [&of["receivedBytes"], &of["receivedParts"], &of["partCount"]];
        assert_eq!(told, [&json!(size), &json!(4), &json!(4)]);
    }
    assert_eq!(one["parts"].as_array().unwrap().len(), 1, "one run: {one}");
    // What is sent after all is all that is there.
    let sent = part.parse::<usize>().unwrap();
    put(&gateway, "/bkt/again", &id, 2, sent);
    let one = get(&gateway, Who::Root, &format!("uploads/{id}"));
    assert_eq!((&one["receivedBytes"], &one["receivedParts"]), (&json!(sent), &json!(1)));
}

#[test]
fn what_is_on_its_way_shows_before_its_part_is_there() {
    let gateway = gateway();
    let id = create(&gateway, Who::Root, "/bkt/a", None);
    let part = Request::new("PUT", format!("/bkt/a?partNumber=1&uploadId={id}"));
    let part = part.body(vec![b'x'; 300_000]);
    let (head, body) = part.encode_apart(&gateway.host());
    let mut connection = gateway.connect();
    connection.write(&head);
    connection.write(&body[..200_000]);
    let mut shown = Value::Null;
    for _ in 0..3000 {
        shown = get(&gateway, Who::Root, &format!("uploads/{id}"));
        if shown["inFlightBytes"] == 200_000 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!((&shown["inFlightBytes"], &shown["receivedBytes"]), (&json!(200_000), &json!(0)));
    // How fast is the machine's affair.
    assert!(shown["bytesPerSecond"].as_u64().unwrap() > 0, "{shown}");
    connection.write(&body[200_000..]);
    connection.read_answer("PUT").expect(200);
    let done = get(&gateway, Who::Root, &format!("uploads/{id}"));
    assert_eq!((&done["inFlightBytes"], &done["receivedBytes"]), (&json!(0), &json!(300_000)));
    // One that hangs up leaves nothing behind.
    let mut connection = gateway.connect();
    connection.write(&head);
    connection.write(&body[..1000]);
    drop(connection);
    for _ in 0..3000 {
        shown = get(&gateway, Who::Root, &format!("uploads/{id}"));
        if shown["inFlightBytes"] == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(shown["inFlightBytes"], 0);
}

#[test]
fn pages_go_through_all_buckets_and_lose_none() {
    let gateway = gateway();
    for bucket in ["alpha", "zeta"] {
        gateway.send(&Request::new("PUT", format!("/{bucket}"))).expect(200);
    }
    let mut wanted = Vec::new();
    for bucket in ["alpha", "bkt", "zeta"] {
        for key in ["a/1", "a/2", "a/2", "b", "x%2F%C3%A9%20%25"] {
            let id = create(&gateway, Who::Root, &format!("/{bucket}/{key}"), None);
            wanted.push((bucket.to_owned(), id));
        }
    }
    let ids = |page: &Value| -> Vec<(String, String)> {
        let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
        let uploads = page["uploads"].as_array().unwrap();
        uploads.iter().map(|of| (text(of, "bucket"), text(of, "uploadId"))).collect()
    };
    for limit in [1, 2, 4, 5, 7, 15, 1000] {
        let (mut seen, mut marker) = (Vec::new(), String::new());
        loop {
            let page = get(&gateway, Who::Root, &format!("uploads?limit={limit}&marker={marker}"));
            assert!(ids(&page).len() <= limit);
            seen.extend(ids(&page));
            match page["nextMarker"].as_str() {
                Some(next) => marker = crate::signer::encode(next.as_bytes(), false),
                None => break,
            }
        }
        assert_eq!(seen, wanted, "limit {limit}");
    }
    let page = get(&gateway, Who::Root, "uploads?bucket=zeta&prefix=a/2");
    assert_eq!(keys(&page), ["a/2", "a/2"]);
    let page = get(&gateway, Who::Root, "uploads?prefix=b");
    assert_eq!(keys(&page), ["b", "b", "b"]);
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("marker=/", "marker"),
        ("marker=bkt/1/k", "marker"),
        ("marker=bkt/1", "marker"),
        ("max-uploads=1", "max-uploads"),
        ("limit=1&limit=1", "limit"),
    ] {
        let answer = ask(&gateway, Who::Root, &format!("GET uploads?{query}"), &Value::Null);
        let (status, _, message) = failure(&answer);
        assert_eq!(status, 400, "{query}: {message}");
        assert!(message.contains(name), "{query}: {message}");
    }
}

#[test]
fn nobody_sees_or_changes_what_is_not_theirs() {
    let gateway = gateway();
    gateway.send(&Request::new("PUT", "/alices").by(Who::Alice)).expect(200);
    let roots = create(&gateway, Who::Root, "/bkt/a", None);
    let alices = create(&gateway, Who::Alice, "/alices/b", None);
    assert_eq!(keys(&get(&gateway, Who::Root, "uploads")), ["b", "a"]);
    assert_eq!(keys(&get(&gateway, Who::Alice, "uploads")), ["b"]);
    assert!(keys(&get(&gateway, Who::Bob, "uploads")).is_empty());
    for path in ["uploads?bucket=bkt", "buckets/bkt/uploads"] {
        let denied = ask(&gateway, Who::Alice, &format!("GET {path}"), &Value::Null);
        assert_eq!(failure(&denied).1, "AccessDenied");
    }
    let none = "0".repeat(32);
    for request in ["GET uploads/ID", "PUT uploads/ID"] {
        for action in ["pause", "resume", "extend", "cancel"] {
            let body = match request.starts_with("GET") {
                true => Value::Null,
                false => json!({ "action": action }),
            };
            let of =
                |id: &str| failure(&ask(&gateway, Who::Alice, &request.replace("ID", id), &body));
            assert_eq!(of(&roots), of(&none), "what is foreign is as what is not there");
            assert_eq!(of(&roots).1, "NoSuchUpload");
            assert_eq!(of("x").1, "NoSuchUpload");
        }
    }
    let clean = json!({ "idleSeconds": 0, "dryRun": false });
    let cleaned = ask(&gateway, Who::Alice, "POST uploads/clean", &clean).expect(200);
    let cleaned = valid_json("clean", &cleaned.body);
    assert_eq!(cleaned["uploads"][0]["uploadId"].as_str(), Some(alices.as_str()));
    assert_eq!(keys(&get(&gateway, Who::Root, "uploads")), ["a"]);
    let anonymous = ask(&gateway, Who::Anonymous, "GET uploads", &Value::Null);
    assert_eq!(failure(&anonymous).1, "AccessDenied");
}

#[test]
fn an_upload_is_paused_resumed_extended_and_cancelled() {
    let gateway = gateway();
    let id = create(&gateway, Who::Root, "/bkt/a", None);
    let change = |action: Value| {
        ask(&gateway, Who::Root, &format!("PUT uploads/{id}"), &json!({ "action": action }))
    };
    let show = || get(&gateway, Who::Root, &format!("uploads/{id}"));
    let before = show();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    change(json!("extend")).expect(204);
    let after = show();
    let later = |field: &str, one: &Value, other: &Value| {
        assert!(one[field].as_str().unwrap() < other[field].as_str().unwrap(), "{field}");
    };
    later("expiresAt", &before, &after);
    later("lastActiveAt", &before, &after);
    for _ in 0..2 {
        change(json!("pause")).expect(204);
    }
    let paused = show();
    assert_eq!((&paused["status"], paused["pausedAt"].is_string()), (&json!("pause"), true));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    change(json!("extend")).expect(204);
    later("expiresAt", &paused, &show());
    assert_eq!(show()["status"], "pause", "an extension is no resume");
    change(json!("resume")).expect(204);
    assert_eq!(show()["status"], "upload");
    for wrong in [json!("abort"), json!(1), Value::Null] {
        let (status, code, message) = failure(&change(wrong.clone()));
        assert_eq!((status, code.as_str()), (400, "InvalidArgument"), "{wrong}");
        assert!(message.starts_with("action: "), "{message}");
    }
    let more = json!({ "action": "pause", "why": 1 });
    let unknown = ask(&gateway, Who::Root, &format!("PUT uploads/{id}"), &more);
    assert!(failure(&unknown).2.starts_with("why: "));
    change(json!("cancel")).expect(204);
    assert_eq!(failure(&change(json!("cancel"))).1, "NoSuchUpload");
    gateway.assert_sound();
}

#[test]
fn a_clean_up_ends_only_what_is_idle_and_only_when_told() {
    let gateway = gateway();
    let old = create(&gateway, Who::Root, "/bkt/old/a", None);
    put(&gateway, "/bkt/old/a", &old, 1, 10);
    create(&gateway, Who::Root, "/bkt/other", None);
    let clean = |more: Value| {
        let answer = ask(&gateway, Who::Root, "POST uploads/clean", &more).expect(200);
        let document = valid_json("clean", &answer.body);
        (keys(&document).into_iter().map(str::to_owned).collect::<Vec<_>>(), document)
    };
    assert!(clean(json!({ "idleSeconds": 3600, "dryRun": false })).0.is_empty());
    let (would, document) = clean(json!({ "idleSeconds": 0 }));
    assert_eq!(would, ["old/a", "other"]);
    assert_eq!((&document["dryRun"], &document["receivedBytes"]), (&json!(true), &json!(10)));
    assert_eq!(keys(&get(&gateway, Who::Root, "uploads")).len(), 2, "it was only asked");
    let (page, document) = clean(json!({ "idleSeconds": 0, "limit": 1 }));
    assert_eq!(page, ["old/a"]);
    let marker = &document["nextMarker"];
    assert_eq!(clean(json!({ "idleSeconds": 0, "marker": marker })).0, ["other"]);
    let (ended, _) = clean(json!({ "idleSeconds": 0, "prefix": "old/", "dryRun": false }));
    assert_eq!(ended, ["old/a"]);
    assert_eq!(keys(&get(&gateway, Who::Root, "uploads")), ["other"]);
    for (field, value) in [
        ("idleSeconds", json!("1")),
        ("idleSeconds", json!(u64::MAX)),
        ("idleSeconds", Value::Null),
        ("limit", json!(0)),
        ("limit", json!(1001)),
        ("marker", json!("?")),
        ("olderThan", json!(1)),
    ] {
        let mut asked = json!({ "idleSeconds": 1 });
        asked[field] = value;
        let (_, code, message) = failure(&ask(&gateway, Who::Root, "POST uploads/clean", &asked));
        assert_eq!(code, "InvalidArgument", "{asked}");
        assert!(message.starts_with(field), "{message}");
    }
    gateway.assert_sound();
}

/// Buckets that one page looks into.
const BUCKETS_OF_PAGE: usize = 1000;

#[test]
fn pages_go_through_more_buckets_than_one_looks_into_and_name_only_ones_own() {
    let gateway = Gateway::with(&[("buckets-per-user-max", "10000")]);
    // Hers and his stand in turn; nobody's uploads but those in a few of hers and of his.
    let count = BUCKETS_OF_PAGE + 50;
    for (who, letter) in [(Who::Alice, 'a'), (Who::Bob, 'b')] {
        let name = |n: usize| BucketName::parse(&format!("n{n:04}-{letter}")).expect("a name");
        let make = |n| {
            let new = Resource::NewBucket(name(n));
            let permit = permit::<CreateBucket>(&gateway, who, Action::CreateBucket, new);
            gateway.store().create_bucket(&permit, "us-east-1")
        };
        let made: Vec<_> = (0..count).map(make).collect();
        made.into_iter().for_each(|made| drop(made.wait().expect("the bucket is made")));
    }
    // In the first, at both sides of where a page ends, and in the last.
    let places = [0, 1, BUCKETS_OF_PAGE - 1, BUCKETS_OF_PAGE, count - 1];
    let mut wanted = Vec::new();
    for n in places {
        for (who, letter) in [(Who::Alice, 'a'), (Who::Bob, 'b')] {
            let bucket = format!("n{n:04}-{letter}");
            let id = create(&gateway, who, &format!("/{bucket}/k"), None);
            wanted.push((bucket, id));
        }
    }
    let uploads = |page: &Value| -> Vec<(String, String)> {
        let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
        let uploads = page["uploads"].as_array().unwrap();
        uploads.iter().map(|of| (text(of, "bucket"), text(of, "uploadId"))).collect()
    };
    let walk = |who: Who, limit: usize| {
        let (mut seen, mut markers, mut marker) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = get(&gateway, who, &format!("uploads?limit={limit}&marker={marker}"));
            seen.extend(uploads(&page));
            let Some(next) = page["nextMarker"].as_str() else { return (seen, markers) };
            markers.push(next.to_owned());
            marker = crate::signer::encode(next.as_bytes(), false);
        }
    };
    let ends_with = |letter: &str| -> Vec<(String, String)> {
        wanted.iter().filter(|(bucket, _)| bucket.ends_with(letter)).cloned().collect()
    };
    for (who, mine) in [(Who::Alice, ends_with("a")), (Who::Bob, ends_with("b"))] {
        for limit in [1, 3, 1000] {
            let (seen, markers) = walk(who, limit);
            assert_eq!(seen, mine, "{who:?} {limit}");
            let letter = &who.name()[..1];
            let bucket = |marker: &str| marker.split('/').next().unwrap().to_owned();
            assert!(markers.iter().all(|marker| bucket(marker).ends_with(letter)), "{markers:?}");
        }
        let (_, markers) = walk(who, 1000);
        assert_eq!(markers, [format!("n{BUCKETS_OF_PAGE:04}-{}", &who.name()[..1])]);
    }
    assert_eq!(walk(Who::Root, 1000).0, wanted);
    assert_eq!(walk(Who::Root, 1000).1.len(), 2, "three pages of a thousand buckets");
    // The name of a bucket of another's, or of none, is a place like any other.
    for (marker, page_of) in
        [("n1000-b", 4..5), ("n0999-zz", 3..5), ("zzz", 0..0), ("n0001-b", 2..4)]
    {
        let page = get(&gateway, Who::Alice, &format!("uploads?marker={marker}"));
        assert_eq!(uploads(&page), ends_with("a")[page_of], "{marker}");
    }
}
