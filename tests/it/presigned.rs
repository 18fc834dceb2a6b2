//! Presigned URLs: the requests that they allow, and the refusal of anything that is added.

use partita::ops::OPERATIONS;
use partita::request::operation::Selector;

use crate::harness::{Answer, Gateway, Request, Script, Who};
use crate::routing::S3_WORDS;
use crate::signer::{self, Signer};

/// Requests that are presigned: method, target, body. `$U` is an open upload of `bkt/up`.
const URLS: &[(&str, &str, &str)] = &[
    ("GET", "/", ""),
    ("GET", "/bkt", ""),
    ("GET", "/bkt/key", ""),
    ("HEAD", "/bkt/key", ""),
    ("PUT", "/bkt/new", "bytes"),
    ("PUT", "/bkt/up?uploadId=$U&partNumber=1", "bytes"),
    ("GET", "/bkt/up?uploadId=$U", ""),
    ("POST", "/bkt/new?uploads", ""),
];

/// Headers of S3 and of this server that have a meaning, or may get one.
const HEADERS: &[(&str, &str)] = &[
    ("x-amz-acl", "public-read"),
    ("x-amz-bypass-governance-retention", "true"),
    ("x-amz-checksum-algorithm", "CRC32"),
    ("x-amz-checksum-crc32", "AAAAAA=="),
    ("x-amz-checksum-mode", "ENABLED"),
    ("x-amz-checksum-type", "FULL_OBJECT"),
    ("x-amz-copy-source", "bkt/key"),
    ("x-amz-copy-source-if-match", "x"),
    ("x-amz-copy-source-range", "bytes=0-0"),
    ("x-amz-date", "20260101T000000Z"),
    ("x-amz-decoded-content-length", "0"),
    ("x-amz-expected-bucket-owner", "root"),
    ("x-amz-grant-full-control", "id=alice"),
    ("x-amz-if-match-size", "1"),
    ("x-amz-meta-evil", "1"),
    ("x-amz-metadata-directive", "REPLACE"),
    ("x-amz-mfa", "1"),
    ("x-amz-mp-object-size", "1"),
    ("x-amz-object-attributes", "ETag"),
    ("x-amz-object-lock-mode", "GOVERNANCE"),
    ("x-amz-optional-object-attributes", "RestoreStatus"),
    ("x-amz-rename-source", "/bkt/key"),
    ("x-amz-request-payer", "requester"),
    ("x-amz-sdk-checksum-algorithm", "CRC32"),
    ("x-amz-security-token", "t"),
    ("x-amz-server-side-encryption", "AES256"),
    ("x-amz-storage-class", "STANDARD"),
    ("x-amz-tagging", "a=b"),
    ("x-amz-trailer", "x-amz-checksum-crc32"),
    ("x-amz-website-redirect-location", "/"),
    ("x-amz-write-offset-bytes", "0"),
    ("x-partita-anything", "1"),
    ("x-partita-callback", "http://example.test"),
];

struct Presigned {
    gateway: Gateway,
    upload: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    V2,
    V4,
}

impl Presigned {
    fn start() -> Self {
        let gateway = Gateway::start();
        let mut script = Script::new(&gateway);
        script.run(
            r#"
            PUT /bkt/key << secret   => 200
            POST /bkt/up?uploads     => 200 | UploadId -> U
            "#,
        );
        let upload = script.get("U").to_owned();
        Self { gateway, upload }
    }

    fn signer() -> Signer {
        Who::Root.signer().expect("root has a key")
    }

    /// Path and query of the URL.
    fn url(&self, version: Version, method: &str, target: &str) -> String {
        let target = target.replace("$U", &self.upload);
        match version {
            Version::V4 => {
                let host = self.gateway.host();
                Self::signer().presign_v4(signer::now(), 900, method, &host, &target, &[])
            }
            Version::V2 => Self::signer().presign_v2(signer::now() + 900, method, "", &target, &[]),
        }
    }

    fn send(&self, method: &str, url: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::new(method, url).by(Who::Anonymous).body(body);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.gateway.send(&request)
    }
}

#[test]
fn presigned_urls_are_served() {
    let presigned = Presigned::start();
    for version in [Version::V2, Version::V4] {
        for (method, target, body) in URLS {
            let url = presigned.url(version, method, target);
            let answer = presigned.send(method, &url, body, &[]);
            assert_eq!(answer.status, 200, "{version:?} {method} {target}: {answer:?}");
        }
    }
}

#[test]
fn a_parameter_added_to_a_presigned_url_is_refused() {
    let presigned = Presigned::start();
    let mut words: Vec<String> = S3_WORDS.iter().map(|word| format!("{word}=1")).collect();
    words.extend(S3_WORDS.iter().map(|word| (*word).to_owned()));
    for row in OPERATIONS {
        for selector in row.selectors {
            words.push(match *selector {
                Selector::Query(name) => name.to_owned(),
                Selector::QueryValue(name, value) => format!("{name}={value}"),
                Selector::Header(name) => format!("{name}=bkt/key"),
            });
        }
        words.extend(row.parameters.iter().map(|name| format!("{name}=null")));
    }
    words.extend(HEADERS.iter().map(|(name, value)| format!("{name}={value}")));
    words.extend(["partita-status".into(), "partita-grant=x".into()]);
    for version in [Version::V2, Version::V4] {
        for (method, target, body) in URLS {
            let url = presigned.url(version, method, target);
            for word in &words {
                let answer = presigned.send(method, &format!("{url}&{word}"), body, &[]);
                let case = format!("{version:?} {method} {target} and {word}: {answer:?}");
                assert!([400, 403, 501].contains(&answer.status), "{case}");
            }
        }
    }
    presigned.assert_untouched();
}

#[test]
fn a_header_added_to_a_presigned_url_is_refused() {
    let presigned = Presigned::start();
    for version in [Version::V2, Version::V4] {
        for (method, target, body) in URLS {
            let url = presigned.url(version, method, target);
            for header in HEADERS {
                let answer = presigned.send(method, &url, body, &[*header]);
                let case = format!("{version:?} {method} {target} and {header:?}: {answer:?}");
                assert!([400, 403, 501].contains(&answer.status), "{case}");
            }
        }
    }
    presigned.assert_untouched();
}

impl Presigned {
    /// Asserts that refused requests wrote nothing.
    fn assert_untouched(&self) {
        let mut script = Script::new(&self.gateway);
        script.set("U", &self.upload);
        script.run(
            r#"
            GET /bkt                  => 200 | Contents/Key = key
            GET /bkt/key              => 200 << secret
            GET /bkt/up?uploadId=$U   => 200 | !Part
            GET /bkt?uploads          => 200 | UploadId = $U
            "#,
        );
    }
}

#[test]
fn a_presigned_url_fits_one_method_and_one_target() {
    let presigned = Presigned::start();
    for version in [Version::V2, Version::V4] {
        let url = presigned.url(version, "GET", "/bkt/key");
        for method in ["PUT", "DELETE", "HEAD"] {
            assert_eq!(presigned.send(method, &url, "", &[]).status, 403, "{version:?} {method}");
        }
        let other = url.replace("/bkt/key", "/bkt/other");
        assert_eq!(presigned.send("GET", &other, "", &[]).status, 403, "{version:?}");
    }
    presigned.assert_untouched();
}

/// botocore's old form: overrides are signed, their values decoded.
#[test]
fn signed_parameters_count() {
    let presigned = Presigned::start();
    for version in [Version::V2, Version::V4] {
        let url = presigned.url(version, "GET", "/bkt/key?response-content-type=text%2Fx%20y");
        let answer = presigned.send("GET", &url, "", &[]).expect(200);
        assert_eq!(answer.header("content-type").as_deref(), Some("text/x y"), "{version:?}");
        let bent = url.replace("text%2Fx", "text%2Fz");
        assert_eq!(presigned.send("GET", &bent, "", &[]).status, 403, "{version:?}");
    }
    // A header in the query is signed, so it counts.
    let url = presigned.url(Version::V4, "PUT", "/bkt/new?x-amz-meta-a=b");
    presigned.send("PUT", &url, "bytes", &[]).expect(200);
    let url = presigned.url(Version::V4, "GET", "/bkt/new");
    let answer = presigned.send("GET", &url, "", &[]).expect(200);
    assert_eq!(answer.header("x-amz-meta-a").as_deref(), Some("b"));
}

/// SigV2 signs lines of text. A user who chooses a value in a URL that is made for him (the name of
/// a download) must not get lines of his own signed.
#[test]
fn a_line_end_in_a_signed_value_is_refused() {
    let presigned = Presigned::start();
    let (end, later) = (signer::now() + 900, signer::now() + 99_999);
    let encode = |text: &str| signer::encode(text.as_bytes(), false);
    let chosen = format!("a\n\n{later}\n/bkt/key?response-content-type=x");
    let target = format!("/bkt/mine?response-content-disposition={}", encode(&chosen));
    let url = Presigned::signer().presign_v2(end, "GET", "", &target, &[]);
    assert_eq!(presigned.send("GET", &url, "", &[]).status, 400);
    // The same lines, read as those of another key and a later end.
    let signed = url.split_once("&AWSAccessKeyId=").and_then(|(_, tail)| tail.split_once("&Exp"));
    let (signed, _) = signed.expect("it is signed and has an end");
    let md5 = encode(&format!("\n\n{end}\n/bkt/mine?response-content-disposition=a"));
    let forged = format!(
        "/bkt/key?content-md5={md5}&response-content-type=x&Expires={later}\
         &AWSAccessKeyId={signed}"
    );
    assert_eq!(presigned.send("GET", &forged, "", &[]).status, 400);
}

/// Options in a signed query count; an overlooked one would be a wrong 200.
#[test]
fn hoisted_options_count() {
    let presigned = Presigned::start();
    let sent = |method: &str, target: &str, body: &str| {
        let url = presigned.url(Version::V4, method, target);
        presigned.send(method, &url, body, &[])
    };
    let copy = "/bkt/copy?x-amz-copy-source=bkt%2Fkey";
    sent("PUT", &format!("{copy}&x-amz-metadata-directive=REPLACE&x-amz-meta-a=b"), "").expect(200);
    let copied = sent("GET", "/bkt/copy", "").expect(200);
    assert_eq!(copied.header("x-amz-meta-a").as_deref(), Some("b"));
    sent("PUT", &format!("{copy}&x-amz-metadata-directive=KEEP"), "").expect(400);
    sent("PUT", &format!("{copy}&x-amz-checksum-algorithm=ROT13"), "").expect(400);
    sent("PUT", "/locked?x-amz-bucket-object-lock-enabled=true", "").expect(501);
    sent("PUT", "/owned?x-amz-object-ownership=ObjectWriter", "").expect(501);
    sent("DELETE", "/bkt/key?x-amz-if-match-size=1", "").expect(501);
    sent("PUT", "/bkt/up?uploadId=$U&partNumber=1", "bytes").expect(200);
    let complete = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>\
                    <ETag>4b3a6218bb3e3a7303e8a171a60fcf92</ETag></Part></CompleteMultipartUpload>";
    sent("POST", "/bkt/up?uploadId=$U&x-amz-mp-object-size=6", complete).expect(400);
    sent("POST", "/bkt/up?uploadId=$U&x-amz-checksum-type=NONE", complete).expect(400);
    sent("POST", "/bkt/up?uploadId=$U&x-amz-mp-object-size=5", complete).expect(200);
}

/// botocore writes the Content-Type that SigV2 signs into the query.
#[test]
fn a_hoisted_content_type_is_stored() {
    let presigned = Presigned::start();
    let headers = [("content-type", "image/png")];
    let url = Presigned::signer().presign_v2(signer::now() + 900, "PUT", "", "/bkt/k", &headers);
    presigned.send("PUT", &format!("{url}&content-type=image%2Fpng"), "x", &[]).expect(200);
    let got = presigned.send("GET", &presigned.url(Version::V4, "GET", "/bkt/k"), "", &[]);
    assert_eq!(got.expect(200).header("content-type").as_deref(), Some("image/png"));
    // A header takes precedence, and must then be the signed one.
    presigned.send("PUT", &url, "x", &[("content-type", "image/gif")]).expect(403);
}

/// JavaScript's SDK writes the CRC of an empty body into the URL: it is signed and ignored.
#[test]
fn a_checksum_in_the_query_says_nothing_of_the_body() {
    let presigned = Presigned::start();
    let target = "/bkt/new?x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32";
    let url = presigned.url(Version::V4, "PUT", target);
    presigned.send("PUT", &url, "bytes", &[]).expect(200);
}

#[test]
fn presigned_urls_expire() {
    let presigned = Presigned::start();
    let (signer, host) = (Presigned::signer(), presigned.gateway.host());
    let now = signer::now();
    let v4 = |at, seconds: &str| signer.presign_v4_raw(at, seconds, "GET", &host, "/bkt/key", &[]);
    for (url, status, code) in [
        (v4(now - 100, "90"), 403, "AccessDenied"),
        (v4(now + 3600, "90"), 403, "AccessDenied"),
        (v4(now, "604801"), 400, "AuthorizationQueryParametersError"),
        (v4(now, "-1"), 403, "AccessDenied"),
        (v4(now, "x"), 400, "AuthorizationQueryParametersError"),
        (signer.presign_v2(now - 1, "GET", "", "/bkt/key", &[]), 403, "AccessDenied"),
    ] {
        let answer = presigned.send("GET", &url, "", &[]).expect(status);
        assert_eq!(answer.code().as_deref(), Some(code), "{url}");
    }
    presigned.send("GET", &v4(now - 604_000, "604800"), "", &[]).expect(200);
}

#[test]
fn sigv2_can_be_switched_off() {
    let gateway = Gateway::with(&[("sigv2-presigned", "false")]);
    let url = Presigned::signer().presign_v2(signer::now() + 900, "GET", "", "/bkt", &[]);
    let answer = gateway.send(&Request::new("GET", url).by(Who::Anonymous)).expect(400);
    assert_eq!(answer.code().as_deref(), Some("InvalidRequest"));
}
