//! An HTTP/1.1 client with control of every byte: a request is bytes, sent as the test decides.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::gateway::Who;
use super::xml::Element;
use crate::signer::{self, Body, Signed};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Payload mode of a body: the value of `x-amz-content-sha256`.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Raw, its SHA-256 signed.
    Sha256,
    /// Raw, unsigned.
    Unsigned,
    /// aws-chunked in chunks of this many bytes, each signed.
    SignedChunks(usize),
    /// The same with a signed trailer: the algorithm of its checksum.
    SignedChunksTrailer(usize, &'static str),
    /// aws-chunked, unsigned, with a trailer: the algorithm of its checksum.
    UnsignedTrailer(usize, &'static str),
    /// This value, and the body as it is.
    Literal(String),
}

/// HTTP framing of a body.
#[derive(Clone, Debug)]
pub enum Framing {
    /// `Content-Length`, also of an empty body.
    Length,
    /// `Transfer-Encoding: chunked`, in chunks of this many bytes.
    Chunked(usize),
    /// Neither: no body.
    None,
}

/// A request. Its fields may be changed until it is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// Principal that signs the request.
    pub who: Who,
    /// The method.
    pub method: String,
    /// Path and query as they stand in the request line.
    pub target: String,
    /// All headers except Host, those of the framing and those of the signature. All are signed.
    pub headers: Vec<(String, String)>,
    /// Headers that are sent but not signed.
    pub unsigned_headers: Vec<(String, String)>,
    /// Payload mode of the body.
    pub payload: Payload,
    /// HTTP framing of the body.
    pub framing: Framing,
    /// The bytes of the content, before any framing.
    pub body: Vec<u8>,
}

impl Request {
    /// A request by root without a body.
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        Self {
            who: Who::Root,
            method: method.into(),
            target: target.into(),
            headers: Vec::new(),
            unsigned_headers: Vec::new(),
            payload: Payload::Sha256,
            framing: if method == "PUT" || method == "POST" {
                Framing::Length
            } else {
                Framing::None
            },
            body: Vec::new(),
        }
    }

    /// The same by another principal.
    pub fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// The same with one more signed header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with another payload mode.
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// The same with another framing.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// All bytes on the wire.
    pub fn encode(&self, host: &str) -> Vec<u8> {
        let (mut head, body) = self.encode_apart(host);
        head.extend(body);
        head
    }

    /// The bytes of the head and those of the framed body.
    pub fn encode_apart(&self, host: &str) -> (Vec<u8>, Vec<u8>) {
        let (headers, signed) = self.sign(host);
        let body = self.frame_content(signed.as_ref());
        self.assemble(host, &headers, body)
    }

    /// [`Self::encode_apart`] with the aws-chunked body changed before HTTP frames it.
    pub fn encode_tampered(
        &self,
        host: &str,
        tamper: impl FnOnce(&mut Vec<u8>),
    ) -> (Vec<u8>, Vec<u8>) {
        let (headers, signed) = self.sign(host);
        let mut body = self.frame_content(signed.as_ref());
        tamper(&mut body);
        self.assemble(host, &headers, body)
    }

    fn assemble(
        &self,
        host: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> (Vec<u8>, Vec<u8>) {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in headers.iter().chain(&self.unsigned_headers) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = match self.framing {
            Framing::None => Vec::new(),
            Framing::Length => {
                let given = headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-length"));
                if !given {
                    head.push_str(&format!("Content-Length: {}\r\n", body.len()));
                }
                body
            }
            Framing::Chunked(size) => {
                head.push_str("Transfer-Encoding: chunked\r\n");
                let mut framed = Vec::new();
                for chunk in body.chunks(size) {
                    framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    framed.extend_from_slice(chunk);
                    framed.extend_from_slice(b"\r\n");
                }
                framed.extend_from_slice(b"0\r\n\r\n");
                framed
            }
        };
        head.push_str("\r\n");
        (head.into_bytes(), body)
    }

    /// All headers, including those of the signature, and the signer of the chunks.
    fn sign(&self, host: &str) -> (Vec<(String, String)>, Option<Signed>) {
        let mut headers = self.headers.clone();
        let trailer = match &self.payload {
            Payload::SignedChunksTrailer(_, name) | Payload::UnsignedTrailer(_, name) => {
                Some(*name)
            }
            _ => None,
        };
        let absent = |headers: &[(String, String)], name: &str| {
            !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
        };
        if let Some(name) = trailer
            && absent(&headers, "x-amz-trailer")
        {
            headers.push(("x-amz-trailer".into(), format!("x-amz-checksum-{name}")));
        }
        let chunked = matches!(
            self.payload,
            Payload::SignedChunks(_)
                | Payload::SignedChunksTrailer(..)
                | Payload::UnsignedTrailer(..)
        );
        if chunked && absent(&headers, "x-amz-decoded-content-length") {
            headers.push(("x-amz-decoded-content-length".into(), self.body.len().to_string()));
        }
        let body = match &self.payload {
            Payload::Sha256 => Body::Sha256(&self.body),
            Payload::Unsigned => Body::Unsigned,
            Payload::SignedChunks(_) => Body::SignedChunks,
            Payload::SignedChunksTrailer(..) => Body::SignedChunksTrailer,
            Payload::UnsignedTrailer(..) => Body::UnsignedTrailer,
            Payload::Literal(text) => Body::Literal(text),
        };
        let Some(signer) = self.who.signer() else {
            return (headers, None);
        };
        let pairs: Vec<(&str, &str)> = headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let named = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = named.map_or(host, |(_, value)| value);
        let signed = signer.header(signer::now(), &self.method, host, &self.target, &pairs, body);
        headers.extend(signed.headers.clone());
        (headers, Some(signed))
    }

    /// The body, in aws-chunked frames if the payload mode has them.
    fn frame_content(&self, signed: Option<&Signed>) -> Vec<u8> {
        let value = |name: &str| {
            let raw = super::checksum(name, &self.body).expect("a known algorithm");
            (format!("x-amz-checksum-{name}"), super::base64(&raw))
        };
        match &self.payload {
            Payload::SignedChunks(size) => {
                signed.expect("a user signs chunks").encode(&self.body, &[*size], None)
            }
            Payload::SignedChunksTrailer(size, name) => {
                let (name, value) = value(name);
                let trailers: &[(&str, &str)] = &[(&name, &value)];
                signed.expect("a user signs chunks").encode(&self.body, &[*size], Some(trailers))
            }
            Payload::UnsignedTrailer(size, name) => {
                let (name, value) = value(name);
                signer::encode_unsigned(&self.body, &[*size], &[(&name, &value)])
            }
            Payload::Sha256 | Payload::Unsigned | Payload::Literal(_) => self.body.clone(),
        }
    }
}

/// An answer.
#[derive(Clone)]
pub struct Answer {
    /// The final status.
    pub status: u16,
    /// The statuses below 200 that came before it.
    pub interim: Vec<u16>,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value; several are joined by commas.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
        (!values.is_empty()).then(|| values.join(","))
    }

    /// The body as a document.
    #[track_caller]
    pub fn xml(&self) -> Element {
        Element::parse(&self.body).unwrap_or_else(|| panic!("no document: {self:?}"))
    }

    /// The text of the first element of this path.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        self.xml().text_of(path).unwrap_or_else(|| panic!("no {path}: {self:?}"))
    }

    /// `<Code>`, if the body is an error.
    pub fn code(&self) -> Option<String> {
        Element::parse(&self.body).filter(|root| root.name == "Error")?.text_of("Code")
    }

    /// Asserts the status; returns the answer.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(2000)]);
        write!(f, "\n{text}\n({} bytes)", self.body.len())
    }
}

/// One connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway accepts");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time is set");
        stream.set_write_timeout(Some(TIMEOUT)).expect("a time is set");
        stream.set_nodelay(true).expect("an option is set");
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes. A closed peer is no failure: its answer may still be there.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends bytes, each in a write of its own.
    pub fn write_bytewise(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write(std::slice::from_ref(byte));
        }
    }

    /// Shuts down the sending half.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// True if unread bytes have come. Does not wait.
    pub fn has_come(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("an option is set");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("an option is set");
        !self.buffer.is_empty() || peeked.is_ok()
    }

    /// True if the peer has closed, without further bytes.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill()
    }

    /// True if bytes or the end come within this time.
    pub fn answers_within(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a time is set");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(TIMEOUT)).expect("a time is set");
        !self.buffer.is_empty() || peeked.is_ok()
    }

    /// Reads the status line and headers of the next answer, interim or final.
    #[track_caller]
    pub fn read_head(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            assert!(self.fill(), "the connection ended in a head: {text:?}");
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a header has a colon");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Answer {
            status: status.unwrap_or_else(|| panic!("no status: {head:?}")),
            interim: Vec::new(),
            headers: headers.collect(),
            body: Vec::new(),
        }
    }

    /// Reads one answer whole.
    #[track_caller]
    pub fn read_answer(&mut self, method: &str) -> Answer {
        let mut interim = Vec::new();
        let mut answer = self.read_head();
        while answer.status < 200 {
            interim.push(answer.status);
            answer = self.read_head();
        }
        answer.interim = interim;
        let bodiless = method == "HEAD" || matches!(answer.status, 204 | 304);
        let length = answer.header("content-length").map(|text| text.parse().expect("a number"));
        answer.body = match length {
            _ if bodiless => Vec::new(),
            Some(length) => self.take(length),
            None if answer.header("transfer-encoding").is_some() => self.read_chunks(),
            None => {
                while self.fill() {}
                std::mem::take(&mut self.buffer)
            }
        };
        answer
    }

    #[track_caller]
    fn take(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill(), "the body ended after {} of {length}", self.buffer.len());
        }
        self.buffer.drain(..length).collect()
    }

    /// Reads a body that comes in chunks, to its end.
    #[track_caller]
    pub fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.read_chunk();
            if chunk.is_empty() {
                return body;
            }
            body.extend(chunk);
        }
    }

    /// Reads one chunk; the last one is empty.
    #[track_caller]
    pub fn read_chunk(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.take(1));
        }
        let text = String::from_utf8_lossy(&line);
        let size = usize::from_str_radix(text.trim(), 16).expect("a chunk's size");
        let chunk = self.take(size);
        self.take(2);
        chunk
    }

    fn fill(&mut self) -> bool {
        let mut space = [0; 64 << 10];
        match self.stream.read(&mut space) {
            Ok(count) => {
                self.buffer.extend_from_slice(&space[..count]);
                count > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}
