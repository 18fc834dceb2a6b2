//! AWS Signature Version 4 in the Authorization header, in presigned URLs and in forms.
//!
//! Source: AWS, "AWS Signature Version 4 for API requests".
//!
//! **Invariants**
//! - Times and structure are checked before the look-up of the access key.
//! - An unknown access key takes the same work as a known one.
//! - No other part of a request is used before its signature matched.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::authenticated::{Authenticated, Mechanism};
use super::canonical::{SignedHeaders, canonical_request, spaced_hex};
use super::chunk_signer::ChunkSigner;
use super::date;
use super::errors::{mismatch, refuse_token, unknown_key};
use super::payload::{ContentSha256, UNSIGNED_PAYLOAD};
use super::settings::{DUMMY_SECRET, EXPIRES_SECONDS_MAX, FindCredential, SignatureSettings};
use super::signing_key::{SigningKey, signature_matches};
use crate::access::{Credential, Principal};
use crate::types::{Timestamp, decimal};
use crate::wire::{Error, ErrorCode, Head, Result};

/// Name of the algorithm.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Place of the signature in the request. It decides the error code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignatureLocation {
    Header,
    Query,
    Form,
}

impl SignatureLocation {
    fn malformed(self, why: &str) -> Error {
        match self {
            Self::Header => Error::because(
                ErrorCode::AuthorizationHeaderMalformed,
                format!("The authorization header is malformed; {why}"),
            ),
            Self::Query => Error::because(ErrorCode::AuthorizationQueryParametersError, why),
            Self::Form => Error::because(ErrorCode::InvalidArgument, why),
        }
    }
}

/// Credential scope: access key id, day and region of the signing key. The service is `s3`.
struct CredentialScope<'a> {
    access_key_id: &'a str,
    /// `yyyyMMdd`.
    day: &'a str,
    region: &'a str,
}

impl CredentialScope<'_> {
    fn text(&self) -> String {
        format!("{}/{}/s3/aws4_request", self.day, self.region)
    }
}

/// Signature as the request gives it, not checked yet.
struct ClaimedSignature<'a> {
    scope: CredentialScope<'a>,
    signed: SignedHeaders,
    signature: &'a str,
}

/// Checks a request with an `AWS4-HMAC-SHA256` Authorization header.
pub(super) fn header(
    head: &Head,
    find: FindCredential<'_>,
    now: Timestamp,
    settings: &SignatureSettings,
) -> Result<Authenticated> {
    let claim = parse_authorization(head.header("authorization")?.unwrap_or_default())?;
    let time = header_time(head)?;
    check_scope(SignatureLocation::Header, &claim.scope, time, settings)?;
    if !date::within_skew(time, now.seconds()) {
        return Err(Error::new(ErrorCode::RequestTimeTooSkewed)
            .field("RequestTime", date::basic(time))
            .field("ServerTime", date::extended(now.seconds()))
            .field("MaxAllowedSkewMilliseconds", (date::SKEW_SECONDS_MAX * 1000).to_string()));
    }
    let payload = head.header("x-amz-content-sha256")?.ok_or_else(|| {
        Error::because(
            ErrorCode::InvalidRequest,
            "Missing required header for this request: x-amz-content-sha256",
        )
    })?;
    let mode = ContentSha256::parse(payload)?;
    claim.signed.require_all(head)?;
    let canonical = canonical_request(head, &claim.signed, payload, None);
    let date_text = date::basic(time);
    let verified = verify(&claim, &date_text, &canonical, find)?;
    refuse_token(head)?;
    let signer =
        ChunkSigner::new(verified.key, &date_text, &claim.scope.text(), verified.signature);
    Ok(Authenticated {
        principal: Principal::Key(verified.credential),
        mechanism: Mechanism::HeaderV4,
        payload: mode.signed(head, signer)?,
    })
}

/// Checks a request with `X-Amz-Signature` in its query.
pub(super) fn presigned(
    head: &Head,
    find: FindCredential<'_>,
    now: Timestamp,
    settings: &SignatureSettings,
) -> Result<Authenticated> {
    let location = SignatureLocation::Query;
    let parameter = |name: &str| {
        head.query.get(name).ok_or_else(|| {
            location.malformed(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, \
                 X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
                 X-Amz-Expires parameters.",
            )
        })
    };
    if parameter("X-Amz-Algorithm")? != ALGORITHM {
        return Err(location.malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let claim = parse_claim(
        location,
        parameter("X-Amz-Credential")?,
        parameter("X-Amz-SignedHeaders")?,
        parameter("X-Amz-Signature")?,
    )?;
    let date_text = parameter("X-Amz-Date")?;
    let time = date::parse_basic(date_text).ok_or_else(|| {
        location.malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    let expires_seconds = parse_expires(parameter("X-Amz-Expires")?)?;
    check_scope(location, &claim.scope, time, settings)?;
    check_life(time, expires_seconds, now)?;
    let payload = presigned_payload(head, &claim.signed)?;
    claim.signed.require_all(head)?;
    let canonical =
        canonical_request(head, &claim.signed, payload.canonical, Some("X-Amz-Signature"));
    let verified = verify(&claim, date_text, &canonical, find)?;
    refuse_token(head)?;
    Ok(Authenticated {
        principal: Principal::Key(verified.credential),
        mechanism: Mechanism::PresignedV4,
        payload: payload.mode.unsigned(head)?,
    })
}

/// Components of `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`: in any order, with
/// or without spaces, each once.
fn parse_authorization(text: &str) -> Result<ClaimedSignature<'_>> {
    let location = SignatureLocation::Header;
    let (mut credential, mut signed, mut signature) = (None, None, None);
    let parts = text.strip_prefix(ALGORITHM).unwrap_or_default();
    for part in parts.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| location.malformed("a component is not of the form name=value."))?;
        let slot = match name.trim() {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed,
            "Signature" => &mut signature,
            _ => return Err(location.malformed("a component is not known.")),
        };
        if slot.replace(value.trim()).is_some() {
            return Err(location.malformed("a component was given more than once."));
        }
    }
    match (credential, signed, signature) {
        (Some(credential), Some(signed), Some(signature)) => {
            parse_claim(location, credential, signed, signature)
        }
        _ => Err(location.malformed("it requires Credential, SignedHeaders and Signature.")),
    }
}

fn parse_claim<'a>(
    location: SignatureLocation,
    credential: &'a str,
    signed: &str,
    signature: &'a str,
) -> Result<ClaimedSignature<'a>> {
    let scope = parse_scope(location, credential)?;
    let signed = SignedHeaders::parse(signed)
        .ok_or_else(|| location.malformed("SignedHeaders must be lower case and unique."))?;
    Ok(ClaimedSignature { scope, signed, signature })
}

fn parse_scope(location: SignatureLocation, credential: &str) -> Result<CredentialScope<'_>> {
    let malformed = || {
        location.malformed(
            "the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        )
    };
    // Split from the right: an access key id may have a slash, the rest of the scope may not.
    let mut parts = credential.rsplitn(5, '/');
    let mut part = || parts.next().ok_or_else(malformed);
    let (terminator, service, region, day, access_key_id) =
        (part()?, part()?, part()?, part()?, part()?);
    if terminator != "aws4_request" || access_key_id.is_empty() {
        return Err(malformed());
    }
    if service != "s3" {
        let why = format!("incorrect service \"{service}\". This endpoint belongs to \"s3\".");
        return Err(location.malformed(&why));
    }
    Ok(CredentialScope { access_key_id, day, region })
}

/// Time of a request with an Authorization header: `x-amz-date`, else `Date`.
fn header_time(head: &Head) -> Result<u64> {
    let time = match head.header("x-amz-date")? {
        Some(text) => date::parse_basic(text),
        None => head.header("date")?.and_then(date::parse_date_header),
    };
    time.ok_or_else(|| {
        Error::because(
            ErrorCode::AccessDenied,
            "AWS authentication requires a valid Date or x-amz-date header",
        )
    })
}

fn check_scope(
    location: SignatureLocation,
    scope: &CredentialScope<'_>,
    time: u64,
    settings: &SignatureSettings,
) -> Result<()> {
    let CredentialScope { day, region, .. } = scope;
    let date_text = date::basic(time);
    if !date_text.starts_with(day) || day.len() != "yyyyMMdd".len() {
        let why = format!(
            "Invalid credential date \"{day}\". This date is not the same as X-Amz-Date: \
             \"{date_text}\".",
        );
        return Err(location.malformed(&why));
    }
    if settings.region_strict && *region != settings.region {
        let why = format!("the region '{region}' is wrong; expecting '{}'", settings.region);
        return Err(location.malformed(&why).field("Region", settings.region.clone()));
    }
    Ok(())
}

fn parse_expires(text: &str) -> Result<u64> {
    let error = |why| Err(SignatureLocation::Query.malformed(why));
    let Some(seconds) = decimal::parse_saturating(text.strip_prefix('-').unwrap_or(text)) else {
        return error("X-Amz-Expires should be a number");
    };
    if text.starts_with('-') {
        // A negative life has always expired.
        return Err(Error::because(ErrorCode::AccessDenied, "Request has expired")
            .field("X-Amz-Expires", text));
    }
    match seconds <= EXPIRES_SECONDS_MAX {
        true => Ok(seconds),
        false => error("X-Amz-Expires must be less than a week (in seconds) that is 604800"),
    }
}

fn check_life(time: u64, expires_seconds: u64, now: Timestamp) -> Result<()> {
    let now = now.seconds();
    if time > now && !date::within_skew(time, now) {
        return Err(Error::because(ErrorCode::AccessDenied, "Request is not valid yet")
            .field("Date", date::extended(time))
            .field("ServerTime", date::extended(now)));
    }
    let end = time + expires_seconds;
    if now > end {
        return Err(Error::because(ErrorCode::AccessDenied, "Request has expired")
            .field("X-Amz-Expires", expires_seconds.to_string())
            .field("Expires", date::extended(end))
            .field("ServerTime", date::extended(now)));
    }
    Ok(())
}

/// Checks again that a presigned URL has not expired.
pub(super) fn recheck_life(head: &Head, now: Timestamp) -> Result<()> {
    let parameter = |name| head.query.get(name).unwrap_or_default();
    let time = date::parse_basic(parameter("X-Amz-Date")).ok_or(ErrorCode::AccessDenied)?;
    check_life(time, parse_expires(parameter("X-Amz-Expires"))?, now)
}

struct PresignedPayload<'a> {
    /// Last line of the canonical request.
    canonical: &'a str,
    mode: ContentSha256,
}

/// `x-amz-content-sha256` of a presigned URL: a signed query parameter, a signed header, or
/// UNSIGNED-PAYLOAD. An unsigned header is used only if no signed value exists.
fn presigned_payload<'a>(head: &'a Head, signed: &SignedHeaders) -> Result<PresignedPayload<'a>> {
    const NAME: &str = "x-amz-content-sha256";
    let in_query = head.query.pairs().iter().find(|(name, _)| name.eq_ignore_ascii_case(NAME));
    let in_query = in_query.map(|(_, value)| value.as_str());
    let in_header = head.header(NAME)?;
    let (canonical, effective) = match (in_query, in_header) {
        (Some(query), Some(header)) if query != header => {
            let message = "The query and the header differ about x-amz-content-sha256.";
            return Err(Error::argument(NAME, header, message));
        }
        (Some(query), _) => (query, query),
        (None, Some(header)) if signed.contains(NAME) => (header, header),
        (None, Some(header)) => (UNSIGNED_PAYLOAD, header),
        (None, None) => (UNSIGNED_PAYLOAD, UNSIGNED_PAYLOAD),
    };
    Ok(PresignedPayload { canonical, mode: ContentSha256::parse(effective)? })
}

struct VerifiedSignature {
    credential: Arc<Credential>,
    key: SigningKey,
    signature: [u8; 32],
}

fn verify(
    claim: &ClaimedSignature<'_>,
    date_text: &str,
    canonical: &[u8],
    find: FindCredential<'_>,
) -> Result<VerifiedSignature> {
    let digest = hex::encode(Sha256::digest(canonical));
    let string_to_sign = format!("{ALGORITHM}\n{date_text}\n{}\n{digest}", claim.scope.text());
    verify_text(&claim.scope, &string_to_sign, claim.signature, find).map_err(|error| {
        match error.code {
            ErrorCode::SignatureDoesNotMatch => error
                .field("CanonicalRequest", String::from_utf8_lossy(canonical))
                .field("CanonicalRequestBytes", spaced_hex(canonical)),
            _ => error,
        }
    })
}

fn verify_text(
    scope: &CredentialScope<'_>,
    string_to_sign: &str,
    provided: &str,
    find: FindCredential<'_>,
) -> Result<VerifiedSignature> {
    let credential = find(scope.access_key_id).filter(|credential| credential.enabled);
    let secret = credential.as_ref().map_or(DUMMY_SECRET, |known| &known.secret_access_key);
    let key = SigningKey::derive(secret, scope.day, scope.region);
    let signature = key.sign(string_to_sign.as_bytes());
    let matches = signature_matches(provided.as_bytes(), &signature);
    match (credential, matches) {
        (Some(credential), true) => Ok(VerifiedSignature { credential, key, signature }),
        (None, _) => Err(unknown_key(scope.access_key_id)),
        (Some(_), false) => Err(mismatch(scope.access_key_id, string_to_sign, provided)),
    }
}

/// Fields of a form that is signed with SigV4.
pub(super) struct FormSignature<'a> {
    /// `x-amz-algorithm`.
    pub(super) algorithm: &'a str,
    /// `x-amz-credential`.
    pub(super) credential: &'a str,
    /// `x-amz-date`.
    pub(super) date: &'a str,
    /// `x-amz-signature`.
    pub(super) signature: &'a str,
}

/// Credential that signed the policy of a form. The string to sign is the value of the field
/// `policy`. The policy has its own expiration, so the date is not compared with the clock.
pub(super) fn form_policy(
    claim: &FormSignature<'_>,
    policy: &str,
    find: FindCredential<'_>,
    settings: &SignatureSettings,
) -> Result<Arc<Credential>> {
    let location = SignatureLocation::Form;
    if claim.algorithm != ALGORITHM {
        return Err(location.malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let scope = parse_scope(location, claim.credential)?;
    let time = date::parse_basic(claim.date).ok_or_else(|| {
        location.malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    check_scope(location, &scope, time, settings)?;
    Ok(verify_text(&scope, policy, claim.signature, find)?.credential)
}
