//! Request headers of Partita: `x-partita-*`.
//!
//! **Invariant:** a request with such a header that the `own [...]` of its operation's row does not
//! list is refused.
//! These headers restrict a request. If `x-partita-max-bytes` in a presigned URL is misspelt, the
//! client must get an error before anything is stored.

use super::request::Head;
use super::{Error, Result};

/// Bytes of the whole file.
pub const OBJECT_SIZE: &str = "x-partita-object-size";
/// Bytes of every part but the last.
pub const PART_SIZE: &str = "x-partita-part-size";
/// SHA-256 of the whole file, in hexadecimal digits.
pub const CONTENT_SHA256: &str = "x-partita-content-sha256";
/// MD5 of the whole file, in hexadecimal digits.
pub const CONTENT_MD5: &str = "x-partita-content-md5";
/// Most bytes of the body.
pub const MAX_BYTES: &str = "x-partita-max-bytes";
/// Prefixes of keys in the same bucket whose content the request may reference: a list, separated
/// by commas, each percent-encoded. (A signature does not distinguish two headers from one with a
/// comma, so both mean the same.)
pub const INSTANT_PREFIX: &str = "x-partita-instant-prefix";
/// Same as [`INSTANT_PREFIX`], for content referenced by a proof of possession. `*` is the whole
/// bucket. Without this header, [`INSTANT_PREFIX`] restricts proofs too.
pub const PROOF_PREFIX: &str = "x-partita-proof-prefix";

/// Prefix of all headers of Partita.
const PREFIX: &str = "x-partita-";

/// Refuses an `x-partita-*` header or query parameter that the operation `name` does not read.
/// `known` are those that it reads.
///
/// # Errors
/// InvalidArgument, naming the header.
pub fn check(name: &str, known: &[&str], head: &Head) -> Result<()> {
    let headers = head.headers.keys().map(|name| name.as_str());
    let parameters = head.query.pairs().iter().map(|(name, _)| name.as_str());
    let is_known = |header: &str| known.iter().any(|known| known.eq_ignore_ascii_case(header));
    match headers.chain(parameters).find(|header| is_ours(header) && !is_known(header)) {
        None => Ok(()),
        Some(header) => {
            let message = format!("{header} has no meaning for {name}.");
            let value = head.header_or_query(header)?.unwrap_or_default();
            Err(Error::argument(header, value, message))
        }
    }
}

fn is_ours(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}
