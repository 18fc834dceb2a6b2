//! Conditional requests: a table of reads, a table of writes, and races that exactly one request
//! wins.

use std::sync::Barrier;

use crate::harness::{Gateway, Request, Script};

const PAST: &str = "Thu, 01 Jan 2015 00:00:00 GMT";
const FUTURE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

/// Headers (`$E` is the ETag, `$T` the time of the object), and the status of GET and HEAD.
const READS: &[(&str, u16)] = &[
    ("if-match: $E", 200),
    ("if-match: *", 200),
    ("if-match: \"x\", $E", 200),
    ("if-match: $BARE", 200),
    ("if-match: W/$E", 200),
    ("if-match: \"x\"", 412),
    ("if-none-match: $E", 304),
    ("if-none-match: *", 304),
    ("if-none-match: \"x\", $E", 304),
    ("if-none-match: W/$E", 304),
    ("if-none-match: \"x\"", 200),
    ("if-modified-since: $PAST", 200),
    ("if-modified-since: $T", 304),
    ("if-modified-since: $FUTURE", 304),
    ("if-modified-since: yesterday", 200),
    ("if-unmodified-since: $PAST", 412),
    ("if-unmodified-since: $T", 200),
    ("if-unmodified-since: $FUTURE", 200),
    ("if-unmodified-since: yesterday", 200),
    // If-Match takes precedence over If-Unmodified-Since, If-None-Match over If-Modified-Since.
    ("if-match: $E | if-unmodified-since: $PAST", 200),
    ("if-match: \"x\" | if-unmodified-since: $FUTURE", 412),
    ("if-none-match: \"x\" | if-modified-since: $FUTURE", 200),
    ("if-none-match: $E | if-modified-since: $PAST", 304),
    // A failed precondition comes before "not modified".
    ("if-match: \"x\" | if-none-match: $E", 412),
    ("if-match: $E | if-none-match: $E", 304),
    ("if-match: $E | if-modified-since: $FUTURE", 304),
    ("if-unmodified-since: $PAST | if-none-match: \"x\"", 412),
    ("if-match: $E | range: bytes=0-1", 206),
    ("if-match: \"x\" | range: bytes=0-1", 412),
    ("if-none-match: $E | range: bytes=0-1", 304),
    ("if-range: $E | range: bytes=0-1", 206),
    ("if-range: $T | range: bytes=0-1", 206),
    ("if-range: \"x\" | range: bytes=0-1", 200),
    ("if-range: $PAST | range: bytes=0-1", 200),
];

#[test]
fn reads() {
    let gateway = Gateway::start();
    let mut script = Script::new(&gateway);
    script.set("PAST", PAST);
    script.set("FUTURE", FUTURE);
    script.run(
        r#"
        PUT /bkt/k | cache-control: max-age=5 | expires: never << hello => 200 | etag -> E
        HEAD /bkt/k => 200 | last-modified -> T
        "#,
    );
    script.set("BARE", script.get("E").trim_matches('"').to_owned());
    for (headers, status) in READS {
        let more = match status {
            304 => {
                "| etag: $E | last-modified: $T | cache-control: max-age=5 | expires: never \
                    | -content-length | -content-type"
            }
            412 => "| content-type: application/xml",
            _ => "| etag: $E",
        };
        let code = if *status == 412 { " PreconditionFailed | Condition = If-*" } else { "" };
        script.run(&format!("GET /bkt/k | {headers} => {status}{code} {more}"));
        script.run(&format!("HEAD /bkt/k | {headers} => {status}"));
    }
    // A condition on a key without an object is not evaluated.
    script.run("GET /bkt/none | if-none-match: * => 404 NoSuchKey");
    script.run("GET /bkt/none | if-match: * => 404 NoSuchKey");
}

#[test]
fn writes() {
    crate::harness::check(
        r#"
        PUT /bkt/k | if-match: "x" << no          => 404 NoSuchKey
        PUT /bkt/k | if-match: * << no            => 404 NoSuchKey
        PUT /bkt/k | if-none-match: "x" << one    => 200 | etag -> E
        PUT /bkt/k | if-none-match: * << no       => 412 PreconditionFailed
            | Condition = If-None-Match
        PUT /bkt/k | if-none-match: $E << no      => 412 PreconditionFailed
        PUT /bkt/k | if-match: "x" << no          => 412 PreconditionFailed | Condition = If-Match
        PUT /bkt/k | if-match: "x", $E << two     => 200 | etag -> F
        PUT /bkt/k | if-match: $E << no           => 412 PreconditionFailed
        PUT /bkt/k | if-match: $F | if-none-match: $F << no => 412 PreconditionFailed
        PUT /bkt/k | if-none-match: $E << @70000  => 200
        PUT /bkt/k | if-match: * << three         => 200
        GET /bkt/k                                => 200 << three
        DELETE /bkt/k                             => 204
        PUT /bkt/k | if-none-match: * << four     => 200
        "#,
    );
}

/// Sends all requests at the same time; returns their statuses.
fn race(gateway: &Gateway, requests: Vec<Request>) -> Vec<u16> {
    let barrier = Barrier::new(requests.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .into_iter()
            .map(|request| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let bytes = request.encode(&gateway.host());
                    let mut connection = gateway.connect();
                    barrier.wait();
                    connection.write(&bytes);
                    connection.read_answer(&request.method).status
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|one| **one == status).count()
}

#[test]
fn of_32_racing_creations_one_wins() {
    let gateway = Gateway::start();
    for round in 0..5 {
        let target = format!("/bkt/k{round}");
        let requests = (0..32).map(|n| {
            // Bodies stored inline and in files.
            let size = if n % 2 == 0 { 100 } else { 70_000 };
            let put = Request::new("PUT", target.as_str()).header("if-none-match", "*");
            put.body(vec![n as u8; size])
        });
        let statuses = race(&gateway, requests.collect());
        assert_eq!(count(&statuses, 200), 1, "{statuses:?}");
        assert_eq!(count(&statuses, 412) + count(&statuses, 409), 31, "{statuses:?}");
        let got = gateway.send(&Request::new("GET", target.as_str())).expect(200);
        assert!(got.body.iter().all(|byte| *byte == got.body[0]), "the bytes of one");
    }
    gateway.assert_sound();
}

#[test]
fn of_32_racing_updates_one_wins() {
    let gateway = Gateway::start();
    let tag = gateway.send(&Request::new("PUT", "/bkt/k").body("old")).header("etag").unwrap();
    let requests = (0..32).map(|n| {
        Request::new("PUT", "/bkt/k").header("if-match", tag.as_str()).body(format!("new {n}"))
    });
    let statuses = race(&gateway, requests.collect());
    assert_eq!(count(&statuses, 200), 1, "{statuses:?}");
    assert_eq!(count(&statuses, 412) + count(&statuses, 409), 31, "{statuses:?}");
}

fn completion(gateway: &Gateway, body: &str) -> Request {
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    let part = format!("/bkt/k?partNumber=1&uploadId={upload}");
    let tag = gateway.send(&Request::new("PUT", part).body(body)).header("etag").expect("a tag");
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    Request::new("POST", format!("/bkt/k?uploadId={upload}")).body(document)
}

#[test]
fn of_32_racing_completions_one_wins() {
    let gateway = Gateway::start();
    let requests: Vec<Request> = (0..32)
        .map(|n| completion(&gateway, &format!("body {n}")).header("if-none-match", "*"))
        .collect();
    let statuses = race(&gateway, requests.clone());
    assert_eq!(count(&statuses, 200), 1, "{statuses:?}");
    assert_eq!(count(&statuses, 412) + count(&statuses, 409), 31, "{statuses:?}");
    // The losers' uploads are still open, and the winner's answer can be repeated.
    let again: Vec<u16> = requests.iter().map(|one| gateway.send(one).status).collect();
    assert_eq!(again.iter().position(|s| *s == 200), statuses.iter().position(|s| *s == 200));
    let open = gateway.send(&Request::new("GET", "/bkt?uploads")).xml().all("Upload").len();
    assert_eq!(open, 31);
    gateway.assert_sound();
}

/// The same completion 16 times at once publishes once, with one answer for all.
#[test]
fn racing_repetitions_agree() {
    let gateway = Gateway::start();
    let request = completion(&gateway, "body");
    let statuses = race(&gateway, vec![request; 16]);
    assert_eq!(count(&statuses, 200), 16, "{statuses:?}");
    Script::new(&gateway).run("GET /bkt/k => 200 << body");
    gateway.assert_sound();
}

/// Complete against Abort: either the object exists, or the upload was aborted.
#[test]
fn completion_races_abortion() {
    let gateway = Gateway::start();
    for round in 0..20 {
        let complete = completion(&gateway, "body");
        let abort = Request::new("DELETE", complete.target.clone());
        let statuses = race(&gateway, vec![complete, abort]);
        let object = gateway.send(&Request::new("GET", "/bkt/k")).status;
        match statuses[..] {
            [200, 404] => assert_eq!(object, 200, "{round}"),
            [404, 204] => assert_eq!(object, 404, "{round}"),
            _ => panic!("{round}: {statuses:?}"),
        }
        gateway.send(&Request::new("DELETE", "/bkt/k")).expect(204);
    }
    gateway.assert_sound();
}
