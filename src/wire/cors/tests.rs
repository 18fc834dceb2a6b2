//! CORS: tables of patterns, requests and documents.

use http::header::HeaderValue;
use http::{HeaderMap, HeaderName, Method};
use proptest::prelude::*;

use super::evaluation::{REQUESTED_HEADERS_MAX, VARY, matches_header, matches_origin};
use super::*;
use crate::wire::{ErrorCode, Response};

#[test]
fn a_star_stands_for_any_text_once() {
    for (pattern, text, same) in [
        ("http://a.example", "http://a.example", true),
        ("http://a.example", "http://a.example:80", false),
        ("http://a.example", "https://a.example", false),
        ("http://a.example", "http://A.example", false),
        ("http://a.example", "http://a.exampl", false),
        ("http://a.example", "", false),
        ("*", "", true),
        ("*", "null", true),
        ("*", "http://a.example", true),
        ("*suffix", "suffix", true),
        ("*suffix", "foo.suffix", true),
        ("*suffix", "foo.suffix.get", false),
        ("start*end", "startend", true),
        ("start*end", "start12end", true),
        ("start*end", "0start12end", false),
        ("start*end", "start12end0", false),
        ("prefix*", "prefix", true),
        ("prefix*", "bla.prefix", false),
        ("ab*ba", "aba", false),
        ("ab*ba", "abba", true),
        ("http://*.example", "http://.example", true),
        ("http://*.example", "http://a.b.example", true),
        ("http://*.example", "http://example", false),
        ("a?c", "abc", false),
        ("a.c", "abc", false),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(matches_origin(pattern, text), same, "{pattern} {text}");
    }
    assert!(matches_header("X-Amz-*", "x-amz-meta-a") && matches_header("ETag", "etag"));
    assert!(!matches_header("x-amz-*", "amz") && !matches_header("x-amz-", "x-amz-meta-a"));
}

/// Configuration of rules: origins, methods, headers, exposed headers, seconds.
fn configuration(rules: &[(&str, &str, &str, &str, &str)]) -> CorsConfiguration {
    let mut document = String::from("<CORSConfiguration>");
    for (origins, methods, headers, expose, seconds) in rules {
        document.push_str("<CORSRule>");
        for (name, texts) in [
            ("AllowedOrigin", origins),
            ("AllowedMethod", methods),
            ("AllowedHeader", headers),
            ("ExposeHeader", expose),
            ("MaxAgeSeconds", seconds),
        ] {
            for text in texts.split_whitespace() {
                document.push_str(&format!("<{name}>{text}</{name}>"));
            }
        }
        document.push_str("</CORSRule>");
    }
    document.push_str("</CORSConfiguration>");
    parse(document.as_bytes()).unwrap()
}

/// Question in these headers.
fn question(method: &str, headers: &[(&str, &str)]) -> Option<CorsRequest> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    CorsRequest::of(&Method::from_bytes(method.as_bytes()).unwrap(), &map)
}

/// Headers of a grant, one in each line, without their common prefix.
fn granted(configuration: &CorsConfiguration, question: Option<CorsRequest>) -> String {
    let Some(grant) = question.and_then(|question| configuration.evaluate(&question)) else {
        return "nothing".to_owned();
    };
    let short = |name: &str| name.strip_prefix("access-control-").unwrap().to_owned();
    let lines = grant.0.iter().map(|(name, value)| format!("{}: {value}", short(name)));
    lines.collect::<Vec<_>>().join("; ")
}

#[test]
fn the_first_rule_that_allows_everything_answers() {
    let rules = configuration(&[
        ("http://a.example http://*.b.example", "GET PUT", "x-amz-* ETag", "ETag x-amz-id-2", "60"),
        ("http://a.example", "GET", "*", "", "0"),
        ("*", "GET", "", "", ""),
        ("http://c.example *", "DELETE", "", "", ""),
    ]);
    let acrm = "access-control-request-method";
    let acrh = "access-control-request-headers";
    let first = "allow-credentials: true; allow-methods: GET, PUT; expose-headers: ETag, \
                 x-amz-id-2; max-age: 60";
    let a = ("origin", "http://a.example");
    for (method, headers, wanted) in [
        ("GET", vec![a], format!("allow-origin: http://a.example; {first}")),
        (
            "PUT",
            vec![("origin", "http://x.b.example")],
            format!("allow-origin: http://x.b.example; {first}"),
        ),
        (
            "OPTIONS",
            vec![a, (acrm, "PUT"), (acrh, "X-Amz-Date,  etag ,")],
            format!("allow-origin: http://a.example; {first}")
                .replace("PUT;", "PUT; allow-headers: x-amz-date, etag;"),
        ),
        (
            "OPTIONS",
            vec![a, (acrm, "GET"), (acrh, "x-amz-date"), (acrh, "range")],
            "allow-origin: http://a.example; allow-credentials: true; allow-methods: GET; \
          allow-headers: x-amz-date, range; max-age: 0"
                .to_owned(),
        ),
        // Not the first rule's headers, not the second one's method.
        ("OPTIONS", vec![a, (acrm, "PUT"), (acrh, "range")], "nothing".to_owned()),
        ("GET", vec![("origin", "http://c.example")], "allow-origin: *; allow-methods: GET".into()),
        ("GET", vec![("origin", "null")], "allow-origin: *; allow-methods: GET".into()),
        ("GET", vec![("origin", "null"), (acrh, "range")], "nothing".to_owned()),
        (
            "GET",
            vec![("origin", "null"), (acrh, " , ")],
            "allow-origin: *; allow-methods: GET".to_owned(),
        ),
        // The first matching origin of a rule counts.
        (
            "DELETE",
            vec![("origin", "http://c.example")],
            "allow-origin: http://c.example; allow-credentials: true; allow-methods: DELETE".into(),
        ),
        ("DELETE", vec![a], "allow-origin: *; allow-methods: DELETE".to_owned()),
        // HEAD is not covered by GET.
        ("HEAD", vec![a], "nothing".to_owned()),
        ("POST", vec![a], "nothing".to_owned()),
        ("OPTIONS", vec![a], "nothing".to_owned()),
        ("OPTIONS", vec![a, (acrm, "get")], "nothing".to_owned()),
        ("OPTIONS", vec![a, (acrm, "PATCH")], "nothing".to_owned()),
        ("GET", vec![a, (acrm, "DELETE")], "allow-origin: *; allow-methods: DELETE".to_owned()),
        ("PUT", vec![("origin", "http://c.example")], "nothing".to_owned()),
        ("GET", vec![], "nothing".to_owned()),
        ("GET", vec![a, a], "nothing".to_owned()),
        ("GET", vec![("origin", "http://\u{e9}.example")], "nothing".to_owned()),
        ("GET", vec![a, (acrh, "\u{e9}")], "nothing".to_owned()),
        ("GET", vec![a, (acrm, "\u{e9}")], "nothing".to_owned()),
    ] {
        let got = granted(&rules, question(method, &headers));
        assert_eq!(got, wanted, "{method} {headers:?}");
    }
}

#[test]
fn no_more_headers_are_looked_at_than_the_limit() {
    let rules = configuration(&[("*", "GET", "*", "", "")]);
    for (count, allowed) in [(REQUESTED_HEADERS_MAX, true), (REQUESTED_HEADERS_MAX + 1, false)] {
        let names = vec!["x"; count].join(",");
        let asked = [("origin", "o"), ("access-control-request-headers", names.as_str())];
        assert_eq!(rules.evaluate(&question("GET", &asked).unwrap()).is_some(), allowed);
    }
}

#[test]
fn an_answer_is_marked_with_what_it_depends_on() {
    let rules = configuration(&[("*", "GET", "", "", "")]);
    let grant = rules.evaluate(&question("GET", &[("origin", "o")]).unwrap());
    for grant in [None, grant] {
        let mut response = Response::ok().header("vary", "Accept");
        mark(&mut response, grant.as_ref());
        let vary: Vec<_> = response.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["Accept", VARY]);
        assert_eq!(response.headers.contains_key("access-control-allow-origin"), grant.is_some());
    }
}

const RULE: &str = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";

/// Rule with an id of this length.
fn named(chars: usize) -> String {
    format!("<ID>{}</ID>{RULE}", "\u{e9}".repeat(chars))
}

#[test]
fn documents_that_are_taken() {
    for inside in [
        RULE.to_owned(),
        "<AllowedMethod> GET </AllowedMethod><AllowedOrigin>\nhttp://a\n</AllowedOrigin>".into(),
        "<AllowedMethod>HEAD</AllowedMethod><AllowedOrigin/>".to_owned(),
        format!("{RULE}<MaxAgeSeconds>0</MaxAgeSeconds><ID/>"),
        format!("{RULE}<MaxAgeSeconds>2147483647</MaxAgeSeconds>"),
        format!("{RULE}<AllowedHeader>x-*-y</AllowedHeader><ExposeHeader>ETag</ExposeHeader>"),
        named(255),
    ] {
        let document =
            format!("<CORSConfiguration><CORSRule>{inside}</CORSRule></CORSConfiguration>");
        assert!(parse(document.as_bytes()).is_ok(), "{document}");
    }
}

#[test]
fn documents_that_are_refused() {
    use ErrorCode::{InvalidRequest, MalformedXML};
    let wild = "can not have more than one wildcard.";
    for (inside, code, words) in [
        (String::new(), MalformedXML, ""),
        ("<AllowedOrigin>*</AllowedOrigin>".to_owned(), MalformedXML, ""),
        ("<AllowedMethod>GET</AllowedMethod>".to_owned(), MalformedXML, ""),
        (format!("{RULE}<Extra/>"), MalformedXML, ""),
        (format!("{RULE}<ID>a</ID><ID>b</ID>"), MalformedXML, ""),
        (format!("{RULE}<ID><b/></ID>"), MalformedXML, ""),
        (format!("{RULE}<MaxAgeSeconds/>"), MalformedXML, ""),
        (format!("{RULE}<MaxAgeSeconds>-1</MaxAgeSeconds>"), MalformedXML, ""),
        (format!("{RULE}<MaxAgeSeconds>+1</MaxAgeSeconds>"), MalformedXML, ""),
        (format!("{RULE}<MaxAgeSeconds>2147483648</MaxAgeSeconds>"), MalformedXML, ""),
        (
            format!("{RULE}<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>1</MaxAgeSeconds>"),
            MalformedXML,
            "",
        ),
        (
            format!("{RULE}<AllowedMethod>PATCH</AllowedMethod>"),
            InvalidRequest,
            "Found unsupported HTTP method in CORS config. Unsupported method is PATCH",
        ),
        (format!("{RULE}<AllowedMethod>get</AllowedMethod>"), InvalidRequest, "method is get"),
        (format!("{RULE}<AllowedMethod/>"), InvalidRequest, "method is "),
        (format!("{RULE}<AllowedOrigin>*.*</AllowedOrigin>"), InvalidRequest, wild),
        (format!("{RULE}<AllowedHeader>**</AllowedHeader>"), InvalidRequest, wild),
        (
            format!("{RULE}<ExposeHeader>x-amz-*</ExposeHeader>"),
            InvalidRequest,
            "ExposeHeader \"x-amz-*\" contains wildcard.",
        ),
        (format!("{RULE}<ExposeHeader>a, b</ExposeHeader>"), InvalidRequest, "invalid character"),
        (format!("{RULE}<ExposeHeader/>"), InvalidRequest, "invalid character"),
        (
            format!("{RULE}<ExposeHeader>a&#13;&#10;set-cookie:b</ExposeHeader>"),
            InvalidRequest,
            "invalid character",
        ),
        (named(256), InvalidRequest, "255"),
    ] {
        let document =
            format!("<CORSConfiguration><CORSRule>{inside}</CORSRule></CORSConfiguration>");
        let error = parse(document.as_bytes()).expect_err(&document);
        assert_eq!(error.code, code, "{document}");
        assert!(error.message.contains(words), "{document}: {}", error.message);
    }
}

#[test]
fn a_configuration_has_rules_and_nothing_else() {
    use ErrorCode::{InvalidRequest, MalformedXML};
    let many = |count: usize| {
        let rules = format!("<CORSRule>{RULE}</CORSRule>").repeat(count);
        parse(format!("<CORSConfiguration>{rules}</CORSConfiguration>").as_bytes())
    };
    assert_eq!(many(0).unwrap_err().code, MalformedXML);
    assert!(many(100).is_ok());
    assert_eq!(many(101).unwrap_err().code, InvalidRequest);
    for document in ["<Other/>", "<CORSConfiguration><Rule/></CORSConfiguration>", "", "x"] {
        assert_eq!(parse(document.as_bytes()).unwrap_err().code, MalformedXML, "{document}");
    }
}

#[test]
fn what_is_written_is_one_form_and_is_read_back() {
    let untidy = "<?xml version='1.0'?><c:CORSConfiguration xmlns:c='x'><c:CORSRule>
        <c:MaxAgeSeconds>0060</c:MaxAgeSeconds><c:AllowedOrigin>http://a?b&amp;c</c:AllowedOrigin>
        <c:ExposeHeader>ETag</c:ExposeHeader><c:AllowedMethod>GET</c:AllowedMethod>
        <c:AllowedHeader>X-Amz-*</c:AllowedHeader><c:AllowedMethod>PUT</c:AllowedMethod>
        <c:ID>one</c:ID></c:CORSRule></c:CORSConfiguration>";
    let read = parse(untidy.as_bytes()).unwrap();
    let written = read.document();
    assert_eq!(parse(&written).unwrap(), read);
    let text = String::from_utf8(written).unwrap();
    let inside = "<CORSRule><ID>one</ID><AllowedHeader>X-Amz-*</AllowedHeader>\
        <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>\
        <AllowedOrigin>http://a?b&amp;c</AllowedOrigin><ExposeHeader>ETag</ExposeHeader>\
        <MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>";
    assert!(text.contains(inside), "{text}");
}

/// Reference implementation of patterns: some text in place of the star makes both equal.
fn by_trying(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => (0..=text.len())
            .flat_map(|from| (from..=text.len()).map(move |to| (from, to)))
            .filter_map(|(from, to)| text.get(from..to))
            .any(|middle| format!("{head}{middle}{tail}") == text),
    }
}

proptest! {
    #[test]
    fn wildcards_are_exact(
        pattern in "[ab\u{e9}]{0,3}\\*?[ab\u{e9}]{0,3}",
        text in "[ab\u{e9}]{0,7}",
    ) {
        prop_assert_eq!(matches_origin(&pattern, &text), by_trying(&pattern, &text));
    }

    #[test]
    fn any_question_is_answered_without_panic_and_only_with_its_own_origin(
        patterns in prop::collection::vec("[a*:/.]{0,4}", 1..4),
        origin in prop::collection::vec(prop::sample::select(b"a:/.*\xff,".to_vec()), 0..6),
        asked in prop::collection::vec(prop::sample::select(b"a-,* \xff".to_vec()), 0..9),
    ) {
        let origins: Vec<String> =
            patterns.iter().map(|p| format!("<AllowedOrigin>{p}</AllowedOrigin>")).collect();
        let document = format!(
            "<CORSConfiguration><CORSRule>{}<AllowedMethod>GET</AllowedMethod>\
             <AllowedHeader>a*</AllowedHeader></CORSRule></CORSConfiguration>",
            origins.concat()
        );
        let mut headers = HeaderMap::new();
        headers.insert("origin", HeaderValue::from_bytes(&origin).unwrap());
        let name = "access-control-request-headers";
        headers.insert(name, HeaderValue::from_bytes(&asked).unwrap());
        let asked = CorsRequest::of(&Method::GET, &headers);
        if let (Ok(rules), Some(asked)) = (parse(document.as_bytes()), asked)
            && let Some(grant) = rules.evaluate(&asked)
        {
            let told = &grant.0[0].1;
            prop_assert!(told == "*" || *told == asked.origin);
            prop_assert!(patterns.iter().any(|one| by_trying(one, &asked.origin)));
            prop_assert!(asked.headers.iter().flatten().all(|name| name.starts_with('a')));
        }
    }

    #[test]
    fn any_document_is_read_without_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<CORSRule>", "</CORSRule>", "<AllowedMethod>GET</AllowedMethod>", "<ID>", "</ID>",
                "<AllowedOrigin>*</AllowedOrigin>", "<MaxAgeSeconds>", "</MaxAgeSeconds>", "9", "-",
                "<ExposeHeader>", "</ExposeHeader>", "\u{e9}", "*", "&amp;",
            ]),
            0..14,
        ),
    ) {
        let document = format!("<CORSConfiguration>{}</CORSConfiguration>", pieces.concat());
        if let Ok(read) = parse(document.as_bytes()) {
            prop_assert_eq!(parse(&read.document()).unwrap(), read);
        }
    }
}
