//! Fairness between users: a hostile user H takes all that he can get of a resource, and a
//! well-behaved user W is served as before.

// Tests fail by panicking, also outside of test functions.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Gateway, Request, Who};

/// Requests of W in one measurement.
const REQUESTS: usize = 60;

/// The third-longest time of W's requests. None may be refused.
fn measure(gateway: &Gateway, request: impl Fn(usize) -> Request) -> Duration {
    let mut connection = gateway.connect();
    let mut times: Vec<Duration> = (0..REQUESTS)
        .map(|number| {
            let request = request(number);
            let began = Instant::now();
            connection.write(&request.encode(&gateway.host()));
            connection.read_answer(&request.method).expect(200);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[REQUESTS - 3]
}

/// Asserts that W's requests take no longer than ten times their quiet time, or 250 ms.
fn assert_served(quiet: Duration, beside: Duration) {
    let allowed = (quiet * 10).max(Duration::from_millis(250));
    assert!(beside <= allowed, "{beside:?}, and {quiet:?} without H");
}

/// True once the stream has an answer: he is refused, since he has not sent the whole body.
fn is_refused(stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    matches!(stream.peek(&mut [0; 12]), Ok(12))
}

/// Documents that are nearly whole and never end hold the memory of documents.
#[test]
fn documents_that_never_end_leave_memory_to_others() {
    const HOSTILE: usize = 24;
    const LONG: usize = 8 << 20;
    let gateway = Gateway::start();
    gateway.send(&Request::new("PUT", "/hostile").by(Who::Alice)).expect(200);
    let create = Request::new("POST", "/hostile/k?uploads").by(Who::Alice);
    let upload = gateway.send(&create).expect(200).text("UploadId");
    let delete = |number| {
        let key = format!("<Object><Key>key-{number}</Key></Object>").repeat(100);
        Request::new("POST", "/bkt?delete").body(format!("<Delete>{key}</Delete>"))
    };
    let quiet = measure(&gateway, delete);

    let complete = Request::new("POST", format!("/hostile/k?uploadId={upload}"));
    let complete = complete.by(Who::Alice).body(vec![b' '; LONG]);
    let (head, body) = complete.encode_apart(&gateway.host());
    let kept: Vec<TcpStream> = (0..HOSTILE)
        .map(|_| {
            let mut stream = TcpStream::connect(gateway.address()).unwrap();
            stream.write_all(&head).unwrap();
            // Above his share he is refused, and the rest of the body is not read.
            let _ = stream.write_all(&body[..LONG - 10]);
            stream
        })
        .collect();
    assert!(kept.iter().any(is_refused), "he takes all that he can get");
    assert_served(quiet, measure(&gateway, delete));
    // What he held comes back when he goes.
    drop(kept);
    let again = || {
        let mut connection = gateway.connect();
        connection.write(&complete.encode(&gateway.host()));
        connection.read_answer("POST").code()
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while again().as_deref() != Some("MalformedXML") {
        assert!(Instant::now() < deadline, "his share comes back");
        std::thread::sleep(Duration::from_millis(100));
    }
}
