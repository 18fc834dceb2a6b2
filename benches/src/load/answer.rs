//! Parser of responses with a Content-Length, in chunks, or until the connection closes.

use std::sync::Arc;

/// Most bytes of a response body that are kept for the script.
const KEPT_BYTES_MAX: usize = 16 << 10;

/// Response to a request.
#[derive(Debug, Default)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Status line and headers, as received.
    pub head: Vec<u8>,
    /// First bytes of the body.
    pub body: Vec<u8>,
    /// Length of the body.
    pub bytes: u64,
    framing: Framing,
    /// Expected body, if it is compared.
    expected: Option<Arc<[u8]>>,
    /// True for the response to a write, whose body may be an error document.
    to_write: bool,
    /// True if the body differs from the expected one.
    pub differs: bool,
    /// True if the server closes the connection after the response.
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
    /// A response of which nothing has arrived. Its body is compared with `expected`.
    pub(super) fn expecting(expected: Option<Arc<[u8]>>, to_write: bool) -> Self {
        Self { expected, to_write, ..Self::default() }
    }

    /// True if the body has an error, whatever the status. S3 sends errors in a 200 if they occur
    /// after the head was sent, and for single keys of DeleteObjects.
    pub(super) fn has_error(&self) -> bool {
        const TAG: &[u8] = b"<Error>";
        self.to_write && self.body.windows(TAG.len()).any(|some| some == TAG)
    }

    /// True if the body is compared, and not only counted.
    pub(super) fn is_compared(&self) -> bool {
        self.expected.is_some()
    }

    /// The value of a header; names are case-insensitive.
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

    /// True if the whole response has arrived.
    pub(super) fn ended(&self) -> bool {
        self.framing == Framing::Ended
    }

    /// Parses received bytes. `headless` is true for the response to HEAD, which has no body.
    ///
    /// # Errors
    /// A description of bytes that are not a response.
    pub(super) fn take(&mut self, mut bytes: &[u8], headless: bool) -> Result<(), String> {
        while !bytes.is_empty() {
            match &mut self.framing {
                Framing::Head => {
                    // The end of the head may be split over two reads.
                    let from = self.head.len().saturating_sub(3);
                    self.head.extend_from_slice(bytes);
                    let end = self.head[from..].windows(4).position(|four| four == b"\r\n\r\n");
                    let Some(end) = end else { return Ok(()) };
                    let rest = self.head.len() - (from + end + 4);
                    self.head.truncate(from + end + 4);
                    bytes = &bytes[bytes.len() - rest..];
                    self.start_body(headless)?;
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
                Framing::Ended => return Err("bytes after the response".into()),
            }
        }
        Ok(())
    }

    /// Handles the end of the connection. True if the response is complete.
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

    fn start_body(&mut self, headless: bool) -> Result<(), String> {
        let status = self.head.get(9..12).and_then(|code| std::str::from_utf8(code).ok());
        self.status = status.and_then(|code| code.parse().ok()).ok_or("no status line")?;
        if self.status == 100 {
            *self = Self::expecting(self.expected.take(), self.to_write);
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

    /// Parses the line before a chunk once it is complete. An empty line ends the chunk before it.
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
        // The last chunk is followed by an empty line.
        self.framing = if size == 0 { Framing::Length(2) } else { Framing::Chunk(size) };
        Ok(())
    }
}
