//! aws-chunked: the framing inside the body, decoded and verified piece by piece.
//!
//! ```text
//! <hex>[;chunk-signature=<64 hex>]\r\n<data>\r\n  …  0[;chunk-signature=<64 hex>]\r\n
//! [<name>:<value>[\n]\r\n … [x-amz-trailer-signature:<64 hex>\r\n]]\r\n
//! ```
//!
//! **Invariants:** a chunk is never held: its bytes pass on as they come, in slices of the input.
//! What is held is one line, of a named size. Bytes pass on *before* their chunk's signature is
//! known, so a caller publishes nothing until [`ChunkedDecoder::finish`] has said yes.

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use super::ChunkedPayload;
use super::signing_key::{SigningKey, signature_matches};
use crate::wire::{Error, ErrorCode, Result};

/// The longest header line of a chunk, in bytes.
pub const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;
/// The most bytes of all trailer lines together.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;

const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Signs chunks: the key, the scope and the signature that the next chunk's one builds on.
#[derive(Debug)]
pub struct ChunkSigner {
    key: SigningKey,
    date: String,
    scope: String,
    previous: String,
}

impl ChunkSigner {
    /// Continues the signature of a request. `date` is its `x-amz-date`, `scope` its credential
    /// scope without the access key id.
    pub(super) fn new(key: SigningKey, date: &str, scope: &str, seed: [u8; 32]) -> Self {
        Self { key, date: date.into(), scope: scope.into(), previous: hex::encode(seed) }
    }

    /// Checks the signature of the next chunk, whose data has this digest.
    fn verify_chunk(&mut self, provided: &[u8], data_digest: [u8; 32]) -> Result<()> {
        let empty = hex::encode(Sha256::digest(b""));
        let digest = hex::encode(data_digest);
        self.verify("AWS4-HMAC-SHA256-PAYLOAD", &format!("{empty}\n{digest}"), provided)
    }

    /// Checks the signature of the trailer, given as lines of `name:value\n` in order of names.
    fn verify_trailer(&mut self, provided: &[u8], lines: &str) -> Result<()> {
        let digest = hex::encode(Sha256::digest(lines));
        self.verify("AWS4-HMAC-SHA256-TRAILER", &digest, provided)
    }

    fn verify(&mut self, algorithm: &str, digests: &str, provided: &[u8]) -> Result<()> {
        let Self { date, scope, previous, .. } = &*self;
        let string_to_sign = format!("{algorithm}\n{date}\n{scope}\n{previous}\n{digests}");
        let expected = self.key.sign(string_to_sign.as_bytes());
        if !signature_matches(provided, &expected) {
            return Err(Error::new(ErrorCode::SignatureDoesNotMatch)
                .field("StringToSign", string_to_sign)
                .field("SignatureProvided", String::from_utf8_lossy(provided)));
        }
        self.previous = hex::encode(expected);
        Ok(())
    }
}

/// The trailers that were announced and came: names in lower case, values trimmed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trailers(pub Vec<(String, String)>);

impl Trailers {
    /// The value of a trailer, by its lower-case name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What the next byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expect {
    /// A chunk's header line.
    ChunkLine,
    /// A chunk's data, so many bytes of it.
    Data(u64),
    /// The CRLF behind a chunk's data.
    DataEnd,
    /// A trailer line, or the empty line that ends the body.
    TrailerLine,
    /// The CRLF behind a trailer line that ended in a bare LF.
    TrailerLineEnd,
    /// The CRLF that ends a body without a trailer.
    BodyEnd,
    /// Nothing: the body is complete.
    Nothing,
    /// Nothing any more: an error was found before.
    Failed,
}

/// Decodes one aws-chunked body. Push what arrives, in pieces of any size, then finish.
#[derive(Debug)]
pub struct ChunkedDecoder {
    expect: Expect,
    /// The line begun, without its end.
    line: Vec<u8>,
    /// Bytes of the object still to be announced by chunk headers.
    unannounced: u64,
    signer: Option<ChunkSigner>,
    /// The digest of the chunk's data so far; touched only when chunks are signed.
    digest: Sha256,
    /// The signature that the chunk's header line bore.
    chunk_signature: Vec<u8>,
    /// The announced names, when a trailer must follow.
    announced: Option<Vec<String>>,
    trailers: Vec<(String, String)>,
    trailer_signature: Option<Vec<u8>>,
    trailer_bytes: usize,
}

impl ChunkedDecoder {
    /// A decoder that has seen nothing yet.
    pub fn new(payload: ChunkedPayload) -> Self {
        let ChunkedPayload { decoded_length, trailer, signer } = payload;
        Self {
            expect: Expect::ChunkLine,
            line: Vec::new(),
            unannounced: decoded_length,
            signer,
            digest: Sha256::new(),
            chunk_signature: Vec::new(),
            announced: trailer,
            trailers: Vec::new(),
            trailer_signature: None,
            trailer_bytes: 0,
        }
    }

    /// Takes the next bytes of the body and appends the object's bytes in them to `out`, as slices
    /// of the input. After an error every further call is an error.
    pub fn push(&mut self, input: Bytes, out: &mut Vec<Bytes>) -> Result<()> {
        let result = self.decode(input, out);
        if result.is_err() {
            self.expect = Expect::Failed;
        }
        result
    }

    /// Ends the body. Only now is it known to be whole and, if it is signed, genuine.
    pub fn finish(self) -> Result<Trailers> {
        match self.expect {
            Expect::Nothing => Ok(Trailers(self.trailers)),
            Expect::Failed => Err(malformed("The body was refused before.")),
            Expect::ChunkLine
            | Expect::Data(_)
            | Expect::DataEnd
            | Expect::TrailerLine
            | Expect::TrailerLineEnd
            | Expect::BodyEnd => Err(incomplete("The aws-chunked body ended early.")),
        }
    }

    fn decode(&mut self, mut input: Bytes, out: &mut Vec<Bytes>) -> Result<()> {
        while !input.is_empty() {
            match self.expect {
                Expect::Data(left) => self.pass_data(left, &mut input, out),
                Expect::ChunkLine => {
                    if self.take_line(&mut input, CHUNK_LINE_BYTES_MAX)? {
                        let line = std::mem::take(&mut self.line);
                        self.chunk_line(strip_cr(&line)?)?;
                        self.line = reuse(line);
                    }
                }
                Expect::DataEnd => {
                    if self.take_crlf(&mut input)? {
                        self.chunk_end()?;
                        self.expect = Expect::ChunkLine;
                    }
                }
                Expect::TrailerLine => {
                    if self.take_line(&mut input, TRAILER_BYTES_MAX)? {
                        let line = std::mem::take(&mut self.line);
                        self.trailer_line(&line)?;
                        self.line = reuse(line);
                    }
                }
                Expect::TrailerLineEnd => {
                    if self.take_crlf(&mut input)? {
                        self.expect = Expect::TrailerLine;
                    }
                }
                Expect::BodyEnd => {
                    if self.take_crlf(&mut input)? {
                        self.expect = Expect::Nothing;
                    }
                }
                Expect::Nothing => return Err(malformed("There are bytes after the last chunk.")),
                Expect::Failed => return Err(malformed("The body was refused before.")),
            }
        }
        Ok(())
    }

    fn pass_data(&mut self, left: u64, input: &mut Bytes, out: &mut Vec<Bytes>) {
        let count = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let data = input.split_to(count);
        if self.signer.is_some() {
            self.digest.update(&data);
        }
        out.push(data);
        // No truncation: `count <= left`.
        self.expect = match left - count as u64 {
            0 => Expect::DataEnd,
            rest => Expect::Data(rest),
        };
    }

    /// Moves bytes up to a line's LF into `self.line`, the LF left out; true when it is whole.
    fn take_line(&mut self, input: &mut Bytes, bytes_max: usize) -> Result<bool> {
        let end = input.iter().position(|&byte| byte == b'\n');
        let count = end.unwrap_or(input.len());
        if self.line.len() + count > bytes_max {
            return Err(match self.expect {
                Expect::TrailerLine => trailer_error("It is too long."),
                _ => malformed("A line of the aws-chunked body is too long."),
            });
        }
        self.line.extend_from_slice(&input[..count]);
        input.advance(count + usize::from(end.is_some()));
        Ok(end.is_some())
    }

    /// Takes a CR and a LF, which may come in two pieces; true when both are there.
    fn take_crlf(&mut self, input: &mut Bytes) -> Result<bool> {
        while !input.is_empty() {
            match (self.line.is_empty(), input.get_u8()) {
                (true, b'\r') => self.line.push(b'\r'),
                (false, b'\n') => {
                    self.line.clear();
                    return Ok(true);
                }
                _ => return Err(malformed("A line end is missing in the aws-chunked body.")),
            }
        }
        Ok(false)
    }

    fn chunk_line(&mut self, line: &[u8]) -> Result<()> {
        let (size, extension) = match line.iter().position(|&byte| byte == b';') {
            Some(cut) => (&line[..cut], Some(&line[cut + 1..])),
            None => (line, None),
        };
        let size = hex_size(size).ok_or_else(|| malformed("A chunk's size is malformed."))?;
        let signature = extension.and_then(|text| text.strip_prefix(b"chunk-signature="));
        match (self.signer.is_some(), extension, signature) {
            (true, _, Some(signature)) => self.chunk_signature = signature.to_vec(),
            (true, _, None) => return Err(malformed("A chunk has no signature.")),
            (false, None, _) => {}
            (false, Some(_), _) => return Err(malformed("A chunk's extension is not known.")),
        }
        self.unannounced = self
            .unannounced
            .checked_sub(size)
            .ok_or_else(|| incomplete("The body is longer than x-amz-decoded-content-length."))?;
        if size > 0 {
            self.expect = Expect::Data(size);
            return Ok(());
        }
        if self.unannounced > 0 {
            return Err(incomplete("The body is shorter than x-amz-decoded-content-length."));
        }
        self.chunk_end()?;
        self.expect = match self.announced {
            Some(_) => Expect::TrailerLine,
            None => Expect::BodyEnd,
        };
        Ok(())
    }

    /// Checks the signature of the chunk whose data has just passed.
    fn chunk_end(&mut self) -> Result<()> {
        let Some(signer) = &mut self.signer else { return Ok(()) };
        let digest = std::mem::take(&mut self.digest).finalize().into();
        signer.verify_chunk(&self.chunk_signature, digest)
    }

    fn trailer_line(&mut self, line: &[u8]) -> Result<()> {
        self.trailer_bytes += line.len() + 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(trailer_error("It is too long."));
        }
        let (line, ended) = match line.strip_suffix(b"\r") {
            Some(line) => (line, true),
            None => (line, false),
        };
        if line.is_empty() && ended {
            return self.trailer_end();
        }
        let text = std::str::from_utf8(line).map_err(|_| trailer_error("It is not UTF-8."))?;
        let (name, value) =
            text.split_once(':').ok_or_else(|| trailer_error("A line has no colon."))?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        if self.trailer_signature.is_some() {
            return Err(trailer_error("The signature must be its last line."));
        }
        if name == TRAILER_SIGNATURE && self.signer.is_some() {
            self.trailer_signature = Some(value.as_bytes().to_vec());
        } else {
            let announced = self.announced.as_ref().is_some_and(|names| names.contains(&name));
            if !announced || self.trailers.iter().any(|(seen, _)| *seen == name) {
                return Err(trailer_error("A name was not announced, or came twice."));
            }
            self.trailers.push((name, value.to_owned()));
        }
        self.expect = if ended { Expect::TrailerLine } else { Expect::TrailerLineEnd };
        Ok(())
    }

    /// The empty line came: everything announced must be there, and genuine.
    fn trailer_end(&mut self) -> Result<()> {
        // Only announced names come in, each once, so equal counts mean equal sets.
        if self.announced.as_ref().is_some_and(|names| names.len() != self.trailers.len()) {
            return Err(trailer_error("An announced name is missing."));
        }
        if let Some(signer) = &mut self.signer {
            let signature = self
                .trailer_signature
                .as_ref()
                .ok_or_else(|| trailer_error("It has no x-amz-trailer-signature."))?;
            let mut sorted = self.trailers.clone();
            sorted.sort_unstable();
            let lines: Vec<String> =
                sorted.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            signer.verify_trailer(signature, &lines.concat())?;
        }
        self.expect = Expect::Nothing;
        Ok(())
    }
}

fn strip_cr(line: &[u8]) -> Result<&[u8]> {
    line.strip_suffix(b"\r").ok_or_else(|| malformed("A line does not end in CRLF."))
}

/// The same buffer, emptied, so that a line costs no allocation of its own.
fn reuse(mut line: Vec<u8>) -> Vec<u8> {
    line.clear();
    line
}

/// From 1 to 16 hexadecimal digits of either case.
fn hex_size(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn malformed(message: &str) -> Error {
    Error::because(ErrorCode::InvalidRequest, message)
}

fn incomplete(message: &str) -> Error {
    Error::because(ErrorCode::IncompleteBody, message)
}

fn trailer_error(why: &str) -> Error {
    let text = ErrorCode::MalformedTrailerError.message();
    Error::because(ErrorCode::MalformedTrailerError, format!("{text} {why}"))
}
