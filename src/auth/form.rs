//! Authentication of a form: its fields carry a policy and the signature of the policy.
//!
//! Source: AWS, "Browser-based uploads using POST".
//!
//! **Invariant:** the policy is read only after its signature matched. Then it must cover every
//! field of the form.

use super::policy::{LengthRange, Policy};
use super::settings::{FindCredential, SignatureSettings};
use super::sigv4::FormSignature;
use super::{sigv2, sigv4};
use crate::access::Principal;
use crate::types::{BucketName, Timestamp};
use crate::wire::form::FormFields;
use crate::wire::{Error, ErrorCode, Result};

/// Fields of SigV4. A form with any of them is signed with SigV4.
const V4_FIELDS: [&str; 4] =
    ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];
/// Fields of SigV2. A form with any of them is signed with SigV2.
const V2_FIELDS: [&str; 2] = ["awsaccesskeyid", "signature"];
/// Field with the token of temporary credentials.
const TOKEN: &str = "x-amz-security-token";

/// Checks the signature and the policy of a form on `bucket`. A form without signature and policy
/// is anonymous, and its file may have any length.
///
/// # Errors
/// InvalidArgument for an incomplete signature or two of them; SignatureDoesNotMatch;
/// InvalidAccessKeyId; InvalidToken; InvalidPolicyDocument; AccessDenied if the policy has expired
/// or does not allow the form.
pub fn authenticate(
    fields: &FormFields,
    bucket: &BucketName,
    find: FindCredential<'_>,
    now: Timestamp,
    settings: &SignatureSettings,
) -> Result<(Principal, LengthRange)> {
    let any = |names: &[&str]| names.iter().any(|name| fields.get(name).is_some());
    let credential = match (any(&V4_FIELDS), any(&V2_FIELDS)) {
        (false, false) if !any(&["policy"]) => {
            return Ok((Principal::Anonymous, LengthRange::default()));
        }
        (true, true) => {
            let message = "Only one auth mechanism allowed; a form is signed with SigV4 or SigV2.";
            return Err(Error::because(ErrorCode::InvalidArgument, message));
        }
        (false, _) => sigv2::form_policy(
            required(fields, "AWSAccessKeyId")?,
            required(fields, "signature")?,
            required(fields, "policy")?,
            find,
            settings,
        ),
        (true, false) => {
            let signature = FormSignature {
                algorithm: required(fields, "x-amz-algorithm")?,
                credential: required(fields, "x-amz-credential")?,
                date: required(fields, "x-amz-date")?,
                signature: required(fields, "x-amz-signature")?,
            };
            sigv4::form_policy(&signature, required(fields, "policy")?, find, settings)
        }
    }?;
    // This server issues no temporary credentials, so every token is foreign.
    if fields.get(TOKEN).is_some_and(|token| !token.is_empty()) {
        return Err(ErrorCode::InvalidToken.into());
    }
    let policy = Policy::parse(required(fields, "policy")?)?;
    let bounds = policy.check(fields, bucket, now)?;
    Ok((Principal::Key(credential), bounds))
}

/// Value of a required field.
///
/// # Errors
/// InvalidArgument with S3's message.
pub fn required<'a>(fields: &'a FormFields, name: &str) -> Result<&'a str> {
    fields.get(&name.to_ascii_lowercase()).ok_or_else(|| {
        let message = format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check \
             the order of the fields."
        );
        Error::argument(name, "", message)
    })
}
