//! CORS in the pipeline: the rules of the addressed bucket are evaluated once per request.
//!
//! **Invariants**
//! - The rules are evaluated before anything can fail, so that a browser can also read errors of
//!   routing and authentication.
//! - A preflight is unsigned and answered from the rules alone. A bucket that does not exist is
//!   answered like one without rules.

use crate::request::Context;
use crate::wire::cors::{self, CorsConfiguration, CorsHeaders, CorsRequest, METHODS};
use crate::wire::target::bucket_of;
use crate::wire::{Address, Error, ErrorCode, Head, Response, Result};

/// Result of the CORS rules for one request.
pub(super) enum CorsDecision {
    /// The bucket has no rules.
    NoRules,
    /// No rule allows the request, or it is no CORS request.
    NotAllowed,
    /// A rule allows the request.
    Allowed(CorsHeaders),
}

/// Evaluates the rules of the bucket that a request addresses.
pub(super) fn decide(parts: &http::request::Parts, context: &Context) -> CorsDecision {
    let (store, domains) = (&context.store, &context.config.domains);
    // Without any rules on this server the address is not parsed here.
    if !store.has_bucket_configurations() {
        return CorsDecision::NoRules;
    }
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let bucket = bucket_of(parts.uri.path(), host, domains);
    let rules = bucket.and_then(|name| store.cors_rules(&name));
    let Some(rules) = rules else { return CorsDecision::NoRules };
    // Rules are validated before they are stored. Rules that cannot be parsed allow nothing.
    let parsed: Option<&Option<CorsConfiguration>> = rules.meaning(|bytes| cors::parse(bytes).ok());
    let headers = CorsRequest::of(&parts.method, &parts.headers)
        .and_then(|request| parsed?.as_ref()?.evaluate(&request));
    headers.map_or(CorsDecision::NotAllowed, CorsDecision::Allowed)
}

impl CorsDecision {
    /// Sets the CORS headers of a response, whatever its status.
    pub(super) fn set_headers(&self, response: &mut Response) {
        match self {
            Self::NoRules => {}
            Self::NotAllowed => cors::mark(response, None),
            Self::Allowed(headers) => cors::mark(response, Some(headers)),
        }
    }

    /// The response to a preflight: 200 if a rule allows it. [`Self::set_headers`] adds the
    /// headers.
    ///
    /// # Errors
    /// BadRequest, AccessForbidden.
    pub(super) fn preflight(&self, head: &Head) -> Result<Response> {
        let bad = |message| Err(Error::because(ErrorCode::BadRequest, message));
        if !head.has_header("origin") {
            return bad("Insufficient information. Origin request header needed.".to_owned());
        }
        let method = head.header("access-control-request-method")?;
        let forbidden = |message, method: &str, resource: &str| {
            Err(Error::because(ErrorCode::AccessForbidden, message)
                .field("Method", method)
                .field("ResourceType", resource))
        };
        match self {
            Self::NoRules => {
                let message = "CORSResponse: CORS is not enabled for this bucket.";
                forbidden(message, method.unwrap_or("OPTIONS"), "BUCKET")
            }
            Self::Allowed(_) => Ok(Response::ok()),
            Self::NotAllowed => match method.filter(|method| METHODS.contains(method)) {
                None => {
                    let method = method.unwrap_or("null");
                    bad(format!("Invalid Access-Control-Request-Method: {method}"))
                }
                Some(method) => {
                    let object = matches!(head.address, Address::Object(..));
                    forbidden(NOT_ALLOWED, method, if object { "OBJECT" } else { "BUCKET" })
                }
            },
        }
    }
}

/// Message of AWS, including its spelling.
const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because \
     the evalution of Origin, request method / Access-Control-Request-Method or \
     Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";
