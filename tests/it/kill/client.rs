//! A client without retries: one request, and one whole answer or none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::signer::{self, Body, Signer};

/// Timeout of an answer, for a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// No answer, or a part of one: the outcome of the request is unknown.
#[derive(Debug)]
pub struct Broken;

/// A whole answer.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Value of a header; empty if it is absent.
    pub fn header(&self, wanted: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map_or("", |(_, value)| value)
    }

    /// Entity tag of the headers, without quotes.
    pub fn etag(&self) -> String {
        self.header("etag").trim_matches('"').to_owned()
    }

    /// Body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).replace("&quot;", "\"")
    }

    /// Texts of all elements of this name.
    pub fn texts(&self, name: &str) -> Vec<String> {
        texts(&self.text(), name)
    }
}

/// Each text between `<name>` and `</name>`. Sufficient for the documents of the gateway here.
pub fn texts(document: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let pieces = document.split(&open).skip(1);
    pieces.filter_map(|piece| Some(piece.split_once(&close)?.0.to_owned())).collect()
}

/// Header of a body that waits to be asked for; its SHA-256 is signed.
pub const EXPECT: (&str, &str) = ("expect", "100-continue");

/// Root's requests over one connection.
pub struct Client {
    address: SocketAddr,
    signer: Signer,
    stream: Option<TcpStream>,
}

impl Client {
    /// A client that connects at its first request.
    pub fn new(address: SocketAddr, signer: &Signer) -> Self {
        Self { address, signer: signer.clone(), stream: None }
    }

    /// Sends one signed request and reads its whole answer. The payload is unsigned, except with
    /// [`EXPECT`].
    pub fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Broken> {
        let answer = self.exchange(method, target, headers, body);
        if answer.is_none() {
            self.stream = None;
        }
        answer.ok_or(Broken)
    }

    fn exchange(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let host = self.address.to_string();
        let waits = headers.contains(&EXPECT);
        let payload = if waits { Body::Sha256(body) } else { Body::Unsigned };
        let signed = self.signer.header(signer::now(), method, &host, target, headers, payload);
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n");
        let own = headers.iter().map(|(name, value)| (*name, *value));
        for (name, value) in own.chain(signed.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())))
        {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut bytes = head.into_bytes();
        if !waits {
            bytes.extend_from_slice(body);
        }
        let stream = self.connected()?;
        // A refusal may come before the body was read: then the write fails, and the read succeeds.
        let _ = stream.write_all(&bytes);
        let mut answer = read_answer(stream)?;
        if answer.status == 100 {
            let _ = stream.write_all(body);
            answer = read_answer(stream)?;
        }
        if answer.head.to_ascii_lowercase().contains("\r\nconnection: close\r\n") {
            self.stream = None;
        }
        Some(answer)
    }

    fn connected(&mut self) -> Option<&mut TcpStream> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).ok()?;
            stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
            stream.set_nodelay(true).ok()?;
            self.stream = Some(stream);
        }
        self.stream.as_mut()
    }
}

fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut read = Vec::new();
    let mut space = [0; 64 << 10];
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut space).ok()? {
            0 => return None,
            count => read.extend_from_slice(&space[..count]),
        }
    };
    let mut body = read.split_off(end);
    let head = String::from_utf8(read).ok()?;
    let status: u16 = head.get(9..12)?.parse().ok()?;
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = match length {
        Some(length) => length.trim().parse().ok()?,
        None => 0,
    };
    while body.len() < length {
        match stream.read(&mut space).ok()? {
            0 => return None,
            count => body.extend_from_slice(&space[..count]),
        }
    }
    Some(Answer { status, head, body })
}
