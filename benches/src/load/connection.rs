//! One connection: sends the requests of its script and checks the responses.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::answer::Answer;
use super::measured::Measured;
use super::plan::{Request, Script};

pub(super) struct Connection {
    address: SocketAddr,
    token: Token,
    stream: Option<TcpStream>,
    script: Script,
    request: Option<Request>,
    /// Bytes of head and body that were sent.
    sent: u64,
    answer: Answer,
    /// True if one response body was compared byte by byte on this connection.
    compared: bool,
    /// Start of the current operation.
    started: Option<Instant>,
    /// Bytes of bodies of the current operation.
    bytes: u64,
}

impl Connection {
    pub(super) fn open(
        address: SocketAddr,
        script: Script,
        registry: &Registry,
        token: Token,
    ) -> std::io::Result<Self> {
        let stream = Some(connect(address, registry, token)?);
        Ok(Self {
            address,
            token,
            stream,
            script,
            request: None,
            sent: 0,
            answer: Answer::default(),
            compared: false,
            started: None,
            bytes: 0,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Sends the first request.
    pub(super) fn start(&mut self, registry: &Registry, measured: &mut Measured) {
        self.request = (self.script)(None);
        self.answer = self.next_answer();
        self.started = Some(Instant::now());
        if self.request.is_none() {
            self.stream = None;
        }
        self.send(registry, measured);
    }

    /// Sends and receives what is possible now.
    pub(super) fn drive(
        &mut self,
        registry: &Registry,
        scratch: &mut [u8],
        measured: &mut Measured,
        stop: bool,
    ) {
        self.send(registry, measured);
        loop {
            let Some(stream) = &mut self.stream else { return };
            match stream.read(scratch) {
                Ok(0) => {
                    return self.closed(registry, measured, "the server closed the connection");
                }
                Ok(count) => {
                    if self.request.is_none() {
                        return self.closed(registry, measured, "a response without a request");
                    }
                    let headless =
                        self.request.as_ref().is_some_and(|r| r.head.starts_with(b"HEAD"));
                    if let Err(what) = self.answer.take(&scratch[..count], headless) {
                        return self.closed(registry, measured, &what);
                    }
                    if self.answer.ended() {
                        self.answered(registry, measured, stop);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.closed(registry, measured, &error.to_string()),
            }
        }
    }

    fn send(&mut self, registry: &Registry, measured: &mut Measured) {
        loop {
            let (Some(stream), Some(request)) = (&mut self.stream, &self.request) else { return };
            let head = request.head.len() as u64;
            let total = head + request.body_bytes;
            if self.sent == total {
                return;
            }
            let rest_of_head = &request.head[self.sent.min(head) as usize..];
            let done = self.sent.saturating_sub(head);
            let at = (done % request.body.len().max(1) as u64) as usize;
            let left = request.body_bytes - done;
            let piece = &request.body[at..];
            let piece = &piece[..piece.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            match stream.write_vectored(&[IoSlice::new(rest_of_head), IoSlice::new(piece)]) {
                Ok(count) => self.sent += count as u64,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) =>
                {
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.closed(registry, measured, &error.to_string()),
            }
        }
    }

    fn next_answer(&self) -> Answer {
        let expected = self.request.as_ref().and_then(|request| request.answer_body.clone());
        let begins = |method| self.request.as_ref().is_some_and(|r| r.head.starts_with(method));
        let to_write = !begins(b"GET ".as_slice()) && !begins(b"HEAD ");
        Answer::expecting(expected.filter(|_| !self.compared), to_write)
    }

    fn answered(&mut self, registry: &Registry, measured: &mut Measured, stop: bool) {
        let Some(request) = self.request.take() else { return };
        let answer = std::mem::take(&mut self.answer);
        self.compared |= answer.is_compared();
        self.bytes += request.body_bytes + answer.bytes;
        let whole = self.sent == request.head.len() as u64 + request.body_bytes;
        let right = answer.status == request.status
            && request.answer_bytes.contains(&answer.bytes)
            && !answer.differs
            && !answer.has_error()
            && whole;
        if !right {
            let line = request.head.split(|&c| c == b'\r').next().unwrap_or_default();
            measured.failed(format!(
                "{} answered {} with {} bytes{}: {}",
                String::from_utf8_lossy(&line[..line.len().min(80)]),
                answer.status,
                answer.bytes,
                if answer.differs { " that are not the object's" } else { "" },
                std::str::from_utf8(&answer.body[..answer.body.len().min(300)])
                    .unwrap_or("not text"),
            ));
        }
        let ended = request.ends || !right;
        if ended {
            let (started, bytes) = (self.started.take(), std::mem::take(&mut self.bytes));
            if let Some(started) = started.filter(|_| right) {
                measured.succeeded(started, bytes);
            }
        }
        if ended && stop {
            self.stream = None;
            return;
        }
        self.request = (self.script)(Some(&answer));
        self.answer = self.next_answer();
        self.sent = 0;
        if ended {
            self.started = Some(Instant::now());
        }
        if self.request.is_none() {
            self.stream = None;
        } else if answer.closes || !whole {
            self.reconnect(registry, measured);
        }
        self.send(registry, measured);
    }

    /// Handles a closed connection: the current request fails, unless its response ends with the
    /// close.
    fn closed(&mut self, registry: &Registry, measured: &mut Measured, reason: &str) {
        if self.request.is_some() && self.answer.close() {
            self.answer.closes = true;
            return self.answered(registry, measured, false);
        }
        if self.request.is_some() {
            measured.failed(reason.to_owned());
        }
        self.answer = Answer::default();
        self.request = None;
        self.stream = None;
    }

    fn reconnect(&mut self, registry: &Registry, measured: &mut Measured) {
        match connect(self.address, registry, self.token) {
            Ok(stream) => self.stream = Some(stream),
            Err(error) => {
                measured.failed(format!("cannot reconnect: {error}"));
                self.stream = None;
            }
        }
    }
}

fn connect(address: SocketAddr, registry: &Registry, token: Token) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}
