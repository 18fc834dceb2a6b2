//! Changed files: parts that are stored already are not sent.

use serde_json::{Value, json};

use super::{created, file, gateway, put, sha256};
use crate::harness::{Gateway, Request, Who, valid_json};

/// Posts digests of parts; returns the numbers that are still missing.
fn compare(gateway: &Gateway, request: Request, parts: &[&[u8]]) -> Vec<u64> {
    let claims: Vec<Value> = (1..)
        .zip(parts)
        .map(|(number, part)| json!({"partNumber": number, "sha256": sha256(part)}))
        .collect();
    let claims = Value::from(claims).to_string();
    valid_json("parts", claims.as_bytes());
    let answer = gateway.send(&request.body(claims)).expect(200);
    let blocks = valid_json("blocks", &answer.body);
    let runs = blocks["expectBlocks"].as_array().unwrap().iter().flat_map(|block| {
        let number = |name: &str| block[name].as_u64().unwrap();
        number("firstPart")..=number("lastPart")
    });
    runs.collect()
}

fn begin(gateway: &Gateway, target: &str, size: usize, who: Who) -> Request {
    let create = Request::new("POST", format!("{target}?uploads"))
        .by(who)
        .header("x-partita-object-size", size.to_string())
        .header("x-partita-part-size", "70000");
    let id = created(gateway, &create).1;
    Request::new("POST", format!("{target}?uploadId={id}&partita-blocks")).by(who)
}

#[test]
fn only_what_changed_is_missing() {
    let gateway = gateway();
    let (one, two, three, new) = (file(1), file(2), file(3), file(4));
    put(&gateway, Who::Root, "/bkt/one", &one);
    put(&gateway, Who::Root, "/bkt/two", &two);
    put(&gateway, Who::Root, "/bkt/three", &three);
    let request = begin(&gateway, "/bkt/k", 210_000, Who::Root);
    assert_eq!(compare(&gateway, request.clone(), &[&one, &new, &three]), [2]);
    let target = request.target.replace("&partita-blocks", "");
    let listed = gateway.send(&Request::new("GET", target)).expect(200).xml();
    assert_eq!(listed.texts("Part/PartNumber"), ["1", "3"]);
    gateway.assert_sound();
}

#[test]
fn only_what_the_client_may_read_is_filled_in() {
    let gateway = gateway();
    let (hers, his) = (file(5), file(6));
    gateway.send(&Request::new("PUT", "/hers").by(Who::Alice)).expect(200);
    put(&gateway, Who::Alice, "/hers/a", &hers);
    put(&gateway, Who::Root, "/bkt/b", &his);
    let request = begin(&gateway, "/hers/k", 140_000, Who::Alice);
    assert_eq!(compare(&gateway, request.clone(), &[&hers, &his]), [2]);
    let narrow = begin(&gateway, "/hers/l", 140_000, Who::Alice);
    let narrow = narrow.header("x-partita-instant-prefix", "b");
    assert_eq!(compare(&gateway, narrow, &[&hers, &his]), [1, 2]);
    gateway.assert_sound();
}

#[test]
fn a_paused_upload_is_not_filled_and_a_size_must_fit() {
    let gateway = gateway();
    let one = file(7);
    put(&gateway, Who::Root, "/bkt/one", &one);
    let request = begin(&gateway, "/bkt/k", 140_000, Who::Root);
    let state = request.target.replace("partita-blocks", "partita-state");
    let set = |status: &str| {
        let body = json!({"status": status}).to_string();
        gateway.send(&Request::new("PUT", state.as_str()).body(body)).expect(200);
    };
    set("pause");
    assert_eq!(compare(&gateway, request.clone(), &[&one]), [1, 2]);
    set("upload");
    assert_eq!(compare(&gateway, request.clone(), &[&one]), [2]);
    // The last part of this upload has other bytes than the blob.
    let request = begin(&gateway, "/bkt/l", 139_999, Who::Root);
    assert_eq!(compare(&gateway, request, &[&one, &one]), [2]);
    gateway.assert_sound();
}

#[test]
fn a_size_that_no_part_has_is_a_miss() {
    let gateway = gateway();
    let create = Request::new("POST", "/bkt/k?uploads");
    let id = gateway.send(&create).expect(200).text("UploadId");
    for size in [u64::MAX, 1 << 63, 6 << 30] {
        let claims = json!([{"partNumber": 1, "sha256": sha256(b""), "size": size}]).to_string();
        let target = format!("/bkt/k?uploadId={id}&partita-blocks");
        let answer = gateway.send(&Request::new("POST", target.as_str()).body(claims));
        assert!(answer.status < 500, "{size}: {answer:?}");
    }
}
