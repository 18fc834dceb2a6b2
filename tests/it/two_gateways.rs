//! Two gateways in one process share nothing: a resource that one has used up is free in the other.

use std::time::Duration;

use crate::harness::{Connection, Gateway, Request, Who, bytes_of};

/// Event streams of one user at one gateway.
const STREAMS_OF_USER: usize = 64;
/// Event streams of one upload.
const STREAMS_OF_UPLOAD: usize = 4;
/// Longest wait for a request to be held.
const WAIT: Duration = Duration::from_secs(60);

fn create_upload(gateway: &Gateway, key: &str) -> String {
    let request = Request::new("POST", format!("/bkt/{key}?uploads"));
    format!("/bkt/{key}?uploadId={}", gateway.send(&request).expect(200).text("UploadId"))
}

/// Opens an event stream, and gives its status.
fn watch(gateway: &Gateway, upload: &str) -> (Connection, u16) {
    let request = Request::new("GET", format!("{upload}&partita-blocks"));
    let request = request.header("accept", "text/event-stream");
    let mut connection = gateway.connect();
    connection.write(&request.encode(&gateway.host()));
    let status = connection.read_head().status;
    (connection, status)
}

#[test]
fn event_streams_of_one_gateway_leave_those_of_the_other_free() {
    let (full, free) = (Gateway::start(), Gateway::start());
    let mut streams = Vec::new();
    for number in 0..STREAMS_OF_USER / STREAMS_OF_UPLOAD {
        let upload = create_upload(&full, &format!("k{number}"));
        streams.extend((0..STREAMS_OF_UPLOAD).map(|_| watch(&full, &upload)));
    }
    assert!(streams.iter().all(|(_, status)| *status == 200));
    let (_, refused) = watch(&full, &create_upload(&full, "one-more"));
    assert_eq!(refused, 503, "the user has all of its streams");
    let (_stream, opened) = watch(&free, &create_upload(&free, "k"));
    assert_eq!(opened, 200, "the other gateway has streams of its own");
}

#[test]
fn requests_held_by_one_gateway_leave_the_places_of_the_other_free() {
    // Half of the connections may be held, a quarter of them by one user: one request.
    let settings = [("connections-max", "8"), ("pause-hold-ms", "50000"), ("part-bytes-min", "1")];
    let (full, free) = (Gateway::with(&settings), Gateway::with(&settings));
    let pause = |gateway: &Gateway| {
        let upload = create_upload(gateway, "k");
        let state = Request::new("PUT", format!("{upload}&partita-state"));
        gateway.send(&state.body(r#"{"status":"pause"}"#)).expect(200);
        upload
    };
    let send_part = |gateway: &Gateway, upload: &str| {
        let request = Request::new("PUT", format!("{upload}&partNumber=1")).body(bytes_of(10, 1));
        let mut connection = gateway.connect();
        connection.write(&request.encode(&gateway.host()));
        connection
    };
    let (upload, other) = (pause(&full), pause(&free));
    // The first of two requests is held, so the second is refused at once.
    let mut requests = [send_part(&full, &upload), send_part(&full, &upload)];
    let is_refused = |connection: &mut Connection| {
        connection.answers_within(Duration::from_millis(50))
            && connection.read_answer("PUT").status == 503
    };
    let started = std::time::Instant::now();
    while !requests.iter_mut().any(is_refused) {
        assert!(started.elapsed() < WAIT, "one of two requests is refused");
    }
    let mut held = send_part(&free, &other);
    assert!(!held.answers_within(Duration::from_secs(1)), "the other gateway holds it");
    let resume = |gateway: &Gateway, upload: &str| {
        let state = Request::new("PUT", format!("{upload}&partita-state"));
        gateway.send(&state.body(r#"{"status":"upload"}"#)).expect(200);
    };
    resume(&free, &other);
    held.read_answer("PUT").expect(200);
    resume(&full, &upload);
}

#[test]
fn request_ids_of_two_gateways_are_counted_apart() {
    let (one, other) = (Gateway::start(), Gateway::start());
    let id = |gateway: &Gateway| {
        let answer = gateway.send(&Request::new("GET", "/bkt").by(Who::Root));
        let id = answer.header("x-amz-request-id").expect("every answer has an id");
        u64::from_str_radix(&id, 16).expect("an id is hexadecimal")
    };
    let before = id(&one);
    for _ in 0..3 {
        id(&other);
    }
    assert_eq!(id(&one), before + 1, "requests of the other gateway are not counted");
}
