//! Routing: every pair of words, with every method and scope, is served by one operation or
//! refused.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method};
use partita::ops::{OPERATIONS, Row, route};
use partita::request::operation::{Operation, Scope, Selector};
use partita::wire::{ErrorCode, Head};

use crate::harness::check;

/// Sub-resources and headers of S3, served here or not. This list is independent of the gateway's.
pub const S3_WORDS: &[&str] = &[
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::PUT,
    Method::POST,
    Method::DELETE,
    Method::OPTIONS,
    Method::PATCH,
    Method::TRACE,
];

const SCOPES: [Scope; 3] = [Scope::Service, Scope::Bucket, Scope::Object];

/// A word of a request: a query parameter with a value, or a header.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Word {
    name: String,
    value: &'static str,
    is_header: bool,
}

/// Words that could select something, each with every value that makes a difference.
fn words() -> Vec<Word> {
    let mut words = BTreeSet::new();
    let mut add = |name: &str, value, is_header| {
        words.insert(Word { name: name.to_owned(), value, is_header });
    };
    for row in OPERATIONS {
        for selector in row.selectors {
            match *selector {
                Selector::Query(name) => add(name, "1", false),
                Selector::QueryValue(name, value) => {
                    add(name, value, false);
                    add(name, "0", false);
                }
                Selector::Header(name) => {
                    add(name, "bkt/key", true);
                    add(name, "bkt/key", false);
                }
            }
        }
        for name in row.parameters {
            add(name, "1", false);
        }
    }
    for name in S3_WORDS.iter().chain(&["partita-status", "partita-of-tomorrow"]) {
        if !words.iter().any(|word| word.name == *name) {
            words.insert(Word { name: (*name).to_owned(), value: "1", is_header: false });
        }
    }
    words.into_iter().collect()
}

fn head(method: &Method, scope: Scope, words: &[&Word]) -> Head {
    let path = match scope {
        Scope::Service => "/",
        Scope::Bucket => "/bkt",
        Scope::Object => "/bkt/key",
    };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost"));
    let mut query = Vec::new();
    for word in words {
        if word.is_header {
            let name = http::HeaderName::from_bytes(word.name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_static(word.value));
        } else {
            query.push(format!("{}={}", word.name, word.value));
        }
    }
    Head::new(method.clone(), path, &query.join("&"), headers, &[], false).unwrap()
}

fn selected_by(row: &Operation, words: &[&Word]) -> bool {
    row.selectors.iter().all(|selector| {
        words.iter().any(|word| match *selector {
            Selector::Query(name) => word.name == name && !word.is_header,
            Selector::QueryValue(name, value) => word.name == name && word.value == value,
            Selector::Header(name) => word.name == name,
        })
    })
}

fn understands(row: &Operation, word: &Word) -> bool {
    row.selectors.iter().any(|selector| selector.word() == word.name)
        || row.parameters.contains(&word.name.as_str())
}

/// Routes one request and compares the result with the table, read in another way.
fn check_route(method: &Method, scope: Scope, words: &[&Word]) {
    let case = format!("{method} {scope:?} {words:?}");
    let candidates: Vec<&Row> = OPERATIONS
        .iter()
        .filter(|row| row.method == *method && row.scope == scope && selected_by(row, words))
        .collect();
    let most = candidates.iter().map(|row| row.selectors.len()).max();
    let winners: Vec<_> =
        candidates.iter().filter(|row| Some(row.selectors.len()) == most).collect();
    let all_understood = winners.iter().any(|row| words.iter().all(|word| understands(row, word)));
    match route(&head(method, scope, words)) {
        Ok(row) => {
            assert_eq!(winners.len(), 1, "{case}: a tie");
            assert_eq!(row.name, winners[0].name, "{case}");
            assert!(all_understood, "{case}: {} overlooks a word", row.name);
        }
        Err(error) => {
            assert!(!all_understood || winners.len() > 1, "{case}: {error}");
            let expected = match words.len() {
                0 => &[ErrorCode::MethodNotAllowed, ErrorCode::NotImplemented][..],
                _ => &[ErrorCode::InvalidRequest, ErrorCode::NotImplemented],
            };
            assert!(expected.contains(&error.code), "{case}: {error}");
        }
    }
}

#[test]
fn every_pair_of_words_is_served_by_one_row_or_refused() {
    let words = words();
    assert!(words.len() > 40, "{words:?}");
    for method in &METHODS {
        for scope in SCOPES {
            check_route(method, scope, &[]);
            for (index, one) in words.iter().enumerate() {
                check_route(method, scope, &[one]);
                // A repeated name is refused earlier, with the signature.
                for other in words[index + 1..].iter().filter(|word| word.name != one.name) {
                    check_route(method, scope, &[one, other]);
                }
            }
        }
    }
}

/// Three words are the most that a row has: the words of rows are combined with all others by
/// threes.
#[test]
fn every_triple_of_the_words_of_the_table() {
    let words: Vec<Word> = words()
        .into_iter()
        .filter(|word| {
            let of_objects = |row: &&Row| row.scope == Scope::Object;
            OPERATIONS.iter().filter(of_objects).any(|row| understands(row, word))
        })
        .collect();
    for method in &METHODS {
        for (index, one) in words.iter().enumerate() {
            for (second, two) in words.iter().enumerate().skip(index + 1) {
                for three in &words[second + 1..] {
                    let names = BTreeSet::from([&one.name, &two.name, &three.name]);
                    if names.len() == 3 {
                        check_route(method, Scope::Object, &[one, two, three]);
                    }
                }
            }
        }
    }
}

#[test]
fn a_word_that_no_row_serves_is_not_implemented() {
    for method in &METHODS {
        for scope in SCOPES {
            for word in words() {
                let served = OPERATIONS.iter().any(|row| {
                    row.method == *method && row.scope == scope && understands(row, &word)
                });
                if !served {
                    let error = route(&head(method, scope, &[&word])).err();
                    let code = error.map(|error| error.code);
                    let case = format!("{method} {scope:?} {word:?}");
                    assert_eq!(code, Some(ErrorCode::NotImplemented), "{case}");
                }
            }
        }
    }
}

#[test]
fn no_two_rows_are_equal() {
    for (index, row) in OPERATIONS.iter().enumerate() {
        for other in &OPERATIONS[index + 1..] {
            let same = row.method == other.method
                && row.scope == other.scope
                && row.selectors.len() == other.selectors.len()
                && row.selectors.iter().all(|selector| other.selectors.contains(selector));
            assert!(!same, "{} and {}", row.name, other.name);
            assert_ne!(row.name, other.name);
        }
    }
}

#[test]
fn refusals_on_the_wire() {
    check(
        r#"
        PUT /bkt/k << kept                              => 200
        POST /bkt/k?uploads                             => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U << x                     => 400 InvalidRequest
            | ParameterName = uploadId
        PUT /bkt/k?uploads << x                         => 501 NotImplemented
        PUT /bkt/k?versionId=null << x                  => 501 NotImplemented
        PUT /bkt/k?uploadId=$U&partNumber=1&acl << x    => 400 InvalidRequest
        POST /bkt/k?uploads&uploadId=$U                 => 400 InvalidRequest
        GET /bkt/k?uploadId=$U&acl                      => 400 InvalidRequest
        DELETE /bkt/k?uploadId=$U&versionId=null        => 501 NotImplemented
        PUT /bkt/k?partita-status << x                  => 501 NotImplemented
        PUT /bkt/k?x-amz-copy-source=bkt/k&acl << x     => 400 InvalidRequest
        PUT /bkt/k?restore << x                         => 501 NotImplemented
        POST /bkt/k?select&select-type=2 << x           => 501 NotImplemented
        PUT /bkt/k?attributes << x                      => 501 NotImplemented
        GET /bkt?list-type=2&versions                   => 400 InvalidRequest
        DELETE /bkt?policy                              => 501 NotImplemented
        # An unknown parameter is signed and otherwise ignored.
        GET /bkt/k?x-id=GetObject&whatever=1            => 200 << kept
        # A repeated parameter would be read differently by two readers.
        GET /bkt/k?versionId=null&versionId=v           => 400 InvalidArgument
        GET /bkt/k                                      => 200 << kept
        "#,
    );
}

#[test]
fn methods_without_an_operation_are_refused() {
    check(
        r#"
        POST /bkt/k                => 405 MethodNotAllowed | Method = POST | ResourceType = OBJECT
            | allow: DELETE, GET, HEAD, PUT
        PATCH /bkt/k               => 405 MethodNotAllowed
        PATCH /bkt                 => 405 MethodNotAllowed | ResourceType = BUCKET
            | allow: DELETE, GET, HEAD, POST, PUT
        DELETE /                   => 405 MethodNotAllowed | ResourceType = SERVICE | allow: GET
        POST / << Action=AssumeRole => 501 NotImplemented
        HEAD /                     => 405
        "#,
    );
}

#[test]
fn addresses() {
    crate::harness::check_with(
        &[("domain", "s3.test,eu.s3.test")],
        r#"
        PUT /bkt/k << one                              => 200
        GET /k | host: bkt.s3.test                     => 200 << one
        GET /k | host: bkt.s3.test:9000                => 200 << one
        GET /k | host: BKT.S3.TEST                     => 200 << one
        GET /k | host: bkt.eu.s3.test                  => 200 << one
        GET / | host: bkt.s3.test                      => 200 | ListBucketResult/Name = bkt
        GET / | host: s3.test                          => 200 | Bucket/Name = bkt
        GET / | host: eu.s3.test                       => 200 | Bucket/Name = bkt
        GET /bkt/k | host: s3.test                     => 200 << one
        GET /bkt/k | host: unknown.example             => 200 << one
        GET //k                                        => 400 InvalidBucketName
        GET /bkt/%FF                                   => 400 InvalidURI
        GET /bkt/k?prefix=%FF                          => 400 InvalidURI
        "#,
    );
}
