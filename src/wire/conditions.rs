//! Conditional requests: `If-Match` and the related headers of reads, copies and writes.
//!
//! Source: RFC 9110, section 13.
//!
//! **Rules**
//! - With `If-Match`, `If-Unmodified-Since` is ignored. With `If-None-Match`, `If-Modified-Since`
//!   is ignored.
//! - Dates are compared in whole seconds. A date that is not valid HTTP counts as absent.
//! - Tags are compared without quotes and `W/`, because clients send them bare.

use super::date::parse_http_date;
use super::error::{Error, ErrorCode, Result};
use super::request::Head;
use crate::types::{ETag, ETagMatch, Timestamp, WriteCondition};

/// Validators of an object (RFC 9110, section 8.8).
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// Entity tag.
    pub etag: &'a ETag,
    /// Time of the last modification.
    pub modified: Timestamp,
}

/// Result of the conditions of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evaluation {
    /// All conditions hold.
    Proceed,
    /// Answer 304 Not Modified.
    NotModified,
    /// Answer 412 Precondition Failed, with the name of the condition for `<Condition>`.
    Failed(&'static str),
}

/// Names of the four conditions, as S3 writes them in `<Condition>`.
struct Names {
    matches: &'static str,
    none_match: &'static str,
    modified_since: &'static str,
    unmodified_since: &'static str,
}

const READ: Names = Names {
    matches: "If-Match",
    none_match: "If-None-Match",
    modified_since: "If-Modified-Since",
    unmodified_since: "If-Unmodified-Since",
};

const COPY_SOURCE: Names = Names {
    matches: "x-amz-copy-source-If-Match",
    none_match: "x-amz-copy-source-If-None-Match",
    modified_since: "x-amz-copy-source-If-Modified-Since",
    unmodified_since: "x-amz-copy-source-If-Unmodified-Since",
};

/// Evaluates the conditions of GET and HEAD. If `If-None-Match` or `If-Modified-Since` fails, the
/// answer is a 304.
///
/// # Errors
/// InvalidRequest for a header that is not UTF-8.
pub fn read(head: &Head, validators: &Validators<'_>) -> Result<Evaluation> {
    Ok(match failed(head, &READ, validators)? {
        None => Evaluation::Proceed,
        Some(name) if name == READ.none_match || name == READ.modified_since => {
            Evaluation::NotModified
        }
        Some(name) => Evaluation::Failed(name),
    })
}

/// Evaluates `x-amz-copy-source-if-*` on the source of a copy. If one fails, the answer is a 412.
///
/// # Errors
/// InvalidRequest for a header that is not UTF-8.
pub fn copy_source(head: &Head, validators: &Validators<'_>) -> Result<Evaluation> {
    Ok(failed(head, &COPY_SOURCE, validators)?.map_or(Evaluation::Proceed, Evaluation::Failed))
}

/// Condition of PutObject and CompleteMultipartUpload. The store checks it in its transaction.
///
/// # Errors
/// InvalidRequest for a header that is not UTF-8.
pub fn write(head: &Head) -> Result<WriteCondition> {
    Ok(WriteCondition {
        if_match: tags(head, READ.matches)?,
        if_none_match: tags(head, READ.none_match)?,
    })
}

/// True if `Range` applies: `If-Range` is absent or matches the object. Otherwise the client has
/// bytes of another object, and the answer is the whole object.
///
/// # Errors
/// InvalidRequest for a header that is not UTF-8.
pub fn range_holds(head: &Head, validators: &Validators<'_>) -> Result<bool> {
    let Some(text) = head.header("if-range")? else { return Ok(true) };
    Ok(match parse_http_date(text) {
        Some(date) => date.seconds() == validators.modified.seconds(),
        None => etag_match(text).matches(validators.etag),
    })
}

/// Tags in the value of a header: `*`, or a list, with or without quotes, weak or strong.
pub fn etag_match(text: &str) -> ETagMatch {
    let text = text.trim();
    if text == "*" {
        return ETagMatch::Any;
    }
    let mut tags = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let bare = rest.strip_prefix("W/").unwrap_or(rest);
        // A comma within quotes is part of the tag.
        let (tag, after) = match bare.strip_prefix('"').and_then(|b| b.split_once('"')) {
            Some((tag, after)) => (tag, after.split_once(',').map_or("", |(_, after)| after)),
            None => bare.split_once(',').unwrap_or((bare, "")),
        };
        let tag = tag.trim().trim_matches('"');
        if !tag.is_empty() {
            tags.push(tag.to_owned());
        }
        rest = after.trim_start();
    }
    ETagMatch::List(tags)
}

/// Name of the first condition that does not hold, in the order of RFC 9110, section 13.2.2.
fn failed(head: &Head, names: &Names, validators: &Validators<'_>) -> Result<Option<&'static str>> {
    let modified = validators.modified.seconds();
    if let Some(tags) = tags(head, names.matches)? {
        if !tags.matches(validators.etag) {
            return Ok(Some(names.matches));
        }
    } else if date(head, names.unmodified_since)?.is_some_and(|d| modified > d.seconds()) {
        return Ok(Some(names.unmodified_since));
    }
    if let Some(tags) = tags(head, names.none_match)? {
        if tags.matches(validators.etag) {
            return Ok(Some(names.none_match));
        }
    } else if date(head, names.modified_since)?.is_some_and(|d| modified <= d.seconds()) {
        return Ok(Some(names.modified_since));
    }
    Ok(None)
}

/// Tags in all lines of a header. `x-amz-*` headers may be in the query of a presigned URL.
fn tags(head: &Head, name: &'static str) -> Result<Option<ETagMatch>> {
    let mut lines = Vec::new();
    for value in head.headers.get_all(name) {
        lines.push(std::str::from_utf8(value.as_bytes()).map_err(|_| {
            Error::because(ErrorCode::InvalidRequest, format!("The header {name} is not UTF-8."))
        })?);
    }
    if lines.is_empty() && name.starts_with("x-amz-") {
        lines.extend(head.header_or_query(name)?);
    }
    Ok((!lines.is_empty()).then(|| etag_match(&lines.join(","))))
}

fn date(head: &Head, name: &'static str) -> Result<Option<Timestamp>> {
    let hoisted = name.starts_with("x-amz-");
    let text = if hoisted { head.header_or_query(name)? } else { head.header(name)? };
    Ok(text.and_then(parse_http_date))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::collections::HashSet;

    use super::*;
    use crate::wire::encoding;
    use crate::wire::request::tests::head;

    const TAG: &str = "900150983cd24fb0d6963f7d28e17f72";
    const OTHER: &str = "d41d8cd98f00b204e9800998ecf8427e";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn evaluate(headers: &[(&str, &str)]) -> (Evaluation, Evaluation) {
        let etag = ETag::parse(TAG).unwrap();
        // Half a second after THEN: dates are compared in whole seconds.
        let modified = Timestamp::from_millis(784_111_777_500);
        let validators = Validators { etag: &etag, modified };
        let read = read(&head("GET", "/bkt/key", "", headers), &validators).unwrap();
        // Only the conditions of reads may be in several lines.
        if headers.iter().map(|(name, _)| name).collect::<HashSet<_>>().len() < headers.len() {
            return (read, Evaluation::Proceed);
        }
        let copies: Vec<_> =
            headers.iter().map(|(n, v)| (format!("x-amz-copy-source-{n}"), *v)).collect();
        let copies: Vec<_> = copies.iter().map(|(n, v)| (n.as_str(), *v)).collect();
        let copied = copy_source(&head("PUT", "/bkt/key", "", &copies), &validators).unwrap();
        let hoisted = copies.iter().map(|(name, value)| format!("{name}={}", encoding::url(value)));
        let query = hoisted.collect::<Vec<_>>().join("&");
        let hoisted = copy_source(&head("PUT", "/bkt/key", &query, &[]), &validators);
        assert_eq!(hoisted.unwrap(), copied);
        (read, copied)
    }

    #[test]
    fn conditions_in_their_order() {
        const IM: &str = "if-match";
        const INM: &str = "if-none-match";
        const IMS: &str = "if-modified-since";
        const IUS: &str = "if-unmodified-since";
        let quoted = format!("\"{TAG}\"");
        let weak = format!("W/\"{TAG}\"");
        let list = format!("\"{OTHER}\" , \"{TAG}\"");
        let proceed = Evaluation::Proceed;
        let not_modified = Evaluation::NotModified;
        let failed = Evaluation::Failed;
        let cases: &[(&[(&str, &str)], Evaluation)] = &[
            (&[], proceed),
            (&[(IM, &quoted)], proceed),
            (&[(IM, TAG)], proceed),
            (&[(IM, &weak)], proceed),
            (&[(IM, &list)], proceed),
            (&[(IM, OTHER), (IM, TAG)], proceed),
            (&[(IM, "*")], proceed),
            (&[(IM, OTHER)], failed("If-Match")),
            (&[(IM, "")], failed("If-Match")),
            (&[(INM, OTHER)], proceed),
            (&[(INM, &quoted)], not_modified),
            (&[(INM, &weak)], not_modified),
            (&[(INM, &list)], not_modified),
            (&[(INM, "*")], not_modified),
            (&[(IUS, BEFORE)], failed("If-Unmodified-Since")),
            (&[(IUS, THEN)], proceed),
            (&[(IUS, "yesterday")], proceed),
            (&[(IMS, BEFORE)], proceed),
            (&[(IMS, THEN)], not_modified),
            (&[(IMS, AFTER)], not_modified),
            (&[(IMS, "yesterday")], proceed),
            // A tag takes precedence over the date.
            (&[(IM, TAG), (IUS, BEFORE)], proceed),
            (&[(IM, OTHER), (IUS, AFTER)], failed("If-Match")),
            (&[(INM, OTHER), (IMS, AFTER)], proceed),
            (&[(INM, TAG), (IMS, BEFORE)], not_modified),
            // `If-Match` is evaluated first.
            (&[(IM, OTHER), (INM, TAG)], failed("If-Match")),
            (&[(IUS, BEFORE), (INM, TAG)], failed("If-Unmodified-Since")),
            (&[(IM, TAG), (INM, TAG)], not_modified),
        ];
        for (headers, expected) in cases {
            let (read, _) = evaluate(headers);
            assert_eq!(read, *expected, "{headers:?}");
        }
    }

    #[test]
    fn every_failure_of_a_copy_source_is_a_412() {
        for (name, value, expected) in [
            ("if-match", TAG, Evaluation::Proceed),
            ("if-match", OTHER, Evaluation::Failed("x-amz-copy-source-If-Match")),
            ("if-none-match", TAG, Evaluation::Failed("x-amz-copy-source-If-None-Match")),
            ("if-none-match", OTHER, Evaluation::Proceed),
            ("if-modified-since", THEN, Evaluation::Failed("x-amz-copy-source-If-Modified-Since")),
            ("if-modified-since", BEFORE, Evaluation::Proceed),
            (
                "if-unmodified-since",
                BEFORE,
                Evaluation::Failed("x-amz-copy-source-If-Unmodified-Since"),
            ),
            ("if-unmodified-since", THEN, Evaluation::Proceed),
        ] {
            assert_eq!(evaluate(&[(name, value)]).1, expected, "{name}: {value}");
        }
    }

    #[test]
    fn tags_are_read_in_every_dress() {
        let list = |tags: &[&str]| ETagMatch::List(tags.iter().map(|t| t.to_string()).collect());
        for (text, expected) in [
            ("*", ETagMatch::Any),
            (" * ", ETagMatch::Any),
            ("", list(&[])),
            (" , ,", list(&[])),
            ("\"*\"", list(&["*"])),
            ("\"\"", list(&[])),
            ("a", list(&["a"])),
            ("\"a\"", list(&["a"])),
            ("W/\"a\",b ,\"c-2\"", list(&["a", "b", "c-2"])),
            ("\"a,b\", c", list(&["a,b", "c"])),
            ("\"a", list(&["a"])),
        ] {
            assert_eq!(etag_match(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_write_carries_its_conditions_to_the_store() {
        let none = write(&head("PUT", "/bkt/key", "if-match=x", &[])).unwrap();
        assert_eq!(none, WriteCondition::default());
        let both = [("if-match", "\"a\""), ("if-none-match", "*")];
        let both = write(&head("PUT", "/bkt/key", "", &both)).unwrap();
        assert_eq!(both.if_match, Some(ETagMatch::List(vec!["a".to_owned()])));
        assert_eq!(both.if_none_match, Some(ETagMatch::Any));
    }

    #[test]
    fn a_range_holds_only_for_the_same_object() {
        let etag = ETag::parse(TAG).unwrap();
        let validators =
            Validators { etag: &etag, modified: Timestamp::from_millis(784_111_777_500) };
        for (value, expected) in [
            (TAG, true),
            (OTHER, false),
            (THEN, true),
            (BEFORE, false),
            (AFTER, false),
            ("nonsense", false),
        ] {
            let head = head("GET", "/bkt/key", "", &[("if-range", value)]);
            assert_eq!(range_holds(&head, &validators).unwrap(), expected, "{value}");
        }
        assert!(range_holds(&head("GET", "/bkt/key", "", &[]), &validators).unwrap());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[W/\"*, a-f]{0,30}") {
            if let ETagMatch::List(tags) = etag_match(&text) {
                prop_assert!(tags.iter().all(|tag| !tag.is_empty()));
            }
        }
    }
}
