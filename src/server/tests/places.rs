//! Places of connections over real sockets; [`crate::limits::connections`] has the rules.

use super::*;

#[tokio::test]
async fn a_connection_beyond_the_limit_takes_the_place_of_an_idle_one() {
    let few = Config { connections_max: 2, address_connections_max: 2, ..short_times() };
    let server = start(Config { head_timeout_ms: 5_000, idle_timeout_ms: 5_000, ..few }).await;
    let began = Instant::now();
    let mut silent = connect_to(server.address).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut idle = connect_to(server.address).await;
    idle.write_all(request).await.unwrap();
    let mut buffer = [0; 512];
    assert!(timeout(TIMEOUT, idle.read(&mut buffer)).await.unwrap().unwrap() > 0);
    let third = ask(server.address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(third.ends_with("127.0.0.1 false false"), "{third}");
    assert_eq!(rest(&mut silent).await, "", "it was idle longest");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // The other one was not needed.
    idle.write_all(request).await.unwrap();
    assert!(timeout(TIMEOUT, idle.read(&mut buffer)).await.unwrap().unwrap() > 0);
}

#[tokio::test]
async fn a_connection_beyond_busy_ones_is_marked() {
    let few = Config { connections_max: 1, address_connections_max: 1, ..short_times() };
    let server = start(few).await;
    let mut busy = connect_to(server.address).await;
    busy.write_all(b"GET /unread HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second =
        ask(server.address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(second.ends_with("127.0.0.1 false false refused"), "{second}");
}
