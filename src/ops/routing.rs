//! Routing: the row whose selecting words are all in the request, with no word left over.

use std::ops::Deref;

use crate::request::operation::{Operation, Scope, Selector};
use crate::wire::{Address, Error, ErrorCode, Head, Result};

/// Words that S3 knows as sub-resources, whether a row serves them or not. One of these in a
/// request must be consumed by the row that wins.
const SUB_RESOURCES: &[&str] = &[
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "annotation",
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
    "rename",
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

/// Headers that select an operation.
const SELECTING_HEADERS: &[&str] = &["x-amz-copy-source"];

/// The prefix of Partita's own sub-resources; all of them are words.
const OWN_PREFIX: &str = "partita-";

/// The row that serves the request.
///
/// # Errors
/// MethodNotAllowed (with `Allow`) when no row of this scope has the method; InvalidRequest when
/// the words belong to two operations or to half of one; NotImplemented for a word that S3 knows
/// and no row serves here.
pub fn route<R>(rows: &'static [R], head: &Head) -> Result<&'static R>
where
    R: Deref<Target = Operation>,
{
    let scope = scope(&head.address);
    let words = words(rows, head);
    let winner = rows
        .iter()
        .filter(|row| row.scope == scope && row.method == head.method)
        .filter(|row| row.selectors.iter().all(|selector| selects(*selector, head)))
        .max_by_key(|row| row.selectors.len());
    match winner {
        Some(row) => match words.iter().find(|word| !consumes(row, word)) {
            None => Ok(row),
            Some(word) => Err(left_over(rows, word, scope, head)),
        },
        // A word of no row is reported first, then a word of an incomplete set.
        None => match words.iter().min_by_key(|word| selects_somewhere(rows, word, scope, head)) {
            Some(word) => Err(left_over(rows, word, scope, head)),
            None => Err(no_row(rows, scope, head)),
        },
    }
}

/// The scope of an address.
pub fn scope(address: &Address) -> Scope {
    match address {
        Address::Service => Scope::Service,
        Address::Bucket(_) => Scope::Bucket,
        Address::Object(..) => Scope::Object,
    }
}

/// The selecting words of a request, in no particular order.
pub fn words<R: Deref<Target = Operation>>(rows: &[R], head: &Head) -> Vec<String> {
    let known = |name: &str| {
        SUB_RESOURCES.contains(&name)
            || name.starts_with(OWN_PREFIX)
            || rows.iter().any(|row| row.selectors.iter().any(|s| s.word() == name))
    };
    let of_query = head.query.pairs().iter().map(|(name, _)| name.as_str()).filter(|n| known(n));
    let of_headers = SELECTING_HEADERS.iter().copied().filter(|&name| carries(head, name));
    let mut words: Vec<String> = of_query.chain(of_headers).map(str::to_owned).collect();
    words.sort();
    words.dedup();
    words
}

fn carries(head: &Head, name: &str) -> bool {
    let hoisted = || head.query.pairs().iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    head.has_header(name) || hoisted()
}

fn selects(selector: Selector, head: &Head) -> bool {
    match selector {
        Selector::Query(word) => head.query.has(word),
        Selector::QueryValue(word, value) => head.query.get(word) == Some(value),
        Selector::Header(name) => carries(head, name),
    }
}

fn consumes(row: &Operation, word: &str) -> bool {
    row.selectors.iter().any(|selector| selector.word() == word) || row.parameters.contains(&word)
}

fn selects_somewhere<R: Deref<Target = Operation>>(
    rows: &[R],
    word: &str,
    scope: Scope,
    head: &Head,
) -> bool {
    rows.iter()
        .filter(|row| row.scope == scope && row.method == head.method)
        .any(|row| row.selectors.iter().any(|selector| selector.word() == word))
}

fn left_over<R: Deref<Target = Operation>>(
    rows: &[R],
    word: &str,
    scope: Scope,
    head: &Head,
) -> Error {
    if selects_somewhere(rows, word, scope, head) {
        let message = format!("The query parameter {word} does not fit the rest of the request.");
        return Error::because(ErrorCode::InvalidRequest, message).field("ParameterName", word);
    }
    let message = format!("The sub-resource {word} is not implemented for this request.");
    Error::because(ErrorCode::NotImplemented, message).field("ParameterName", word)
}

fn no_row<R: Deref<Target = Operation>>(rows: &[R], scope: Scope, head: &Head) -> Error {
    // Suites and consoles send IAM and STS actions to the service: the answer says at once that
    // there are none.
    if scope == Scope::Service && head.method == http::Method::POST {
        return Error::because(
            ErrorCode::NotImplemented,
            "IAM and STS actions are not implemented.",
        );
    }
    let mut allowed: Vec<&str> = rows
        .iter()
        .filter(|row| row.scope == scope && row.selectors.is_empty())
        .map(|row| row.method.as_str())
        .collect();
    allowed.sort_unstable();
    Error::new(ErrorCode::MethodNotAllowed)
        .field("Method", head.method.as_str())
        .field("ResourceType", format!("{scope:?}").to_uppercase())
        .header("allow", allowed.join(", "))
}
