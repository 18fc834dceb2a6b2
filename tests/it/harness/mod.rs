//! A real gateway over a temporary folder, and a client that controls every byte it sends.
//!
//! Most tests are scripts: data that [`check`] plays against a fresh gateway.
//!
//! ```text
//! # who: METHOD TARGET | header: value … << body  =>  STATUS Code | expectation … << body
//! PUT /bkt/k | x-amz-meta-a: b << hello    =>  200 | etag: "{md5hex}"
//! GET /bkt/k | range: bytes=1-3            =>  206 | content-range: bytes 1-3/5 << ell
//! POST /bkt/k?uploads                      =>  200 | UploadId -> U
//! PUT /bkt/k?partNumber=0&uploadId=$U << x =>  400 InvalidArgument | ArgumentName = partNumber
//! alice: GET /bkt/k                        =>  403 AccessDenied
//! ```
//!
//! - `who` is `root` (the default), `alice`, `bob` or `anon`. Requests are signed with
//!   SigV4; the payload is signed too, unless a header `x-amz-content-sha256` says otherwise.
//! - A line that does not begin with a method continues the line before, after a space (but for
//!   `&`, which continues a query); `#` begins a comment.
//! - `header: value` expects that header, `-header` that it is absent. `Path/Of/Element = text`
//!   expects the texts of all such elements, joined by spaces; `!Element` that there is none.
//!   `name -> V` puts the text of an element or a header into the variable `$V`. A `*` in an
//!   expected value stands for anything.
//! - A body is text (`\r` and `\n` are escapes), or `@N` for N pseudo-random bytes, `@N:S` for
//!   another seed, `@N[A..B]` for a slice of them, `@N + @M` for two in a row.
//! - `{md5hex}`, `{crc32}`, … stand for a digest of the request's body: base64, as in headers.

mod digest;
mod form;
mod gateway;
mod http;
mod inspector;
mod json;
mod permits;
mod script;
mod skip;
mod xml;

pub use digest::{base64, bytes_of, checksum, crc_names, md5_hex};
pub use form::{Form, Version};
pub use gateway::{Gateway, Who};
pub use http::{Answer, Connection, Framing, Payload, Request};
pub use inspector::Inspector;
pub use json::{command_json, valid_json};
pub use permits::permit;
pub use script::{Script, check, check_with};
pub use skip::skip;
