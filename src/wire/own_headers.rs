//! Headers of Partita's own that a request may carry, and the check that it carries no other.
//!
//! **Invariant:** a header of ours means something for the operation (its row names it), or the
//! request is refused. Such a header narrows or binds what is done: whoever signed
//! `x-partita-max-bytes` into a URL and misspelt it must learn that before anything is stored.

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
/// The most bytes that a body may have.
pub const MAX_BYTES: &str = "x-partita-max-bytes";
/// Below which keys of the same bucket the request may find its content: a list of prefixes,
/// separated by commas, each percent-encoded. (A signature does not tell two headers from one with
/// a comma, so both must mean the same.)
pub const INSTANT_PREFIX: &str = "x-partita-instant-prefix";
/// As [`INSTANT_PREFIX`], for what may be given for a proof of possession; `*` is the whole bucket.
/// Without it the other one narrows that too.
pub const PROOF_PREFIX: &str = "x-partita-proof-prefix";

/// What all our headers begin with.
const PREFIX: &str = "x-partita-";

/// Refuses a header of ours, or a query parameter that stands for one, that the operation `name`
/// does not read. `known` are those that it reads.
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
