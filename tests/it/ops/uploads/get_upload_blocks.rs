//! GetUploadBlocks.

use serde_json::{Value, json};

use crate::harness::{Gateway, Request, bytes_of, check, valid_json};

fn blocks(gateway: &Gateway, target: &str) -> Value {
    let answer = gateway.send(&Request::new("GET", target)).expect(200);
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    valid_json("blocks", &answer.body)
}

/// A gateway, and an upload of `bkt/k` with these headers and parts of 10 bytes.
fn upload(headers: &[(&str, &str)], parts: &[usize]) -> (Gateway, String) {
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let mut request = Request::new("POST", "/bkt/k?uploads");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let upload = gateway.send(&request).expect(200).text("UploadId");
    for number in parts {
        let target = format!("/bkt/k?uploadId={upload}&partNumber={number}");
        gateway.send(&Request::new("PUT", target).body(bytes_of(10, *number as u64))).expect(200);
    }
    (gateway, format!("/bkt/k?uploadId={upload}&partita-blocks"))
}

const FILE: [(&str, &str); 2] = [("x-partita-object-size", "95"), ("x-partita-part-size", "10")];

fn block(first: u64, end: i64, first_part: u64, last_part: u64) -> Value {
    json!({
        "startByte": first, "endByte": end, "firstPart": first_part, "lastPart": last_part
    })
}

#[test]
fn missing_runs_are_merged_and_sorted() {
    for (parts, expected) in [
        (&[][..], vec![block(0, 94, 1, 10)]),
        (&[1], vec![block(10, 94, 2, 10)]),
        (&[9], vec![block(0, 79, 1, 8), block(90, 94, 10, 10)]),
        (&[8, 2, 3], vec![block(0, 9, 1, 1), block(30, 69, 4, 7), block(80, 94, 9, 10)]),
        (&[1, 2, 3, 4, 5, 6, 7, 8, 9], vec![block(90, 94, 10, 10)]),
    ] {
        let (gateway, target) = upload(&FILE, parts);
        let got = blocks(&gateway, &target);
        assert_eq!(got["expectBlocks"], json!(expected), "{parts:?}");
        assert_eq!(got["receivedBytes"], 10 * parts.len(), "{parts:?}");
        let about = (&got["totalSize"], &got["partSize"], &got["nextStartPart"], &got["status"]);
        assert_eq!(about, (&json!(95), &json!(10), &json!(null), &json!("upload")));
        assert_eq!((&got["bucket"], &got["key"]), (&json!("bkt"), &json!("k")));
    }
}

#[test]
fn nothing_is_missing_of_a_whole_file() {
    let headers = [("x-partita-object-size", "20"), ("x-partita-part-size", "10")];
    let (gateway, target) = upload(&headers, &[2, 1]);
    assert_eq!(blocks(&gateway, &target)["expectBlocks"], json!([]));
}

#[test]
fn pages_are_of_runs() {
    let (gateway, target) = upload(&FILE, &[2, 4, 6]);
    let mut found = Vec::new();
    let mut next = json!(1);
    for _ in 0..4 {
        let page = blocks(&gateway, &format!("{target}&partita-limit=1&partita-start-part={next}"));
        found.extend(page["expectBlocks"].as_array().unwrap().clone());
        next = page["nextStartPart"].clone();
    }
    assert_eq!(next, json!(null));
    assert_eq!(json!(found), blocks(&gateway, &target)["expectBlocks"]);
    // From inside a gap, and from behind the end.
    let inside = blocks(&gateway, &format!("{target}&partita-start-part=8"));
    assert_eq!(inside["expectBlocks"], json!([block(70, 94, 8, 10)]));
    let behind = blocks(&gateway, &format!("{target}&partita-start-part=11"));
    assert_eq!(behind["expectBlocks"], json!([]));
}

#[test]
fn without_a_declared_size_only_gaps_between_parts_are_known() {
    let (gateway, target) = upload(&[], &[2, 5]);
    let got = blocks(&gateway, &target);
    let gap = |first: u64, last: u64| {
        let (start, end) = (Value::Null, Value::Null);
        json!({"startByte": start, "endByte": end, "firstPart": first, "lastPart": last})
    };
    assert_eq!(got["expectBlocks"], json!([gap(1, 1), gap(3, 4)]));
    assert_eq!((&got["totalSize"], &got["partSize"]), (&json!(null), &json!(null)));
    assert_eq!(got["receivedBytes"], 20);
}

#[test]
fn bad_numbers_and_other_uploads() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        GET /bkt/k?uploadId=$U&partita-blocks&partita-limit=0        => 400 InvalidArgument
            | ArgumentName = partita-limit
        GET /bkt/k?uploadId=$U&partita-blocks&partita-limit=1001     => 400 InvalidArgument
        GET /bkt/k?uploadId=$U&partita-blocks&partita-start-part=0   => 400 InvalidArgument
            | ArgumentName = partita-start-part
        GET /bkt/k?uploadId=$U&partita-blocks&partita-start-part=10001 => 400 InvalidArgument
        GET /bkt/k?uploadId=$U&partita-start-part=1                  => 501 NotImplemented
        GET /bkt/k?partita-blocks                                    => 400 InvalidRequest
        GET /bkt/other?uploadId=$U&partita-blocks                    => 404 NoSuchUpload
        GET /bkt/k?uploadId=00000000000000000000000000000000&partita-blocks => 404 NoSuchUpload
        "#,
    );
}

#[test]
fn a_url_for_it_can_be_presigned() {
    let (gateway, target) = upload(&FILE, &[1]);
    let signer = crate::harness::Who::Root.signer().unwrap();
    let now = crate::signer::now();
    let url = signer.presign_v4(now, 900, "GET", &gateway.host(), &target, &[]);
    let anonymous = |target: &str| Request::new("GET", target).by(crate::harness::Who::Anonymous);
    let got = valid_json("blocks", &gateway.send(&anonymous(&url)).expect(200).body);
    assert_eq!(got["expectBlocks"], json!([block(10, 94, 2, 10)]));
    // The URL is valid for this operation only.
    let other = url.replace("partita-blocks", "partita-state");
    gateway.send(&anonymous(&other)).expect(403);
}

#[test]
fn an_event_stream_reports_each_change_and_the_end() {
    let (gateway, target) = upload(&FILE, &[1]);
    let mut connection = gateway.connect();
    let request = Request::new("GET", target.as_str()).header("accept", "text/event-stream");
    connection.write(&request.encode(&gateway.host()));
    let head = connection.read_head().expect(200);
    assert_eq!(head.header("content-type").as_deref(), Some("text/event-stream"));
    let mut event = |name: &str| {
        let text = String::from_utf8(connection.read_chunk()).unwrap();
        let data = text.strip_prefix(&format!("event: {name}\ndata: "));
        data.unwrap_or_else(|| panic!("{text}")).trim_end().to_owned()
    };
    let first = valid_json("blocks", event("blocks").as_bytes());
    assert_eq!(first["expectBlocks"], json!([block(10, 94, 2, 10)]));
    let part = target.replace("partita-blocks", "partNumber=2");
    gateway.send(&Request::new("PUT", part).body(bytes_of(10, 2))).expect(200);
    let second = valid_json("blocks", event("blocks").as_bytes());
    assert_eq!(second["expectBlocks"], json!([block(20, 94, 3, 10)]));
    let state = target.replace("partita-blocks", "partita-state");
    let change = |change: &str| format!(r#"{{"status":"{change}"}}"#);
    gateway.send(&Request::new("PUT", state.as_str()).body(change("pause"))).expect(200);
    assert_eq!(valid_json("blocks", event("blocks").as_bytes())["status"], "pause");
    gateway.send(&Request::new("PUT", state.as_str()).body(change("cancel"))).expect(204);
    assert_eq!(event("end"), "{}");
    assert!(connection.read_chunk().is_empty(), "the stream ends");
}

#[test]
fn one_upload_leaves_streams_to_the_others_of_its_user() {
    let (gateway, target) = upload(&FILE, &[]);
    let watch = |target: &str| {
        let mut connection = gateway.connect();
        let request = Request::new("GET", target).header("accept", "text/event-stream");
        connection.write(&request.encode(&gateway.host()));
        let status = connection.read_head().status;
        (connection, status)
    };
    let mut streams: Vec<_> = (0..4).map(|_| watch(&target)).collect();
    assert!(streams.iter().all(|(_, status)| *status == 200));
    assert_eq!(watch(&target).1, 503, "four watch it");
    let other = gateway.send(&Request::new("POST", "/bkt/other?uploads")).text("UploadId");
    assert_eq!(watch(&format!("/bkt/other?uploadId={other}&partita-blocks")).1, 200);
    streams.pop();
    let freed = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        watch(&target).1 == 200
    });
    assert!(freed, "who hangs up leaves a place");
}
