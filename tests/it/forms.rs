//! Bodies of forms that are cut, slow, too long or malformed, over real sockets.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::harness::{Answer, Connection, Form, Framing, Gateway, Request, Script, bytes_of};

const BOUNDARY: &str = "----a-Boundary";

fn form(file: &[u8]) -> Request {
    Form::new("bkt", "k").file(file).request()
}

/// Asserts that nothing is stored and that no file is left behind.
#[track_caller]
fn assert_nothing(gateway: &Gateway) {
    Script::new(gateway).run("GET /bkt => 200 | !Contents");
    gateway.assert_sound();
}

fn stored(gateway: &Gateway) -> Vec<u8> {
    gateway.send(&Request::new("GET", "/bkt/k")).expect(200).body
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code().unwrap_or_default())
}

#[test]
fn malformed_forms_are_refused() {
    let gateway = Gateway::start();
    let post = |content_type: &str, body: &str| {
        let mut request = Request::new("POST", "/bkt").by(crate::harness::Who::Anonymous);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        code(&gateway.send(&request.body(body)))
    };
    let malformed = (400, "MalformedPOSTRequest".to_owned());
    let other_type = (412, "PreconditionFailed".to_owned());
    assert_eq!(post("", ""), other_type);
    assert_eq!(post("text/plain", "hello"), other_type);
    assert_eq!(post("application/x-www-form-urlencoded", "key=k"), other_type);
    assert_eq!(post("multipart/form-data", "--x\r\n"), malformed);
    assert_eq!(post("multipart/form-data; boundary=", "--\r\n"), malformed);
    let of_x = "multipart/form-data; boundary=x";
    assert_eq!(post(of_x, ""), malformed);
    assert_eq!(post(of_x, "--y\r\n"), malformed);
    assert_eq!(post(of_x, "--x\r\nno header\r\n\r\n"), malformed);
    assert_eq!(post(of_x, "--x--"), (400, "InvalidArgument".to_owned()));
    // Without a file.
    let mut request = form(b"");
    let file = request.body.windows(13).position(|part| part == b"; name=\"file\"").unwrap();
    request.body[file + 8..file + 12].copy_from_slice(b"elif");
    let answer = gateway.send(&request).expect(400);
    let message = "POST requires exactly one file upload per request.";
    assert_eq!(answer.text("Message"), message);
    assert_nothing(&gateway);
}

#[test]
fn fields_are_few_and_what_follows_the_file_is_short() {
    let gateway = Gateway::start();
    let huge = Form::new("bkt", "k").field("x-amz-meta-a", "a".repeat(21 << 10));
    let too_long = (400, "MaxPostPreDataLengthExceededError".to_owned());
    assert_eq!(code(&gateway.send(&huge.request())), too_long);
    // A field of gigabytes is refused when its first bytes have come.
    let endless = Form::new("bkt", "k").field("x-ignore-a", "a".repeat(8 << 20));
    assert_eq!(code(&gateway.send(&endless.request().framing(Framing::Chunked(65_536)))), too_long);
    let with_tail = |bytes: usize| {
        let mut request = form(b"content");
        request.body.truncate(request.body.len() - b"--\r\n".len());
        let more = "\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nother\r\n";
        request.body.extend_from_slice(more.as_bytes());
        request.body.extend(vec![b'-'; bytes]);
        request
    };
    let malformed = (400, "MalformedPOSTRequest".to_owned());
    assert_eq!(code(&gateway.send(&with_tail(30_000))), malformed);
    assert_nothing(&gateway);
    // A field after the file is ignored: its name, which is there twice, and its value.
    gateway.send(&with_tail(100)).expect(204);
    Script::new(&gateway).run("GET /bkt => 200 | Contents/Key = k");
}

#[test]
fn a_form_that_is_cut_leaves_nothing() {
    let gateway = Gateway::start();
    for size in [10, 300_000] {
        let request = form(&bytes_of(size, 1));
        let whole = request.body.clone();
        let ends = [0, 1, 100, whole.len() - size, whole.len() - 40, whole.len() - 5];
        for end in ends {
            // A body that ends where it is cut.
            for framing in [Framing::Length, Framing::Chunked(1000)] {
                let cut = request.clone().framing(framing).body(&whole[..end]);
                let answer = gateway.send(&cut);
                assert_eq!(code(&answer), (400, "MalformedPOSTRequest".into()), "{end}");
            }
            // A client that closes the connection.
            let (head, body) = request.encode_apart(&gateway.host());
            let mut connection = gateway.connect();
            connection.write(&head);
            connection.write(&body[..end]);
            connection.finish();
            let answer = connection.read_answer("POST");
            assert_eq!(code(&answer), (400, "IncompleteBody".into()), "{end}");
        }
        // A file with its end, without the end of the announced body.
        let (head, body) = request.encode_apart(&gateway.host());
        let mut connection = gateway.connect();
        connection.write(&head);
        connection.write(&body[..body.len() - 2]);
        connection.finish();
        assert_eq!(code(&connection.read_answer("POST")), (400, "IncompleteBody".into()));
    }
    assert_nothing(&gateway);
}

#[test]
fn a_form_that_stalls_is_ended() {
    let gateway = Gateway::with(&[("stall-timeout-ms", "200")]);
    let request = form(&bytes_of(300_000, 1));
    let (head, body) = request.encode_apart(&gateway.host());
    for end in [0, 200, body.len() - 300_000, body.len() - 10, body.len() - 1] {
        let mut connection = gateway.connect();
        connection.write(&head);
        connection.write(&body[..end]);
        let began = Instant::now();
        let answer = connection.read_answer("POST");
        assert_eq!(code(&answer), (400, "RequestTimeout".into()), "{end}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    assert_nothing(&gateway);
}

#[test]
fn fields_that_dribble_are_not_waited_for() {
    let gateway = Gateway::with(&[("stall-timeout-ms", "1000")]);
    let dribble = |connection: &mut Connection, bytes: &[u8]| {
        for byte in bytes {
            connection.write(&[*byte]);
            std::thread::sleep(Duration::from_millis(40));
        }
    };
    let (head, body) = form(b"content").encode_apart(&gateway.host());
    let mut connection = gateway.connect();
    connection.write(&head);
    // Each pause is short, but all together are too long: the answer is there already.
    dribble(&mut connection, &body[..40]);
    let began = Instant::now();
    assert_eq!(code(&connection.read_answer("POST")), (400, "RequestTimeout".into()));
    assert!(began.elapsed() < Duration::from_millis(700), "it ended by a stall");
    assert_nothing(&gateway);
    // The file of an allowed form may be slow, like any body.
    let mut connection = gateway.connect();
    connection.write(&head);
    let fields = body.len() - 40;
    connection.write(&body[..fields]);
    dribble(&mut connection, &body[fields..]);
    connection.read_answer("POST").expect(204);
}

#[test]
fn every_rhythm_stores_the_same_bytes() {
    let gateway = Gateway::start();
    let near = format!("\r\n--{BOUNDARY}X\r\n--{BOUNDARY}-\r\n--{BOUNDARY}\r\r\n--{BOUNDARY}");
    let small = [near.as_bytes(), b"\rz", near.as_bytes(), b"-z", near.as_bytes(), b"z"].concat();
    for framing in [Framing::Length, Framing::Chunked(1), Framing::Chunked(7)] {
        let request = form(&small).framing(framing);
        gateway.send(&request).expect(204);
        assert_eq!(stored(&gateway), small);
        let mut connection = gateway.connect();
        connection.write_bytewise(&request.encode(&gateway.host()));
        connection.read_answer("POST").expect(204);
        assert_eq!(stored(&gateway), small);
    }
    // Sizes on both sides of an inline body, of a frame, and of a unit of writing.
    for edge in [64 << 10, 1 << 20, 8 << 20] {
        for size in [edge - 1, edge, edge + 1] {
            let mut bytes = bytes_of(size, 9);
            bytes[size - small.len()..].copy_from_slice(&small);
            for framing in [Framing::Length, Framing::Chunked(9_999)] {
                gateway.send(&form(&bytes).framing(framing)).expect(204);
                assert!(stored(&gateway) == bytes, "{size}");
            }
        }
    }
    gateway.assert_sound();
}

#[test]
fn a_connection_serves_one_form_after_the_other() {
    let gateway = Gateway::start();
    let mut connection = gateway.connect();
    for round in 0..3 {
        for framing in [Framing::Length, Framing::Chunked(50)] {
            let body = format!("round {round}");
            let request = form(body.as_bytes()).framing(framing);
            connection.write(&request.encode(&gateway.host()));
            let answer = connection.read_answer("POST").expect(204);
            assert_eq!(answer.header("connection"), None);
            assert_eq!(stored(&gateway), body.as_bytes());
        }
    }
    // The fields are read from anybody: only they name the principal.
    let request = form(b"waited").header("expect", "100-continue");
    let (head, body) = request.encode_apart(&gateway.host());
    connection.write(&head);
    assert_eq!(connection.read_head().status, 100);
    connection.write(&body);
    connection.read_answer("POST").expect(204);
    assert_eq!(stored(&gateway), b"waited");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_file_is_what_was_sent(
        parts in prop::collection::vec(
            prop_oneof![
                Just(format!("\r\n--{BOUNDARY}")),
                Just(format!("\r\n--{BOUNDARY}X")),
                Just(format!("--{BOUNDARY}--")),
                Just("\r".to_owned()),
                Just("\r\n--".to_owned()),
                "[a-z\r\n-]{0,40}",
            ],
            1..12,
        ),
        copies in 1_usize..400,
        chunk in 1_usize..5000,
    ) {
        let bytes = parts.concat().repeat(copies).into_bytes();
        let end = format!("\r\n--{BOUNDARY}");
        let padded = [&bytes[..], end.as_bytes(), b"--"].concat();
        let first_end = padded.windows(end.len() + 2).position(|window| {
            window.starts_with(end.as_bytes()) && matches!(&window[end.len()..], b"--" | b"\r\n")
        });
        // A whole delimiter within the file ends it.
        prop_assume!(first_end == Some(bytes.len()));
        GATEWAY.with(|gateway| {
            gateway.send(&form(&bytes).framing(Framing::Chunked(chunk))).expect(204);
            prop_assert!(stored(gateway) == bytes);
            Ok(())
        })?;
    }
}

thread_local! {
    /// One gateway for all cases.
    static GATEWAY: Gateway = Gateway::start();
}
