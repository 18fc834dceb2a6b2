//! Attacks on instant upload, a test for each.

use super::{create, created, file, gateway, offer, put, sha256, upload};
use crate::harness::{Answer, Form, Gateway, Payload, Request, Version, Who};
use crate::signer;

const PREFIX: &str = "x-partita-instant-prefix";

/// A gateway with a bucket of alice, and `bkt` of root with a file that she may not read.
fn two_owners() -> (Gateway, Vec<u8>) {
    let gateway = gateway();
    let secret = file(1);
    put(&gateway, Who::Root, "/bkt/secret", &secret);
    gateway.send(&Request::new("PUT", "/hers").by(Who::Alice)).expect(200);
    (gateway, secret)
}

#[test]
fn the_hash_of_anothers_file_gives_nothing() {
    let (gateway, secret) = two_owners();
    let (how, id) = created(&gateway, &create("/hers/k?uploads", &secret).by(Who::Alice));
    assert_eq!(how, "created");
    let list = Request::new("GET", format!("/hers/k?uploadId={id}")).by(Who::Alice);
    assert_eq!(gateway.send(&list).expect(200).xml().texts("Part").len(), 0);
    let (_, asked) = offer(&gateway, &upload("/hers/k", &secret).by(Who::Alice));
    assert!(asked, "she must have the bytes");
    // After an upload of her own she finds her own copy.
    let part = format!("/hers/k?uploadId={id}&partNumber=1");
    assert!(!offer(&gateway, &upload(&part, &secret).by(Who::Alice)).1);
    assert_eq!(created(&gateway, &create("/hers/l?uploads", &secret).by(Who::Alice)).0, "instant");
    // A part of an open upload is found by nobody else.
    let other = file(2);
    let id = created(&gateway, &create("/bkt/up?uploads", &other)).1;
    put(&gateway, Who::Root, &format!("/bkt/up?uploadId={id}&partNumber=1"), &other);
    assert!(offer(&gateway, &upload("/hers/m", &other).by(Who::Alice)).1);
    assert!(!offer(&gateway, &upload("/bkt/m", &other)).1, "its initiator finds it");
    gateway.assert_sound();
}

/// Otherwise the results would reveal how many copies others have.
#[test]
fn copies_of_others_do_not_hide_ones_own() {
    let gateway = gateway();
    let body = file(9);
    gateway.send(&Request::new("PUT", "/hers").by(Who::Alice)).expect(200);
    put(&gateway, Who::Alice, "/hers/own", &body);
    for n in 0..40 {
        put(&gateway, Who::Root, &format!("/bkt/copy-{n}"), &body);
    }
    assert_eq!(created(&gateway, &create("/hers/k?uploads", &body).by(Who::Alice)).0, "instant");
    assert!(!offer(&gateway, &upload("/hers/l", &body).by(Who::Alice)).1);
}

#[test]
fn a_deputy_narrows_what_it_may_find() {
    let gateway = gateway();
    let theirs = file(3);
    put(&gateway, Who::Root, "/bkt/user1/f", &theirs);
    gateway.send(&Request::new("PUT", "/other")).expect(200);
    for (target, prefixes, how) in [
        ("/bkt/user2/f?uploads", &["user2/"][..], "created"),
        ("/bkt/user2/g?uploads", &["user1/"], "instant"),
        ("/bkt/user2/h?uploads", &["user2/", "user1/"], "instant"),
        ("/bkt/user2/i?uploads", &["user1/f"], "instant"),
        ("/bkt/user2/j?uploads", &["user1/f/"], "created"),
        ("/bkt/user2/k?uploads", &["user1/e", "user1/g", "user1"], "instant"),
        // One header with commas equals several headers.
        ("/bkt/user2/l?uploads", &["user2/, user1/"], "instant"),
        ("/bkt/user2/l2?uploads", &["user%31/"], "instant"),
        ("/bkt/user2/l3?uploads", &["user1/%2Cuser1/"], "created"),
        ("/bkt/user2/m?uploads", &[], "instant"),
        // Prefixes apply to one bucket.
        ("/other/user1/f?uploads", &["user1/"], "created"),
        ("/other/user1/g?uploads", &[], "instant"),
    ] {
        let request = create(target, &theirs);
        let request = prefixes.iter().fold(request, |request, p| request.header(PREFIX, *p));
        assert_eq!(created(&gateway, &request).0, how, "{target} {prefixes:?}");
    }
    let narrow = |prefix: &str| upload("/bkt/user2/n", &theirs).header(PREFIX, prefix);
    assert!(offer(&gateway, &narrow("user2/")).1);
    assert!(!offer(&gateway, &narrow("user1/")).1);
    // A signed query names it in any case of letters, as presigners write it.
    for name in [PREFIX, "X-Partita-Instant-Prefix"] {
        let target = format!("/bkt/user2/{name}?uploads&{name}=none/");
        assert_eq!(created(&gateway, &create(&target, &theirs)).0, "created", "{name}");
    }
    // An empty prefix would narrow nothing.
    for list in ["", ",", "user1/,", "a,,b", "%", "%ff", &["a"; 17].join(",")] {
        let request = create("/bkt/k?uploads", &theirs).header(PREFIX, list);
        let answer = gateway.send(&request).expect(400);
        assert_eq!(answer.code().as_deref(), Some("InvalidArgument"), "{list}");
        assert_eq!(gateway.send(&narrow(list)).status, 400, "{list}");
    }
    gateway.assert_sound();
}

#[test]
fn parts_of_own_uploads_are_narrowed_too() {
    let gateway = gateway();
    let theirs = file(4);
    let id = created(&gateway, &create("/bkt/user1/f?uploads", &theirs)).1;
    put(&gateway, Who::Root, &format!("/bkt/user1/f?uploadId={id}&partNumber=1"), &theirs);
    let narrow = |prefix: &str| upload("/bkt/user2/n", &theirs).header(PREFIX, prefix);
    assert!(offer(&gateway, &narrow("user2/")).1);
    assert!(!offer(&gateway, &narrow("user1/")).1);
}

#[test]
fn a_found_upload_is_authorized_again() {
    let gateway = gateway();
    let theirs = file(5);
    put(&gateway, Who::Root, "/bkt/user1/f", &theirs);
    let target = "/bkt/user2/f?uploads";
    let narrow = |prefix: &str| create(target, &theirs).header(PREFIX, prefix);
    let (how, first) = created(&gateway, &narrow("user1/"));
    assert_eq!(how, "instant");
    assert_eq!(created(&gateway, &narrow("user1/")), ("instant".into(), first.clone()));
    let (how, second) = created(&gateway, &narrow("user2/"));
    assert_eq!((how.as_str(), second == first), ("created", false));
    let presigned = gateway.send(&presigned_create(&gateway, target, &theirs)).expect(200);
    assert_eq!(presigned.header("x-partita-upload").as_deref(), Some("resumed"));
    assert_eq!(presigned.text("UploadId"), second, "the one without the bytes");
    // The object that made it readable is deleted: it is found no more.
    gateway.send(&Request::new("DELETE", "/bkt/user1/f")).expect(204);
    assert_eq!(created(&gateway, &narrow("user1/")), ("resumed".into(), second));
    gateway.assert_sound();
}

/// Everything in an answer, except ids and times.
pub fn comparable(answer: &Answer, id: &str) -> (u16, Vec<(String, String)>, String) {
    let varies = ["x-amz-request-id", "date", "x-amz-abort-date"];
    let headers = answer.headers.iter().filter(|(name, _)| !varies.contains(&name.as_str()));
    let body = String::from_utf8_lossy(&answer.body).replace(id, "ID");
    (answer.status, headers.cloned().collect(), body)
}

#[test]
fn a_miss_tells_nothing() {
    let (gateway, secret) = two_owners();
    let dead = file(6);
    put(&gateway, Who::Alice, "/hers/dead", &dead);
    gateway.send(&Request::new("DELETE", "/hers/dead").by(Who::Alice)).expect(204);
    let mut longer = create("/hers/k?uploads", &secret);
    longer.headers[0].1 = (super::SIZE + 1).to_string();
    let mut absent = create("/hers/k?uploads", &file(7));
    let same_size = absent.clone();
    absent.headers[0].1 = (super::SIZE + 1).to_string();
    let answers: Vec<_> = [
        same_size,
        create("/hers/k?uploads", &secret),
        create("/hers/k?uploads", &dead),
        absent,
        longer,
    ]
    .into_iter()
    .map(|request| {
        let answer = gateway.send(&request.by(Who::Alice)).expect(200);
        comparable(&answer, &answer.text("UploadId"))
    })
    .collect();
    assert_eq!(answers[0], answers[1], "absent and forbidden");
    assert_eq!(answers[0], answers[2], "absent and deleted");
    assert_eq!(answers[3], answers[4], "absent and of another size");
    assert_eq!(answers[0], answers[3]);

    // With Expect, the body is asked for and compared: the same errors.
    let wrong = file(8);
    let answers: Vec<_> = [&secret, &file(9), &dead]
        .map(|claimed| {
            let request = upload("/hers/k", &wrong).by(Who::Alice);
            let request = request.payload(Payload::Literal(sha256(claimed)));
            let (answer, asked) = offer(&gateway, &request);
            assert!(asked);
            (answer.status, answer.code(), answer.headers.len())
        })
        .into();
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[0].1.as_deref(), Some("XAmzContentSHA256Mismatch"));
    gateway.assert_sound();
}

#[test]
fn an_instant_object_counts_in_full() {
    let gateway = gateway();
    let body = file(10);
    put(&gateway, Who::Root, "/bkt/a", &body);
    assert!(!offer(&gateway, &upload("/bkt/b", &body)).1);
    let list = gateway.send(&Request::new("GET", "/bkt?list-type=2")).expect(200);
    assert_eq!(list.xml().texts("Size"), ["70000", "70000"]);
}

#[test]
fn a_forged_size_is_a_miss() {
    let gateway = gateway();
    let body = file(11);
    put(&gateway, Who::Root, "/bkt/a", &body);
    for size in [1, super::SIZE - 1, super::SIZE + 1, 5 << 40] {
        let mut request = create("/bkt/b?uploads", &body);
        request.headers[0].1 = size.to_string();
        assert_eq!(created(&gateway, &request).0, "created", "{size}");
    }
    // A body whose length differs from the declared one is asked for and refused.
    let longer = [&body[..], b"x"].concat();
    let request = upload("/bkt/c", &longer).payload(Payload::Literal(sha256(&body)));
    let (answer, asked) = offer(&gateway, &request);
    assert!(asked);
    assert_eq!(answer.code().as_deref(), Some("XAmzContentSHA256Mismatch"));
    gateway.send(&Request::new("GET", "/bkt/c")).expect(404);
}

fn presigned_create(gateway: &Gateway, target: &str, body: &[u8]) -> Request {
    let size = body.len().to_string();
    let sha256 = sha256(body);
    let headers = [("x-partita-object-size", &*size), ("x-partita-content-sha256", &*sha256)];
    let signer = Who::Root.signer().expect("root signs");
    let host = gateway.host();
    let url = signer.presign_v4(signer::now(), 900, "POST", &host, target, &headers);
    let mut request = Request::new("POST", url).by(Who::Anonymous);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request
}

#[test]
fn a_presigned_url_gives_nothing() {
    let gateway = gateway();
    let body = file(12);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let answer = gateway.send(&presigned_create(&gateway, "/bkt/b?uploads", &body)).expect(200);
    assert_eq!(answer.header("x-partita-upload").as_deref(), Some("created"));
    // With the same hash in a header of its own and in the query.
    let signer = Who::Root.signer().expect("root signs");
    let sum = crate::harness::base64(&hex::decode(sha256(&body)).unwrap());
    let host = gateway.host();
    for headers in [[("x-amz-content-sha256", sha256(&body))], [("x-amz-checksum-sha256", sum)]] {
        let pairs = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let url = signer.presign_v4(signer::now(), 900, "PUT", &host, "/bkt/c", &pairs);
        let mut request = upload(&url, &body).by(Who::Anonymous);
        for (name, value) in pairs {
            request = request.header(name, value);
        }
        let (answer, asked) = offer(&gateway, &request);
        assert_eq!((answer.status, asked), (200, true), "{headers:?} {answer:?}");
    }
    gateway.assert_sound();
}

/// Digests in the fields or headers of a form do not replace its bytes.
#[test]
fn a_form_gives_nothing() {
    let gateway = gateway();
    let body = file(15);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let sum = crate::harness::base64(&hex::decode(sha256(&body)).unwrap());
    // Headers that would find content have no meaning for a form: it is refused.
    let digests: [(u16, &[(&str, &str)]); 3] = [
        (204, &[("x-amz-checksum-sha256", &sum)]),
        (400, &[("x-partita-content-sha256", &sha256(&body)), ("x-partita-object-size", "70000")]),
        (400, &[("x-amz-checksum-sha256", &sum), ("x-partita-instant-prefix", "a")]),
    ];
    for version in [Version::V4, Version::V2] {
        for (status, fields) in digests {
            let form = |file: &[u8]| {
                let form = Form::new("bkt", "b").version(version).file(file);
                fields.iter().fold(form, |form, (name, value)| form.field(name, *value))
            };
            // The body is asked for, and the answer does not depend on stored content.
            let (answer, asked) = offer(&gateway, &form(&body).request());
            assert_eq!((answer.status, asked), (status, true), "{fields:?} {answer:?}");
            assert_eq!(answer.header("x-partita-upload"), None);
            gateway.send(&Request::new("DELETE", "/bkt/b")).expect(204);
            // Without the bytes, no object with them is made.
            let empty = gateway.send(&form(b"").request());
            let got = gateway.send(&Request::new("GET", "/bkt/b"));
            match empty.status {
                204 => assert_eq!(got.expect(200).body, b""),
                status => assert_eq!((status, got.status), (400, 404), "{fields:?}"),
            }
            gateway.send(&Request::new("DELETE", "/bkt/b")).expect(204);
        }
    }
    // A digest in the head belongs to a signed request; the head of a form is not signed.
    let named = Form::new("bkt", "b").file(&body).request();
    let named = named.header("x-amz-content-sha256", sha256(&body));
    assert_eq!(gateway.send(&named).expect(400).code().as_deref(), Some("InvalidRequest"));
    gateway.assert_sound();
}

#[test]
fn an_anonymous_request_gets_nothing() {
    let gateway = gateway();
    let body = file(13);
    put(&gateway, Who::Root, "/bkt/a", &body);
    let known = upload("/bkt/b", &body).by(Who::Anonymous);
    let known = known.header("x-amz-content-sha256", sha256(&body));
    let unknown = upload("/bkt/b", &body).by(Who::Anonymous);
    let unknown = unknown.header("x-amz-content-sha256", sha256(&file(14)));
    for request in [known, unknown] {
        let (answer, asked) = offer(&gateway, &request);
        assert_eq!((answer.status, asked), (403, false));
    }
    gateway.send(&create("/bkt/b?uploads", &body).by(Who::Anonymous)).expect(403);
    gateway.send(&Request::new("GET", "/bkt/b")).expect(404);
}
