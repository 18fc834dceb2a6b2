//! The load generator: one thread, keep-alive connections, requests that were rendered and signed
//! before the clock started. What it costs itself is measured and told.
//!
//! **Invariant:** every answer is checked: its status, the length of its body where the request
//! says one, that the answer to a write tells of no error, and on each connection one whole body,
//! byte by byte. What is wrong is an error, and an error is never counted as work done.

mod answer;
mod connection;

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

pub use answer::Answer;
use connection::Connection;

/// Errors that are told; the others are counted.
const ERRORS_TOLD: usize = 5;
/// How long what is under way at the end may still take.
const DRAIN: Duration = Duration::from_secs(60);

/// A request, rendered.
#[derive(Clone, Debug)]
pub struct Request {
    /// Request line and headers, with the empty line.
    pub head: Arc<[u8]>,
    /// The body's bytes, sent again from the start until `body_bytes` are sent.
    pub body: Arc<[u8]>,
    /// Length of the body.
    pub body_bytes: u64,
    /// The only status that is right.
    pub status: u16,
    /// The lengths of the answer's body that are right.
    pub answer_bytes: RangeInclusive<u64>,
    /// The answer's body, where it is known: compared once on each connection.
    pub answer_body: Option<Arc<[u8]>>,
    /// Whether its answer ends an operation: what is counted, and whose time is taken.
    pub ends: bool,
}

/// What a connection sends next, given the answer to what it sent last; `None` ends it.
pub type Script = Box<dyn FnMut(Option<&Answer>) -> Option<Request>>;

/// What to do.
pub struct Plan {
    /// Where the server listens.
    pub address: SocketAddr,
    /// One for each connection.
    pub scripts: Vec<Script>,
    /// No operation begins after this time.
    pub time: Duration,
}

/// What came of it.
pub struct Measured {
    /// Operations that ended well.
    pub operations: u64,
    /// Bytes of bodies, sent and received, of those operations.
    pub bytes: u64,
    /// From the first byte to the end of the last operation.
    pub elapsed: Duration,
    /// Time of each operation in microseconds.
    pub latency: Histogram<u64>,
    /// Operations that went wrong, and what the first ones said.
    pub errors: u64,
    /// See `errors`.
    pub told: Vec<String>,
    /// Time of the processor that the generator itself took.
    pub cpu: Duration,
}

impl Measured {
    fn new() -> io::Result<Self> {
        // An hour in microseconds, with three digits.
        let latency = Histogram::new_with_bounds(1, 3_600_000_000, 3).map_err(io::Error::other)?;
        Ok(Self {
            operations: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            latency,
            errors: 0,
            told: Vec::new(),
            cpu: Duration::ZERO,
        })
    }

    /// The same, if nothing went wrong.
    ///
    /// # Errors
    /// When anything did: how much, and what the first ones said.
    pub fn checked(self) -> io::Result<Self> {
        match self.errors {
            0 => Ok(self),
            errors => {
                Err(io::Error::other(format!("{errors} went wrong: {}", self.told.join("; "))))
            }
        }
    }

    /// Operations a second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Bytes of bodies a second.
    pub fn bytes_rate(&self) -> f64 {
        self.bytes as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn ended(&mut self, began: Instant, bytes: u64) {
        self.operations += 1;
        self.bytes += bytes;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros.max(1));
    }

    fn failed(&mut self, what: String) {
        self.errors += 1;
        if self.told.len() < ERRORS_TOLD {
            self.told.push(what);
        }
    }
}

/// Runs a plan.
///
/// # Errors
/// When a connection cannot be made. What goes wrong on one is counted.
pub fn run(plan: Plan) -> io::Result<Measured> {
    let mut measured = Measured::new()?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 512 << 10];
    let cpu = own_cpu();
    let started = Instant::now();
    let mut connections = Vec::new();
    for (number, script) in plan.scripts.into_iter().enumerate() {
        let connection = Connection::open(plan.address, script, poll.registry(), Token(number))?;
        connections.push(connection);
    }
    let end = started + plan.time;
    for connection in &mut connections {
        connection.begin(poll.registry(), &mut measured);
    }
    while connections.iter().any(Connection::is_open) {
        poll.poll(&mut events, Some(Duration::from_millis(500)))?;
        let stop = Instant::now() >= end;
        for event in &events {
            let connection = &mut connections[event.token().0];
            connection.drive(poll.registry(), &mut scratch, &mut measured, stop);
        }
        if Instant::now() > end + DRAIN {
            measured.failed("answers did not come".into());
            break;
        }
    }
    measured.elapsed = started.elapsed();
    measured.cpu = own_cpu().saturating_sub(cpu);
    Ok(measured)
}

/// Time of the processor that this thread has taken so far.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What a plan of one request measures against a server that answers 200 with `document`.
    fn answered(head: &str, document: &'static str) -> Measured {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            let length = document.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(format!("{head}{document}").as_bytes()).unwrap();
        });
        let request = Request {
            head: head.as_bytes().into(),
            body: Arc::from([]),
            body_bytes: 0,
            status: 200,
            answer_bytes: 0..=u64::MAX,
            answer_body: None,
            ends: true,
        };
        let scripts = vec![crate::target::once_each(vec![request])];
        let measured = run(Plan { address, scripts, time: Duration::from_secs(5) }).unwrap();
        server.join().unwrap();
        measured
    }

    #[test]
    fn an_error_in_a_200_is_no_work_done() {
        const POST: &str = "POST /bench?delete= HTTP/1.1\r\n\r\n";
        let right = answered(POST, "<DeleteResult></DeleteResult>");
        assert_eq!((right.operations, right.errors), (1, 0));
        let one_key = "<DeleteResult><Error><Key>k</Key></Error></DeleteResult>";
        let wrong = answered(POST, one_key);
        assert_eq!((wrong.operations, wrong.errors), (0, 1), "{:?}", wrong.told);
        // It may be what somebody has stored.
        let read = answered("GET /bench/k HTTP/1.1\r\n\r\n", one_key);
        assert_eq!((read.operations, read.errors), (1, 0));
    }
}
