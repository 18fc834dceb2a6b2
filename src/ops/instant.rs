//! Instant uploads: bytes that the server has already, and that this request may read, need not
//! come.
//!
//! **Invariants**
//! - Only a signature in the `Authorization` header makes a reader. A presigned URL is made for one
//!   action, and nobody reads in nobody's name: for them there are no contents to be found.
//! - Each object by which a content was found is asked about, one by one, with the same decision
//!   that GetObject takes ([`Caller::demand`]).
//! - Nothing found, nothing allowed and another size are one answer: an empty list.

use super::{Call, Caller, Context, Demand, receive};
use crate::access::{Action, Permit};
use crate::auth::Mechanism;
use crate::digest::{Checksum, ChecksumAlgorithm, Digests};
use crate::store::{Candidate, Declaration, Readable, SHARED_BYTES_MIN, Store, Wanted};
use crate::wire::{Error, Head, Response, Result, encoding};

/// Narrows what may be found to keys of the same bucket: a list of prefixes, separated by commas,
/// each percent-encoded. (A signature does not tell two headers from one with a comma, so both must
/// mean the same.)
const PREFIX: &str = "x-partita-instant-prefix";
/// Prefixes in one request.
const PREFIXES_MAX: usize = 16;

/// The prefixes that the request narrows its search to; `None` when it does not.
///
/// # Errors
/// InvalidArgument for too many, and for one that is empty: it would narrow nothing.
pub fn prefixes(head: &Head) -> Result<Option<Vec<String>>> {
    let mut prefixes = Vec::new();
    for value in head.headers.get_all(PREFIX) {
        let text = value.to_str().map_err(|_| Error::argument(PREFIX, "", "Expected ASCII."))?;
        list(text, &mut prefixes)?;
    }
    // Presigners write the names of headers in any case: one that is overlooked would widen.
    for (_, text) in head.query.pairs().iter().filter(|(n, _)| n.eq_ignore_ascii_case(PREFIX)) {
        list(text, &mut prefixes)?;
    }
    Ok((!prefixes.is_empty()).then_some(prefixes))
}

fn list(text: &str, prefixes: &mut Vec<String>) -> Result<()> {
    for prefix in text.split(',').map(str::trim) {
        let refused = |message: String| Err(Error::argument(PREFIX, text, message));
        let Some(prefix) = encoding::decode(prefix).filter(|prefix| !prefix.is_empty()) else {
            return refused("Expected prefixes, percent-encoded, separated by commas.".into());
        };
        if prefixes.len() == PREFIXES_MAX {
            return refused(format!("There can be {PREFIXES_MAX} of them."));
        }
        prefixes.push(prefix);
    }
    Ok(())
}

/// Whether what this request may read may be given to it without its bytes.
pub fn is_reader(call: &Call) -> bool {
    match call.mechanism {
        Mechanism::HeaderV4 => call.caller.principal.user().is_some(),
        Mechanism::PresignedV4
        | Mechanism::PresignedV2
        | Mechanism::Form
        | Mechanism::Anonymous => false,
    }
}

/// Who may be given what is here already: the holder of a key, who has signed a header.
pub struct Reader<'a> {
    context: &'a Context,
    caller: &'a Caller,
    permit: &'a Permit,
}

impl<'a> Reader<'a> {
    /// Who sends an operation; `None` when nothing may be given to it.
    pub fn of(call: &'a Call) -> Option<Self> {
        is_reader(call).then(|| Self {
            context: &call.context,
            caller: &call.caller,
            permit: call.permit(),
        })
    }

    /// Who asks the management interface, which knows no presigned URLs.
    pub fn of_caller(context: &'a Context, caller: &'a Caller, permit: &'a Permit) -> Option<Self> {
        caller.principal.user().is_some().then_some(Self { context, caller, permit })
    }
}

/// Contents that are the file that Create declares, and that the reader may read.
///
/// # Errors
/// Those of [`prefixes`], and what the store says.
pub async fn of_create(
    reader: Option<Reader<'_>>,
    head: &Head,
    declaration: Option<&Declaration>,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<Vec<Readable>> {
    let prefixes = prefixes(head)?;
    let Some((reader, declaration)) = reader.zip(declaration) else { return Ok(Vec::new()) };
    let declared = declaration.layout.zip(declaration.digests.sha256);
    let Some((layout, sha256)) = declared.filter(|(layout, _)| layout.size() >= SHARED_BYTES_MIN)
    else {
        return Ok(Vec::new());
    };
    let wanted = Wanted { sha256, size: layout.size(), algorithm, prefixes };
    let permit = reader.permit.clone();
    let find = move |store: &Store| store.find_contents(&permit, &wanted);
    Ok(readable(reader.caller, reader.context.blocking(find).await?))
}

/// Single blobs that are the body of a PutObject or an UploadPart whose client waits with `Expect`
/// to be asked for it.
///
/// # Errors
/// Those of [`prefixes`], and what the store says.
pub async fn of_body(
    call: &Call,
    announced: &receive::Announced,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<Vec<Readable>> {
    let prefixes = prefixes(&call.head)?;
    let is_asked = call.context.config.instant_expect && expects(&call.head) && is_reader(call);
    let expected = &announced.expected;
    // A digest that comes in a trailer cannot be compared before the body.
    if !is_asked || expected.trailer.is_some() {
        return Ok(Vec::new());
    }
    let size = call.body.declared_length().filter(|length| *length >= SHARED_BYTES_MIN);
    let Some((sha256, size)) = sha256_of(call, expected.checksum.as_ref()).zip(size) else {
        return Ok(Vec::new());
    };
    let algorithm = expected.algorithm.or(algorithm);
    let wanted = Wanted { sha256, size, algorithm, prefixes };
    let permit = call.permit().clone();
    let find = move |store: &Store| store.find_blobs(&permit, &wanted);
    let mut found = readable(&call.caller, call.context.blocking(find).await?);
    found.retain(|readable| {
        readable.digests().is_some_and(|digests| {
            expected.content_md5.is_none_or(|md5| md5 == digests.md5)
                && has(digests, expected.checksum.as_ref())
        })
    });
    Ok(found)
}

fn expects(head: &Head) -> bool {
    let value = head.headers.get("expect").map(http::HeaderValue::as_bytes);
    value.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

/// The SHA-256 that the head names for the body; `None` too when it names two.
fn sha256_of(call: &Call, checksum: Option<&Checksum>) -> Option<[u8; 32]> {
    let named = checksum.filter(|checksum| checksum.algorithm == ChecksumAlgorithm::Sha256);
    let named = named.and_then(|named| <[u8; 32]>::try_from(named.value.as_slice()).ok());
    match (call.body.signed_sha256(), named) {
        (Some(signed), Some(named)) => (signed == named).then_some(signed),
        (signed, named) => signed.or(named),
    }
}

/// Whether the digests hold this value.
fn has(digests: &Digests, named: Option<&Checksum>) -> bool {
    named.is_none_or(|named| digests.checksum_for(named.algorithm).as_ref() == Some(named))
}

/// Those that the request may read at this moment.
pub fn readable(caller: &Caller, found: Vec<Candidate>) -> Vec<Readable> {
    let judge = |candidate: Candidate| match candidate.object() {
        None => candidate.granted(None),
        Some((bucket, key)) => {
            let (bucket, key) = (Some(bucket.name.clone()), Some(key.clone()));
            let demand = Demand { action: Action::GetObject, bucket, key };
            let permit = caller.demand(&demand).ok()?;
            candidate.granted(Some(&permit))
        }
    };
    found.into_iter().filter_map(judge).collect()
}

/// Says in the answer that no byte was taken.
pub fn announce(response: &mut Response) {
    response.set("x-partita-upload", "instant");
}
