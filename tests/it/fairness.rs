//! Fairness between users: a hostile user H takes all that he can get of a resource, and a
//! well-behaved user W is served as before.

// Tests fail by panicking, also outside of test functions.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::harness::{Framing, Gateway, Payload, Request, Who};

/// Requests of W in one measurement.
const REQUESTS: usize = 60;

/// Times of W's requests.
struct Times {
    /// All but two took no longer: other tests run on this machine too.
    usual: Duration,
    longest: Duration,
}

/// Times of W's requests, which `send` sends one after another.
fn times(mut send: impl FnMut(usize)) -> Times {
    let mut times: Vec<Duration> = (0..REQUESTS)
        .map(|number| {
            let began = Instant::now();
            send(number);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    Times { usual: times[REQUESTS - 3], longest: times[REQUESTS - 1] }
}

/// Sends W's requests on one connection. None may be refused.
fn measure(gateway: &Gateway, request: impl Fn(usize) -> Request) -> Times {
    let mut connection = gateway.connect();
    times(|number| {
        let request = request(number);
        connection.write(&request.encode(&gateway.host()));
        connection.read_answer(&request.method).expect(200);
    })
}

/// Asserts that W's requests take no longer than ten times their quiet time, or 250 ms; the two
/// longest no longer than eight times that.
fn assert_served(quiet: &Times, beside: &Times) {
    let allowed = (quiet.usual * 10).max(Duration::from_millis(250));
    let (usual, longest) = (beside.usual, beside.longest);
    assert!(usual <= allowed, "{usual:?}, and {:?} without H", quiet.usual);
    assert!(longest <= allowed * 8, "{longest:?}, and {:?} without H", quiet.longest);
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
    assert_served(&quiet, &measure(&gateway, delete));
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

/// Copies that read their source take the processor and the threads that may wait.
#[test]
fn copies_that_read_leave_time_to_others() {
    const HOSTILE: usize = 120;
    const SIZE: usize = 128 << 20;
    // A unit waits for one of these threads; a copy that waits for its turn has none.
    let gateway = Gateway::with(&[("blocking-threads-max", "16")]);
    gateway.send(&Request::new("PUT", "/hostile").by(Who::Alice)).expect(200);
    let source = Request::new("PUT", "/hostile/source").by(Who::Alice);
    gateway.send(&source.payload(Payload::Unsigned).body(vec![b'h'; SIZE])).expect(200);
    let create = Request::new("POST", "/hostile/upload?uploads").by(Who::Alice);
    let upload = gateway.send(&create).expect(200).text("UploadId");
    gateway.send(&Request::new("PUT", "/bkt/source").body(vec![b'w'; 300_000])).expect(200);
    // Lists and copies in turn.
    let well_behaved = |number| match number % 2 {
        0 => Request::new("GET", "/bkt?list-type=2"),
        _ => Request::new("PUT", format!("/bkt/copy-{}", number % 10))
            .header("x-amz-copy-source", "/bkt/source")
            .header("x-amz-checksum-algorithm", "SHA256"),
    };
    let quiet = measure(&gateway, well_behaved);

    let hostile = |number: usize| {
        let copy = match number % 2 {
            0 => Request::new("PUT", format!("/hostile/copy-{number}"))
                .header("x-amz-checksum-algorithm", "SHA256"),
            // The first byte is missing, so that the part is not taken by reference.
            _ => Request::new("PUT", format!("/hostile/upload?partNumber=1&uploadId={upload}"))
                .header("x-amz-copy-source-range", format!("bytes=1-{}", SIZE - 1)),
        };
        copy.by(Who::Alice).header("x-amz-copy-source", "/hostile/source")
    };
    let kept: Vec<TcpStream> = (0..HOSTILE)
        .map(|number| {
            let mut stream = TcpStream::connect(gateway.address()).unwrap();
            stream.write_all(&hostile(number).encode(&gateway.host())).unwrap();
            stream
        })
        .collect();
    assert_served(&quiet, &measure(&gateway, well_behaved));
    // Those that nobody waits for end, and he has his turn again.
    drop(kept);
    let began = Instant::now();
    gateway.send(&hostile(0)).expect(200);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Bodies that are announced and do not come hold disk space.
#[test]
fn announced_bodies_leave_disk_space_to_others() {
    const ROOM: u64 = 800 << 20;
    const ANNOUNCED: u64 = 500 << 20;
    let free = Gateway::start().store().health().free_bytes;
    let gateway = Gateway::with(&[("free-bytes-min", &(free - ROOM).to_string())]);
    gateway.send(&Request::new("PUT", "/hostile").by(Who::Alice)).expect(200);
    let put =
        |number| Request::new("PUT", format!("/bkt/key-{}", number % 4)).body(vec![b'w'; 300_000]);
    let quiet = measure(&gateway, put);
    let hostile = |number| {
        let put = Request::new("PUT", format!("/hostile/{number}")).by(Who::Alice);
        let put = put.payload(Payload::Unsigned).framing(Framing::None);
        put.header("Content-Length", ANNOUNCED.to_string())
    };
    let kept: Vec<TcpStream> = (0..20)
        .map(|number| {
            let mut stream = TcpStream::connect(gateway.address()).unwrap();
            stream.write_all(&hostile(number).encode(&gateway.host())).unwrap();
            // More than is gathered in memory, so that there is a file.
            let _ = stream.write_all(&[b'h'; 300_000]);
            stream
        })
        .collect();
    assert!(kept.iter().any(is_refused), "he takes all that he can get");
    assert_served(&quiet, &measure(&gateway, put));
    let large = Request::new("PUT", "/bkt/large").payload(Payload::Unsigned);
    gateway.send(&large.body(vec![b'w'; 150 << 20])).expect(200);
    drop(kept);
}

/// A connection from another address of this machine.
fn connect_from(address: [u8; 4], gateway: &Gateway) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&gateway.address().into()).unwrap();
    socket.into()
}

/// W's list on a connection of its own.
fn list(_: usize) -> Request {
    Request::new("GET", "/bkt?list-type=2").header("Connection", "close")
}

/// Sends W's requests on connections of their own. None may be refused.
fn measure_connections(gateway: &Gateway) -> Times {
    times(|number| {
        gateway.send(&list(number)).expect(200);
    })
}

/// Connections that are silent take the places of connections.
#[test]
fn silent_connections_leave_places_to_others() {
    let gateway = Gateway::with(&[("connections-max", "16")]);
    let quiet = measure_connections(&gateway);
    let kept: Vec<TcpStream> =
        (0..200).map(|n| connect_from([127, 0, 0, 2 + n % 3], &gateway)).collect();
    assert_served(&quiet, &measure_connections(&gateway));
    gateway.send(&Request::new("GET", "/_partita/v1/health/ready")).expect(200);
    drop(kept);
}

/// Requests that never end take the places of connections.
#[test]
fn requests_that_never_end_leave_places_to_others() {
    let gateway = Gateway::with(&[("connections-max", "16")]);
    gateway.send(&Request::new("PUT", "/hostile").by(Who::Alice)).expect(200);
    let quiet = measure_connections(&gateway);
    let put = |who: Who, n: u8| {
        let put = Request::new(
            "PUT",
            format!("/{}/{n}", if who == Who::Root { "bkt" } else { "hostile" }),
        );
        let (head, _) = put.by(who).body(vec![b'h'; 100]).encode_apart(&gateway.host());
        let mut stream = connect_from([127, 0, 0, 2 + n % 3], &gateway);
        stream.write_all(&head).unwrap();
        stream
    };
    let kept: Vec<TcpStream> = (0..30).map(|n| put(Who::Alice, n)).collect();
    assert!(kept.iter().any(is_refused), "a user does not get all places");
    assert_served(&quiet, &measure_connections(&gateway));
    // When other users hold the rest, he is told so, and the health still answers.
    let others: Vec<TcpStream> = (0..8).map(|n| put(Who::Root, n)).collect();
    std::thread::sleep(Duration::from_millis(300));
    let refused = gateway.send(&list(0)).expect(503);
    assert_eq!(refused.code().as_deref(), Some("SlowDown"));
    assert_eq!(refused.header("retry-after").as_deref(), Some("1"));
    assert_eq!(refused.header("connection").as_deref(), Some("close"));
    gateway.send(&Request::new("GET", "/_partita/v1/health/ready")).expect(200);
    drop((kept, others));
    let deadline = Instant::now() + Duration::from_secs(20);
    while gateway.send(&list(0)).status != 200 {
        assert!(Instant::now() < deadline, "the places come back");
    }
}
