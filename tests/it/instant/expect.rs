//! Bodies with `Expect: 100-continue`, from clients without extensions.

use super::{create, created, file, gateway, offer, put, sha256, upload};
use crate::declared::document;
use crate::harness::{Gateway, Payload, Request, Who, base64, checksum, md5_hex};

#[test]
fn a_known_body_is_never_asked_for() {
    let gateway = gateway();
    let body = file(1);
    let first = put(&gateway, Who::Root, "/bkt/a", &body);
    let request = upload("/bkt/b", &body).header("x-amz-meta-who", "me");
    let (answer, asked) = offer(&gateway, &request);
    assert!(!asked);
    for name in ["etag", "x-amz-checksum-crc64nvme", "x-amz-checksum-type"] {
        assert_eq!(answer.header(name), first.header(name), "{name}");
    }
    assert_eq!(answer.header("x-partita-upload").as_deref(), Some("instant"));
    // An unread body would be taken for the next request.
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    gateway.send(&Request::new("DELETE", "/bkt/a")).expect(204);
    gateway.assert_sound();
    let got = gateway.send(&Request::new("GET", "/bkt/b")).expect(200);
    assert_eq!(got.header("x-amz-meta-who").as_deref(), Some("me"));
    assert_eq!(got.body, body);
}

#[test]
fn an_object_put_over_itself_keeps_its_bytes() {
    let gateway = gateway();
    let body = file(2);
    put(&gateway, Who::Root, "/bkt/a", &body);
    assert!(!offer(&gateway, &upload("/bkt/a", &body)).1);
    gateway.assert_sound();
    assert_eq!(gateway.send(&Request::new("GET", "/bkt/a")).expect(200).body, body);
}

#[test]
fn a_body_without_a_match_is_read() {
    let gateway = gateway();
    let body = file(3);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let answer = put(&gateway, Who::Root, "/bkt/b", &body);
    assert_eq!(answer.header("x-partita-upload"), None);
    // No header names a digest.
    assert!(offer(&gateway, &upload("/bkt/c", &body).payload(Payload::Unsigned)).1);
    assert!(offer(&gateway, &upload("/bkt/c", &body).payload(Payload::SignedChunks(8192))).1);
    let small = &body[..65_535];
    put(&gateway, Who::Root, "/bkt/small", small);
    assert!(offer(&gateway, &upload("/bkt/d", small)).1);
    let off = Gateway::with(&[("instant-expect", "false")]);
    put(&off, Who::Root, "/bkt/a", &body);
    assert!(offer(&off, &upload("/bkt/b", &body)).1);
}

#[test]
fn every_named_digest_is_compared() {
    let gateway = gateway();
    let body = file(4);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let sum = |name: &str| base64(&checksum(name, &body).unwrap());
    let zero = |bytes: usize| base64(&vec![0; bytes]);
    let named = |name: &str, value: String| upload("/bkt/b", &body).header(name, value);
    for (name, value) in [
        ("content-md5", sum("md5")),
        ("x-amz-checksum-md5", sum("md5")),
        ("x-amz-checksum-crc64nvme", sum("crc64nvme")),
        ("x-amz-checksum-sha256", sum("sha256")),
    ] {
        let (answer, asked) = offer(&gateway, &named(name, value.clone()));
        assert!(!asked, "{name} {answer:?}");
        if name.starts_with("x-amz") {
            assert_eq!(answer.header(name), Some(value));
        }
    }
    for (name, value) in [
        ("content-md5", zero(16)),
        ("x-amz-checksum-md5", zero(16)),
        ("x-amz-checksum-crc64nvme", zero(8)),
        ("x-amz-checksum-sha256", zero(32)),
    ] {
        let (answer, asked) = offer(&gateway, &named(name, value));
        assert!(asked, "{name}");
        assert_eq!(answer.code().as_deref(), Some("BadDigest"), "{name}");
    }
    // No SHA-1 of the stored bytes is known: they must be sent.
    assert!(offer(&gateway, &named("x-amz-checksum-sha1", sum("sha1"))).1);
    assert!(!offer(&gateway, &named("x-amz-checksum-sha1", sum("sha1"))).1, "now it is");
    // A digest in the trailer cannot be compared in advance.
    let trailer = upload("/bkt/b", &body).payload(Payload::UnsignedTrailer(8192, "crc32"));
    assert!(offer(&gateway, &trailer).1);
    // The checksum header suffices, whatever the framing of the payload.
    let alone = named("x-amz-checksum-sha256", sum("sha256"));
    assert!(!offer(&gateway, &alone.clone().payload(Payload::Unsigned)).1);
    assert!(!offer(&gateway, &alone.payload(Payload::SignedChunks(8192))).1);
    gateway.assert_sound();
}

#[test]
fn conditions_are_checked_as_for_any_put() {
    let gateway = gateway();
    let body = file(5);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let none = upload("/bkt/a", &body).header("if-none-match", "*");
    let (answer, asked) = offer(&gateway, &none);
    assert_eq!((answer.status, asked), (412, false));
    let (answer, asked) = offer(&gateway, &upload("/bkt/new", &body).header("if-none-match", "*"));
    assert_eq!((answer.status, asked), (200, false));
    let tag = format!("\"{}\"", md5_hex(&file(6)));
    let (answer, asked) = offer(&gateway, &upload("/bkt/a", &body).header("if-match", tag));
    assert_eq!((answer.status, asked), (412, false));
    let (answer, asked) = offer(&gateway, &upload("/nowhere/a", &body));
    assert_eq!((answer.status, asked), (404, false));
}

#[test]
fn a_part_is_known_by_open_uploads_and_by_objects() {
    let gateway = gateway();
    let (one, two, three) = (file(7), file(8), file(9));
    let open = |key: &str| {
        let create = Request::new("POST", format!("/bkt/{key}?uploads"));
        gateway.send(&create).expect(200).text("UploadId")
    };
    let part = |key: &str, id: &str, number: usize, body: &[u8]| {
        offer(&gateway, &upload(&format!("/bkt/{key}?uploadId={id}&partNumber={number}"), body))
    };
    // An upload that was left open, and the same file once more.
    let first = open("a");
    assert!(part("a", &first, 1, &one).1 && part("a", &first, 2, &two).1);
    assert!(part("a", &first, 3, &three).1);
    let second = open("a");
    let etags: Vec<(usize, String)> = (1..)
        .zip([&one, &two])
        .map(|(number, body)| {
            let (answer, asked) = part("a", &second, number, body);
            assert!(!asked, "part {number}");
            (number, answer.header("etag").unwrap())
        })
        .collect();
    gateway.assert_sound();
    let target = format!("/bkt/a?uploadId={second}");
    gateway.send(&Request::new("POST", target).body(document(&etags))).expect(200);
    gateway.send(&Request::new("DELETE", format!("/bkt/a?uploadId={first}"))).expect(204);
    gateway.assert_sound();
    let got = gateway.send(&Request::new("GET", "/bkt/a")).expect(200);
    assert_eq!(got.body, [&one[..], &two].concat());
    // The parts belong to an object now, except the third one, which belongs to nothing.
    let third = open("b");
    assert!(!part("b", &third, 1, &two).1);
    assert!(part("b", &third, 2, &three).1);
    gateway.send(&Request::new("DELETE", "/bkt/a")).expect(204);
    let fourth = open("c");
    assert!(part("c", &fourth, 1, &one).1);
    gateway.assert_sound();
}

#[test]
fn a_part_of_a_declared_upload_must_fit() {
    let gateway = gateway();
    let body = file(10);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let whole = [&body[..], b"tail"].concat();
    let request = create("/bkt/b?uploads", &whole).header("x-partita-part-size", "70000");
    let id = created(&gateway, &request).1;
    let part = |number: usize| upload(&format!("/bkt/b?uploadId={id}&partNumber={number}"), &body);
    let (answer, asked) = offer(&gateway, &part(2));
    assert_eq!((answer.status, asked), (400, false));
    let (answer, asked) = offer(&gateway, &part(1));
    assert_eq!((answer.status, asked), (200, false));
    assert_eq!(answer.header("x-partita-next-part").as_deref(), Some("2"));
    assert_eq!(sha256(&body).len(), 64);
}

#[test]
fn a_part_bears_the_checksum_of_its_upload() {
    let gateway = gateway();
    let body = file(11);
    put(&gateway, Who::Root, "/bkt/a", &body);
    for (algorithm, known) in [("SHA256", true), ("CRC32", false)] {
        let create = Request::new("POST", "/bkt/b?uploads");
        let create = create.header("x-amz-checksum-algorithm", algorithm);
        let id = gateway.send(&create).expect(200).text("UploadId");
        let name = algorithm.to_ascii_lowercase();
        let value = base64(&checksum(&name, &body).unwrap());
        let header = format!("x-amz-checksum-{name}");
        let part = upload(&format!("/bkt/b?uploadId={id}&partNumber=1"), &body);
        let (answer, asked) = offer(&gateway, &part.header(&header, value.clone()));
        assert_eq!(asked, !known, "{algorithm}");
        assert_eq!(answer.header(&header), Some(value));
    }
}
