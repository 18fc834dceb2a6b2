//! Who sent a form, and what its policy allows: a form bears its signature in its own fields, and
//! what is signed is the policy.
//!
//! **Invariant:** the policy counts only once its signature matched, and then every field of the
//! form must be covered by it.

use super::policy::{Bounds, Policy};
use super::sigv4::FormClaim;
use super::{Keys, Rules, sigv2, sigv4};
use crate::access::Principal;
use crate::types::{BucketName, Timestamp};
use crate::wire::form::Fields;
use crate::wire::{Error, ErrorCode, Result};

/// Fields of which each means that the form is signed with SigV4.
const V4_FIELDS: [&str; 4] =
    ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];
/// The same of SigV2.
const V2_FIELDS: [&str; 2] = ["awsaccesskeyid", "signature"];
/// The token of temporary credentials.
const TOKEN: &str = "x-amz-security-token";

/// Checks the signature and the policy of a form on `bucket`, or finds that it has none.
///
/// # Errors
/// InvalidArgument for half of a signature or two; SignatureDoesNotMatch, InvalidAccessKeyId;
/// InvalidPolicyDocument; AccessDenied when the policy has ended or does not allow the form.
pub fn authenticate(
    fields: &Fields,
    bucket: &BucketName,
    keys: Keys<'_>,
    now: Timestamp,
    rules: &Rules,
) -> Result<(Principal, Bounds)> {
    let any = |names: &[&str]| names.iter().any(|name| fields.get(name).is_some());
    let credential = match (any(&V4_FIELDS), any(&V2_FIELDS)) {
        (false, false) if !any(&["policy"]) => {
            return Ok((Principal::Anonymous, Bounds::default()));
        }
        (true, true) => {
            let message = "Only one auth mechanism allowed; a form is signed with SigV4 or SigV2.";
            return Err(Error::because(ErrorCode::InvalidArgument, message));
        }
        (false, _) => sigv2::policy(
            required(fields, "AWSAccessKeyId")?,
            required(fields, "signature")?,
            required(fields, "policy")?,
            keys,
            rules,
        ),
        (true, false) => {
            let claim = FormClaim {
                algorithm: required(fields, "x-amz-algorithm")?,
                credential: required(fields, "x-amz-credential")?,
                date: required(fields, "x-amz-date")?,
                signature: required(fields, "x-amz-signature")?,
            };
            sigv4::policy(&claim, required(fields, "policy")?, keys, rules)
        }
    }?;
    // As for requests that are signed otherwise: nobody was ever given a token here.
    if fields.get(TOKEN).is_some_and(|token| !token.is_empty()) {
        return Err(ErrorCode::InvalidToken.into());
    }
    let policy = Policy::parse(required(fields, "policy")?)?;
    let bounds = policy.judge(fields, bucket, now)?;
    Ok((Principal::Key(credential), bounds))
}

/// A field that the form must have.
///
/// # Errors
/// InvalidArgument, in S3's words.
pub fn required<'a>(fields: &'a Fields, name: &str) -> Result<&'a str> {
    fields.get(&name.to_ascii_lowercase()).ok_or_else(|| {
        let message = format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check \
             the order of the fields."
        );
        Error::argument(name, "", message)
    })
}
