//! Paused uploads: requests wait before their body or get 503, and nothing is lost.

use std::time::{Duration, Instant};

use crate::harness::{Answer, Gateway, Request, Script, Who, bytes_of, check_with};

const PAUSE: &str = r#"{"status":"pause"}"#;
const RESUME: &str = r#"{"status":"upload"}"#;

/// A gateway that holds requests for this time, and an open upload of `bkt/k`.
fn upload(hold_ms: &str) -> (Gateway, String) {
    let gateway = Gateway::with(&[("part-bytes-min", "1"), ("pause-hold-ms", hold_ms)]);
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    (gateway, upload)
}

fn set(gateway: &Gateway, upload: &str, change: &str) {
    let target = format!("/bkt/k?uploadId={upload}&partita-state");
    gateway.send(&Request::new("PUT", target).body(change)).expect(200);
}

fn part(upload: &str, number: usize, bytes: usize) -> Request {
    let target = format!("/bkt/k?uploadId={upload}&partNumber={number}");
    Request::new("PUT", target).body(bytes_of(bytes, number as u64))
}

#[track_caller]
fn assert_retry_later(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_deref()), (503, Some("SlowDown")), "{answer:?}");
    assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
    assert_eq!(answer.header("x-partita-upload-state").as_deref(), Some("paused"));
}

#[test]
fn requests_that_change_the_upload_wait_and_others_proceed() {
    check_with(
        &[("part-bytes-min", "1"), ("pause-hold-ms", "1")],
        r#"
        PUT /bkt/source << source                                       => 200
        POST /bkt/k?uploads                                             => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << one                      => 200 | etag -> E
        PUT /bkt/k?uploadId=$U&partita-state << {"status":"pause"}      => 200
        PUT /bkt/k?uploadId=$U&partNumber=2 << two                      => 503 SlowDown
            | retry-after: 1 | x-partita-upload-state: paused
        PUT /bkt/k?uploadId=$U&partNumber=2 | x-amz-copy-source: bkt/source => 503 SlowDown
            | x-partita-upload-state: paused
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$E</ETag></Part></CompleteMultipartUpload>            => 503 SlowDown
            | x-partita-upload-state: paused
        GET /bkt/k?uploadId=$U                                          => 200 | PartNumber = 1
        GET /bkt/k?uploadId=$U&partita-blocks                           => 200
        GET /bkt?uploads                                                => 200 | UploadId = $U
        PUT /bkt/k?uploadId=$U&partita-state << {"status":"upload"}     => 200
        PUT /bkt/k?uploadId=$U&partNumber=2 << two                      => 200 | etag -> F
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$E</ETag></Part><Part><PartNumber>2</PartNumber><ETag>$F</ETag></Part>
            </CompleteMultipartUpload>                                  => 200
        GET /bkt/k                                                      => 200 << onetwo
        # A pause does not protect from an Abort.
        POST /bkt/k?uploads                                             => 200 | UploadId -> V
        PUT /bkt/k?uploadId=$V&partita-state << {"status":"pause"}      => 200
        DELETE /bkt/k?uploadId=$V                                       => 204
        PUT /bkt/k?uploadId=$V&partNumber=1 << one                      => 404 NoSuchUpload
        "#,
    );
}

#[test]
fn a_pause_survives_a_restart_and_a_create() {
    let mut gateway = Gateway::with(&[("part-bytes-min", "1"), ("pause-hold-ms", "1")]);
    let create = Request::new("POST", "/bkt/k?uploads")
        .header("x-partita-object-size", "3")
        .header("x-partita-content-sha256", "0".repeat(64));
    let upload = gateway.send(&create).expect(200).text("UploadId");
    set(&gateway, &upload, PAUSE);
    gateway.restart();
    assert_retry_later(&gateway.send(&part(&upload, 1, 3)));
    let found = gateway.send(&create).expect(200);
    assert_eq!(found.text("UploadId"), upload);
    assert_eq!(found.header("x-partita-upload").as_deref(), Some("resumed"));
    assert_retry_later(&gateway.send(&part(&upload, 1, 3)));
    set(&gateway, &upload, RESUME);
    gateway.send(&part(&upload, 1, 3)).expect(200);
    gateway.assert_sound();
}

#[test]
fn a_request_waits_for_the_hold_and_no_longer() {
    let (gateway, upload) = upload("300");
    set(&gateway, &upload, PAUSE);
    let begun = Instant::now();
    assert_retry_later(&gateway.send(&part(&upload, 1, 100)));
    let waited = begun.elapsed();
    assert!((300..3000).contains(&waited.as_millis()), "{waited:?}");
}

#[test]
fn the_body_is_not_asked_for_during_a_pause() {
    let (gateway, upload) = upload("200");
    set(&gateway, &upload, PAUSE);
    let request = part(&upload, 1, 100_000).header("expect", "100-continue");
    let (head, body) = request.encode_apart(&gateway.host());
    let mut connection = gateway.connect();
    connection.write(&head);
    let answer = connection.read_answer("PUT");
    assert_eq!(answer.interim, [] as [u16; 0], "100 was sent: {answer:?}");
    assert_retry_later(&answer);
    // After a resume the body is asked for, and taken.
    set(&gateway, &upload, PAUSE);
    let mut connection = gateway.connect();
    connection.write(&head);
    set(&gateway, &upload, RESUME);
    assert_eq!(connection.read_head().status, 100);
    connection.write(&body);
    connection.read_answer("PUT").expect(200);
    gateway.assert_sound();
}

#[test]
fn a_client_that_sends_its_body_without_waiting_reads_the_answer() {
    let (gateway, upload) = upload("100");
    set(&gateway, &upload, PAUSE);
    // More bytes than the sockets buffer, so that the client is in the middle of sending.
    assert_retry_later(&gateway.send(&part(&upload, 1, 24 << 20)));
}

#[test]
fn fifty_connections_all_wait_and_a_resume_wakes_them_at_once() {
    let (gateway, upload) = upload("20000");
    set(&gateway, &upload, PAUSE);
    let mut connections: Vec<_> = (1..=50)
        .map(|number| {
            let mut connection = gateway.connect();
            connection.write(&part(&upload, number, 70_000).encode(&gateway.host()));
            connection
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let listed = gateway.send(&Request::new("GET", format!("/bkt/k?uploadId={upload}")));
    assert!(listed.expect(200).xml().all("Part").is_empty(), "a part passed the gate");
    let begun = Instant::now();
    set(&gateway, &upload, RESUME);
    for connection in &mut connections {
        connection.read_answer("PUT").expect(200);
    }
    // No request was answered by the timeout: that would be a 503, and later.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let listed = gateway.send(&Request::new("GET", format!("/bkt/k?uploadId={upload}")));
    assert_eq!(listed.xml().all("Part").len(), 50);
    gateway.assert_sound();
}

#[test]
fn a_cancel_ends_the_waiting() {
    let (gateway, upload) = upload("20000");
    set(&gateway, &upload, PAUSE);
    let mut connection = gateway.connect();
    connection.write(&part(&upload, 1, 10).encode(&gateway.host()));
    std::thread::sleep(Duration::from_millis(200));
    let target = format!("/bkt/k?uploadId={upload}&partita-state");
    let cancel = Request::new("PUT", target).body(r#"{"status":"cancel"}"#);
    gateway.send(&cancel).expect(204);
    let answer = connection.read_answer("PUT").expect(404);
    assert_eq!(answer.code().as_deref(), Some("NoSuchUpload"));
}

#[test]
fn a_part_that_is_under_way_is_finished_and_counts() {
    let (gateway, upload) = upload("1");
    let mut request = part(&upload, 1, 200_000);
    // The body is asked for once the request has passed the pause.
    request.unsigned_headers.push(("Expect".into(), "100-continue".into()));
    let (head, body) = request.encode_apart(&gateway.host());
    let mut connection = gateway.connect();
    connection.write(&head);
    connection.read_head().expect(100);
    connection.write(&body[..100_000]);
    set(&gateway, &upload, PAUSE);
    connection.write(&body[100_000..]);
    connection.read_answer("PUT").expect(200);
    let mut script = Script::new(&gateway);
    script.set("U", upload);
    script.run("GET /bkt/k?uploadId=$U => 200 | PartNumber = 1 | Part/Size = 200000");
    gateway.assert_sound();
}

#[test]
fn half_of_the_connections_are_left_for_a_resume() {
    // At most half of the connections may wait, and one user has a quarter of these.
    let gateway = Gateway::with(&[
        ("part-bytes-min", "1"),
        ("pause-hold-ms", "20000"),
        ("connections-max", "8"),
        ("address-connections-max", "8"),
    ]);
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    set(&gateway, &upload, PAUSE);
    let mut connections: Vec<_> = (1..=7)
        .map(|number| {
            let mut connection = gateway.connect();
            connection.write(&part(&upload, number, 10).encode(&gateway.host()));
            connection
        })
        .collect();
    // Waits until enough requests are refused; held ones have no answer.
    let begun = Instant::now();
    while connections.iter_mut().filter_map(|c| c.has_come().then_some(())).count() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "too many wait");
        std::thread::sleep(Duration::from_millis(10));
    }
    // A connection is left for this request.
    set(&gateway, &upload, RESUME);
    let answers: Vec<Answer> = connections.iter_mut().map(|c| c.read_answer("PUT")).collect();
    let (passed, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    refused.iter().for_each(assert_retry_later);
    assert!(refused.len() >= 3, "{} passed", passed.len());
}

#[test]
fn requests_of_closed_connections_free_their_slots_soon() {
    // Slots of one user: a quarter of half of the connections.
    const SLOTS: usize = 50;
    let connections = (SLOTS * 8).to_string();
    let gateway = Gateway::with(&[
        ("part-bytes-min", "1"),
        ("pause-hold-ms", "20000"),
        ("connections-max", &connections),
    ]);
    // All requests of this test are bob's.
    let by_bob = |request: Request| request.by(Who::Bob);
    gateway.send(&by_bob(Request::new("PUT", "/bobs"))).expect(200);
    gateway.send(&by_bob(Request::new("PUT", "/bobs/source").body("bytes"))).expect(200);
    let created = gateway.send(&by_bob(Request::new("POST", "/bobs/k?uploads")));
    let target = format!("/bobs/k?uploadId={}", created.expect(200).text("UploadId"));
    let set = |change: &str| {
        let request = Request::new("PUT", format!("{target}&partita-state")).body(change);
        gateway.send(&by_bob(request)).expect(200);
    };
    set(PAUSE);
    let part = |number: usize, bytes: usize| {
        let request = Request::new("PUT", format!("{target}&partNumber={number}"));
        by_bob(request.body(bytes_of(bytes, 1))).encode(&gateway.host())
    };
    let copy = by_bob(Request::new("PUT", format!("{target}&partNumber=1")))
        .header("x-amz-copy-source", "bobs/source")
        .encode(&gateway.host());
    // Requests whose body has come, whose body exceeds the socket buffers and is incomplete,
    // without a body, and without a body but with the next request behind.
    let kinds = [part(1, 10), part(1, 70_000)[..9_000].to_vec(), copy.clone(), copy.repeat(2)];
    let hold = || -> Vec<_> {
        let requests = kinds.iter().cycle().take(SLOTS);
        requests
            .map(|request| {
                let mut connection = gateway.connect();
                connection.write(request);
                connection
            })
            .collect()
    };
    let mut held = hold();
    let full = Instant::now();
    // A request that still finds a slot is held too.
    loop {
        assert!(full.elapsed() < Duration::from_secs(10), "there is no bound");
        let mut more = gateway.connect();
        more.write(&kinds[0]);
        if more.answers_within(Duration::from_millis(300)) {
            break;
        }
        held.push(more);
    }
    drop(held);
    let gone = Instant::now();
    std::thread::sleep(Duration::from_millis(1_000));
    let mut held = hold();
    std::thread::sleep(Duration::from_millis(500));
    for connection in &mut held {
        assert!(!connection.answers_within(Duration::from_millis(1)), "a slot is still taken");
    }
    println!("{SLOTS} slots free {:?} after their clients went", gone.elapsed());
    set(RESUME);
    for (connection, kind) in held.iter_mut().zip(kinds.iter().cycle()) {
        if kind.len() != 9_000 {
            connection.read_answer("PUT").expect(200);
        }
    }
}
