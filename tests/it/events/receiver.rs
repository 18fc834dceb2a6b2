//! A receiver of webhooks over real sockets; each test decides how it answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::valid_json;

/// Secret of all receivers, as written in the configuration.
pub const SECRET: &str = "whsec_cGFydGl0YS10ZXN0cy1zZWNyZXQtb2YtMzItYnl0ZXM=";

/// Reaction to a request.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// An answer with this status, these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// No answer, for as long as the peer waits.
    Hang,
    /// 200 and an endless body.
    Endless,
    /// An endless head.
    EndlessHead,
    /// A close without an answer.
    Close,
}

/// An answer with this status and nothing else.
pub fn status(status: u16) -> Reaction {
    Reaction::Answer(status, Vec::new(), String::new())
}

/// A request as it was received.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
    pub body: Value,
    pub at: Instant,
    /// Status of its answer; 0 without one.
    pub status: u16,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub fn event(&self) -> &str {
        let name = self.body["EventName"].as_str().or(self.body["Event"].as_str());
        name.unwrap_or_default()
    }

    /// Bucket and key.
    pub fn key(&self) -> &str {
        self.body["Key"].as_str().unwrap_or_default()
    }

    pub fn record(&self) -> &Value {
        &self.body["Records"][0]
    }

    pub fn sequencer(&self) -> &str {
        self.record()["s3"]["object"]["sequencer"].as_str().unwrap_or_default()
    }
}

type React = dyn Fn(&Received, usize) -> Reaction + Send + Sync;

struct Shared {
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    react: Mutex<Arc<React>>,
}

/// A receiver. Its threads end with the test's process.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Starts a receiver; `react` gets the request and the number of requests before it.
    pub fn start(react: impl Fn(&Received, usize) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            react: Mutex::new(Arc::new(react)),
        });
        let of_all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_all);
                shared.connections.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// Starts a receiver that accepts everything.
    pub fn willing() -> Self {
        Self::start(|_, _| status(200))
    }

    /// Changes the reaction to later requests.
    pub fn change(&self, react: impl Fn(&Received, usize) -> Reaction + Send + Sync + 'static) {
        *self.shared.react.lock().unwrap() = Arc::new(react);
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Number of connections that were ever opened.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// All requests so far, without test deliveries.
    pub fn received(&self) -> Vec<Received> {
        let received = self.shared.received.lock().unwrap();
        received.iter().filter(|one| one.event() != "s3:TestEvent").cloned().collect()
    }

    /// All requests so far.
    pub fn all(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Waits for so many requests, without test deliveries.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut received = Vec::new();
        wait_until(|| {
            received = self.received();
            received.len() >= count
        });
        received
    }
}

/// Checks every received request against its documents.
impl Drop for Receiver {
    fn drop(&mut self) {
        const LOOKED_AT: usize = 50;
        if std::thread::panicking() {
            return;
        }
        let all = self.all();
        for one in
            all.iter().take(LOOKED_AT).chain(all.iter().skip(LOOKED_AT).rev().take(LOOKED_AT))
        {
            valid_json("event", &one.bytes);
        }
    }
}

/// Waits for a condition that must become true.
#[track_caller]
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(120), "it did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Serves the requests of one connection.
fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut buffer = Vec::new();
    while let Some(mut received) = read_request(&mut stream, &mut buffer) {
        let react = Arc::clone(&shared.react.lock().unwrap());
        let mut all = shared.received.lock().unwrap();
        let reaction = react(&received, all.len());
        if let Reaction::Answer(status, ..) = &reaction {
            received.status = *status;
        }
        all.push(received);
        drop(all);
        if !answer(&mut stream, reaction) {
            return;
        }
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let mut space = [0; 16 << 10];
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut space).ok()? {
            0 => return None,
            count => buffer.extend_from_slice(&space[..count]),
        }
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).ok()?;
    let mut lines = head.trim_end().split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length?.1.parse().ok()?;
    while buffer.len() < length {
        match stream.read(&mut space).ok()? {
            0 => return None,
            count => buffer.extend_from_slice(&space[..count]),
        }
    }
    let bytes: Vec<u8> = buffer.drain(..length).collect();
    let body = serde_json::from_slice(&bytes).ok()?;
    Some(Received { path, headers, bytes, body, at: Instant::now(), status: 0 })
}

/// Sends the reaction; true if the connection goes on.
fn answer(stream: &mut TcpStream, reaction: Reaction) -> bool {
    match reaction {
        Reaction::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{head}\r\n{body}").as_bytes()).is_ok()
        }
        Reaction::Hang => {
            // Until the peer gives up.
            let _ = stream.read(&mut [0; 16]);
            false
        }
        Reaction::Endless => {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            let chunk = format!("10000\r\n{}\r\n", "z".repeat(0x10000));
            while stream.write_all(chunk.as_bytes()).is_ok() {}
            false
        }
        Reaction::EndlessHead => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            while stream.write_all(format!("x-a: {}\r\n", "z".repeat(500)).as_bytes()).is_ok() {}
            false
        }
        Reaction::Close => false,
    }
}
