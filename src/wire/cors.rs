//! CORS: which pages of other origins may send which requests to a bucket.
//!
//! A bucket's rules are asked in their order, and the first one that matches answers; what no rule
//! matches gets no header, and the browser keeps the answer from the page. A preflight and the
//! request that follows it are asked the same question.

mod document;
#[cfg(test)]
mod tests;

pub use document::parse;

use http::HeaderMap;
use http::header::HeaderValue;

use super::Response;

/// Names in `Access-Control-Request-Headers`; a request that asks for more of them is allowed none.
/// Each is compared with each of a rule.
const REQUESTED_HEADERS_MAX: usize = 100;

/// What an answer depends on wherever there are rules: no cache may give one page's to another.
const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// The methods that a rule may allow.
pub const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// The rules of a bucket, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    id: Option<String>,
    /// Patterns of header names, as they were put.
    headers: Vec<String>,
    methods: Vec<String>,
    /// Patterns of origins.
    origins: Vec<String>,
    expose: Vec<String>,
    max_age_seconds: Option<u32>,
}

/// What a browser asks: in a preflight for the request that it holds back, else for this one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    origin: String,
    method: String,
    /// The names of headers, in lower case, if any were asked for.
    headers: Option<Vec<String>>,
}

/// The headers that let the browser hand an answer to its page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant(Vec<(&'static str, String)>);

impl Question {
    /// The question of a request, if its headers ask one. An origin that stands there twice or is
    /// not text is no origin.
    pub fn of(method: &http::Method, headers: &HeaderMap) -> Option<Self> {
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let mut origins = headers.get_all("origin").iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return None };
        // As on AWS, these two count in every request, not only in a preflight.
        let held_back = headers.get("access-control-request-method");
        let mut names = Vec::new();
        for list in headers.get_all("access-control-request-headers") {
            let listed = text(list)?.to_ascii_lowercase();
            let listed = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.extend(listed.map(str::to_owned));
        }
        Some(Self {
            origin: text(origin)?,
            method: held_back.map_or_else(|| Some(method.as_str().to_owned()), text)?,
            headers: (!names.is_empty()).then_some(names),
        })
    }
}

impl Configuration {
    /// The first rule that allows everything that is asked says how.
    pub fn decide(&self, question: &Question) -> Option<Grant> {
        let headers = question.headers.as_deref().unwrap_or_default();
        if headers.len() > REQUESTED_HEADERS_MAX {
            return None;
        }
        self.rules.iter().find_map(|rule| {
            let origin = rule.origins.iter().find(|one| matches_origin(one, &question.origin))?;
            let allows = |name: &String| rule.headers.iter().any(|one| matches_header(one, name));
            let allowed = rule.methods.contains(&question.method) && headers.iter().all(allows);
            allowed.then(|| rule.grant(origin == "*", question))
        })
    }
}

impl Rule {
    fn grant(&self, to_everybody: bool, question: &Question) -> Grant {
        let mut headers = Vec::new();
        if to_everybody {
            headers.push(("access-control-allow-origin", "*".to_owned()));
        } else {
            headers.push(("access-control-allow-origin", question.origin.clone()));
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        headers.push(("access-control-allow-methods", self.methods.join(", ")));
        if let Some(names) = &question.headers {
            headers.push(("access-control-allow-headers", names.join(", ")));
        }
        if !self.expose.is_empty() {
            headers.push(("access-control-expose-headers", self.expose.join(", ")));
        }
        if let Some(seconds) = self.max_age_seconds {
            headers.push(("access-control-max-age", seconds.to_string()));
        }
        Grant(headers)
    }
}

/// Marks an answer about a bucket that has rules. Also without a grant, and without an origin: a
/// cache must not give the answer to a page that would get another one.
pub fn mark(response: &mut Response, grant: Option<&Grant>) {
    response.headers.append("vary", HeaderValue::from_static(VARY));
    for (name, value) in grant.into_iter().flat_map(|grant| &grant.0) {
        response.set(name, value);
    }
}

/// Origins are compared as they stand, case included, as on AWS.
fn matches_origin(pattern: &str, origin: &str) -> bool {
    matches(pattern, origin, <[u8]>::eq)
}

/// The names of headers have no case.
fn matches_header(pattern: &str, name: &str) -> bool {
    matches(pattern, name, <[u8]>::eq_ignore_ascii_case)
}

/// Whether a text is the pattern, where its one `*`, if any, stands for any text or none.
fn matches(pattern: &str, text: &str, same: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    let text = text.as_bytes();
    let Some((head, tail)) = pattern.split_once('*') else {
        return same(pattern.as_bytes(), text);
    };
    // Of `ab*ba`, the text `aba` has both ends, but they overlap.
    text.len() >= head.len() + tail.len()
        && same(head.as_bytes(), &text[..head.len()])
        && same(tail.as_bytes(), &text[text.len() - tail.len()..])
}
