//! Load generator: one thread, keep-alive connections, requests that were rendered and signed
//! before the measurement. Its own CPU time is part of the result.
//!
//! **Invariant:** every response is checked: its status, the expected length of its body, that the
//! response to a write has no error document, and on each connection one whole body, byte by byte.
//! A wrong response is an error and never counts as a success.

mod answer;
mod connection;
mod measured;
mod plan;

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

pub use answer::Answer;
pub use measured::Measured;
pub use plan::{Plan, Request, Script};

use connection::Connection;

/// Longest wait for responses after the end of the plan.
const DRAIN: Duration = Duration::from_secs(60);

/// Runs a plan.
///
/// # Errors
/// Connections that cannot be opened. Errors of operations are counted in the result.
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
        connection.start(poll.registry(), &mut measured);
    }
    while connections.iter().any(Connection::is_open) {
        poll.poll(&mut events, Some(Duration::from_millis(500)))?;
        let stop = Instant::now() >= end;
        for event in &events {
            let connection = &mut connections[event.token().0];
            connection.drive(poll.registry(), &mut scratch, &mut measured, stop);
        }
        if Instant::now() > end + DRAIN {
            measured.failed("responses did not arrive".into());
            break;
        }
    }
    measured.elapsed = started.elapsed();
    measured.cpu = own_cpu().saturating_sub(cpu);
    Ok(measured)
}

/// CPU time of this thread so far.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;

    use super::*;

    /// Result of a plan of one request, against a server that responds with 200 and `document`.
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
    fn an_error_in_a_200_is_not_counted_as_success() {
        const POST: &str = "POST /bench?delete= HTTP/1.1\r\n\r\n";
        let right = answered(POST, "<DeleteResult></DeleteResult>");
        assert_eq!((right.operations, right.errors), (1, 0));
        let one_key = "<DeleteResult><Error><Key>k</Key></Error></DeleteResult>";
        let wrong = answered(POST, one_key);
        assert_eq!((wrong.operations, wrong.errors), (0, 1), "{:?}", wrong.error_texts);
        // The body of a GET may be a stored error document.
        let read = answered("GET /bench/k HTTP/1.1\r\n\r\n", one_key);
        assert_eq!((read.operations, read.errors), (1, 0));
    }
}
