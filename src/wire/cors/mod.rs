//! CORS: the pages of other origins that may send requests to a bucket (WHATWG Fetch, section 3.2;
//! S3's CORSConfiguration).
//!
//! Owns the document, the rules and the response headers. The gateway calls [`CorsRequest::of`] and
//! [`CorsConfiguration::evaluate`] for each request of a bucket with rules.
//!
//! **Invariants**
//! - The first rule, in the order of the document, that allows everything asked decides.
//! - Without a matching rule the answer has no CORS header, and the browser hides it from the page.
//! - A preflight and the request that follows it get the same decision.

mod configuration;
mod document;
mod evaluation;
#[cfg(test)]
mod tests;

pub use configuration::{CorsConfiguration, METHODS};
pub use document::parse;
pub use evaluation::{CorsHeaders, CorsRequest, mark};
