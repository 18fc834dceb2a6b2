//! Digests of the whole file, declared at Create or at Complete: only verified content is
//! published.

use super::*;

/// A file in parts, with its digests.
struct File {
    parts: Vec<Vec<u8>>,
}

impl File {
    fn new(sizes: &[usize]) -> Self {
        let part = |(seed, size): (usize, &usize)| bytes_of(*size, seed as u64 + 1);
        Self { parts: sizes.iter().enumerate().map(part).collect() }
    }

    fn bytes(&self) -> Vec<u8> {
        self.parts.concat()
    }

    fn md5(&self) -> String {
        md5_hex(&self.bytes())
    }

    fn sha256(&self) -> String {
        hex::encode(crate::harness::checksum("sha256", &self.bytes()).expect("known"))
    }

    /// Sends all parts; returns the document of Complete.
    fn send(&self, gateway: &Gateway, upload: &str) -> String {
        let numbered = self.parts.iter().enumerate();
        let sent = numbered.map(|(at, part)| (at + 1, put_part(gateway, upload, at + 1, part)));
        document(&sent.collect::<Vec<_>>())
    }
}

fn complete(upload: &str, document: &str) -> Request {
    Request::new("POST", format!("/bkt/k?uploadId={upload}")).body(document)
}

fn gateway() -> Gateway {
    Gateway::with(&[("part-bytes-min", "1")])
}

/// A repetition is answered only for digests that were verified.
#[test]
fn a_complete_with_other_digests_is_not_a_repetition() {
    let gateway = gateway();
    let file = File::new(&[1_000, 10]);
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).expect(200).text("UploadId");
    let document = file.send(&gateway, &upload);
    let wrong_sha256 = format!("{:064}", 0);
    gateway.send(&complete(&upload, &document)).expect(200);
    gateway.send(&complete(&upload, &document)).expect(200);
    for (name, value) in [
        ("x-partita-content-sha256", wrong_sha256.as_str()),
        ("x-partita-content-md5", &md5_hex(b"other bytes")),
        ("x-amz-mp-object-size", "1"),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
    ] {
        let answer = gateway.send(&complete(&upload, &document).header(name, value));
        assert_eq!(answer.status, 404, "{name}: {answer:?}");
    }
}

#[test]
fn right_digests_publish_and_wrong_ones_do_not() {
    let gateway = gateway();
    let file = File::new(&[70_000, 1_000, 200_000]);
    let (md5, sha256) = (file.md5(), file.sha256());
    let wrong_md5 = md5_hex(b"other bytes");
    let wrong_sha256 = format!("{:064}", 0);
    for (create_with, complete_with, status) in [
        (vec![("md5", &md5)], vec![], 200),
        (vec![("sha256", &sha256)], vec![], 200),
        (vec![("md5", &md5), ("sha256", &sha256)], vec![], 200),
        (vec![], vec![("md5", &md5), ("sha256", &sha256)], 200),
        (vec![("md5", &md5)], vec![("md5", &md5), ("sha256", &sha256)], 200),
        (vec![("md5", &wrong_md5)], vec![], 400),
        (vec![("sha256", &wrong_sha256)], vec![], 400),
        (vec![("md5", &md5), ("sha256", &wrong_sha256)], vec![], 400),
        (vec![("md5", &md5)], vec![("sha256", &wrong_sha256)], 400),
        (vec![], vec![("md5", &wrong_md5)], 400),
    ] {
        gateway.send(&Request::new("DELETE", "/bkt/k")).expect(204);
        let name = |digest: &str| format!("x-partita-content-{digest}");
        let mut request = Request::new("POST", "/bkt/k?uploads");
        for (digest, value) in &create_with {
            request = request.header(&name(digest), (*value).clone());
        }
        let upload = gateway.send(&request).expect(200).text("UploadId");
        let document = file.send(&gateway, &upload);
        let mut request = complete(&upload, &document);
        for (digest, value) in &complete_with {
            request = request.header(&name(digest), (*value).clone());
        }
        let case = format!("{create_with:?} {complete_with:?}");
        let answer = gateway.send(&request);
        assert_eq!(answer.status, status, "{case}: {answer:?}");
        let listed = gateway.send(&Request::new("GET", format!("/bkt/k?uploadId={upload}")));
        if status == 200 {
            assert_eq!(gateway.send(&Request::new("GET", "/bkt/k")).body, file.bytes(), "{case}");
            assert_eq!(listed.status, 404, "{case}");
        } else {
            // Nothing is published, the parts are kept, and the upload stays open.
            assert_eq!(answer.code().as_deref(), Some("BadDigest"), "{case}");
            let wanted = [&wrong_md5, &wrong_sha256].map(String::as_str);
            assert!(wanted.contains(&answer.text("ExpectedDigest").as_str()), "{answer:?}");
            let computed = [&md5, &sha256].map(String::as_str);
            assert!(computed.contains(&answer.text("CalculatedDigest").as_str()), "{answer:?}");
            assert_eq!(gateway.send(&Request::new("GET", "/bkt/k")).status, 404, "{case}");
            assert_eq!(listed.xml().texts("PartNumber"), ["1", "2", "3"], "{case}");
        }
    }
    gateway.assert_sound();
}

#[test]
fn two_digests_that_contradict_each_other_are_refused() {
    let gateway = gateway();
    let file = File::new(&[1_000]);
    let created = create(&gateway, &[("x-partita-content-sha256", file.sha256())]).expect(200);
    let upload = created.text("UploadId");
    let document = file.send(&gateway, &upload);
    let other = format!("{:064}", 0);
    let request = complete(&upload, &document).header("x-partita-content-sha256", other);
    let answer = gateway.send(&request);
    assert_eq!((answer.status, answer.code().as_deref()), (400, Some("InvalidRequest")));
    // The same digest in capital letters.
    let same = file.sha256().to_uppercase();
    let request = complete(&upload, &document).header("x-partita-content-sha256", same);
    gateway.send(&request).expect(200);
}

#[test]
fn a_wrong_part_can_be_sent_again() {
    let gateway = gateway();
    let (file, wrong) = (File::new(&[70_000, 1_000]), bytes_of(70_000, 9));
    let created = create(&gateway, &[("x-partita-content-sha256", file.sha256())]).expect(200);
    let upload = created.text("UploadId");
    let document = file.send(&gateway, &upload);
    let bad = put_part(&gateway, &upload, 1, &wrong);
    let second = super::super::harness::md5_hex(&file.parts[1]);
    let listed = super::document(&[(1, bad), (2, second)]);
    let answer = gateway.send(&complete(&upload, &listed));
    assert_eq!(answer.code().as_deref(), Some("BadDigest"), "{answer:?}");
    put_part(&gateway, &upload, 1, &file.parts[0]);
    let answer = gateway.send(&complete(&upload, &document)).expect(200);
    let again = gateway.send(&complete(&upload, &document)).expect(200);
    assert_eq!(again.body, answer.body, "the tombstone answers a repetition");
    assert_eq!(gateway.send(&Request::new("GET", "/bkt/k")).body, file.bytes());
}

/// A gateway that begins its answer after a millisecond, and an upload that takes longer to read.
fn slow(digest: impl Fn(&File) -> String) -> (Gateway, File, String, String) {
    let gateway = Gateway::with(&[("part-bytes-min", "1"), ("verify-hold-ms", "1")]);
    let file = File::new(&[8 << 20, 8 << 20]);
    let headers = [("x-partita-content-md5", digest(&file))];
    let upload = create(&gateway, &headers).expect(200).text("UploadId");
    let document = file.send(&gateway, &upload);
    (gateway, file, upload, document)
}

#[test]
fn white_space_keeps_the_client_alive() {
    let (gateway, file, upload, document) = slow(File::md5);
    let answer = gateway.send(&complete(&upload, &document)).expect(200);
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let rest = text.strip_prefix(declaration).unwrap_or_else(|| panic!("{text}"));
    assert!(rest.starts_with("  "), "no white space: {text}");
    assert_eq!(rest.matches("<?xml").count(), 0, "{text}");
    assert_eq!(answer.xml().name, "CompleteMultipartUploadResult");
    assert_eq!(answer.header("transfer-encoding").as_deref(), Some("chunked"));
    assert_eq!(gateway.send(&Request::new("GET", "/bkt/k")).body, file.bytes());
}

#[test]
fn an_error_after_the_head_stands_in_a_200_and_again_in_a_true_400() {
    let (gateway, _, upload, document) = slow(|_| md5_hex(b"other bytes"));
    let answer = gateway.send(&complete(&upload, &document)).expect(200);
    assert_eq!(answer.code().as_deref(), Some("BadDigest"), "{answer:?}");
    assert_eq!(answer.text("Resource"), "/bkt/k");
    assert_eq!(Some(answer.text("RequestId")), answer.header("x-amz-request-id"));
    assert_eq!(gateway.send(&Request::new("GET", "/bkt/k")).status, 404);
    // The parts have been read: a retry is answered at once with a true 400, unless even that takes
    // longer than a millisecond.
    let statuses = (0..20).map(|_| gateway.send(&complete(&upload, &document)).status);
    assert!(statuses.into_iter().any(|status| status == 400));
}

/// True if the verification ended with its client: nothing was published, and the same Complete
/// sent again publishes. False if the verification was done before the server saw that the client
/// had gone.
fn ends_with_its_client() -> bool {
    let (gateway, file, upload, document) = slow(File::md5);
    let mut connection = gateway.connect();
    connection.write(&complete(&upload, &document).encode(&gateway.host()));
    connection.read_head().expect(200);
    drop(connection);
    std::thread::sleep(Duration::from_secs(1));
    let has_ended = gateway.send(&Request::new("GET", "/bkt/k")).status == 404;
    let again = gateway.send(&complete(&upload, &document)).expect(200);
    assert_eq!(again.code(), None, "{again:?}");
    assert_eq!(gateway.send(&Request::new("GET", "/bkt/k")).body, file.bytes());
    gateway.assert_sound();
    has_ended
}

#[test]
fn a_verification_that_nobody_waits_for_ends() {
    assert!((0..8).any(|_| ends_with_its_client()));
}

#[test]
fn a_part_that_changes_during_the_reading_is_not_published_unread() {
    let (gateway, file, upload, document) = slow(File::md5);
    let target = format!("/bkt/k?uploadId={upload}&partNumber=2");
    let other = Request::new("PUT", target).body(bytes_of(8 << 20, 77));
    let mut connection = gateway.connect();
    connection.write(&complete(&upload, &document).encode(&gateway.host()));
    // The part is replaced while it is being read.
    connection.read_head().expect(200);
    let late = gateway.send(&other);
    let body = String::from_utf8(connection.read_chunks()).unwrap();
    let object = gateway.send(&Request::new("GET", "/bkt/k"));
    match late.status {
        // Too late: the verified bytes are published.
        404 => assert_eq!((object.status, object.body), (200, file.bytes())),
        // In time: the list names a part that is no longer there.
        _ => {
            assert!(body.contains("<Code>InvalidPart</Code>"), "{body}");
            assert_eq!(object.status, 404);
        }
    }
    gateway.assert_sound();
}
