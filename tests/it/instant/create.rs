//! Uploads that Create completes by reference to existing content.

use super::{create, created, file, gateway, put};
use crate::declared::document;
use crate::harness::{Answer, Gateway, Request, Who, md5_hex};

pub fn parts(gateway: &Gateway, target: &str) -> Vec<(usize, String)> {
    let xml = gateway.send(&Request::new("GET", target)).expect(200).xml();
    let numbers = xml.texts("Part/PartNumber").into_iter().map(|text| text.parse().unwrap());
    numbers.zip(xml.texts("Part/ETag")).collect()
}

pub fn complete(gateway: &Gateway, target: &str, parts: &[(usize, String)]) -> Answer {
    gateway.send(&Request::new("POST", target).body(document(parts)))
}

pub fn body_of(gateway: &Gateway, target: &str) -> Vec<u8> {
    let answer = gateway.send(&Request::new("GET", target));
    assert!(matches!(answer.status, 200 | 206), "{answer:?}");
    answer.body
}

/// Uploads a file in two parts whose SHA-256 is declared, so that Complete verifies it.
pub fn put_in_parts(gateway: &Gateway, key: &str, halves: [&[u8]; 2]) -> Answer {
    let whole = halves.concat();
    let request = create(&format!("/bkt/{key}?uploads"), &whole);
    let request = request.header("x-partita-part-size", halves[0].len().to_string());
    let (how, id) = created(gateway, &request);
    assert_eq!(how, "created");
    for (number, half) in (1..).zip(halves) {
        put(gateway, Who::Root, &format!("/bkt/{key}?uploadId={id}&partNumber={number}"), half);
    }
    let target = format!("/bkt/{key}?uploadId={id}");
    complete(gateway, &target, &parts(gateway, &target)).expect(200)
}

#[test]
fn an_object_of_one_blob_is_one_part() {
    let mut gateway = gateway();
    let body = file(1);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let (how, id) = created(&gateway, &create("/bkt/b?uploads", &body));
    assert_eq!(how, "instant");
    let target = format!("/bkt/b?uploadId={id}");
    let etag = format!("\"{}\"", md5_hex(&body));
    assert_eq!(parts(&gateway, &target), [(1, etag.clone())]);
    let blocks = gateway.send(&Request::new("GET", format!("{target}&partita-blocks")));
    let blocks = crate::harness::valid_json("blocks", &blocks.expect(200).body);
    assert_eq!(blocks["expectBlocks"].as_array().unwrap().len(), 0);
    assert_eq!(blocks["receivedBytes"], 70_000);
    gateway.assert_sound();
    // The reference outlives its source and a restart.
    gateway.send(&Request::new("DELETE", "/bkt/a")).expect(204);
    gateway.assert_sound();
    gateway.restart();
    let answer = complete(&gateway, &target, &parts(&gateway, &target)).expect(200);
    assert_eq!(answer.text("ETag"), etag);
    assert_eq!(body_of(&gateway, "/bkt/b"), body);
    gateway.assert_sound();
}

#[test]
fn a_multipart_object_keeps_its_parts_and_its_tag() {
    let gateway = gateway();
    let (one, two) = (file(2), file(3));
    let whole = [&one[..], &two].concat();
    let first = put_in_parts(&gateway, "a", [&one, &two]);
    // The part size of the new upload does not matter.
    let (how, id) = created(&gateway, &create("/bkt/b?uploads", &whole));
    assert_eq!(how, "instant");
    let target = format!("/bkt/b?uploadId={id}");
    let own = parts(&gateway, &target);
    assert_eq!(own.len(), 2);
    let page = gateway.send(&Request::new("GET", format!("{target}&max-parts=1"))).expect(200);
    assert_eq!(
        (page.text("IsTruncated"), page.text("NextPartNumberMarker")),
        ("true".into(), "1".into())
    );
    let rest = format!("{target}&part-number-marker=1");
    assert_eq!(parts(&gateway, &rest), own[1..]);
    // A content is published whole or not at all.
    for some in [&own[..1], &own[1..]] {
        let refused = complete(&gateway, &target, some).expect(400);
        assert_eq!(refused.code().as_deref(), Some("InvalidPart"));
    }
    let answer = complete(&gateway, &target, &own).expect(200);
    assert_eq!(answer.text("ETag"), first.text("ETag"));
    assert_eq!(answer.text("ChecksumCRC64NVME"), first.text("ChecksumCRC64NVME"));
    gateway.send(&Request::new("DELETE", "/bkt/a")).expect(204);
    gateway.assert_sound();
    assert_eq!(body_of(&gateway, "/bkt/b"), whole);
    assert_eq!(body_of(&gateway, "/bkt/b?partNumber=2"), two);
    // The copy is found by its content, too.
    assert_eq!(created(&gateway, &create("/bkt/c?uploads", &whole)).0, "instant");
    gateway.assert_sound();
}

#[test]
fn a_repeated_complete_publishes_once() {
    let gateway = gateway();
    let body = file(4);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let id = created(&gateway, &create("/bkt/b?uploads", &body)).1;
    let target = format!("/bkt/b?uploadId={id}");
    let own = parts(&gateway, &target);
    let first = complete(&gateway, &target, &own).expect(200);
    gateway.send(&Request::new("DELETE", "/bkt/b")).expect(204);
    let again = complete(&gateway, &target, &own).expect(200);
    assert_eq!(again.body, first.body);
    gateway.send(&Request::new("GET", "/bkt/b")).expect(404);
    gateway.send(&Request::new("GET", target.as_str())).expect(404);
    gateway.assert_sound();
}

/// The digest is stored under another name: as the signed SHA-256.
#[test]
fn the_parts_have_the_checksum_that_the_upload_asks_for() {
    let gateway = gateway();
    let body = file(6);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let request = create("/bkt/b?uploads", &body).header("x-amz-checksum-algorithm", "SHA256");
    let (how, id) = created(&gateway, &request);
    assert_eq!(how, "instant");
    let target = format!("/bkt/b?uploadId={id}");
    let listed = gateway.send(&Request::new("GET", target.as_str())).expect(200);
    let (etag, checksum) = (listed.text("ETag"), listed.text("ChecksumSHA256"));
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>\
         <ChecksumSHA256>{checksum}</ChecksumSHA256></Part></CompleteMultipartUpload>"
    );
    gateway.send(&Request::new("POST", target.as_str()).body(list)).expect(200);
    gateway.assert_sound();
}

#[test]
fn a_part_that_is_sent_after_all_makes_it_an_ordinary_upload() {
    let gateway = gateway();
    let body = file(5);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let id = created(&gateway, &create("/bkt/b?uploads", &body)).1;
    let target = format!("/bkt/b?uploadId={id}");
    // A part of the wrong size changes nothing.
    let wrong = upload_part(&gateway, &target, 1, b"short");
    assert_eq!(wrong.status, 400);
    assert_eq!(parts(&gateway, &target).len(), 1);
    assert_eq!(created(&gateway, &create("/bkt/b?uploads", &body)), ("instant".into(), id.clone()));
    upload_part(&gateway, &target, 1, &body).expect(200);
    gateway.assert_sound();
    let answer = complete(&gateway, &target, &parts(&gateway, &target)).expect(200);
    assert!(answer.text("ETag").ends_with("-1\""), "{answer:?}");
    assert_eq!(body_of(&gateway, "/bkt/b"), body);
    gateway.assert_sound();
}

fn upload_part(gateway: &Gateway, target: &str, number: usize, body: &[u8]) -> Answer {
    gateway.send(&Request::new("PUT", format!("{target}&partNumber={number}")).body(body))
}

#[test]
fn an_abort_gives_the_reference_back() {
    let gateway = gateway();
    let body = file(6);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let id = created(&gateway, &create("/bkt/b?uploads", &body)).1;
    gateway.send(&Request::new("DELETE", "/bkt/a")).expect(204);
    gateway.send(&Request::new("DELETE", format!("/bkt/b?uploadId={id}"))).expect(204);
    gateway.assert_sound();
    assert_eq!(created(&gateway, &create("/bkt/b?uploads", &body)).0, "created");
    // Deleting its bucket gives it back, too.
    gateway.send(&Request::new("PUT", "/tmp")).expect(200);
    put(&gateway, Who::Root, "/bkt/a", &body);
    assert_eq!(created(&gateway, &create("/tmp/b?uploads", &body)).0, "instant");
    gateway.send(&Request::new("DELETE", "/tmp")).expect(204);
    gateway.assert_sound();
}

#[test]
fn checksums_and_digests_are_as_the_upload_asks() {
    let gateway = gateway();
    let body = file(7);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let md5 = md5_hex(&body);
    for (name, value, how) in [
        ("x-partita-content-md5", md5.as_str(), "instant"),
        ("x-partita-content-md5", "00000000000000000000000000000000", "created"),
        ("x-amz-checksum-algorithm", "CRC64NVME", "instant"),
        ("x-amz-checksum-algorithm", "SHA256", "instant"),
        // No checksum of this algorithm was computed.
        ("x-amz-checksum-algorithm", "CRC32", "created"),
    ] {
        let request = create("/bkt/b?uploads", &body).header(name, value);
        let (found, id) = created(&gateway, &request);
        assert_eq!(found, how, "{name}: {value}");
        let target = format!("/bkt/b?uploadId={id}");
        if how == "instant" && value != "SHA256" {
            complete(&gateway, &target, &parts(&gateway, &target)).expect(200);
        }
    }
    // Complete may name more digests.
    let id = created(&gateway, &create("/bkt/c?uploads", &body)).1;
    let target = format!("/bkt/c?uploadId={id}");
    let request = Request::new("POST", target.as_str()).body(document(&parts(&gateway, &target)));
    let wrong = request.clone().header("x-partita-content-md5", "0".repeat(32));
    assert_eq!(gateway.send(&wrong).code().as_deref(), Some("BadDigest"));
    gateway.send(&request.header("x-partita-content-md5", md5)).expect(200);
    gateway.assert_sound();
}

#[test]
fn small_files_and_undeclared_ones_are_ordinary() {
    let gateway = gateway();
    let small = &file(8)[..65_535];
    put(&gateway, Who::Root, "/bkt/a", small);
    assert_eq!(created(&gateway, &create("/bkt/b?uploads", small)).0, "created");
    let body = file(9);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let mut request = create("/bkt/b?uploads", &body);
    request.headers.remove(0);
    assert_eq!(created(&gateway, &request).0, "created");
}
