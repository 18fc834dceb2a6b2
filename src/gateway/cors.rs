//! CORS in the pipeline: the rules of the addressed bucket are asked once, before anything can
//! fail, so that every answer bears what a browser needs, errors of routing and signature too.
//!
//! A preflight is answered from the rules alone: nobody signs it, so it tells nothing else. A
//! bucket that is not there answers like one without rules.

use super::Context;
use crate::store::BucketConfigurationKind;
use crate::wire::cors::{self, CorsConfiguration, CorsHeaders, CorsRequest, METHODS};
use crate::wire::target::bucket_of;
use crate::wire::{Address, Error, ErrorCode, Head, Response, Result};

/// What the rules of the addressed bucket say about a request.
pub(super) enum Verdict {
    /// There are no rules.
    NoRules,
    /// No rule allows it, or nothing was asked.
    Silent,
    /// A rule allows it.
    Granted(CorsHeaders),
}

/// Asks the rules.
pub(super) fn decide(parts: &http::request::Parts, context: &Context) -> Verdict {
    let (store, domains) = (&context.store, &context.config.domains);
    // Without any rules on this server the address is not even looked at.
    if !store.has_bucket_configurations() {
        return Verdict::NoRules;
    }
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let bucket = bucket_of(parts.uri.path(), host, domains);
    let rules = bucket.and_then(|name| store.bucket_rules(&name, BucketConfigurationKind::Cors));
    let Some(rules) = rules else { return Verdict::NoRules };
    // What is stored was written by this program; what it cannot read allows nothing.
    let read: Option<&Option<CorsConfiguration>> = rules.meaning(|bytes| cors::parse(bytes).ok());
    let grant = CorsRequest::of(&parts.method, &parts.headers)
        .and_then(|question| read?.as_ref()?.evaluate(&question));
    grant.map_or(Verdict::Silent, Verdict::Granted)
}

impl Verdict {
    /// Marks the answer, whatever it is.
    pub(super) fn mark(&self, response: &mut Response) {
        match self {
            Self::NoRules => {}
            Self::Silent => cors::mark(response, None),
            Self::Granted(grant) => cors::mark(response, Some(grant)),
        }
    }

    /// Answers a preflight: 200 for what a rule allows, and the headers come with [`Self::mark`].
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
            Self::Granted(_) => Ok(Response::ok()),
            Self::Silent => match method.filter(|method| METHODS.contains(method)) {
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

/// AWS's words, spelling included.
const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because \
     the evalution of Origin, request method / Access-Control-Request-Method or \
     Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";
