//! CORS: preflights, and the headers on answers of every kind.

use crate::harness::{Answer, Gateway, Request, Script, Who, check, check_with};
use crate::signer;

/// Value of Vary on every answer about a bucket with rules.
const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
/// Headers of an answer that a browser reads.
const GRANTS: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];

/// Puts rules, each of origins, methods, headers and exposed headers, separated by spaces.
fn put_rules(gateway: &Gateway, rules: &[(&str, &str, &str, &str)]) {
    let mut document = String::from("<CORSConfiguration>");
    for (origins, methods, headers, expose) in rules {
        document.push_str("<CORSRule>");
        for (name, texts) in [
            ("AllowedOrigin", origins),
            ("AllowedMethod", methods),
            ("AllowedHeader", headers),
            ("ExposeHeader", expose),
        ] {
            for text in texts.split_whitespace() {
                document.push_str(&format!("<{name}>{text}</{name}>"));
            }
        }
        document.push_str("<MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule>");
    }
    document.push_str("</CORSConfiguration>");
    gateway.send(&Request::new("PUT", "/bkt?cors").body(document)).expect(200);
}

/// CORS headers of an answer, in the order of [`GRANTS`], without the absent ones.
fn grants(answer: &Answer) -> Vec<String> {
    GRANTS.iter().filter_map(|name| answer.header(name)).collect()
}

fn anonymous(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    let request = Request::new(method, target).by(Who::Anonymous);
    headers.iter().fold(request, |request, (name, value)| request.header(name, *value))
}

const ACRM: &str = "access-control-request-method";
const ACRH: &str = "access-control-request-headers";

#[test]
fn a_preflight_is_answered_by_the_first_rule_that_matches() {
    let gateway = Gateway::start();
    put_rules(
        &gateway,
        &[
            ("https://app.example", "GET PUT", "x-amz-* content-type", "ETag x-amz-request-id"),
            ("*", "GET", "", ""),
        ],
    );
    let app = ("origin", "https://app.example");
    let exact = ["https://app.example", "true", "GET, PUT", "ETag, x-amz-request-id", "3000"];
    for target in ["/bkt", "/bkt/", "/bkt/new/key", "/bkt/%F0%9F%8E%B5", "/bkt?list-type=2"] {
        let answer = gateway.send(&anonymous("OPTIONS", target, &[app, (ACRM, "PUT")]));
        let answer = answer.expect(200);
        assert_eq!(grants(&answer), exact, "{target}");
        assert_eq!(answer.header("vary").as_deref(), Some(VARY));
        assert_eq!(answer.header("content-length").as_deref(), Some("0"));
        assert!(answer.header("x-amz-request-id").is_some());
    }
    let asked = [app, (ACRM, "PUT"), (ACRH, "X-Amz-Date,Content-Type")];
    let answer = gateway.send(&anonymous("OPTIONS", "/bkt/k", &asked)).expect(200);
    let allowed = answer.header("access-control-allow-headers");
    assert_eq!(allowed.as_deref(), Some("x-amz-date, content-type"));
    let everybody = [("origin", "http://else.example"), (ACRM, "GET")];
    let answer = gateway.send(&anonymous("OPTIONS", "/bkt/k", &everybody)).expect(200);
    assert_eq!(grants(&answer), ["*", "GET", "3000"]);
    assert_eq!(answer.header("vary").as_deref(), Some(VARY), "the next page gets another answer");
}

#[test]
fn a_preflight_that_no_rule_matches_says_why_and_grants_nothing() {
    let gateway = Gateway::start();
    put_rules(&gateway, &[("https://app.example", "GET", "x-amz-*", "")]);
    let app = ("origin", "https://app.example");
    let needed = "Insufficient information. Origin request header needed.";
    let not_allowed = "CORSResponse: This CORS request is not allowed. This is usually because the \
        evalution of Origin, request method / Access-Control-Request-Method or \
        Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";
    let invalid = "Invalid Access-Control-Request-Method: ";
    for (headers, status, code, message) in [
        (vec![], 400, "BadRequest", needed),
        (vec![(ACRM, "GET")], 400, "BadRequest", needed),
        (vec![app], 400, "BadRequest", &format!("{invalid}null")),
        (vec![("origin", "bla")], 400, "BadRequest", &format!("{invalid}null")),
        (vec![app, (ACRM, "PATCH")], 400, "BadRequest", &format!("{invalid}PATCH")),
        (vec![app, (ACRM, "PUT")], 403, "AccessForbidden", not_allowed),
        (vec![app, (ACRM, "HEAD")], 403, "AccessForbidden", not_allowed),
        (vec![app, (ACRM, "GET"), (ACRH, "range")], 403, "AccessForbidden", not_allowed),
        (
            vec![("origin", "http://app.example"), (ACRM, "GET")],
            403,
            "AccessForbidden",
            not_allowed,
        ),
    ] {
        let answer = gateway.send(&anonymous("OPTIONS", "/bkt/k", &headers)).expect(status);
        assert_eq!(
            (answer.code().as_deref(), answer.text("Message").as_str()),
            (Some(code), message)
        );
        assert_eq!(grants(&answer), Vec::<String>::new(), "{headers:?}");
        assert_eq!(answer.header("vary").as_deref(), Some(VARY));
    }
    Script::new(&gateway).run(
        r#"
        anon: OPTIONS /bkt/k | origin: x | access-control-request-method: PUT
            => 403 AccessForbidden | Method = PUT | ResourceType = OBJECT | Resource = /bkt/k
        anon: OPTIONS /bkt | origin: x | access-control-request-method: PUT
            => 403 AccessForbidden | Method = PUT | ResourceType = BUCKET
        anon: OPTIONS /   | origin: x | access-control-request-method: GET => 405 MethodNotAllowed
        anon: OPTIONS /Bkt/k | origin: x | access-control-request-method: GET
            => 400 InvalidBucketName
        "#,
    );
}

/// Existence, owner and content of the bucket stay hidden.
#[test]
fn without_rules_a_preflight_tells_nothing() {
    let gateway = Gateway::start();
    gateway.send(&Request::new("PUT", "/bkt/there").body("x")).expect(200);
    let asked = [("origin", "http://a.example"), (ACRM, "PUT")];
    let answer_to = |target: &str| {
        let mut answer = gateway.send(&anonymous("OPTIONS", target, &asked)).expect(403);
        let text = |name| answer.text(name);
        let words = ["Code", "Message", "Method", "ResourceType"].map(text);
        answer.headers.retain(|(name, _)| !["x-amz-request-id", "date"].contains(&name.as_str()));
        answer.headers.retain(|(name, _)| name != "content-length");
        (words, answer.headers)
    };
    let of_there = answer_to("/bkt/there");
    let message = "CORSResponse: CORS is not enabled for this bucket.";
    assert_eq!(of_there.0, ["AccessForbidden", message, "PUT", "BUCKET"]);
    for target in ["/bkt/missing", "/bkt", "/no-such-bucket/there", "/no-such-bucket"] {
        assert_eq!(answer_to(target), of_there, "{target}");
    }
    // With rules, the existence of keys stays hidden.
    put_rules(&gateway, &[("http://b.example", "PUT", "", "")]);
    assert_eq!(answer_to("/bkt/there"), answer_to("/bkt/missing"));
    assert_eq!(answer_to("/no-such-bucket/there"), of_there);
}

#[test]
fn answers_of_every_kind_bear_the_headers() {
    let gateway = Gateway::start();
    put_rules(&gateway, &[("https://*.example", "GET PUT HEAD DELETE POST", "", "ETag")]);
    let put = gateway.send(&Request::new("PUT", "/bkt/k").body("hello")).expect(200);
    let tag = put.header("etag").unwrap_or_default();
    let origin = "https://app.example";
    let long = format!("/bkt/{}", "k".repeat(1025));
    let bad_key = Request::new("GET", "/bkt/k").by(Who::Anonymous);
    let bad_key = bad_key.header("authorization", "AWS4-HMAC-SHA256 nonsense");
    for (request, status) in [
        (Request::new("GET", "/bkt/k"), 200),
        (Request::new("HEAD", "/bkt/k"), 200),
        (Request::new("GET", "/bkt/k").header("range", "bytes=1-2"), 206),
        (Request::new("GET", "/bkt/k").header("if-none-match", &tag), 304),
        (Request::new("GET", "/bkt/k").header("if-match", "\"other\""), 412),
        (Request::new("GET", "/bkt/k").header("range", "bytes=9-"), 416),
        (Request::new("PUT", "/bkt/k").body("again"), 200),
        (Request::new("DELETE", "/bkt/gone"), 204),
        (Request::new("GET", "/bkt"), 200),
        (Request::new("POST", "/bkt/up?uploads"), 200),
        // No such key. HEAD has no body.
        (Request::new("GET", "/bkt/none"), 404),
        (Request::new("HEAD", "/bkt/none"), 404),
        // Not allowed.
        (Request::new("GET", "/bkt/k").by(Who::Anonymous), 403),
        (Request::new("GET", "/bkt/k").by(Who::Alice), 403),
        // Refused before the signature or by it.
        (bad_key, 400),
        (anonymous("GET", "/bkt/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0", &[]), 400),
        // Refused before routing.
        (Request::new("GET", "/bkt/k?torrent"), 501),
        (Request::new("POST", "/bkt/k"), 405),
        (anonymous("GET", "/bkt/k?a=%zz", &[]), 400),
        (anonymous("GET", &long, &[]), 400),
        (anonymous("GET", "/bkt/k", &[("x-amz-acl", "a"), ("x-amz-acl", "b")]), 400),
    ] {
        let what =
            format!("{} {}", request.method, &request.target[..request.target.len().min(60)]);
        let answer = gateway.send(&request.clone().header("origin", origin));
        let answer = answer.expect(status);
        assert_eq!(answer.header(GRANTS[0]).as_deref(), Some(origin), "{what}");
        let exposed = answer.header("access-control-expose-headers");
        assert_eq!(exposed.as_deref(), Some("ETag"), "{what}");
        assert_eq!(answer.header("vary").as_deref(), Some(VARY), "{what}");

        let without = gateway.send(&request.clone());
        assert_eq!(grants(&without), Vec::<String>::new(), "{what}");
        assert_eq!(without.header("vary").as_deref(), Some(VARY), "{what} without an origin");
        // A request that no rule allows is served all the same; the browser hides the answer.
        let other = gateway.send(&request.clone().header("origin", "https://app.example.org"));
        assert_eq!((other.status, grants(&other)), (without.status, Vec::new()), "{what}");
        assert_eq!(other.header("vary").as_deref(), Some(VARY), "{what} of another origin");
    }
    gateway.assert_sound();
}

#[test]
fn other_buckets_and_the_service_bear_nothing() {
    let gateway = Gateway::start();
    put_rules(&gateway, &[("*", "GET PUT", "*", "")]);
    gateway.send(&Request::new("PUT", "/other")).expect(200);
    for (target, status) in [
        ("/", 200),
        ("/other", 200),
        ("/other/bkt", 404),
        ("/none", 404),
        ("/_partita/v1/health/live", 200),
        ("//bkt", 400),
    ] {
        let answer = gateway.send(&Request::new("GET", target).header("origin", "http://a"));
        let answer = answer.expect(status);
        assert_eq!((grants(&answer), answer.header("vary")), (Vec::new(), None), "{target}");
    }
}

/// Method and headers of a preflight count in every request that names them, as on AWS.
#[test]
fn a_request_that_names_another_method_is_checked_by_it() {
    let gateway = Gateway::start();
    put_rules(&gateway, &[("*.get", "GET", "", ""), ("*.put", "PUT", "", "")]);
    for (method, headers, origin, methods) in [
        ("GET", vec![("origin", "a.get")], Some("a.get"), Some("GET")),
        ("PUT", vec![("origin", "a.get")], None, None),
        ("PUT", vec![("origin", "a.put")], Some("a.put"), Some("PUT")),
        ("PUT", vec![("origin", "a.get"), (ACRM, "GET")], Some("a.get"), Some("GET")),
        ("PUT", vec![("origin", "a.get"), (ACRM, "PUT")], None, None),
        ("GET", vec![("origin", "a.get"), (ACRH, "range")], None, None),
    ] {
        let answer = gateway.send(&anonymous(method, "/bkt/k", &headers)).expect(403);
        assert_eq!(answer.header(GRANTS[0]).as_deref(), origin, "{method} {headers:?}");
        assert_eq!(answer.header(GRANTS[2]).as_deref(), methods, "{method} {headers:?}");
    }
}

/// A presigned URL is signed for its own method; its preflight has another one.
#[test]
fn a_presigned_url_works_from_a_page() {
    let gateway = Gateway::start();
    put_rules(&gateway, &[("https://app.example", "PUT GET", "*", "ETag")]);
    let signer = Who::Root.signer().expect("root signs");
    let origin = ("origin", "https://app.example");
    let type_ = ("content-type", "text/plain");
    let meta = ("x-amz-meta-a", "b");
    let presign = |method, headers: &[(&str, &str)], at| {
        signer.presign_v4(at, 60, method, &gateway.host(), "/bkt/page", headers)
    };
    let url = presign("PUT", &[type_, meta], signer::now());
    let names = "content-type,x-amz-meta-a";
    let asked = [origin, (ACRM, "PUT"), (ACRH, names)];
    let answer = gateway.send(&anonymous("OPTIONS", &url, &asked)).expect(200);
    assert_eq!(grants(&answer)[0], "https://app.example");
    let put = anonymous("PUT", &url, &[origin, type_, meta]).body("from a page");
    let put = gateway.send(&put).expect(200);
    assert_eq!(put.header("access-control-expose-headers").as_deref(), Some("ETag"));
    let url = presign("GET", &[], signer::now());
    let got = gateway.send(&anonymous("GET", &url, &[origin])).expect(200);
    assert_eq!((got.body.as_slice(), grants(&got)[0].as_str()), (&b"from a page"[..], origin.1));

    // An expired URL is refused with CORS headers, so that the page can read why. Its preflight
    // succeeds.
    let old = presign("GET", &[], signer::now() - 3600);
    gateway.send(&anonymous("OPTIONS", &old, &[origin, (ACRM, "GET")])).expect(200);
    let refused = gateway.send(&anonymous("GET", &old, &[origin])).expect(403);
    assert_eq!(refused.code().as_deref(), Some("AccessDenied"));
    assert_eq!(grants(&refused)[0], "https://app.example");
}

#[test]
fn a_bucket_that_the_host_names_has_its_rules() {
    check_with(
        &[("domain", "s3.test")],
        r#"
        PUT /bkt?cors << <CORSConfiguration><CORSRule><AllowedOrigin>http://a</AllowedOrigin>
            <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration> => 200
        anon: OPTIONS /k | host: bkt.s3.test | origin: http://a
            | access-control-request-method: GET
            => 200 | access-control-allow-origin: http://a
        anon: OPTIONS / | host: BKT.S3.test:80 | origin: http://a
            | access-control-request-method: GET
            => 200 | access-control-allow-origin: http://a
        anon: OPTIONS /bkt/k | host: other.s3.test | origin: http://a
            | access-control-request-method: GET
            => 403 AccessForbidden | -access-control-allow-origin | -vary
        anon: GET /_partita/v1/health/live | host: bkt.s3.test | origin: http://a
            => 403 AccessDenied | access-control-allow-origin: http://a
        anon: GET /bkt/k | host: s3.test | origin: http://a
            => 403 AccessDenied | access-control-allow-origin: http://a
        "#,
    );
}

#[test]
fn a_preflight_reads_no_body_and_keeps_the_connection() {
    let gateway = Gateway::start();
    put_rules(&gateway, &[("*", "GET", "", "")]);
    let asked = anonymous("OPTIONS", "/bkt/k", &[("origin", "http://a"), (ACRM, "GET")]);
    let mut connection = gateway.connect();
    for _ in 0..3 {
        connection.write(&asked.encode(&gateway.host()));
        let answer = connection.read_answer("OPTIONS").expect(200);
        assert_eq!(answer.header("connection"), None);
    }
    // A wrong signature on a preflight is ignored.
    let mut signed = asked.clone();
    signed.headers.push(("authorization".to_owned(), "AWS4-HMAC-SHA256 nonsense".to_owned()));
    gateway.send(&signed).expect(200);
}

#[test]
fn multipart_from_a_page_reads_the_tags_of_its_parts() {
    check(
        r#"
        PUT /bkt?cors << <CORSConfiguration><CORSRule><AllowedOrigin>http://a</AllowedOrigin>
            <AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod>
            <AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader></CORSRule>
            </CORSConfiguration> => 200
        POST /bkt/k?uploads | origin: http://a => 200 | UploadId -> U
            | access-control-allow-origin: http://a
        PUT /bkt/k?partNumber=1&uploadId=$U | origin: http://a << @100 => 200 | etag -> E
            | access-control-expose-headers: ETag
        POST /bkt/k?uploadId=$U | origin: http://a << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$E</ETag></Part></CompleteMultipartUpload>
            => 200 | access-control-allow-origin: http://a | vary: Origin, *
        DELETE /bkt/k?uploadId=$U | origin: http://a
            => 404 NoSuchUpload | -access-control-allow-origin
        "#,
    );
}
