//! Bodies that are refused before they are sent, or whose client closes the connection.

use std::time::Duration;

use super::payloads;
use crate::harness::{Framing, Gateway, Payload, Request, Script, Who, bytes_of};

/// Known failures are reported before the body is asked for; otherwise it is asked for.
#[test]
fn only_requests_that_may_proceed_get_100_continue() {
    let gateway = Gateway::start();
    let mut script = Script::new(&gateway);
    script.run(
        r#"
        PUT /bkt/there << x     => 200
        POST /bkt/up?uploads    => 200 | UploadId -> U
        "#,
    );
    let part = format!("/bkt/up?partNumber=1&uploadId={}", script.get("U"));
    let put = |target: &str| Request::new("PUT", target).body(bytes_of(70_000, 1));
    let id = script.get("U").to_owned();
    let post = |target: &str| Request::new("POST", target.replace("$U", &id)).body("<x/>");
    let refused: Vec<(Request, u16)> = vec![
        (put("/bkt/k").by(Who::Alice), 403),
        (put("/bkt/k").by(Who::Anonymous), 403),
        (put("/nobkt/k"), 404),
        (put("/bkt/up?partNumber=1&uploadId=x"), 404),
        (put("/bkt/there").header("if-none-match", "*"), 412),
        (put("/bkt/there").header("if-match", "\"x\""), 412),
        (put("/bkt/none").header("if-match", "\"x\""), 404),
        (put("/bkt/k").header("content-length", "5368709121"), 400),
        (put("/bkt/k").header("x-amz-checksum-crc32", "AA"), 400),
        (put("/bkt/k").header("content-md5", "AA"), 400),
        (put("/bkt/k").header("x-amz-tagging", "a=b"), 501),
        (put("/bkt/k").framing(Framing::None), 411),
        (put("/bkt/k?uploadId=x"), 400),
        (put(&part.replace("partNumber=1", "partNumber=0")), 400),
        (put("/bkt/k").header("x-amz-meta-a", "a".repeat(3000)), 400),
        (post("/bkt/up?uploadId=x"), 404),
        (post("/bkt/other?uploadId=$U"), 404),
        (post("/bkt/up?uploadId=$U").header("x-amz-mp-object-size", "x"), 400),
        (post("/bkt?delete").payload(Payload::Unsigned), 400),
    ];
    for (request, status) in refused {
        let request = request.header("expect", "100-continue");
        let (head, _) = request.encode_apart(&gateway.host());
        let mut connection = gateway.connect();
        connection.write(&head);
        let answer = connection.read_answer("PUT");
        assert_eq!(answer.status, status, "{} {answer:?}", request.target);
        assert_eq!(answer.interim, [] as [u16; 0], "{}", request.target);
    }
    for target in ["/bkt/k", &part] {
        for payload in payloads() {
            let request = put(target).payload(payload).header("expect", "100-continue");
            let (head, body) = request.encode_apart(&gateway.host());
            let mut connection = gateway.connect();
            connection.write(&head);
            assert_eq!(connection.read_head().status, 100);
            connection.write(&body);
            connection.read_answer("PUT").expect(200);
            // The same for a client that does not wait, on the same connection.
            connection.write(&[head, body].concat());
            connection.read_answer("PUT").expect(200);
        }
    }
}

/// A client in the middle of a large body still reads the refusal.
#[test]
fn an_early_refusal_reaches_the_client() {
    let gateway = Gateway::start();
    for framing in [Framing::Length, Framing::Chunked(65_536)] {
        let request = Request::new("PUT", "/bkt/k")
            .by(Who::Alice)
            .payload(Payload::Unsigned)
            .framing(framing)
            .body(vec![7; 20 << 20]);
        let mut connection = gateway.connect();
        connection.write(&request.encode(&gateway.host()));
        let answer = connection.read_answer("PUT").expect(403);
        assert_eq!(answer.code().as_deref(), Some("AccessDenied"));
        assert_eq!(answer.header("connection").as_deref(), Some("close"));
        assert!(connection.is_closed());
    }
}

#[test]
fn a_client_that_hangs_up_leaves_nothing() {
    let gateway = Gateway::start();
    let upload = gateway.send(&Request::new("POST", "/bkt/up?uploads")).text("UploadId");
    for target in ["/bkt/k".to_owned(), format!("/bkt/up?partNumber=1&uploadId={upload}")] {
        for payload in payloads() {
            for (size, framing) in [
                (1000, Framing::Length),
                (1000, Framing::Chunked(100)),
                (300 << 10, Framing::Length),
                (300 << 10, Framing::Chunked(10_000)),
            ] {
                let request = Request::new("PUT", target.clone())
                    .payload(payload.clone())
                    .framing(framing)
                    .body(bytes_of(size, 3));
                let (head, body) = request.encode_apart(&gateway.host());
                let mut connection = gateway.connect();
                connection.write(&head);
                connection.write(&body[..body.len() / 2]);
                connection.finish();
                drop(connection);
            }
        }
    }
    // Each hang-up is noticed in its own time, and its file removed.
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    let mut files = Vec::new();
    loop {
        files.clear();
        blob_files(gateway.folder(), &mut files);
        if files.is_empty() || std::time::Instant::now() > deadline {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Script::new(&gateway).run("GET /bkt => 200 | !Contents");
    let parts = gateway.send(&Request::new("GET", format!("/bkt/up?uploadId={upload}")));
    assert!(parts.expect(200).xml().all("Part").is_empty());
    gateway.assert_sound();
    assert!(files.is_empty(), "{files:?}");
}

/// Files below a folder whose path contains `blobs`.
fn blob_files(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            blob_files(&path, files);
        } else if path.components().any(|part| part.as_os_str() == "blobs") {
            files.push(path);
        }
    }
}
