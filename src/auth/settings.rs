//! Settings and limits of signatures, and the look-up of credentials.

use std::sync::Arc;

use crate::access::Credential;

/// Longest life of a presigned URL in seconds: seven days, as on AWS.
pub const EXPIRES_SECONDS_MAX: u64 = 604_800;

/// Settings that decide which signatures are accepted.
#[derive(Clone, Debug)]
pub struct SignatureSettings {
    /// Region of this gateway.
    pub region: String,
    /// Refuse a credential scope of another region.
    pub region_strict: bool,
    /// Accept SigV2 in presigned URLs and forms.
    pub sigv2_presigned: bool,
}

/// Look-up of a credential by its access key id; `None` for an unknown one.
pub(super) type FindCredential<'a> = &'a dyn Fn(&str) -> Option<Arc<Credential>>;

/// Secret for the signatures of unknown access keys, so that their check takes as long as that of
/// known ones. A match is refused all the same.
pub(super) const DUMMY_SECRET: &str = "0000000000000000000000000000000000000000";
