//! [`ChunkedDecoder`]: the framing aws-chunked, decoded and verified incrementally.
//!
//! ```text
//! <hex>[;chunk-signature=<64 hex>]\r\n<data>\r\n  …  0[;chunk-signature=<64 hex>]\r\n
//! [<name>:<value>[\n]\r\n … [x-amz-trailer-signature:<64 hex>\r\n]]\r\n
//! ```
//!
//! **Invariants**
//! - A chunk is not buffered. Its bytes are passed on as slices of the input. Only one line of
//!   bounded length is buffered.
//! - Bytes are passed on before the signature of their chunk is checked. The caller publishes
//!   nothing before [`ChunkedDecoder::finish`] succeeded.

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use super::chunk_signer::ChunkSigner;
use super::payload::ChunkedPayload;
use crate::wire::{Error, ErrorCode, Result};

/// Longest header line of a chunk in bytes.
pub const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;
/// Most hexadecimal digits of the size of a chunk: 64 bits.
const SIZE_DIGITS_MAX: usize = 16;
/// Most bytes of all trailer lines together.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;

const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Announced trailers that were received. Names are in lower case, values trimmed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trailers(pub Vec<(String, String)>);

impl Trailers {
    /// Value of a trailer by its lower-case name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Element of the framing to which the next byte belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expect {
    /// Header line of a chunk.
    ChunkLine,
    /// Data of a chunk; the number is the bytes that remain.
    Data(u64),
    /// CRLF after the data of a chunk.
    DataEnd,
    /// Trailer line, or the empty line that ends the body.
    TrailerLine,
    /// CRLF after a trailer line that ended in a bare LF.
    TrailerLineEnd,
    /// CRLF that ends a body without a trailer.
    BodyEnd,
    /// No further byte: the body is complete.
    Nothing,
    /// No further byte: an error was found.
    Failed,
}

/// Decoder of one aws-chunked body. The caller pushes pieces of any size and finishes.
#[derive(Debug)]
pub struct ChunkedDecoder {
    expect: Expect,
    /// Incomplete line.
    line: Vec<u8>,
    /// Bytes of the object that chunk headers have not announced yet.
    unannounced: u64,
    signer: Option<ChunkSigner>,
    /// SHA-256 of the chunk's data so far. Used only if chunks are signed.
    digest: Sha256,
    /// Signature in the header line of the chunk.
    chunk_signature: Vec<u8>,
    /// Announced names of trailers. `None` if no trailer follows.
    announced: Option<Vec<String>>,
    trailers: Vec<(String, String)>,
    trailer_signature: Option<Vec<u8>>,
    trailer_bytes: usize,
}

impl ChunkedDecoder {
    /// Decoder before the first byte.
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

    /// Decodes the next bytes of the body. Appends bytes of the object to `out`, as slices of the
    /// input.
    ///
    /// # Errors
    /// InvalidRequest, IncompleteBody, MalformedTrailerError, SignatureDoesNotMatch. After an error
    /// every further call fails.
    pub fn push(&mut self, input: Bytes, out: &mut Vec<Bytes>) -> Result<()> {
        let result = self.decode(input, out);
        if result.is_err() {
            self.expect = Expect::Failed;
        }
        result
    }

    /// Ends the body and gives its trailers. On success the body is complete and all signatures are
    /// valid.
    ///
    /// # Errors
    /// IncompleteBody if the body ended early; InvalidRequest after an error of [`Self::push`].
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
        // Exact: `count <= left`.
        self.expect = match left - count as u64 {
            0 => Expect::DataEnd,
            rest => Expect::Data(rest),
        };
    }

    /// Moves bytes up to an LF into `self.line`, without the LF. True if the line is complete.
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

    /// Takes a CR and an LF, which may come in two pieces. True if both were taken.
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

    /// Checks the signature of the chunk whose data is complete.
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

    /// Ends the trailer: every announced name must be there, and the signature must be valid.
    fn trailer_end(&mut self) -> Result<()> {
        // Only announced names are accepted, each once, so equal counts mean equal sets.
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

/// The same buffer, cleared, so that a line needs no allocation.
fn reuse(mut line: Vec<u8>) -> Vec<u8> {
    line.clear();
    line
}

/// Number of 1 to 16 hexadecimal digits of either case.
fn hex_size(digits: &[u8]) -> Option<u64> {
    if digits.is_empty()
        || digits.len() > SIZE_DIGITS_MAX
        || !digits.iter().all(u8::is_ascii_hexdigit)
    {
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
