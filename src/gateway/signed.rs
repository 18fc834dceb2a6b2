//! A request between authentication and authorization.

use crate::access::Principal;
use crate::auth::Mechanism;
use crate::request::body::{Form, Incoming};
use crate::wire::Head;

/// Request whose signature is valid. Its body, or the file of its form, is unread.
pub(super) struct SignedRequest {
    pub(super) head: Head,
    pub(super) principal: Principal,
    pub(super) mechanism: Mechanism,
    pub(super) body: Incoming,
    /// Fields of a form upload, once they are read.
    pub(super) form: Option<Form>,
}
