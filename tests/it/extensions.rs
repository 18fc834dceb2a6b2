//! Headers `x-partita-*`: each operation reads its own and refuses all others.

use super::harness::{Gateway, Request};

/// Header, a valid value, and the operations that read it. This list is independent of the
/// gateway's.
const READ_BY: &[(&str, &str, &[&str])] = &[
    ("x-partita-object-size", "5", &["create", "complete"]),
    ("x-partita-part-size", "5", &["create"]),
    ("x-partita-content-sha256", SHA256, &["create", "complete"]),
    ("x-partita-content-md5", "5d41402abc4b2a76b9719d911017c592", &["create", "complete"]),
    ("x-partita-max-bytes", "9", &["put", "part"]),
    ("x-partita-instant-prefix", "a/", &["create", "put", "part", "compare"]),
    ("x-partita-proof-prefix", "*", &["create"]),
    ("x-partita-callback-var", "e30=", &["create", "put", "copy"]),
    ("x-partita-upload", "created", &[]),
    ("x-partita-max-byte", "9", &[]),
    ("x-partita-", "9", &[]),
];
const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Operations, each with a request.
fn requests(upload: &str) -> Vec<(&'static str, Request)> {
    let of_upload = |more: &str| format!("/bkt/k?uploadId={upload}{more}");
    let copy = Request::new("PUT", "/bkt/copied").header("x-amz-copy-source", "/bkt/there");
    let blocks = of_upload("&partita-blocks");
    vec![
        ("put", Request::new("PUT", "/bkt/k").body("hello")),
        ("copy", copy),
        ("create", Request::new("POST", "/bkt/k?uploads")),
        ("part", Request::new("PUT", of_upload("&partNumber=1")).body("hello")),
        ("compare", Request::new("POST", blocks).body("{\"parts\":[]}")),
        ("complete", Request::new("POST", of_upload("")).body("<CompleteMultipartUpload/>")),
        ("get", Request::new("GET", "/bkt/there")),
        ("parts", Request::new("GET", of_upload(""))),
        ("state", Request::new("GET", of_upload("&partita-state"))),
        ("list", Request::new("GET", "/bkt?list-type=2")),
        ("buckets", Request::new("GET", "/")),
    ]
}

#[test]
fn each_header_is_read_or_refused_also_in_the_query() {
    let gateway = Gateway::start();
    gateway.send(&Request::new("PUT", "/bkt/there").body("hello")).expect(200);
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    for (header, value, readers) in READ_BY {
        for (name, request) in requests(&upload) {
            let mut hoisted = request.clone();
            let separator = if hoisted.target.contains('?') { '&' } else { '?' };
            hoisted.target.push_str(&format!("{separator}{}={value}", header.to_uppercase()));
            for request in [request.header(header, *value), hoisted] {
                let answer = gateway.send(&request);
                let body = String::from_utf8_lossy(&answer.body);
                let refused = answer.status == 400 && body.contains("has no meaning for ");
                assert_eq!(refused, !readers.contains(&name), "{header} {name}: {answer:?}");
            }
        }
    }
    gateway.assert_sound();
}
