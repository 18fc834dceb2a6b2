//! Create finds an open upload of the same file by the same principal.

use std::collections::BTreeSet;

use super::*;
use crate::harness::Who;

const SHA: &str = "x-partita-content-sha256";
const SIZE: &str = "x-partita-object-size";

/// Headers that declare a file of 15 bytes in parts of 10.
fn file() -> Vec<(&'static str, String)> {
    vec![(SIZE, "15".into()), ("x-partita-part-size", "10".into()), (SHA, "ab".repeat(32))]
}

fn gateway() -> Gateway {
    Gateway::with(&[("part-bytes-min", "1")])
}

/// Sends Create; returns the UploadId, and whether the upload was created or resumed.
fn opened(gateway: &Gateway, headers: &[(&str, String)]) -> (String, String) {
    let answer = create(gateway, headers).expect(200);
    (answer.text("UploadId"), answer.header("x-partita-upload").unwrap_or_default())
}

#[test]
fn the_same_file_is_the_same_upload_also_after_a_restart() {
    let mut gateway = gateway();
    let (upload, how) = opened(&gateway, &file());
    assert_eq!(how, "created");
    put_part(&gateway, &upload, 2, b"01234");
    assert_eq!(opened(&gateway, &file()), (upload.clone(), "resumed".into()));
    gateway.restart();
    let again = create(&gateway, &file()).expect(200);
    assert_eq!(again.text("UploadId"), upload);
    assert_eq!(again.header("x-partita-part-size").as_deref(), Some("10"));
    assert_eq!(again.header("x-partita-part-count").as_deref(), Some("2"));
    let listed = gateway.send(&Request::new("GET", format!("/bkt/k?uploadId={upload}")));
    assert_eq!(listed.xml().texts("PartNumber"), ["2"]);
    gateway.assert_sound();
}

#[test]
fn any_other_setting_is_another_upload() {
    let gateway = gateway();
    let mut seen = BTreeSet::new();
    let other: [(&str, &str); 12] = [
        (SIZE, "16"),
        ("x-partita-part-size", "9"),
        (SHA, "abababababababababababababababababababababababababababababababac"),
        ("x-partita-content-md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("content-type", "text/plain"),
        ("content-disposition", "attachment"),
        ("cache-control", "no-store"),
        ("x-amz-meta-a", "1"),
        ("x-amz-meta-a", "2"),
        ("x-amz-meta-b", "1"),
        ("x-amz-checksum-algorithm", "CRC32"),
        ("x-amz-checksum-algorithm", "SHA256"),
    ];
    let (first, _) = opened(&gateway, &file());
    seen.insert(first.clone());
    for (name, value) in other {
        let mut headers = file();
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value.into()));
        let (upload, how) = opened(&gateway, &headers);
        assert_eq!(how, "created", "{name}: {value}");
        assert!(seen.insert(upload.clone()), "{name}: {value}");
        assert_eq!(opened(&gateway, &headers), (upload, "resumed".into()), "{name}: {value}");
    }
    // The order of headers makes no difference.
    let mut headers = file();
    headers.extend([("x-amz-meta-x", "1".into()), ("content-type", "a/b".into())]);
    let (upload, _) = opened(&gateway, &headers);
    headers.reverse();
    assert_eq!(opened(&gateway, &headers), (upload, "resumed".into()));
    gateway.assert_sound();
}

#[test]
fn another_key_bucket_or_principal_is_another_upload() {
    let gateway = gateway();
    Script::new(&gateway).run("alice: PUT /hers => 200");
    let send = |who, target: &str| {
        let mut request = Request::new("POST", target).by(who);
        for (name, value) in file() {
            request = request.header(name, value);
        }
        gateway.send(&request).expect(200).text("UploadId")
    };
    let uploads = [
        send(Who::Root, "/bkt/k?uploads"),
        send(Who::Root, "/bkt/other?uploads"),
        send(Who::Root, "/hers/k?uploads"),
        send(Who::Alice, "/hers/k?uploads"),
    ];
    assert_eq!(BTreeSet::from(uploads.clone()).len(), 4, "{uploads:?}");
    assert_eq!(send(Who::Alice, "/hers/k?uploads"), uploads[3]);
}

#[test]
fn without_size_or_hash_each_create_is_a_new_upload() {
    let gateway = gateway();
    for headers in [
        vec![],
        vec![(SIZE, "15".into())],
        vec![(SHA, "ab".repeat(32))],
        vec![(SIZE, "15".into()), ("x-partita-content-md5", "ab".repeat(16))],
    ] {
        let (first, second) = (opened(&gateway, &headers), opened(&gateway, &headers));
        assert_ne!(first.0, second.0, "{headers:?}");
    }
}

#[test]
fn of_many_creates_at_once_one_makes_the_upload() {
    let gateway = gateway();
    let answers: Vec<(String, String)> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..32).map(|_| scope.spawn(|| opened(&gateway, &file()))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let uploads: BTreeSet<&String> = answers.iter().map(|(upload, _)| upload).collect();
    assert_eq!(uploads.len(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, how)| how == "created").count(), 1, "{answers:?}");
    // Each creator may abort; the last abort ends the upload.
    let target = format!("/bkt/k?uploadId={}", answers[0].0);
    for _ in 0..31 {
        gateway.send(&Request::new("DELETE", target.as_str())).expect(204);
        gateway.send(&Request::new("GET", target.as_str())).expect(200);
    }
    gateway.send(&Request::new("DELETE", target.as_str())).expect(204);
    gateway.send(&Request::new("GET", target.as_str())).expect(404);
    gateway.send(&Request::new("DELETE", target.as_str())).expect(404);
    gateway.assert_sound();
}

#[test]
fn after_the_end_there_is_a_new_upload() {
    let gateway = gateway();
    let (first, _) = opened(&gateway, &file());
    opened(&gateway, &file());
    let target = format!("/bkt/k?uploadId={first}");
    gateway.send(&Request::new("DELETE", target.as_str())).expect(204);
    assert_eq!(opened(&gateway, &file()), (first.clone(), "resumed".into()));
    for _ in 0..2 {
        gateway.send(&Request::new("DELETE", target.as_str())).expect(204);
    }
    let (second, how) = opened(&gateway, &file());
    assert_eq!((second == first, how.as_str()), (false, "created"));

    // Complete ends it for all creators.
    let mut headers = file();
    let sum = crate::harness::checksum("sha256", b"012345678901234").unwrap();
    headers[2].1 = hex::encode(sum);
    let (third, _) = opened(&gateway, &headers);
    assert_eq!(opened(&gateway, &headers).0, third);
    let etags = [
        (1, put_part(&gateway, &third, 1, b"0123456789")),
        (2, put_part(&gateway, &third, 2, b"01234")),
    ];
    let complete = Request::new("POST", format!("/bkt/k?uploadId={third}"));
    gateway.send(&complete.body(document(&etags))).expect(200);
    let (fourth, how) = opened(&gateway, &headers);
    assert_eq!((fourth == third, how.as_str()), (false, "created"));
    gateway.assert_sound();
}
