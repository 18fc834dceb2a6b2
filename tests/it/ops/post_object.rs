//! PostObject: the stored object, the answer, and the policy.

use crate::harness::{
    Answer, Form, Gateway, Request, Script, Version, Who, base64, bytes_of, checksum, md5_hex,
};
use crate::signer;

const VERSIONS: [Version; 2] = [Version::V2, Version::V4];

fn get(gateway: &Gateway, target: &str) -> Answer {
    gateway.send(&Request::new("GET", target))
}

#[track_caller]
fn refused(gateway: &Gateway, form: &Form, status: u16, code: &str) -> Answer {
    refused_request(gateway, &form.request(), status, code)
}

/// Sends a request that must be refused; asserts that nothing is stored.
#[track_caller]
fn refused_request(gateway: &Gateway, request: &Request, status: u16, code: &str) -> Answer {
    let answer = gateway.send(request);
    assert_eq!((answer.status, answer.code().as_deref()), (status, Some(code)), "{answer:?}");
    let list = get(gateway, "/bkt").expect(200);
    assert!(list.xml().all("Contents").is_empty(), "{list:?}");
    answer
}

#[test]
fn stores_the_file_with_what_the_fields_say() {
    let gateway = Gateway::start();
    for version in VERSIONS {
        for (key, size) in [("small", 5), ("empty", 0), ("large", 300_000), ("units", 9 << 20)] {
            let bytes = bytes_of(size, 3);
            let form = Form::new("bkt", key)
                .version(version)
                .field("Content-Type", "text/x")
                .field("Cache-Control", "no-store")
                .field("content-disposition", "attachment; filename=\"a b\"")
                .field("Content-Encoding", "gzip")
                .field("Content-Language", "de")
                .field("Expires", "whenever")
                .field("x-amz-meta-a", "1")
                .field("X-Amz-Meta-B", "two ä€ words")
                .field("acl", "private")
                .named("whatever.html")
                .file(&bytes);
            let answer = gateway.send(&form.request()).expect(204);
            let tag = format!("\"{}\"", md5_hex(&bytes));
            let crc = base64(&checksum("crc64nvme", &bytes).unwrap());
            let location = format!("http://{}/bkt/{key}", gateway.host());
            for (name, value) in [
                ("etag", &tag),
                ("x-amz-checksum-crc64nvme", &crc),
                ("x-amz-checksum-type", &"FULL_OBJECT".to_owned()),
                ("location", &location),
            ] {
                assert_eq!(answer.header(name).as_ref(), Some(value), "{name}");
            }
            let got = get(&gateway, &format!("/bkt/{key}")).expect(200);
            assert!(got.body == bytes, "{key} {version:?}");
            for (name, value) in [
                ("etag", &*tag),
                ("content-type", "text/x"),
                ("cache-control", "no-store"),
                ("content-disposition", "attachment; filename=\"a b\""),
                ("content-encoding", "gzip"),
                ("content-language", "de"),
                ("expires", "whenever"),
                ("x-amz-meta-a", "1"),
                ("x-amz-meta-b", "two ä€ words"),
            ] {
                assert_eq!(got.header(name).as_deref(), Some(value), "{name}");
            }
        }
    }
    // Headers of the request and of the file's part are not stored.
    let plain = Form::new("bkt", "plain").request().header("cache-control", "max-age=0");
    let mut plain = plain.header("content-language", "en");
    let file = plain.body.windows(11).position(|part| part == b"name=\"file\"").unwrap() + 11;
    plain.body.splice(file..file, b"\r\nContent-Type: text/html".iter().copied());
    gateway.send(&plain).expect(204);
    Script::new(&gateway).run(
        "GET /bkt/plain => 200 | content-type: binary/octet-stream | -cache-control
            | -content-language << content",
    );
    gateway.assert_sound();
}

#[test]
fn answers_as_the_form_asks() {
    let gateway = Gateway::start();
    let key = "a b/ü&<c>";
    let host = gateway.host();
    let location = format!("http://{host}/bkt/a%20b/%C3%BC%26%3Cc%3E");
    let tag = format!("\"{}\"", md5_hex(b"content"));
    for (status, answered) in
        [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204), (" 201 ", 201)]
    {
        let form = Form::new("bkt", key).field("success_action_status", status);
        let answer = gateway.send(&form.request()).expect(answered);
        assert_eq!(answer.header("etag").as_deref(), Some(&*tag), "{status}");
        assert_eq!(answer.header("location").as_deref(), Some(&*location), "{status}");
        if answered != 201 {
            assert!(answer.body.is_empty());
            continue;
        }
        assert_eq!(answer.header("content-type").as_deref(), Some("application/xml"));
        assert_eq!(answer.xml().name, "PostResponse");
        for (element, text) in
            [("Location", &*location), ("Bucket", "bkt"), ("Key", key), ("ETag", &*tag)]
        {
            assert_eq!(answer.text(element), text);
        }
    }
    let query = "bucket=bkt&key=a%20b/%C3%BC%26%3Cc%3E&etag=%22";
    for name in ["success_action_redirect", "redirect"] {
        for (url, begin) in [
            ("https://app.test/done", "https://app.test/done?"),
            ("http://app.test/done?a=1", "http://app.test/done?a=1&"),
        ] {
            let form = Form::new("bkt", key).field(name, url).field("success_action_status", "201");
            let answer = gateway.send(&form.request()).expect(303);
            let to = answer.header("location").unwrap();
            assert_eq!(to, format!("{begin}{query}{}%22", md5_hex(b"content")));
            assert!(answer.body.is_empty());
        }
    }
    // The newer name takes precedence; a value that is no URL of http counts as absent.
    let both = Form::new("bkt", key)
        .field("redirect", "http://old.test/")
        .field("success_action_redirect", "http://new.test/");
    let answer = gateway.send(&both.request()).expect(303);
    assert!(answer.header("location").unwrap().starts_with("http://new.test/?"));
    for url in ["javascript:alert(1)", "/local", "", "http://"] {
        let form = Form::new("bkt", key).field("success_action_redirect", url);
        let answer = gateway.send(&form.request()).expect(204);
        assert_eq!(answer.header("location").as_deref(), Some(&*location), "{url}");
    }
    gateway.assert_sound();
}

#[test]
fn the_name_of_the_file_can_stand_in_any_field() {
    let gateway = Gateway::start();
    let form = Form::empty("bkt")
        .bare("key", "user/ann/${filename}")
        .condition(r#"["starts-with", "$key", "user/ann/"]"#)
        .bare("x-amz-meta-name", "${filename}")
        .condition(r#"["starts-with", "$x-amz-meta-name", ""]"#);
    for (name, key) in [
        ("photo.jpg", "photo.jpg"),
        ("C:\\pictures\\photo 2.jpg", "photo%202.jpg"),
        ("/home/ann/../x", "x"),
        ("..", ".."),
        ("100%22.jpg", "100%2522.jpg"),
    ] {
        gateway.send(&form.clone().named(name).request()).expect(204);
        let got = get(&gateway, &format!("/bkt/user/ann/{key}")).expect(200);
        let last = name.rsplit(['/', '\\']).next();
        assert_eq!(got.header("x-amz-meta-name").as_deref(), last);
    }
    // The condition is checked with the name in its place, so a name cannot lead elsewhere.
    let free = Form::empty("bkt")
        .bare("key", "${filename}")
        .condition(r#"["starts-with", "$key", "user/"]"#);
    gateway.send(&free.clone().named("user/other.jpg").request()).expect(403);
    let exact = Form::new("bkt", "user/${filename}");
    gateway.send(&exact.named("x").request()).expect(403);
    // Without a file name it is empty.
    gateway.send(&form.request()).expect(204);
    get(&gateway, "/bkt/user/ann/").expect(200);
}

#[test]
fn the_policy_covers_every_field() {
    let gateway = Gateway::start();
    let form = || Form::new("bkt", "k");
    for version in VERSIONS {
        let form = || form().version(version);
        let denied = |form: Form, why: &str| {
            let answer = refused(&gateway, &form, 403, "AccessDenied");
            assert_eq!(answer.text("Message"), format!("Invalid according to Policy: {why}"));
        };
        denied(form().bare("x-amz-meta-a", "1"), "Extra input fields: x-amz-meta-a");
        denied(form().bare("acl", "private"), "Extra input fields: acl");
        denied(form().bare("submit", "Upload"), "Extra input fields: submit");
        denied(form().unconditional().bare("x", "y"), "Extra input fields: bucket, key, x");
        denied(
            form().condition(r#"["starts-with", "$key", "other/"]"#),
            "Policy Condition failed: [\"starts-with\", \"$key\", \"other/\"]",
        );
        denied(
            form().condition(r#"{"x-amz-meta-a": "1"}"#),
            "Policy Condition failed: [\"eq\", \"$x-amz-meta-a\", \"1\"]",
        );
        denied(form().field("bucket", "other"), "the form is for another bucket.");
        denied(form().expires("2026-01-01T00:00:00Z"), "Policy expired.");
        for (form, code) in [
            (form().expires("tomorrow"), "InvalidPolicyDocument"),
            (form().condition("{}"), "InvalidPolicyDocument"),
            (form().condition(r#"["content-length-range", 0]"#), "InvalidPolicyDocument"),
            (Form::empty("bkt").version(version), "InvalidArgument"),
            (Form::new("bkt", "").version(version), "InvalidArgument"),
            (Form::new("bkt", &"k".repeat(1025)).version(version), "KeyTooLongError"),
            (form().field("KEY", "again"), "InvalidArgument"),
        ] {
            refused(&gateway, &form, 400, code);
        }
        let ignored = form().bare("x-ignore-this", "1").field("bucket", "bkt");
        gateway.send(&ignored.request()).expect(204);
        gateway.send(&Request::new("DELETE", "/bkt/k")).expect(204);
    }
    // A policy for one bucket is invalid for another.
    gateway.send(&Request::new("PUT", "/other")).expect(200);
    let mut request = form().request();
    request.target = "/other".into();
    gateway.send(&request).expect(403);
}

#[test]
fn the_file_is_as_long_as_the_policy_allows() {
    // Bounds within an inline body and in a file, with the length announced or not.
    let gateway = Gateway::start();
    for (bytes_min, bytes_max) in [(2_usize, 10_usize), (100_000, 200_000)] {
        let range = format!("[\"content-length-range\", {bytes_min}, {bytes_max}]");
        for framing in [crate::harness::Framing::Length, crate::harness::Framing::Chunked(1_000)] {
            let of = |size: usize| {
                let form = Form::new("bkt", "k").condition(&*range).file(&bytes_of(size, 5));
                form.request().framing(framing.clone())
            };
            for size in [bytes_min - 1, 0] {
                refused_request(&gateway, &of(size), 400, "EntityTooSmall");
            }
            for size in [bytes_max + 1, bytes_max + 50_000, bytes_max + (2 << 20)] {
                refused_request(&gateway, &of(size), 400, "EntityTooLarge");
            }
            for size in [bytes_min, bytes_max] {
                gateway.send(&of(size)).expect(204);
                assert!(get(&gateway, "/bkt/k").body == bytes_of(size, 5));
            }
            gateway.send(&Request::new("DELETE", "/bkt/k")).expect(204);
        }
    }
    let ours = Form::new("bkt", "k").field("x-partita-max-bytes", "5");
    refused(&gateway, &ours.clone().file(b"123456"), 400, "EntityTooLarge");
    gateway.send(&ours.file(b"12345").request()).expect(204);
    gateway.assert_sound();
}

#[test]
fn a_good_signature_is_needed_whole() {
    let gateway = Gateway::start();
    for version in VERSIONS {
        let form = Form::new("bkt", "k").version(version);
        let fields = form.fields();
        let signature = |name: &str| name == "signature" || name == "x-amz-signature";
        let with = |change: &dyn Fn(&str, &str) -> Option<String>| {
            let changed = fields
                .iter()
                .filter_map(|(name, value)| change(name, value).map(|value| (name.clone(), value)));
            form.request_of(&changed.collect::<Vec<_>>())
        };
        // Each of its fields left out.
        for (missing, _) in fields.iter().filter(|(name, _)| name != "key") {
            let without = with(&|name, value| (name != missing).then(|| value.to_owned()));
            let answer = refused_request(&gateway, &without, 400, "InvalidArgument");
            let message = format!("Bucket POST must contain a field named '{missing}'.");
            assert!(answer.text("Message").starts_with(&message), "{answer:?}");
        }
        let flipped = with(&|name, value| {
            let first = if value.starts_with('0') { "1" } else { "0" };
            Some(if signature(name) { format!("{first}{}", &value[1..]) } else { value.into() })
        });
        refused_request(&gateway, &flipped, 403, "SignatureDoesNotMatch");
        let unknown = with(&|_, value| Some(value.replace("AKIDROOT", "AKIDTOOR")));
        refused_request(&gateway, &unknown, 403, "InvalidAccessKeyId");
        // Another user's key with this signature.
        let other = with(&|_, value| Some(value.replace("AKIDROOT", "AKIDBOB")));
        refused_request(&gateway, &other, 403, "SignatureDoesNotMatch");
        // A policy that was changed after it was signed.
        let other_policy = Form::new("bkt", "k").version(version).condition(r#"{"a": "b"}"#);
        let other_policy = other_policy.fields().into_iter().find(|(name, _)| name == "policy");
        let other_policy = other_policy.unwrap().1;
        let changed = with(&|name, value| {
            Some(if name == "policy" { other_policy.clone() } else { value.into() })
        });
        refused_request(&gateway, &changed, 403, "SignatureDoesNotMatch");
        let token = form.clone().field("x-amz-security-token", "token");
        refused(&gateway, &token, 403, "InvalidToken");
    }
    // Two signatures in one form.
    let mut both = Form::new("bkt", "k").fields();
    both.extend(Form::empty("bkt").version(Version::V2).fields());
    both.dedup_by(|a, b| a.0 == b.0);
    let policy = both.iter().rposition(|(name, _)| name == "policy").unwrap();
    both.remove(policy);
    let request = Form::new("bkt", "k").request_of(&both);
    refused_request(&gateway, &request, 400, "InvalidArgument");
    gateway.store().set_key_enabled("AKIDALICE", false).wait().unwrap();
    let disabled = Form::new("bkt", "k").by(Who::Alice);
    refused(&gateway, &disabled, 403, "InvalidAccessKeyId");
    gateway.assert_sound();
}

#[test]
fn sigv2_can_be_switched_off() {
    let gateway = Gateway::with(&[("sigv2-presigned", "false")]);
    let form = Form::new("bkt", "k").version(Version::V2);
    refused(&gateway, &form, 400, "InvalidRequest");
    gateway.send(&form.version(Version::V4).request()).expect(204);
}

#[test]
fn needs_the_right_to_put() {
    let gateway = Gateway::start();
    let form = || Form::new("bkt", "k");
    refused(&gateway, &form().by(Who::Bob), 403, "AccessDenied");
    refused(&gateway, &form().by(Who::Anonymous), 403, "AccessDenied");
    refused(&gateway, &Form::new("nobkt", "k"), 404, "NoSuchBucket");
    refused(&gateway, &Form::new("nobkt", "k").by(Who::Anonymous), 404, "NoSuchBucket");
    let guarded = |owner: &str| form().field("x-amz-expected-bucket-owner", owner);
    refused(&gateway, &guarded("alice"), 403, "AccessDenied");
    // A signature of the head does not sign the form, nor the other way round.
    for fields in [form().fields(), form().by(Who::Anonymous).fields()] {
        let signed = form().request_of(&fields).by(Who::Root);
        refused_request(&gateway, &signed, 400, "InvalidRequest");
        let mut presigned = form().request_of(&fields);
        let signer = Who::Root.signer().unwrap();
        let now = signer::now();
        presigned.target = signer.presign_v4(now, 60, "POST", &gateway.host(), "/bkt", &[]);
        refused_request(&gateway, &presigned, 400, "InvalidRequest");
    }
    gateway.send(&guarded("root").request()).expect(204);
    gateway.assert_sound();
}

#[test]
fn digests_of_the_file_are_verified() {
    let gateway = Gateway::start();
    for name in ["sha256", "sha1", "crc32", "crc32c", "crc64nvme"] {
        let header = format!("x-amz-checksum-{name}");
        let value = |bytes: &[u8]| base64(&checksum(name, bytes).unwrap());
        let form = |value: String| Form::new("bkt", name).bare(&header, value);
        refused(&gateway, &form(value(b"other")), 400, "BadDigest");
        refused(&gateway, &form("sailorjerry".into()), 400, "BadDigest");
        let answer = gateway.send(&form(value(b"content")).request()).expect(204);
        assert_eq!(answer.header(&header), Some(value(b"content")));
        gateway.send(&Request::new("DELETE", format!("/bkt/{name}"))).expect(204);
    }
    let two = Form::new("bkt", "k")
        .bare("x-amz-checksum-crc32", base64(&checksum("crc32", b"content").unwrap()))
        .bare("x-amz-checksum-sha1", base64(&checksum("sha1", b"content").unwrap()));
    refused(&gateway, &two, 400, "InvalidRequest");
    let md5 = |bytes: &[u8]| base64(&hex::decode(md5_hex(bytes)).unwrap());
    let form = |value: String| Form::new("bkt", "k").field("Content-MD5", value);
    refused(&gateway, &form(md5(b"other")), 400, "BadDigest");
    gateway.send(&form(md5(b"content")).request()).expect(204);
    gateway.assert_sound();
}

#[test]
fn refuses_what_it_cannot_promise() {
    let gateway = Gateway::start();
    let form = |name: &str, value: &str| Form::new("bkt", "k").field(name, value);
    for (name, value, status, code) in [
        ("acl", "public-read", 400, "AccessControlListNotSupported"),
        ("acl", "nonsense", 400, "InvalidArgument"),
        ("x-amz-grant-read", "id=x", 400, "AccessControlListNotSupported"),
        ("tagging", "<Tagging/>", 501, "NotImplemented"),
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-website-redirect-location", "/x", 501, "NotImplemented"),
        ("x-amz-object-lock-mode", "GOVERNANCE", 501, "NotImplemented"),
        ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"),
        ("x-amz-copy-source", "bkt/other", 501, "NotImplemented"),
        ("x-amz-trailer", "x-amz-checksum-crc32", 501, "NotImplemented"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD", 501, "NotImplemented"),
        ("x-partita-max-byte", "9", 400, "InvalidArgument"),
        ("x-partita-object-size", "9", 400, "InvalidArgument"),
        ("x-partita-instant-prefix", "a/", 400, "InvalidArgument"),
        ("x-partita-callback-var", "no json", 400, "InvalidArgument"),
        ("x-partita-max-bytes", "many", 400, "InvalidArgument"),
        ("x-amz-meta-a", "two\r\nlines", 400, "InvalidArgument"),
        ("x-amz-meta-a b", "x", 400, "InvalidArgument"),
        ("x-amz-meta-long", &"x".repeat(3000), 400, "MetadataTooLarge"),
    ] {
        refused(&gateway, &form(name, value), status, code);
    }
    let twice = form("acl", "private").field("x-amz-acl", "private");
    refused(&gateway, &twice, 400, "InvalidArgument");
    // Unsigned headers do not affect the write.
    for (name, value, status, code) in [
        ("x-amz-meta-a", "1", 400, "InvalidRequest"),
        ("x-amz-acl", "private", 400, "InvalidRequest"),
        ("x-amz-expected-bucket-owner", "root", 400, "InvalidRequest"),
        ("x-partita-max-bytes", "5", 400, "InvalidRequest"),
        ("content-md5", "AA", 400, "InvalidRequest"),
        ("if-none-match", "*", 501, "NotImplemented"),
        ("if-match", "\"x\"", 501, "NotImplemented"),
    ] {
        let request = Form::new("bkt", "k").request().header(name, value);
        refused_request(&gateway, &request, status, code);
    }
    for query in ["?x-amz-acl=private", "?X-Amz-Meta-A=1", "?x-partita-max-bytes=5"] {
        let mut request = Form::new("bkt", "k").request();
        request.target.push_str(query);
        refused_request(&gateway, &request, 400, "InvalidRequest");
    }
    for (query, code) in [("?uploads", "NotImplemented"), ("?partita-state", "NotImplemented")] {
        let mut request = Form::new("bkt", "k").request();
        request.target.push_str(query);
        refused_request(&gateway, &request, 501, code);
    }
    let mut harmless = Form::new("bkt", "k").request().header("x-amz-date", "whenever");
    harmless.target.push_str("?x-id=PostObject");
    gateway.send(&harmless).expect(204);
}

#[test]
fn a_page_of_another_origin_reads_the_answer() {
    let gateway = Gateway::start();
    Script::new(&gateway).run(
        "PUT /bkt?cors << <CORSConfiguration><CORSRule><AllowedOrigin>https://app.test
            </AllowedOrigin><AllowedMethod>POST</AllowedMethod>
            <ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration> => 200",
    );
    for (form, status) in [(Form::new("bkt", "k"), 204), (Form::new("bkt", "k").by(Who::Bob), 403)]
    {
        let answer = gateway.send(&form.request().header("origin", "https://app.test"));
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!((answer.status, allowed.as_deref()), (status, Some("https://app.test")));
        let other = gateway.send(&form.request().header("origin", "https://other.test"));
        assert_eq!(other.header("access-control-allow-origin"), None);
    }
}
