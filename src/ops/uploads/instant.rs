//! Instant uploads: bytes that are stored already, and that the caller may read, need not be sent.
//!
//! **Invariants**
//! - Only a signature in the `Authorization` header makes a reader. A presigned URL is made for one
//!   action, and an anonymous caller reads nothing: for them no content is found.
//! - Each object by which a content was found is asked about, one by one, with the same decision
//!   that GetObject takes ([`Caller::demand`]).
//! - Not found, not allowed and of another size give the same answer: an empty list.
//! - A challenge is offered only in a bucket whose operator opted in, and only for contents of
//!   objects of that bucket.

use std::time::Instant;

use crate::access::{Action, Permit, ReadObject, WriteObject};
use crate::auth::Mechanism;
use crate::digest::{Checksum, ChecksumAlgorithm, Digests};
use crate::request::operation::Demand;
use crate::request::{Call, Caller, Context};
use crate::store::{
    Candidate, CreatedUpload, Declaration, Readable, SHARED_BYTES_MIN, Store, Wanted,
};
use crate::transfer::receive;
use crate::wire::own_headers::{INSTANT_PREFIX, PROOF_PREFIX};
use crate::wire::{Error, ErrorCode, Head, Response, Result, encoding};

/// The prefix of all keys, in [`PROOF_PREFIX`].
const EVERYTHING: &str = "*";
/// Prefixes in one request.
pub const PREFIXES_MAX: usize = 16;

/// The prefixes that the request narrows its search to; `None` when it does not.
///
/// # Errors
/// InvalidArgument for too many, and for one that is empty: it would narrow nothing.
pub fn prefixes(head: &Head) -> Result<Option<Vec<String>>> {
    listed(head, INSTANT_PREFIX)
}

fn listed(head: &Head, name: &'static str) -> Result<Option<Vec<String>>> {
    let mut prefixes = Vec::new();
    for value in head.headers.get_all(name) {
        let text = value.to_str().map_err(|_| Error::argument(name, "", "Expected ASCII."))?;
        list(name, text, &mut prefixes)?;
    }
    // Presigners write the names of headers in any case: a name that was missed would widen the
    // search.
    for (_, text) in head.query.pairs().iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)) {
        list(name, text, &mut prefixes)?;
    }
    Ok((!prefixes.is_empty()).then_some(prefixes))
}

fn list(name: &'static str, text: &str, prefixes: &mut Vec<String>) -> Result<()> {
    for prefix in text.split(',').map(str::trim) {
        let refused = |message: String| Err(Error::argument(name, text, message));
        let decoded = match prefix {
            EVERYTHING if name == PROOF_PREFIX => Some(String::new()),
            _ => encoding::decode(prefix).filter(|prefix| !prefix.is_empty()),
        };
        let Some(prefix) = decoded else {
            return refused("Expected prefixes, percent-encoded, separated by commas.".into());
        };
        // Each is a lookup of its own for every content that is found.
        if prefixes.len() == PREFIXES_MAX {
            return refused(format!("There can be {PREFIXES_MAX} of them."));
        }
        prefixes.push(prefix);
    }
    Ok(())
}

/// True if stored bytes may replace the body of this request: it is signed in a header by a user.
pub fn is_reader(call: &Call) -> bool {
    match call.mechanism {
        Mechanism::HeaderV4 => call.caller.principal.user().is_some(),
        Mechanism::PresignedV4
        | Mechanism::PresignedV2
        | Mechanism::Form
        | Mechanism::Anonymous => false,
    }
}

/// Requires a reader.
///
/// # Errors
/// AccessDenied.
pub fn require_reader(call: &Call) -> Result<()> {
    if is_reader(call) {
        return Ok(());
    }
    let message = "A challenge needs a request that is signed in its Authorization header.";
    Err(Error::because(ErrorCode::AccessDenied, message))
}

/// A caller to whom stored bytes may be given: the holder of a key, who signed a header.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    context: &'a Context,
    caller: &'a Caller,
    permit: &'a Permit<WriteObject>,
    /// True if nothing is given without a proof of possession.
    proves: bool,
}

impl<'a> Reader<'a> {
    /// The reader behind an operation; `None` when nothing may be given to the caller.
    pub fn of(call: &'a Call, permit: &'a Permit<WriteObject>) -> Option<Self> {
        is_reader(call).then_some(Self {
            context: &call.context,
            caller: &call.caller,
            permit,
            proves: false,
        })
    }

    /// The reader behind a request to the management interface, which has no presigned URLs.
    pub fn of_caller(
        context: &'a Context,
        caller: &'a Caller,
        permit: &'a Permit<WriteObject>,
    ) -> Option<Self> {
        let reader = Self { context, caller, permit, proves: false };
        caller.principal.user().is_some().then_some(reader)
    }

    /// The same reader, who must prove possession if `proves`.
    pub fn who_proves(self, proves: bool) -> Self {
        Self { proves, ..self }
    }
}

/// Contents that are the file that Create declares, and that the reader may read.
///
/// # Errors
/// Those of [`prefixes`], and those of the store.
pub async fn of_create(
    reader: Option<Reader<'_>>,
    head: &Head,
    declaration: Option<&Declaration>,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<Vec<Readable>> {
    let prefixes = prefixes(head)?;
    let reader = reader.filter(|reader| !reader.proves);
    let wanted = declaration.and_then(|declaration| wanted(declaration, algorithm, prefixes));
    let Some((reader, wanted)) = reader.zip(wanted) else { return Ok(Vec::new()) };
    let find = reader.context.store.find_contents(reader.permit, wanted);
    Ok(readable(reader.caller, reader.context.run(find).await?))
}

/// The search for the declared file; `None` when it cannot be found by its digest.
fn wanted(
    declaration: &Declaration,
    algorithm: Option<ChecksumAlgorithm>,
    prefixes: Option<Vec<String>>,
) -> Option<Wanted> {
    let (layout, sha256) = declaration.layout.zip(declaration.digests.sha256)?;
    let size = layout.size();
    (size >= SHARED_BYTES_MIN).then_some(Wanted { sha256, size, algorithm, prefixes })
}

/// Prefixes of the keys by which a content may be found that is given for a proof.
///
/// # Errors
/// Those of [`prefixes`].
pub fn proof_prefixes(head: &Head) -> Result<Vec<String>> {
    let own = listed(head, PROOF_PREFIX)?;
    let listed = own.map_or_else(|| prefixes(head), |own| Ok(Some(own)))?;
    Ok(listed.unwrap_or_else(|| vec![String::new()]))
}

/// Offers a challenge for an open upload whose file is in an object of its bucket, if that bucket
/// takes proofs. Tells whether there was one.
///
/// # Errors
/// Those of the store.
#[expect(clippy::disallowed_methods, reason = "the closure runs on the blocking pool")]
pub async fn offer(
    reader: Option<Reader<'_>>,
    created: &CreatedUpload,
    declaration: Option<&Declaration>,
    algorithm: Option<ChecksumAlgorithm>,
    prefixes: Vec<String>,
) -> Result<bool> {
    let Some(reader) = reader.filter(|reader| {
        reader.context.store.takes_proof(reader.permit.target_bucket()) && !created.is_instant
    }) else {
        return Ok(false);
    };
    let Some(wanted) = declaration.and_then(|it| wanted(it, algorithm, Some(prefixes))) else {
        return Ok(false);
    };
    let CreatedUpload { upload, is_resumed, .. } = created;
    let (id, is_resumed) = (upload.id, *is_resumed);
    let upload = reader.permit.clone().upload(id);
    let find = move |store: &Store| {
        // An upload that ended meanwhile, or has parts, has nothing to prove.
        let is_fresh = !is_resumed
            || store.list_parts(&upload, 0, 1).run().is_ok_and(|page| page.parts.is_empty());
        match is_fresh {
            true => store.find_contents(upload.permit(), wanted).run(),
            false => Ok(Vec::new()),
        }
    };
    let found = reader.context.blocking(find).await?;
    let is_offered = !found.is_empty();
    if is_offered {
        let user = &reader.permit.user().id;
        reader.context.limits.challenges.offer(user, id, found, Instant::now());
    }
    Ok(is_offered)
}

/// Single blobs that are the body of a PutObject or an UploadPart whose client waits with `Expect`
/// to be asked for it.
///
/// # Errors
/// Those of [`prefixes`], and those of the store.
pub async fn of_body(
    call: &Call,
    permit: &Permit<WriteObject>,
    announced: &receive::ExpectedBody,
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
    let find = call.context.store.find_blobs(permit, wanted);
    let mut found = readable(&call.caller, call.context.run(find).await?);
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

/// True if the digests include this value.
fn has(digests: &Digests, named: Option<&Checksum>) -> bool {
    named.is_none_or(|named| digests.checksum_for(named.algorithm).as_ref() == Some(named))
}

/// The candidates that the caller may read at this moment.
pub fn readable(caller: &Caller, found: Vec<Candidate>) -> Vec<Readable> {
    let readable = |candidate: Candidate| match candidate.object() {
        None => candidate.granted(None),
        Some((bucket, key)) => {
            let (bucket, key) = (Some(bucket.name.clone()), Some(key.clone()));
            let demand = Demand { action: Action::GetObject, bucket, key };
            let permit = caller.demand::<ReadObject>(demand).ok()?;
            candidate.granted(Some(&permit))
        }
    };
    found.into_iter().filter_map(readable).collect()
}

/// Marks the answer: no byte of the body was read.
pub fn announce(response: &mut Response) {
    response.set("x-partita-upload", "instant");
}
