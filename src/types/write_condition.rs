//! [`WriteCondition`]: `If-Match` and `If-None-Match` of a request that publishes an object.

use super::etag::{ETag, ETagMatch};

/// Condition of a write. The transaction that publishes the object checks it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WriteCondition {
    /// `If-Match`: the key must have an object with one of these tags.
    pub if_match: Option<ETagMatch>,
    /// `If-None-Match`: the key must have no object with one of these tags.
    pub if_none_match: Option<ETagMatch>,
}

/// Reason why a [`WriteCondition`] does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unmet {
    /// `If-Match` on a key without an object: NoSuchKey.
    NoObject,
    /// `If-Match` lists other tags: PreconditionFailed.
    IfMatch,
    /// `If-None-Match` lists the tag of the object: PreconditionFailed.
    IfNoneMatch,
}

impl WriteCondition {
    /// Checks the condition against the tag of the current object, if there is one.
    ///
    /// # Errors
    /// The part that does not hold; `If-Match` is checked first.
    pub fn check(&self, current: Option<&ETag>) -> Result<(), Unmet> {
        match (&self.if_match, current) {
            (Some(_), None) => return Err(Unmet::NoObject),
            (Some(wanted), Some(etag)) if !wanted.matches(etag) => return Err(Unmet::IfMatch),
            _ => {}
        }
        match (&self.if_none_match, current) {
            (Some(unwanted), Some(etag)) if unwanted.matches(etag) => Err(Unmet::IfNoneMatch),
            _ => Ok(()),
        }
    }
    /// True if there is no condition.
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }
}
