//! An answer as it arrives: status, length, body; by Content-Length, in chunks, or until the end.

use std::sync::Arc;

/// Most bytes of an answer's body that are kept for the script.
const KEPT_BYTES_MAX: usize = 16 << 10;

/// An answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, as they came.
    pub head: Vec<u8>,
    /// The beginning of its body.
    pub body: Vec<u8>,
    /// Bytes of its body.
    pub bytes: u64,
    framing: Framing,
    /// What the body has to be, where that is compared.
    expected: Option<Arc<[u8]>>,
    /// Whether it answers a request that writes: then its body may tell of an error.
    to_write: bool,
    /// Whether it was something else.
    pub differs: bool,
    /// Whether the server closes the connection after it.
    pub closes: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Framing {
    #[default]
    Head,
    Length(u64),
    ChunkLine(Vec<u8>),
    Chunk(u64),
    UntilClose,
    Ended,
}

impl Answer {
    /// Nothing of it yet; its body has to be `expected`.
    pub(super) fn to_be(expected: Option<Arc<[u8]>>, to_write: bool) -> Self {
        Self { expected, to_write, ..Self::default() }
    }

    /// Whether it tells of an error under whatever status: S3 does so in a 200 when the error comes
    /// late, and when it is that of one key among many.
    pub(super) fn tells_error(&self) -> bool {
        const TAG: &[u8] = b"<Error>";
        self.to_write && self.body.windows(TAG.len()).any(|some| some == TAG)
    }

    /// Whether its body was compared, and not only counted.
    pub(super) fn is_compared(&self) -> bool {
        self.expected.is_some()
    }

    /// The value of a header; names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.head).ok()?;
        text.split("\r\n").find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The text between `<tag>` and its end in the body.
    pub fn tag(&self, tag: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(value, _)| value)
    }

    /// Whether all of it is there.
    pub(super) fn ended(&self) -> bool {
        self.framing == Framing::Ended
    }

    /// Takes what arrived. `headless`: the answer to HEAD, which has no body.
    pub(super) fn take(&mut self, mut bytes: &[u8], headless: bool) -> Result<(), String> {
        while !bytes.is_empty() {
            match &mut self.framing {
                Framing::Head => {
                    // The end may have come in pieces.
                    let from = self.head.len().saturating_sub(3);
                    self.head.extend_from_slice(bytes);
                    let end = self.head[from..].windows(4).position(|four| four == b"\r\n\r\n");
                    let Some(end) = end else { return Ok(()) };
                    let rest = self.head.len() - (from + end + 4);
                    self.head.truncate(from + end + 4);
                    bytes = &bytes[bytes.len() - rest..];
                    self.begin_body(headless)?;
                }
                Framing::Length(left) | Framing::Chunk(left) => {
                    let count = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    let (now, rest) = bytes.split_at(count);
                    *left -= count as u64;
                    let done = *left == 0;
                    self.keep(now);
                    bytes = rest;
                    if done {
                        self.framing = match self.framing {
                            Framing::Chunk(_) => Framing::ChunkLine(Vec::new()),
                            _ => Framing::Ended,
                        };
                    }
                }
                Framing::ChunkLine(line) => {
                    line.push(bytes[0]);
                    bytes = &bytes[1..];
                    self.end_line()?;
                }
                Framing::UntilClose => {
                    self.keep(bytes);
                    return Ok(());
                }
                Framing::Ended => return Err("bytes after the answer".into()),
            }
        }
        Ok(())
    }

    /// The connection has ended: tells whether the answer is whole.
    pub(super) fn close(&mut self) -> bool {
        if self.framing == Framing::UntilClose {
            self.framing = Framing::Ended;
        }
        self.ended()
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(expected) = &self.expected {
            let from = self.bytes as usize;
            self.differs |= expected.get(from..from + bytes.len()) != Some(bytes);
        }
        self.bytes += bytes.len() as u64;
        let room = KEPT_BYTES_MAX - self.body.len();
        if bytes.len() <= room {
            self.body.extend_from_slice(bytes);
        } else if self.to_write {
            // What is long and was asked for is only counted.
            self.body.extend_from_slice(&bytes[..room]);
        }
    }

    fn begin_body(&mut self, headless: bool) -> Result<(), String> {
        let status = self.head.get(9..12).and_then(|code| std::str::from_utf8(code).ok());
        self.status = status.and_then(|code| code.parse().ok()).ok_or("no status line")?;
        if self.status == 100 {
            *self = Self::to_be(self.expected.take(), self.to_write);
            return Ok(());
        }
        self.closes = self.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        let length = self.header("content-length").and_then(|value| value.parse().ok());
        let chunked = self.header("transfer-encoding").is_some();
        self.framing = match length {
            _ if headless || matches!(self.status, 204 | 304) => Framing::Ended,
            _ if chunked => Framing::ChunkLine(Vec::new()),
            Some(0) => Framing::Ended,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        };
        Ok(())
    }

    /// The line before a chunk, once it is whole. (An empty one ends the chunk before it.)
    fn end_line(&mut self) -> Result<(), String> {
        let Framing::ChunkLine(line) = &self.framing else { return Ok(()) };
        if line == b"\r\n" || !line.ends_with(b"\r\n") {
            if line == b"\r\n" {
                self.framing = Framing::ChunkLine(Vec::new());
            }
            return Ok(());
        }
        let digits = line.iter().take_while(|c| c.is_ascii_hexdigit()).count();
        let text = std::str::from_utf8(&line[..digits]).map_err(|error| error.to_string())?;
        let size = u64::from_str_radix(text, 16).map_err(|_| "a malformed chunk")?;
        // The last chunk is followed by one empty line, which comes with it.
        self.framing = if size == 0 { Framing::Length(2) } else { Framing::Chunk(size) };
        Ok(())
    }
}
