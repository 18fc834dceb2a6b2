//! Bounds on a body that a signature can contain: its size and its type.

use crate::harness::{Answer, Framing, Gateway, Payload, Request, Who};
use crate::signer::{self, Signer};

const NAME: &str = "x-partita-max-bytes";

fn root() -> Signer {
    Who::Root.signer().unwrap()
}

fn url(gateway: &Gateway, target: &str, headers: &[(&str, &str)]) -> String {
    root().presign_v4(signer::now(), 60, "PUT", &gateway.host(), target, headers)
}

fn put(gateway: &Gateway, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::new("PUT", url).by(Who::Anonymous).body(body);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    gateway.send(&request)
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code().unwrap_or_default())
}

/// Targets: an object, and a part of an open upload.
fn targets(gateway: &Gateway) -> [String; 2] {
    let upload = gateway.send(&Request::new("POST", "/bkt/up?uploads")).text("UploadId");
    ["/bkt/k?".to_owned(), format!("/bkt/up?partNumber=1&uploadId={upload}&")]
}

#[test]
fn a_url_bounds_its_body_by_its_query_or_by_a_signed_header() {
    let gateway = Gateway::start();
    let too_large = (400, "EntityTooLarge".to_owned());
    for target in targets(&gateway) {
        let bare = target.trim_end_matches(['?', '&']);
        let hoisted = url(&gateway, &format!("{target}{NAME}=5"), &[]);
        put(&gateway, &hoisted, &[], "12345").expect(200);
        put(&gateway, &hoisted, &[], "").expect(200);
        let over = put(&gateway, &hoisted, &[], "123456");
        assert_eq!(code(&over), too_large);
        assert_eq!(
            (over.text("ProposedSize"), over.text("MaxSizeAllowed")),
            ("6".into(), "5".into())
        );
        let signed = url(&gateway, bare, &[(NAME, "5")]);
        put(&gateway, &signed, &[(NAME, "5")], "12345").expect(200);
        assert_eq!(code(&put(&gateway, &signed, &[(NAME, "5")], "123456")), too_large);
        let zero = url(&gateway, &format!("{target}{NAME}=0"), &[]);
        put(&gateway, &zero, &[], "").expect(200);
        assert_eq!(code(&put(&gateway, &zero, &[], "1")), too_large);
    }
}

#[test]
fn the_bound_cannot_be_left_out_or_changed() {
    let gateway = Gateway::start();
    for target in targets(&gateway) {
        let bare = target.trim_end_matches(['?', '&']);
        let hoisted = url(&gateway, &format!("{target}{NAME}=5"), &[]);
        let signed = url(&gateway, bare, &[(NAME, "5")]);
        for (url, headers, why) in [
            (hoisted.replace(&format!("{NAME}=5"), &format!("{NAME}=9")), vec![], "Signature"),
            (hoisted.replace(&format!("{NAME}=5&"), ""), vec![], "Signature"),
            (hoisted.replace(NAME, "X-Partita-Max-Bytes"), vec![], "Signature"),
            (hoisted.clone(), vec![(NAME, "9")], "AccessDenied"),
            (format!("{hoisted}&X-Partita-Max-Bytes=9"), vec![], "Signature"),
            (signed.clone(), vec![], "Signature"),
            (signed.clone(), vec![(NAME, "9")], "Signature"),
            (signed.clone(), vec![(NAME, "5"), (NAME, "9")], "InvalidRequest"),
        ] {
            let answer = put(&gateway, &url, &headers, "123456");
            assert!((400..404).contains(&answer.status), "{url} {headers:?}: {answer:?}");
            assert!(code(&answer).1.starts_with(why), "{url} {headers:?}: {answer:?}");
        }
    }
    let target = format!("/bkt/k?{NAME}=5");
    let v2 = root().presign_v2(signer::now() + 60, "PUT", "", &target, &[]);
    // SigV2 does not sign this header, so the bound could be removed.
    assert_eq!(code(&put(&gateway, &v2, &[], "123")), (403, "AccessDenied".into()));
}

#[test]
fn the_bound_holds_before_the_body_and_without_a_length() {
    let gateway = Gateway::start();
    for target in targets(&gateway) {
        let hoisted = url(&gateway, &format!("{target}{NAME}=5"), &[]);
        let mut request = Request::new("PUT", &hoisted).by(Who::Anonymous).body("123456");
        request.unsigned_headers.push(("Expect".into(), "100-continue".into()));
        let (head, _) = request.encode_apart(&gateway.host());
        let mut connection = gateway.connect();
        connection.write(&head);
        assert_eq!(connection.read_answer("PUT").status, 400, "no body was asked for");
        let unmeasured = |body: &str| {
            let request = Request::new("PUT", &hoisted).by(Who::Anonymous).body(body);
            gateway.send(&request.framing(Framing::Chunked(2)))
        };
        assert_eq!(code(&unmeasured("123456")), (400, "EntityTooLarge".into()));
        unmeasured("12345").expect(200);
        let chunked = |body: &str| {
            let request = Request::new("PUT", format!("{target}{NAME}=5")).body(body);
            gateway.send(&request.payload(Payload::SignedChunks(8)))
        };
        assert_eq!(code(&chunked("123456")), (400, "EntityTooLarge".into()));
        chunked("12345").expect(200);
    }
    for value in ["", "-1", "5.0", "1e3", "99999999999999999999999"] {
        let target = format!("/bkt/k?{NAME}={value}");
        let answer = gateway.send(&Request::new("PUT", target).body("1"));
        assert_eq!(code(&answer), (400, "InvalidArgument".into()), "{value}");
    }
    gateway.assert_sound();
}

#[test]
fn a_signed_type_is_the_only_one() {
    let gateway = Gateway::start();
    const TYPE: &str = "content-type";
    let signed = url(&gateway, "/bkt/k", &[(TYPE, "image/png")]);
    put(&gateway, &signed, &[(TYPE, "image/png")], "x").expect(200);
    let mismatch = (403, "SignatureDoesNotMatch".to_owned());
    assert_eq!(code(&put(&gateway, &signed, &[], "x")), mismatch);
    assert_eq!(code(&put(&gateway, &signed, &[(TYPE, "text/html")], "x")), mismatch);
    // In the query it is binding too: another type in a header is refused.
    let hoisted = url(&gateway, "/bkt/h?Content-Type=image%2Fpng", &[]);
    put(&gateway, &hoisted, &[], "x").expect(200);
    put(&gateway, &hoisted, &[(TYPE, "image/png")], "x").expect(200);
    assert_eq!(code(&put(&gateway, &hoisted, &[(TYPE, "text/html")], "x")).1, "InvalidArgument");
    let got = gateway.send(&Request::new("GET", "/bkt/h"));
    assert_eq!(got.header(TYPE).as_deref(), Some("image/png"));
}
