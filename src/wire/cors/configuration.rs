//! [`CorsConfiguration`]: the CORS rules of a bucket.

/// Methods that a rule may allow.
pub const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// CORS rules of a bucket, in the order of the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CorsConfiguration {
    pub(super) rules: Vec<CorsRule>,
}

/// Rule of a [`CorsConfiguration`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CorsRule {
    pub(super) id: Option<String>,
    /// Patterns of header names as the client wrote them.
    pub(super) headers: Vec<String>,
    pub(super) methods: Vec<String>,
    /// Patterns of origins.
    pub(super) origins: Vec<String>,
    pub(super) expose: Vec<String>,
    pub(super) max_age_seconds: Option<u32>,
}
