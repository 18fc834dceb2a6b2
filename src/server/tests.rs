//! The server over real sockets, with a small handler in the gateway's place.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, Full};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::body::ResponseBody;
use super::socket::Phase;
use super::*;
use crate::config::Config;
use crate::gateway::Arrival;
use crate::wire::response::Stream;

mod over_tls;
mod places;

/// Longest wait for anything here.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Requests that have arrived at `/drained` and `/never`.
static ENTERED: AtomicUsize = AtomicUsize::new(0);

/// A server under test. Its task returns true if all requests ended within the drain time.
struct Running {
    address: SocketAddr,
    tls: Option<Tls>,
    stop: Arc<Notify>,
    ended: JoinHandle<bool>,
    folder: tempfile::TempDir,
}

impl Running {
    async fn end(self) -> bool {
        self.stop.notify_one();
        timeout(TIMEOUT, self.ended).await.unwrap().unwrap()
    }
}

/// Configuration with short timeouts and a free port.
fn short_times() -> Config {
    Config {
        listen: "127.0.0.1:0".into(),
        head_timeout_ms: 300,
        idle_timeout_ms: 2_000,
        stall_timeout_ms: 500,
        drain_timeout_ms: 400,
        tls_handshake_timeout_ms: 300,
        ..Config::default()
    }
}

async fn start(mut config: Config) -> Running {
    let folder = tempfile::tempdir().unwrap();
    config.data = folder.path().to_owned();
    let server = Server::bind(&config).await.unwrap();
    let (address, tls) = (server.address(), server.tls());
    let stop = Arc::new(Notify::new());
    let asked = Arc::clone(&stop);
    let drain = config.drain_timeout();
    let ended = tokio::spawn(server.run(handle, async move {
        asked.notified().await;
        drain
    }));
    Running { address, tls, stop, ended, folder }
}

/// Handler of the server: a behaviour per path.
async fn handle(arrival: Arrival, request: Request<Stream>) -> Response<Stream> {
    let (parts, body) = request.into_parts();
    match parts.uri.path() {
        "/refuse" => answer(403, "no", true),
        "/count" => match body.collect().await {
            Ok(body) => answer(200, &body.to_bytes().len().to_string(), false),
            Err(error) => {
                let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
                answer(400, &format!("{kind:?}"), true)
            }
        },
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(900)).await;
            answer(200, "slow", false)
        }
        "/unread" => std::future::pending().await,
        "/events" => {
            let mut response = Response::new(Events { is_begun: false }.boxed());
            let headers = response.headers_mut();
            headers.insert("content-type", http::HeaderValue::from_static("text/event-stream"));
            response
        }
        "/drained" => {
            ENTERED.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(900)).await;
            answer(200, "slow", false)
        }
        "/never" => {
            ENTERED.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
        "/large" => Response::new(Full::new(Bytes::from(vec![7; 64 << 20])).map_err(never).boxed()),
        _ => {
            let Arrival { peer, secure, control, refused, .. } = arrival;
            let refused = if refused { " refused" } else { "" };
            answer(200, &format!("{peer} {secure} {control}{refused}"), false)
        }
    }
}

/// Body with one event and no end.
struct Events {
    is_begun: bool,
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = crate::wire::response::BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        match std::mem::replace(&mut self.is_begun, true) {
            true => std::task::Poll::Pending,
            false => {
                let event = Bytes::from_static(b"data: 1\n\n");
                std::task::Poll::Ready(Some(Ok(http_body::Frame::data(event))))
            }
        }
    }
}

fn never(never: Infallible) -> crate::wire::response::BodyError {
    match never {}
}

fn answer(status: u16, text: &str, close: bool) -> Response<Stream> {
    let body = match text {
        "" => Empty::new().map_err(never).boxed(),
        text => Full::new(Bytes::from(text.to_owned())).map_err(never).boxed(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    if close {
        response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
    }
    response
}

async fn connect_to(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Reads until the connection is closed or reset.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(TIMEOUT, stream.read_to_end(&mut bytes)).await.expect("it never ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits until a counter has reached `count`.
async fn reach(counter: &AtomicUsize, count: usize) {
    let began = Instant::now();
    while counter.load(Ordering::SeqCst) < count {
        assert!(began.elapsed() < TIMEOUT, "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends a raw request and reads until the connection ends.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect_to(address).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

#[tokio::test]
async fn a_request_is_served_in_both_versions_and_over_the_control_socket() {
    let server = start(short_times()).await;
    let new = ask(server.address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(new.starts_with("HTTP/1.1 200") && new.ends_with("127.0.0.1 false false"), "{new}");
    let old = ask(server.address, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200") && old.ends_with("127.0.0.1 false false"), "{old}");

    let mut stream = connect(server.folder.path()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let control = rest(&mut stream).await;
    assert!(control.ends_with("control false true"), "{control}");
    let socket = server.folder.path().join("control.sock");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(server.end().await);
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_control_socket_works_below_a_path_longer_than_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("long".repeat(40));
    std::fs::create_dir(&data).unwrap();
    let config = Config { data: data.clone(), ..short_times() };
    let server = Server::bind(&config).await.unwrap();
    connect(&data).await.unwrap();
    drop(server);
}

#[tokio::test]
async fn headers_that_come_slowly_are_cut_and_idle_connections_last_longer() {
    // Longer than anything here is idle.
    let server = start(Config { idle_timeout_ms: 600_000, ..short_times() }).await;
    let began = Instant::now();
    let mut slow = connect_to(server.address).await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ").await.unwrap();
    // A byte each 50 ms is progress, but the head has a deadline.
    while slow.write_all(b"a").await.is_ok() {
        assert!(began.elapsed() < TIMEOUT, "it is never cut");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(rest(&mut slow).await, "");

    let began = Instant::now();
    let mut silent = connect_to(server.address).await;
    silent.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    let silent_after = began.elapsed();
    assert!(silent_after >= Duration::from_millis(290), "{silent_after:?}");

    // The first request has the same time, from the beginning.
    let began = Instant::now();
    let mut silent = connect_to(server.address).await;
    assert_eq!(rest(&mut silent).await, "");
    let silent_after = began.elapsed();
    assert!(silent_after >= Duration::from_millis(290), "{silent_after:?}");
    assert!(silent_after < Duration::from_secs(5), "{silent_after:?}");

    // Between requests the idle timeout applies, and the second request is served.
    let server = start(Config { idle_timeout_ms: 4_000, ..short_times() }).await;
    let mut idle = connect_to(server.address).await;
    let mut buffer = [0; 512];
    for pause in [0, 500] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let read = timeout(TIMEOUT, idle.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "cut while it was idle for less than the idle time");
    }
    let began = Instant::now();
    assert_eq!(rest(&mut idle).await, "");
    assert!(began.elapsed() >= Duration::from_millis(3_500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_stalls_fails_and_a_slow_handler_does_not() {
    let server = start(short_times()).await;
    let head = "PUT /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";
    let stalled = ask(server.address, &format!("{head}12345")).await;
    assert!(
        stalled.starts_with("HTTP/1.1 400") && stalled.ends_with("Some(TimedOut)"),
        "{stalled}"
    );

    let patient = start(Config { stall_timeout_ms: 3_000, ..short_times() }).await;
    let mut trickle = connect_to(patient.address).await;
    trickle.write_all(head.replace("10", "6").as_bytes()).await.unwrap();
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        trickle.write_all(b"x").await.unwrap();
    }
    let slow_but_steady = rest(&mut trickle).await;
    assert!(slow_but_steady.ends_with("\r\n6"), "{slow_but_steady}");

    // A byte now and then is no stall, and less than the least rate.
    let rated = start(Config { rate_window_ms: 1_000, ..short_times() }).await;
    let mut drip = connect_to(rated.address).await;
    drip.write_all(head.replace("10", "1000").as_bytes()).await.unwrap();
    let began = Instant::now();
    while drip.write_all(b"x").await.is_ok() && began.elapsed() < Duration::from_secs(3) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if timeout(Duration::ZERO, drip.readable()).await.is_ok() {
            break;
        }
    }
    let cut = rest(&mut drip).await;
    assert!(cut.starts_with("HTTP/1.1 400") && cut.ends_with("Some(TimedOut)"), "{cut}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    let request = "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let slow = ask(server.address, request).await;
    assert!(slow.ends_with("slow"), "waiting for our own work counted as a stall: {slow}");

    let chunks = "PUT /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nXYZ\r\n";
    let malformed = ask(server.address, chunks).await;
    assert!(malformed.ends_with("Some(InvalidData)"), "{malformed}");
}

#[tokio::test]
async fn a_client_that_reads_no_answer_is_cut() {
    let server = start(short_times()).await;
    let mut stream = connect_to(server.address).await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_000)).await;
    let mut bytes = Vec::new();
    let _ = timeout(TIMEOUT, stream.read_to_end(&mut bytes)).await.expect("it never ends");
    assert!(bytes.len() < 64 << 20, "the answer went through although nobody read it");

    // A client that reads slowly receives everything.
    let server = start(Config { stall_timeout_ms: 3_000, ..short_times() }).await;
    let mut stream = connect_to(server.address).await;
    let request = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let (mut buffer, mut total) = (vec![0; 4 << 20], 0);
    loop {
        let read = timeout(TIMEOUT, stream.read(&mut buffer)).await.unwrap().unwrap();
        if read == 0 {
            break;
        }
        // Four pauses, together longer than the stall time.
        if (total + read) >> 24 > total >> 24 {
            tokio::time::sleep(Duration::from_millis(1_000)).await;
        }
        total += read;
    }
    assert!(total > 64 << 20, "{total}");
}

#[tokio::test]
async fn a_sender_of_20_mib_reads_the_answer_that_was_given_at_once() {
    let server = start(Config { stall_timeout_ms: 5_000, ..short_times() }).await;
    for encoding in ["Content-Length: 20971520", "Transfer-Encoding: chunked"] {
        let mut stream = connect_to(server.address).await;
        let head = format!("PUT /refuse HTTP/1.1\r\nHost: a\r\n{encoding}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // Sends everything before it reads a byte, as some clients do.
        let unit = match encoding.contains("chunked") {
            true => [b"10000\r\n".as_slice(), &[b'x'; 64 << 10], b"\r\n"].concat(),
            false => vec![b'x'; 64 << 10],
        };
        for _ in 0..320 {
            stream.write_all(&unit).await.expect("the connection was reset while we sent");
        }
        let mut bytes = Vec::new();
        let read = timeout(TIMEOUT, stream.read_to_end(&mut bytes)).await.unwrap();
        read.expect("the connection was reset before the answer was read");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("HTTP/1.1 403") && text.ends_with("no"), "{text}");
    }
}

#[tokio::test]
async fn continue_is_sent_only_when_the_body_is_wanted() {
    let server = start(short_times()).await;
    let head = |path: &str| {
        format!(
            "PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut wanted = connect_to(server.address).await;
    wanted.write_all(head("/count").as_bytes()).await.unwrap();
    let mut buffer = [0; 25];
    timeout(TIMEOUT, wanted.read_exact(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(&buffer, b"HTTP/1.1 100 Continue\r\n\r\n");
    wanted.write_all(b"abc").await.unwrap();
    assert!(rest(&mut wanted).await.ends_with("\r\n3"));

    let refused = ask(server.address, &head("/refuse")).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
}

#[tokio::test]
async fn headers_beyond_every_limit_are_refused() {
    let server = start(short_times()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Big: {}\r\n\r\n", "a".repeat(64 << 10));
    let refused = ask(server.address, &request).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
    for bad in [
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    ] {
        let answer = ask(server.address, bad).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{bad:?}: {answer}");
    }
}

/// Clients reconnect at once after a restart. A connection request that the kernel drops is
/// repeated after a second.
#[tokio::test]
async fn many_connections_at_once_wait_to_be_accepted() {
    const CROWD: usize = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data: folder.path().to_owned(), ..short_times() };
    // No connection is accepted yet.
    let server = Server::bind(&config).await.unwrap();
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let crowd = CROWD.min(allowed.trim().parse().unwrap());
    let come = |_| tokio::spawn(TcpStream::connect(server.address()));
    for one in (0..crowd).map(come).collect::<Vec<_>>() {
        timeout(Duration::from_secs(10), one).await.expect("overlooked").unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_drain_lets_requests_end_and_cuts_those_that_do_not() {
    let server = start(Config { drain_timeout_ms: 60_000, ..short_times() }).await;
    let idle = connect_to(server.address).await;
    let mut busy = connect_to(server.address).await;
    busy.write_all(b"GET /drained HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    reach(&ENTERED, 1).await;
    let address = server.address;
    let ended = tokio::spawn(server.end());
    let answer = rest(&mut busy).await;
    assert!(answer.contains("connection: close") && answer.ends_with("slow"), "{answer}");
    drop((busy, idle));
    assert!(ended.await.unwrap(), "every request ended in time");
    assert!(TcpStream::connect(address).await.is_err(), "it still accepts");

    let server = start(short_times()).await;
    let mut stuck = connect_to(server.address).await;
    stuck.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    reach(&ENTERED, 2).await;
    let began = Instant::now();
    assert!(!server.end().await);
    assert!(began.elapsed() >= Duration::from_millis(390), "{:?}", began.elapsed());
    assert_eq!(rest(&mut stuck).await, "");
}

#[tokio::test]
async fn a_handler_is_dropped_when_its_client_hangs_up() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data: folder.path().to_owned(), ..short_times() };
    let server = Server::bind(&config).await.unwrap();
    let address = server.address();
    let handler = |_: Arrival, _: Request<Stream>| async {
        let _guard = Guard;
        BEGUN.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Response<Stream>>().await
    };
    let running = tokio::spawn(server.run(handler, std::future::pending()));
    let mut stream = connect_to(address).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    reach(&BEGUN, 1).await;
    assert_eq!(DROPPED.load(Ordering::SeqCst), 0);
    drop(stream);
    reach(&DROPPED, 1).await;
    running.abort();
}

#[test]
fn the_limit_of_a_body_is_known_before_it_is_read() {
    let body = answer(200, "", false).into_body();
    let response = ResponseBody::new(body, None, Phase::default());
    assert_eq!(response.size_hint().exact(), Some(0));
    assert!(response.is_end_stream());
}

#[tokio::test]
async fn an_event_stream_ends_when_the_server_begins_to_drain() {
    let server = start(Config { drain_timeout_ms: 8_000, ..short_times() }).await;
    let mut stream = connect_to(server.address).await;
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut begun = Vec::new();
    while !begun.ends_with(b"data: 1\n\n\r\n") {
        timeout(TIMEOUT, stream.read_buf(&mut begun)).await.unwrap().unwrap();
    }
    let asked = Instant::now();
    let reading = async { (rest(&mut stream).await, asked.elapsed()) };
    let (in_time, (end, after)) = tokio::join!(server.end(), reading);
    assert!(in_time);
    assert_eq!(end, "0\r\n\r\n", "it ends as a body does");
    assert!(after < Duration::from_secs(4), "{after:?}");
}
