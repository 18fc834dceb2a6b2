//! Grants: the URLs that an application server gets for a browser, and their limits.

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::harness::{Answer, Connection, Gateway, Payload, Request, Who, bytes_of, valid_json};
use crate::signer::{self, Signer};

pub fn gateway() -> Gateway {
    Gateway::with(&[("part-bytes-min", "1")])
}

/// Sends a signed request to the management interface.
pub fn ask(gateway: &Gateway, who: Who, request: &str, body: &Value) -> Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let target = format!("/_partita/v1/{path}");
    let answer = gateway.send(&Request::new(method, target).by(who).body(bytes.clone()));
    // An accepted request is valid by its published schema.
    let schema = match (method, path) {
        ("POST", "grants") => Some("grant-request"),
        ("POST", "uploads/clean") => Some("clean-request"),
        ("PUT", path) if path.starts_with("uploads/") => Some("change"),
        _ => None,
    };
    if let Some(schema) = schema.filter(|_| answer.status < 300) {
        valid_json(schema, &bytes);
    }
    answer
}

/// Status, code and message of an error.
#[track_caller]
pub fn failure(answer: &Answer) -> (u16, String, String) {
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"), "{answer:?}");
    let document = valid_json("error", &answer.body);
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    (answer.status, text("error"), text("message"))
}

fn grant(gateway: &Gateway, more: Value) -> Value {
    let mut asked = json!({ "bucket": "bkt", "key": "a/b c", "size": 25, "partSize": 10,
        "expiresIn": 60 });
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = ask(gateway, Who::Root, "POST grants", &asked).expect(200);
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    valid_json("grant", &answer.body)
}

/// Requests a URL as a browser does: without a key, without headers.
fn browse(gateway: &Gateway, method: &str, url: &Value, body: impl Into<Vec<u8>>) -> Answer {
    let url = url.as_str().unwrap();
    let target = url.strip_prefix(&format!("http://{}", gateway.host())).expect(url);
    gateway.send(&Request::new(method, target).by(Who::Anonymous).body(body))
}

#[test]
fn a_browser_sends_a_file_with_nothing_but_the_urls() {
    let gateway = gateway();
    let more = json!({ "contentType": "text/plain", "metadata": { "Song": "b" }, "md5": null,
        "callbackVar": { "order": 7 }, "instantPrefixes": [] });
    let grant = grant(&gateway, more);
    assert_eq!((&grant["partCount"], &grant["upload"]), (&json!(3), &json!("created")));
    assert_eq!(grant["nextPartUrls"], Value::Null);
    let file = bytes_of(25, 1);
    let parts = grant["partUrls"].as_array().unwrap();
    browse(&gateway, "PUT", &parts[2]["url"], &file[20..]).expect(200);
    let blocks = browse(&gateway, "GET", &grant["blocksUrl"], "").expect(200);
    assert_eq!(valid_json("blocks", &blocks.body)["expectBlocks"][0]["endByte"], 19);
    let pause = browse(&gateway, "PUT", &grant["stateUrl"], r#"{"status":"pause"}"#).expect(200);
    assert_eq!(valid_json("state", &pause.body)["status"], "pause");
    browse(&gateway, "PUT", &grant["stateUrl"], r#"{"status":"upload"}"#).expect(200);
    for (part, bytes) in parts.iter().zip(file.chunks(10)) {
        browse(&gateway, "PUT", &part["url"], bytes).expect(200);
    }
    let listed = browse(&gateway, "GET", &grant["listPartsUrl"], "").expect(200).xml();
    let part = |(n, etag): (String, String)| {
        format!("<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    let pairs = listed.texts("Part/PartNumber").into_iter().zip(listed.texts("Part/ETag"));
    let list: String = pairs.map(|(n, etag)| part((n.to_string(), etag.to_string()))).collect();
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    browse(&gateway, "POST", &grant["completeUrl"], list).expect(200);
    let got = gateway.send(&Request::new("GET", "/bkt/a/b%20c")).expect(200);
    assert_eq!(got.body, file);
    assert_eq!(got.header("content-type").as_deref(), Some("text/plain"));
    assert_eq!(got.header("x-amz-meta-song").as_deref(), Some("b"));
    gateway.assert_sound();
}

/// An application's key reads the files of all users. A digest that an end user claims finds none
/// of them, except below the prefixes that the grant names.
#[test]
fn a_grant_finds_a_file_only_below_the_prefixes_that_it_names() {
    let gateway = gateway();
    let file = bytes_of(100_000, 3);
    gateway.send(&Request::new("PUT", "/bkt/alice/a%2C%20b%25").body(file.clone())).expect(200);
    let cases = [
        (json!([]), "created"),
        (json!(["bob/"]), "created"),
        (json!(["bob/", "alice/a, b%"]), "instant"),
    ];
    for (prefixes, how) in cases {
        let more = json!({ "key": format!("bob/{how}/{prefixes}"), "size": file.len(),
            "partSize": null, "sha256": hex::encode(sha2::Sha256::digest(&file)),
            "instantPrefixes": prefixes });
        assert_eq!(grant(&gateway, more)["upload"], how, "{prefixes}");
    }
    gateway.assert_sound();
}

#[test]
fn a_url_is_good_for_one_request_alone() {
    let gateway = gateway();
    let grant = grant(&gateway, json!({}));
    let part = &grant["partUrls"][0]["url"];
    let change = |from: &str, to: &str| json!(part.as_str().unwrap().replace(from, to));
    let refused = |method: &str, url: &Value, body: &[u8]| {
        let answer = browse(&gateway, method, url, body);
        (answer.status, answer.code().unwrap())
    };
    let mismatch = (403, "SignatureDoesNotMatch".to_owned());
    let ten = bytes_of(10, 1);
    assert_eq!(refused("PUT", &change("partNumber=1", "partNumber=2"), &ten), mismatch);
    assert_eq!(refused("PUT", &change("/a/b%20c", "/a/b%20d"), &ten), mismatch);
    assert_eq!(refused("PUT", &change("Expires=60", "Expires=600"), &ten), mismatch);
    assert_eq!(refused("DELETE", part, b""), (501, "NotImplemented".into()));
    assert_eq!(refused("PUT", &grant["abortUrl"], &ten).0, 400);
    assert_eq!(refused("PUT", &grant["listPartsUrl"], &ten).0, 400);
    // The size is checked before a byte of the body is read.
    for size in [9, 11] {
        assert_eq!(refused("PUT", part, &bytes_of(size, 1)), (400, "InvalidRequest".into()));
    }
    browse(&gateway, "PUT", part, ten).expect(200);
    browse(&gateway, "DELETE", &grant["abortUrl"], "").expect(204);
    assert_eq!(refused("PUT", part, &bytes_of(10, 1)), (404, "NoSuchUpload".into()));
}

#[test]
fn urls_end_with_their_lifetime_and_with_their_key() {
    let gateway = gateway();
    let short = grant(&gateway, json!({ "expiresIn": 1 }));
    let asked = json!({ "bucket": "alices", "key": "k", "size": 5, "expiresIn": 604_800 });
    gateway.send(&Request::new("PUT", "/alices").by(Who::Alice)).expect(200);
    let long = ask(&gateway, Who::Alice, "POST grants", &asked).expect(200);
    let long = valid_json("grant", &long.body);
    let url = &long["partUrls"][0]["url"];
    browse(&gateway, "PUT", url, "12345").expect(200);
    gateway.store().set_key_enabled(&Who::Alice.key().0, false).wait().unwrap();
    assert_eq!(browse(&gateway, "PUT", url, "12345").code().unwrap(), "InvalidAccessKeyId");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let late = browse(&gateway, "GET", &short["blocksUrl"], "");
    assert_eq!((late.status, late.code().unwrap()), (403, "AccessDenied".into()));
    assert!(late.text("Message").contains("expired"), "{late:?}");
}

/// Requests that last are authorized again: one that waits for a pause, and an event stream.
#[test]
fn long_requests_end_with_their_key_and_their_lifetime() {
    let gateway = gateway();
    gateway.send(&Request::new("PUT", "/alices").by(Who::Alice)).expect(200);
    let asked = |life: u64| {
        let asked = json!({ "bucket": "alices", "key": "k", "size": 5, "expiresIn": life });
        valid_json("grant", &ask(&gateway, Who::Alice, "POST grants", &asked).expect(200).body)
    };
    let set = |grant: &Value, change: &str| {
        let upload = grant["uploadId"].as_str().unwrap();
        let target = format!("/alices/k?uploadId={upload}&partita-state");
        let change = format!(r#"{{"status":"{change}"}}"#);
        gateway.send(&Request::new("PUT", target).body(change)).expect(200);
    };
    let begin = |method: &str, url: &Value, body: &str| {
        let url = url.as_str().unwrap();
        let target = url.strip_prefix(&format!("http://{}", gateway.host())).expect(url);
        let mut request = Request::new(method, target).by(Who::Anonymous).body(body);
        request.unsigned_headers.push(("Accept".into(), "text/event-stream".into()));
        let mut connection = gateway.connect();
        connection.write(&request.encode(&gateway.host()));
        connection
    };
    let code = |connection: &mut Connection| connection.read_answer("PUT").expect(403).code();
    let [good, late, long] = [60, 2, 60].map(asked);
    for grant in [&good, &late, &long] {
        set(grant, "pause");
    }
    let mut held = [&good, &late, &long].map(|of| begin("PUT", &of["partUrls"][0]["url"], "12345"));
    let mut stream = begin("GET", &long["blocksUrl"], "");
    stream.read_head().expect(200);
    assert!(stream.read_chunk().starts_with(b"event: blocks"));
    std::thread::sleep(std::time::Duration::from_millis(4100));
    set(&good, "upload");
    held[0].read_answer("PUT").expect(200);
    set(&late, "upload");
    assert_eq!(code(&mut held[1]).as_deref(), Some("AccessDenied"));
    gateway.store().set_key_enabled(&Who::Alice.key().0, false).wait().unwrap();
    set(&long, "upload");
    assert_eq!(code(&mut held[2]).as_deref(), Some("InvalidAccessKeyId"));
    assert!(stream.read_chunk().is_empty(), "nothing is told, and no end of the upload");
}

#[test]
fn the_parts_come_in_pages() {
    let gateway = gateway();
    let first = grant(&gateway, json!({ "size": 2001, "partSize": 1 }));
    let mut seen = first["partUrls"].as_array().unwrap().len();
    let mut next = first["nextPartUrls"].clone();
    while let Some(path) = next.as_str() {
        let path = path.strip_prefix("/_partita/v1/").unwrap();
        let page = ask(&gateway, Who::Root, &format!("GET {path}"), &Value::Null).expect(200);
        let page = valid_json("part-urls", &page.body);
        assert_eq!(page["partUrls"][0]["partNumber"], seen + 1);
        seen += page["partUrls"].as_array().unwrap().len();
        let url = page["partUrls"].as_array().unwrap().last().unwrap();
        browse(&gateway, "PUT", &url["url"], "x").expect(200);
        let listed = browse(&gateway, "GET", &page["listPartsUrl"], "").expect(200);
        assert_eq!(listed.xml().texts("Part/PartNumber"), [seen.to_string()]);
        next = page["nextPartUrls"].clone();
    }
    assert_eq!(seen, 2001);
    let id = first["uploadId"].as_str().unwrap();
    let page = format!("GET grants/{id}/parts?from=7&limit=2&expiresIn=5");
    let page = valid_json("part-urls", &ask(&gateway, Who::Root, &page, &Value::Null).body);
    let numbers: Vec<_> =
        page["partUrls"].as_array().unwrap().iter().map(|of| of["partNumber"].clone()).collect();
    assert_eq!(numbers, [7, 8]);
    for (query, name) in [
        ("from=0", "from"),
        ("limit=1001", "limit"),
        ("x=1", "x"),
        ("expiresIn=0", "expiresIn"),
        ("expiresIn=604801", "expiresIn"),
        ("from=10001", "from"),
    ] {
        let answer =
            ask(&gateway, Who::Root, &format!("GET grants/{id}/parts?{query}"), &Value::Null);
        let (status, code, message) = failure(&answer);
        assert_eq!((status, code.as_str()), (400, "InvalidArgument"), "{query}");
        assert!(message.starts_with(&format!("{name}: ")), "{message}");
    }
    let plain = gateway.send(&Request::new("POST", "/bkt/plain?uploads")).text("UploadId");
    let answer = ask(&gateway, Who::Root, &format!("GET grants/{plain}/parts"), &Value::Null);
    assert_eq!(failure(&answer).1, "InvalidRequest");
}

#[test]
fn the_same_file_is_the_same_upload() {
    let gateway = gateway();
    let file = json!({ "sha256": "ab".repeat(32) });
    let first = grant(&gateway, file.clone());
    let again = grant(&gateway, file);
    assert_eq!((&again["upload"], &again["uploadId"]), (&json!("resumed"), &first["uploadId"]));
    // Create finds the upload too: both are one verb.
    let create = Request::new("POST", "/bkt/a/b%20c?uploads")
        .header("x-partita-object-size", "25")
        .header("x-partita-part-size", "10")
        .header("x-partita-content-sha256", "ab".repeat(32));
    assert_eq!(gateway.send(&create).text("UploadId"), first["uploadId"].as_str().unwrap());
}

#[test]
fn refusals_name_the_wrong_field() {
    let gateway = gateway();
    let long = "x".repeat(5000);
    for (name, value, code) in [
        ("bucket", json!("No"), "InvalidArgument"),
        ("bucket", json!("nobody"), "NoSuchBucket"),
        ("bucket", Value::Null, "InvalidArgument"),
        ("key", json!(""), "InvalidArgument"),
        ("key", json!("a/../b"), "InvalidArgument"),
        ("key", json!("./b"), "InvalidArgument"),
        ("key", json!(7), "InvalidArgument"),
        ("size", json!("25"), "InvalidArgument"),
        ("size", json!(-1), "InvalidArgument"),
        ("size", json!(1u64 << 60), "InvalidArgument"),
        ("size", Value::Null, "InvalidArgument"),
        ("partSize", json!(0), "InvalidArgument"),
        ("sha256", json!("abc"), "InvalidArgument"),
        ("md5", json!("zz"), "InvalidArgument"),
        ("contentType", json!("a\nb"), "InvalidArgument"),
        ("metadata", json!(["a"]), "InvalidArgument"),
        ("metadata", json!({ "a b": "c" }), "InvalidArgument"),
        ("metadata", json!({ "a": 1 }), "InvalidArgument"),
        ("metadata", json!({ "a": "1", "A": "2" }), "InvalidArgument"),
        ("metadata", json!({ "a": long }), "MetadataTooLarge"),
        ("callbackVar", json!({ "a": long }), "InvalidArgument"),
        ("instantPrefixes", json!([""]), "InvalidArgument"),
        ("instantPrefixes", json!("a/"), "InvalidArgument"),
        ("proofPrefixes", json!([""]), "InvalidArgument"),
        ("proofPrefixes", json!("a/"), "InvalidArgument"),
        ("expiresIn", json!(0), "InvalidArgument"),
        ("expiresIn", json!(604_801), "InvalidArgument"),
        ("expiresIn", Value::Null, "InvalidArgument"),
        ("filename", json!("a"), "InvalidArgument"),
    ] {
        let mut asked = json!({ "bucket": "bkt", "key": "k", "size": 25, "expiresIn": 60 });
        asked[name] = value.clone();
        let (status, found, message) = failure(&ask(&gateway, Who::Root, "POST grants", &asked));
        assert!((400..500).contains(&status), "{name} {value}");
        assert_eq!(found, code, "{name} {value}: {message}");
        assert!(code != "InvalidArgument" || message.starts_with(name), "{name}: {message}");
    }
    let open = gateway.send(&Request::new("GET", "/bkt?uploads")).xml();
    assert!(open.texts("Upload/UploadId").is_empty(), "what was refused has opened nothing");
}

#[test]
fn a_grant_needs_the_right_to_put() {
    let gateway = gateway();
    let asked = json!({ "bucket": "bkt", "key": "k", "size": 25, "expiresIn": 60 });
    let denied = ask(&gateway, Who::Alice, "POST grants", &asked);
    assert_eq!(failure(&denied).1, "AccessDenied");
    let made = valid_json("grant", &ask(&gateway, Who::Root, "POST grants", &asked).body);
    let page = format!("GET grants/{}/parts", made["uploadId"].as_str().unwrap());
    let foreign = ask(&gateway, Who::Alice, &page, &Value::Null);
    let absent =
        ask(&gateway, Who::Alice, &format!("GET grants/{}/parts", "0".repeat(32)), &Value::Null);
    assert_eq!(failure(&foreign), failure(&absent));
    assert_eq!(failure(&foreign).1, "NoSuchUpload");
}

#[test]
fn only_a_signed_header_and_a_signed_body_count() {
    let gateway = gateway();
    let body = json!({ "bucket": "bkt", "key": "k", "size": 25, "expiresIn": 60 }).to_string();
    let request = || Request::new("POST", "/_partita/v1/grants").body(body.as_str());
    let refused = |request: Request, code: &str| {
        let answer = gateway.send(&request);
        assert_eq!(failure(&answer).1, code, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    };
    refused(request().by(Who::Anonymous), "AccessDenied");
    refused(request().payload(Payload::Unsigned), "InvalidRequest");
    refused(request().payload(Payload::SignedChunks(10)), "InvalidRequest");
    let other = signer::sha256_hex(b"another body");
    refused(request().payload(Payload::Literal(other)), "XAmzContentSHA256Mismatch");
    let mut unsigned = request();
    unsigned.unsigned_headers.push(("x-amz-meta-a".into(), "1".into()));
    refused(unsigned, "AccessDenied");
    let root = Who::Root.signer().unwrap();
    let url =
        root.presign_v4(signer::now(), 60, "POST", &gateway.host(), "/_partita/v1/grants", &[]);
    refused(Request::new("POST", url).by(Who::Anonymous).body(body.as_str()), "AccessDenied");
    let url = root.presign_v2(signer::now() + 60, "POST", "", "/_partita/v1/grants", &[]);
    refused(Request::new("POST", url).by(Who::Anonymous).body(body.as_str()), "AccessDenied");
    let long = Request::new("POST", "/_partita/v1/grants").body(vec![b' '; (64 << 10) + 1]);
    refused(long, "MaxMessageLengthExceeded");
    let open = gateway.send(&Request::new("GET", "/bkt?uploads")).xml();
    assert!(open.texts("Upload/UploadId").is_empty());
}

#[test]
fn the_body_is_asked_for_only_after_the_signature() {
    let gateway = gateway();
    let body = json!({ "bucket": "bkt", "key": "k", "size": 25, "expiresIn": 60 }).to_string();
    for (who, interim) in [(Who::Anonymous, false), (Who::Root, true)] {
        let request = Request::new("POST", "/_partita/v1/grants").by(who).body(body.as_str());
        let mut request = request;
        request.unsigned_headers.push(("Expect".into(), "100-continue".into()));
        let (head, body) = request.encode_apart(&gateway.host());
        let mut connection = gateway.connect();
        connection.write(&head);
        let answer = connection.read_head();
        assert_eq!(answer.status == 100, interim, "{answer:?}");
        if interim {
            connection.write(&body);
            connection.read_answer("POST").expect(200);
        }
    }
}

#[test]
fn the_urls_use_the_public_url() {
    let public = Gateway::with(&[("public-url", "https://Files.Example.com:443")]);
    let asked = json!({ "bucket": "bkt", "key": "k", "size": 5, "expiresIn": 60 });
    let grant =
        valid_json("grant", &ask(&public, Who::Root, "POST grants", &asked).expect(200).body);
    let url = grant["partUrls"][0]["url"].as_str().unwrap();
    let target = url.strip_prefix("https://files.example.com").expect(url);
    let put = Request::new("PUT", target).by(Who::Anonymous).body("12345");
    public.send(&put.clone().header("host", "files.example.com")).expect(200);
    public.send(&put).expect(403);
    // The server's signature names the key of the request.
    let Signer { access_key, .. } = Who::Root.signer().unwrap();
    assert!(url.contains(&format!("X-Amz-Credential={access_key}%2F")), "{url}");
}
