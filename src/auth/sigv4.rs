//! AWS Signature Version 4, in the Authorization header and in presigned URLs.
//!
//! **Invariants:** time and structure are judged before the key is looked up; an unknown key costs
//! the same work as a known one; and nothing of a request counts before its signature matched.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::canonical::{SignedHeaders, canonical_request, spaced_hex};
use super::chunked::ChunkSigner;
use super::payload::{Mode, UNSIGNED};
use super::signing_key::{SigningKey, signature_matches};
use super::{Authenticated, EXPIRES_SECONDS_MAX, Keys, Mechanism, Rules, date, refuse_token};
use crate::access::{Credential, Principal};
use crate::types::Timestamp;
use crate::wire::{Error, ErrorCode, Head, Result};

/// The only algorithm there is.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Signs the requests of unknown keys, so that they take as long as others. Matching it gains
/// nothing.
const DUMMY_SECRET: &str = "0000000000000000000000000000000000000000";

/// Where the signature stands, which decides the code of its errors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Query,
    Form,
}

impl Place {
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

/// Whose key it is, and for which day and region it signs.
struct Scope<'a> {
    access_key_id: &'a str,
    /// `yyyyMMdd`.
    day: &'a str,
    region: &'a str,
}

impl Scope<'_> {
    fn text(&self) -> String {
        format!("{}/{}/s3/aws4_request", self.day, self.region)
    }
}

/// What a request says of its own signature.
struct Claim<'a> {
    scope: Scope<'a>,
    signed: SignedHeaders,
    signature: &'a str,
}

/// A request with an `AWS4-HMAC-SHA256` Authorization header.
pub(super) fn header(
    head: &Head,
    keys: Keys<'_>,
    now: Timestamp,
    rules: &Rules,
) -> Result<Authenticated> {
    let claim = parse_authorization(head.header("authorization")?.unwrap_or_default())?;
    let time = header_time(head)?;
    check_scope(Place::Header, &claim.scope, time, rules)?;
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
    let mode = Mode::parse(payload)?;
    claim.signed.demand_all(head)?;
    let canonical = canonical_request(head, &claim.signed, payload, None);
    let date_text = date::basic(time);
    let verified = verify(&claim, &date_text, &canonical, keys)?;
    refuse_token(head)?;
    let signer =
        ChunkSigner::new(verified.key, &date_text, &claim.scope.text(), verified.signature);
    Ok(Authenticated {
        principal: Principal::Key(verified.credential),
        mechanism: Mechanism::HeaderV4,
        payload: mode.signed(head, signer)?,
    })
}

/// A request with `X-Amz-Signature` in its query.
pub(super) fn presigned(
    head: &Head,
    keys: Keys<'_>,
    now: Timestamp,
    rules: &Rules,
) -> Result<Authenticated> {
    let place = Place::Query;
    let parameter = |name: &str| {
        head.query.get(name).ok_or_else(|| {
            place.malformed(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, \
                 X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
                 X-Amz-Expires parameters.",
            )
        })
    };
    if parameter("X-Amz-Algorithm")? != ALGORITHM {
        return Err(place.malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let claim = parse_claim(
        place,
        parameter("X-Amz-Credential")?,
        parameter("X-Amz-SignedHeaders")?,
        parameter("X-Amz-Signature")?,
    )?;
    let date_text = parameter("X-Amz-Date")?;
    let time = date::parse_basic(date_text).ok_or_else(|| {
        place.malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    let expires_seconds = parse_expires(parameter("X-Amz-Expires")?)?;
    check_scope(place, &claim.scope, time, rules)?;
    check_life(time, expires_seconds, now)?;
    let payload = presigned_payload(head, &claim.signed)?;
    claim.signed.demand_all(head)?;
    let canonical =
        canonical_request(head, &claim.signed, payload.canonical, Some("X-Amz-Signature"));
    let verified = verify(&claim, date_text, &canonical, keys)?;
    refuse_token(head)?;
    Ok(Authenticated {
        principal: Principal::Key(verified.credential),
        mechanism: Mechanism::PresignedV4,
        payload: payload.mode.unsigned(head)?,
    })
}

/// The parts of `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`: in any order, with
/// or without spaces, each once.
fn parse_authorization(text: &str) -> Result<Claim<'_>> {
    let place = Place::Header;
    let (mut credential, mut signed, mut signature) = (None, None, None);
    let parts = text.strip_prefix(ALGORITHM).unwrap_or_default();
    for part in parts.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| place.malformed("a component is not of the form name=value."))?;
        let slot = match name.trim() {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed,
            "Signature" => &mut signature,
            _ => return Err(place.malformed("a component is not known.")),
        };
        if slot.replace(value.trim()).is_some() {
            return Err(place.malformed("a component stands there twice."));
        }
    }
    match (credential, signed, signature) {
        (Some(credential), Some(signed), Some(signature)) => {
            parse_claim(place, credential, signed, signature)
        }
        _ => Err(place.malformed("it requires Credential, SignedHeaders and Signature.")),
    }
}

fn parse_claim<'a>(
    place: Place,
    credential: &'a str,
    signed: &str,
    signature: &'a str,
) -> Result<Claim<'a>> {
    let scope = parse_scope(place, credential)?;
    let signed = SignedHeaders::parse(signed)
        .ok_or_else(|| place.malformed("SignedHeaders must be lower case and unique."))?;
    Ok(Claim { scope, signed, signature })
}

fn parse_scope(place: Place, credential: &str) -> Result<Scope<'_>> {
    let malformed = || {
        place.malformed(
            "the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        )
    };
    // From the right: an access key id may hold a slash, a scope may not.
    let mut parts = credential.rsplitn(5, '/');
    let mut part = || parts.next().ok_or_else(malformed);
    let (terminator, service, region, day, access_key_id) =
        (part()?, part()?, part()?, part()?, part()?);
    if terminator != "aws4_request" || access_key_id.is_empty() {
        return Err(malformed());
    }
    if service != "s3" {
        let why = format!("incorrect service \"{service}\". This endpoint belongs to \"s3\".");
        return Err(place.malformed(&why));
    }
    Ok(Scope { access_key_id, day, region })
}

/// The time of a header-signed request: `x-amz-date`, else `Date`.
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

fn check_scope(place: Place, scope: &Scope<'_>, time: u64, rules: &Rules) -> Result<()> {
    let Scope { day, region, .. } = scope;
    let date_text = date::basic(time);
    if !date_text.starts_with(day) || day.len() != "yyyyMMdd".len() {
        let why = format!(
            "Invalid credential date \"{day}\". This date is not the same as X-Amz-Date: \
             \"{date_text}\".",
        );
        return Err(place.malformed(&why));
    }
    if rules.region_strict && *region != rules.region {
        let why = format!("the region '{region}' is wrong; expecting '{}'", rules.region);
        return Err(place.malformed(&why).field("Region", rules.region.clone()));
    }
    Ok(())
}

fn parse_expires(text: &str) -> Result<u64> {
    let error = |why| Err(Place::Query.malformed(why));
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return error("X-Amz-Expires should be a number");
    }
    if text.starts_with('-') {
        // It ended before it began.
        return Err(Error::because(ErrorCode::AccessDenied, "Request has expired")
            .field("X-Amz-Expires", text));
    }
    match digits.parse() {
        Ok(seconds) if seconds <= EXPIRES_SECONDS_MAX => Ok(seconds),
        _ => error("X-Amz-Expires must be less than a week (in seconds) that is 604800"),
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

/// Checks the life of a presigned URL again.
pub(super) fn recheck_life(head: &Head, now: Timestamp) -> Result<()> {
    let parameter = |name| head.query.get(name).unwrap_or_default();
    let time = date::parse_basic(parameter("X-Amz-Date")).ok_or(ErrorCode::AccessDenied)?;
    check_life(time, parse_expires(parameter("X-Amz-Expires"))?, now)
}

struct PresignedPayload<'a> {
    /// The last line of the canonical request.
    canonical: &'a str,
    mode: Mode,
}

/// `x-amz-content-sha256` of a presigned URL: signed in the query or as a signed header, else
/// UNSIGNED-PAYLOAD. An unsigned header may say more about the body only if nothing signed does.
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
        (None, Some(header)) => (UNSIGNED, header),
        (None, None) => (UNSIGNED, UNSIGNED),
    };
    Ok(PresignedPayload { canonical, mode: Mode::parse(effective)? })
}

struct Verified {
    credential: Arc<Credential>,
    key: SigningKey,
    signature: [u8; 32],
}

fn verify(
    claim: &Claim<'_>,
    date_text: &str,
    canonical: &[u8],
    keys: Keys<'_>,
) -> Result<Verified> {
    let digest = hex::encode(Sha256::digest(canonical));
    let string_to_sign = format!("{ALGORITHM}\n{date_text}\n{}\n{digest}", claim.scope.text());
    verify_text(&claim.scope, &string_to_sign, claim.signature, keys).map_err(|error| {
        match error.code {
            ErrorCode::SignatureDoesNotMatch => error
                .field("CanonicalRequest", String::from_utf8_lossy(canonical))
                .field("CanonicalRequestBytes", spaced_hex(canonical)),
            _ => error,
        }
    })
}

fn verify_text(
    scope: &Scope<'_>,
    string_to_sign: &str,
    provided: &str,
    keys: Keys<'_>,
) -> Result<Verified> {
    let credential = keys(scope.access_key_id).filter(|credential| credential.enabled);
    let secret = credential.as_ref().map_or(DUMMY_SECRET, |known| &known.secret_access_key);
    let key = SigningKey::derive(secret, scope.day, scope.region);
    let signature = key.sign(string_to_sign.as_bytes());
    let matches = signature_matches(provided.as_bytes(), &signature);
    match (credential, matches) {
        (Some(credential), true) => Ok(Verified { credential, key, signature }),
        (None, _) => Err(unknown_key(scope.access_key_id)),
        (Some(_), false) => Err(mismatch(scope.access_key_id, string_to_sign, provided)),
    }
}

/// The fields of a form that is signed with SigV4.
pub(super) struct FormClaim<'a> {
    /// `x-amz-algorithm`.
    pub(super) algorithm: &'a str,
    /// `x-amz-credential`.
    pub(super) credential: &'a str,
    /// `x-amz-date`.
    pub(super) date: &'a str,
    /// `x-amz-signature`.
    pub(super) signature: &'a str,
}

/// Who signed the policy of a form; its text, as it stands in the field, is the string to sign.
/// How long it is good for is said by the policy and not by the date.
pub(super) fn policy(
    claim: &FormClaim<'_>,
    policy: &str,
    keys: Keys<'_>,
    rules: &Rules,
) -> Result<Arc<Credential>> {
    let place = Place::Form;
    if claim.algorithm != ALGORITHM {
        return Err(place.malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let scope = parse_scope(place, claim.credential)?;
    let time = date::parse_basic(claim.date).ok_or_else(|| {
        place.malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    check_scope(place, &scope, time, rules)?;
    Ok(verify_text(&scope, policy, claim.signature, keys)?.credential)
}

/// InvalidAccessKeyId, for keys that are unknown or disabled.
pub(super) fn unknown_key(access_key_id: &str) -> Error {
    Error::new(ErrorCode::InvalidAccessKeyId).field("AWSAccessKeyId", access_key_id)
}

/// SignatureDoesNotMatch, with what the server signed, so that a client's author can compare.
pub(super) fn mismatch(access_key_id: &str, string_to_sign: &str, provided: &str) -> Error {
    Error::new(ErrorCode::SignatureDoesNotMatch)
        .field("AWSAccessKeyId", access_key_id)
        .field("StringToSign", string_to_sign)
        .field("SignatureProvided", provided)
        .field("StringToSignBytes", spaced_hex(string_to_sign.as_bytes()))
}
