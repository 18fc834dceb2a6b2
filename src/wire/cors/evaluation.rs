//! Evaluation of the CORS rules of a bucket against a request.

use http::HeaderMap;
use http::header::HeaderValue;

use super::configuration::{CorsConfiguration, CorsRule};
use crate::wire::Response;

/// Most names in `Access-Control-Request-Headers`. A request with more of them is not allowed,
/// because each name is compared with each pattern.
pub(super) const REQUESTED_HEADERS_MAX: usize = 100;

/// Value of `Vary` in answers about a bucket with rules: caches must not share an answer between
/// origins.
pub(super) const VARY: &str =
    "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// Question of a browser: about the announced request in a preflight, otherwise about this request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CorsRequest {
    pub(super) origin: String,
    method: String,
    /// Lower-case names in `Access-Control-Request-Headers`. `None` if there are none.
    pub(super) headers: Option<Vec<String>>,
}

/// Response headers that allow the browser to give the answer to the page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CorsHeaders(pub(super) Vec<(&'static str, String)>);

impl CorsRequest {
    /// Question of a request. `None` without an `Origin`, with several, or with one that is not
    /// text.
    pub fn of(method: &http::Method, headers: &HeaderMap) -> Option<Self> {
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let mut origins = headers.get_all("origin").iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return None };
        // As on AWS, these two headers count in every request, not only in a preflight.
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

impl CorsConfiguration {
    /// Response headers of the first rule that allows the origin, the method and all headers.
    pub fn evaluate(&self, request: &CorsRequest) -> Option<CorsHeaders> {
        let headers = request.headers.as_deref().unwrap_or_default();
        if headers.len() > REQUESTED_HEADERS_MAX {
            return None;
        }
        self.rules.iter().find_map(|rule| {
            let origin = rule.origins.iter().find(|one| matches_origin(one, &request.origin))?;
            let allows = |name: &String| rule.headers.iter().any(|one| matches_header(one, name));
            let allowed = rule.methods.contains(&request.method) && headers.iter().all(allows);
            allowed.then(|| rule.headers_for(origin == "*", request))
        })
    }
}

impl CorsRule {
    fn headers_for(&self, to_everybody: bool, request: &CorsRequest) -> CorsHeaders {
        let mut headers = Vec::new();
        if to_everybody {
            headers.push(("access-control-allow-origin", "*".to_owned()));
        } else {
            headers.push(("access-control-allow-origin", request.origin.clone()));
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        headers.push(("access-control-allow-methods", self.methods.join(", ")));
        if let Some(names) = &request.headers {
            headers.push(("access-control-allow-headers", names.join(", ")));
        }
        if !self.expose.is_empty() {
            headers.push(("access-control-expose-headers", self.expose.join(", ")));
        }
        if let Some(seconds) = self.max_age_seconds {
            headers.push(("access-control-max-age", seconds.to_string()));
        }
        CorsHeaders(headers)
    }
}

/// Adds `Vary` and the headers of a grant to an answer about a bucket with rules. `Vary` is also
/// needed without a grant and without an origin: a cache must not give this answer to a page of
/// another origin.
pub fn mark(response: &mut Response, grant: Option<&CorsHeaders>) {
    response.headers.append("vary", HeaderValue::from_static(VARY));
    for (name, value) in grant.into_iter().flat_map(|grant| &grant.0) {
        response.set(name, value);
    }
}

/// True if an origin matches. Origins are compared with their case, as on AWS.
pub(super) fn matches_origin(pattern: &str, origin: &str) -> bool {
    matches(pattern, origin, <[u8]>::eq)
}

/// True if the name of a header matches. Case is ignored.
pub(super) fn matches_header(pattern: &str, name: &str) -> bool {
    matches(pattern, name, <[u8]>::eq_ignore_ascii_case)
}

/// True if a text equals the pattern, whose one `*`, if any, stands for any text.
fn matches(pattern: &str, text: &str, same: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    let text = text.as_bytes();
    let Some((head, tail)) = pattern.split_once('*') else {
        return same(pattern.as_bytes(), text);
    };
    // For the pattern `ab*ba` the text `aba` has both ends, but they overlap.
    text.len() >= head.len() + tail.len()
        && same(head.as_bytes(), &text[..head.len()])
        && same(tail.as_bytes(), &text[text.len() - tail.len()..])
}
