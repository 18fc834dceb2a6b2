//! The server with a certificate.

use super::*;
use rustls_pki_types::ServerName;

/// Creates a certificate for localhost. Gives it in DER.
fn certify(folder: &std::path::Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().to_vec()
}

/// Connection that trusts only this certificate.
async fn connect_trusting(
    address: SocketAddr,
    trusted: &[u8],
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    connector.connect(name, connect_to(address).await).await
}

/// Sends one request over a connection that trusts only this certificate.
async fn ask(address: SocketAddr, trusted: &[u8], request: &[u8]) -> io::Result<String> {
    let mut stream = connect_trusting(address, trusted).await?;
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut bytes = Vec::new();
    timeout(TIMEOUT, stream.read_to_end(&mut bytes)).await.unwrap()?;
    Ok(String::from_utf8(bytes).unwrap())
}

async fn start_tls(folder: &std::path::Path) -> Running {
    let config = Config {
        tls_cert: Some(folder.join("cert.pem")),
        tls_key: Some(folder.join("key.pem")),
        // Longer than a handshake is idle.
        idle_timeout_ms: 600_000,
        ..short_times()
    };
    start(config).await
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn the_certificate_is_read_again_and_a_bad_one_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let server = start_tls(folder.path()).await;
    let answer = ask(server.address, &first, REQUEST).await.unwrap();
    assert!(answer.ends_with("127.0.0.1 true false"), "{answer}");

    let tls = server.tls.clone().unwrap();
    let second = certify(folder.path());
    assert!(ask(server.address, &second, REQUEST).await.is_err(), "not read again yet");
    tls.reload().unwrap();
    assert!(ask(server.address, &second, REQUEST).await.is_ok());
    assert!(ask(server.address, &first, REQUEST).await.is_err());

    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    assert!(tls.reload().unwrap_err().to_string().contains("cert.pem"));
    assert!(ask(server.address, &second, REQUEST).await.is_ok(), "the old one stays");
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    certify(folder.path());
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    tls.reload().expect_err("a key of another certificate");
    assert!(ask(server.address, &second, REQUEST).await.is_ok());
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_cut_and_plain_http_is_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certify(folder.path());
    let server = start_tls(folder.path()).await;
    let began = Instant::now();
    assert_eq!(rest(&mut connect_to(server.address).await).await, "");
    assert!(began.elapsed() >= Duration::from_millis(290), "{:?}", began.elapsed());
    let plain = super::ask(server.address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(!plain.contains("HTTP/1.1 200"), "{plain}");
    ask(server.address, &trusted, REQUEST).await.unwrap();
}

#[tokio::test]
async fn a_sender_of_20_mib_reads_its_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certify(folder.path());
    let server = start_tls(folder.path()).await;
    let mut request =
        b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 20971520\r\n\r\n".to_vec();
    request.resize(request.len() + (20 << 20), b'x');
    let answer = ask(server.address, &trusted, &request).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test]
async fn a_handler_that_has_not_asked_for_the_body_is_dropped_too() {
    const UNREAD: &[u8] = b"PUT /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody";
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    for is_secure in [false, true] {
        let mut config = Config { drain_timeout_ms: 5_000, ..short_times() };
        if is_secure {
            config.tls_cert = Some(folder.path().join("cert.pem"));
            config.tls_key = Some(folder.path().join("key.pem"));
        }
        let server = start(config).await;
        if is_secure {
            let mut stream = connect_trusting(server.address, &certificate).await.unwrap();
            stream.write_all(UNREAD).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        } else {
            connect_to(server.address).await.write_all(UNREAD).await.unwrap();
        }
        // The connection is closed: only a waiting handler could keep the server.
        let began = Instant::now();
        assert!(server.end().await, "the handler goes on although nobody listens");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_address_in_use_and_a_bad_certificate_are_said_plainly() {
    let server = start(short_times()).await;
    let folder = tempfile::tempdir().unwrap();
    let taken = Config {
        listen: server.address.to_string(),
        data: folder.path().to_owned(),
        ..short_times()
    };
    let error = Server::bind(&taken).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}", server.address)), "{error}");

    let missing = folder.path().join("missing.pem");
    let config = Config {
        data: folder.path().to_owned(),
        tls_cert: Some(missing.clone()),
        tls_key: Some(missing.clone()),
        ..short_times()
    };
    let error = Server::bind(&config).await.err().unwrap().to_string();
    assert!(error.contains("certificate") && error.contains("missing.pem"), "{error}");
}
