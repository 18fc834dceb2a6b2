//! Events delivered to webhooks over real sockets: content, recipients, retries, and hostile
//! receivers.

mod cli;
mod page;
pub mod receiver;
mod secrets;
mod silent;
mod unreliable_target;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Form, Gateway, Request, Script, base64};
use receiver::{Reaction, Receiver, SECRET, status, wait_until};

/// Configuration table of a target; `more` are further lines.
fn target(name: &str, url: &str, more: &str) -> String {
    format!(
        "[webhook.{name}]\nurl = \"{url}\"\nsecrets = \"{SECRET}\"\n\
         allow-addresses = \"127.0.0.1\"\nretry-ms = [50, 50, 50, 50, 50]\n{more}\n"
    )
}

/// A gateway with these targets. The folder of its configuration must be kept.
fn gateway_with(targets: &[String]) -> (Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("partita.toml");
    std::fs::write(&path, targets.concat()).expect("a file");
    let path = path.display().to_string();
    (Gateway::with(&[("config", &path), ("part-bytes-min", "1")]), folder)
}

/// Subscribes the target to all events of `bkt`.
fn listen(gateway: &Gateway, name: &str) {
    let document = format!(
        "<NotificationConfiguration><QueueConfiguration><Id>all</Id>\
         <Queue>arn:partita:sqs:us-east-1:{name}:webhook</Queue>\
         <Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event>\
         </QueueConfiguration></NotificationConfiguration>"
    );
    let request = Request::new("PUT", "/bkt?notification").body(document);
    gateway.send(&request).expect(200);
}

fn put(gateway: &Gateway, key: &str) {
    gateway.send(&Request::new("PUT", format!("/bkt/{key}")).body("hello")).expect(200);
}

/// State of a target, as the command shows it.
fn state(gateway: &Gateway, name: &str) -> partita::store::TargetState {
    let states = gateway.store().event_targets().wait().expect("states can be read");
    states.into_iter().find(|state| state.name == name).expect("the target is known")
}

#[test]
fn events_are_delivered_with_a_valid_signature() {
    let receiver = Receiver::willing();
    let (gateway, _folder) =
        gateway_with(&[target("app", &receiver.url(), "token = \"the-token\"")]);
    listen(&gateway, "app");
    let var = base64(br#"{"order": 7.50}"#);
    let mut script = Script::new(&gateway);
    script.set("VAR", var);
    script.run(
        r#"
        PUT /bkt/a%20b | x-amz-meta-colour: red | content-type: text/plain
            | x-partita-callback-var: $VAR << hello => 200
        PUT /bkt/copy | x-amz-copy-source: bkt/a%20b => 200
        POST /bkt/big?uploads | x-partita-callback-var: $VAR => 200 | UploadId -> U
        PUT /bkt/big?uploadId=$U&partNumber=1 << @1000 => 200 | etag -> A
        POST /bkt/big?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$A</ETag></Part></CompleteMultipartUpload> => 200 | ETag -> E
        POST /bkt/big?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber>
            <ETag>$A</ETag></Part></CompleteMultipartUpload> => 200
        HEAD /bkt/a%20b => 200 | -x-partita-callback-var
        DELETE /bkt/copy => 204
        DELETE /bkt/copy => 204
        POST /bkt?delete << <Delete><Object><Key>a b</Key></Object>
            <Object><Key>none</Key></Object></Delete> => 200
        "#,
    );
    wait_until(|| state(&gateway, "app").backlog == 0);
    let received = receiver.received();
    let mut delivered: Vec<_> = received.iter().map(|one| (one.event(), one.key())).collect();
    delivered.sort_unstable();
    assert_eq!(
        delivered,
        [
            ("s3:ObjectCreated:CompleteMultipartUpload", "bkt/big"),
            ("s3:ObjectCreated:Copy", "bkt/copy"),
            ("s3:ObjectCreated:Put", "bkt/a b"),
            ("s3:ObjectRemoved:Delete", "bkt/a b"),
            ("s3:ObjectRemoved:Delete", "bkt/copy"),
        ]
    );
    let find = |event: &str| received.iter().find(|one| one.event() == event).unwrap();
    let put = find("s3:ObjectCreated:Put");
    assert_eq!(put.record()["s3"]["object"]["key"], "a%20b");
    assert_eq!(put.record()["s3"]["object"]["size"], 5);
    assert_eq!(put.record()["s3"]["object"]["eTag"], crate::harness::md5_hex(b"hello"));
    assert_eq!(put.record()["s3"]["object"]["contentType"], "text/plain");
    assert_eq!(put.record()["s3"]["object"]["userMetadata"]["x-amz-meta-colour"], "red");
    assert_eq!(put.record()["s3"]["configurationId"], "all");
    assert_eq!(put.record()["userIdentity"]["principalId"], "root");
    assert_eq!(put.record()["requestParameters"]["sourceIPAddress"], "127.0.0.1");
    let request_id = put.record()["responseElements"]["x-amz-request-id"].as_str().unwrap();
    assert_eq!(request_id.len(), 16);
    let text = String::from_utf8(put.bytes.clone()).unwrap();
    assert!(text.contains(r#""opaqueData":{"order": 7.50}"#), "{text}");
    let complete = find("s3:ObjectCreated:CompleteMultipartUpload");
    assert_eq!(complete.record()["opaqueData"], json!({ "order": 7.50 }));
    assert!(complete.record()["s3"]["object"]["eTag"].as_str().unwrap().ends_with("-1"));
    let removed = find("s3:ObjectRemoved:Delete");
    assert!(removed.record().get("opaqueData").is_none());

    let all = receiver.all();
    assert_eq!(all.iter().filter(|one| one.event() == "s3:TestEvent").count(), 1);
    let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
    for one in &all {
        let headers: http::HeaderMap = one
            .headers
            .iter()
            .map(|(name, value)| {
                (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
            })
            .collect();
        verifier.verify(&one.bytes, &headers).expect("the signature is right");
        assert_eq!(one.header("authorization"), "Bearer the-token");
        assert_eq!(one.header("content-type"), "application/json");
        assert_eq!(one.path, "/hook");
    }
    let ids: std::collections::HashSet<_> =
        all.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), all.len(), "each event has an id of its own");
    gateway.assert_sound();
}

#[test]
fn a_form_emits_a_post_event() {
    let receiver = Receiver::willing();
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    let form = Form::new("bkt", "from a page")
        .field("x-partita-callback-var", base64(br#"{"order": 7.50}"#))
        .field("x-amz-meta-colour", "red")
        .file(b"hello");
    gateway.send(&form.request()).expect(204);
    wait_until(|| state(&gateway, "app").backlog == 0);
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    let record = received[0].record();
    assert_eq!(received[0].event(), "s3:ObjectCreated:Post");
    assert_eq!(record["eventName"], "ObjectCreated:Post");
    assert_eq!(record["s3"]["object"]["key"], "from%20a%20page");
    assert_eq!(record["s3"]["object"]["size"], 5);
    assert_eq!(record["s3"]["object"]["userMetadata"]["x-amz-meta-colour"], "red");
    assert_eq!(record["userIdentity"]["principalId"], "root");
    assert_eq!(record["opaqueData"], json!({ "order": 7.50 }));
    gateway.assert_sound();
}

#[test]
fn upload_events_go_to_targets_that_name_them() {
    let receiver = Receiver::willing();
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    let document = "<NotificationConfiguration><TopicConfiguration>\
         <Topic>arn:minio:sqs::app:webhook</Topic><Event>partita:Upload:Created</Event>\
         <Event>partita:Upload:Aborted</Event></TopicConfiguration></NotificationConfiguration>";
    gateway.send(&Request::new("PUT", "/bkt?notification").body(document)).expect(200);
    let mut script = Script::new(&gateway);
    script.set("VAR", base64(b"[1]"));
    script.run(
        r#"
        POST /bkt/k?uploads | x-partita-callback-var: $VAR => 200 | UploadId -> U
        PUT /bkt/k << x => 200
        DELETE /bkt/k?uploadId=$U => 204
        DELETE /bkt/k?uploadId=$U => 404 NoSuchUpload
        "#,
    );
    let received = receiver.wait_for(2);
    assert_eq!(received[0].event(), "partita:Upload:Created");
    assert_eq!(received[1].event(), "partita:Upload:Aborted");
    for one in &received {
        assert_eq!(one.record()["opaqueData"], json!([1]));
        assert_eq!(one.record()["s3"]["object"]["uploadId"].as_str().unwrap().len(), 32);
    }
    wait_until(|| state(&gateway, "app").backlog == 0);
    assert_eq!(receiver.received().len(), 2);
}

#[test]
fn a_failed_delivery_is_sent_again_under_the_same_id_and_later_ones_wait() {
    let receiver = Receiver::start(|_, before| match before {
        0 => status(500),
        1 => Reaction::Close,
        2 => status(404),
        _ => status(204),
    });
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    gateway.send(&Request::new("PUT", "/bkt?notification").header(
        "x-amz-skip-destination-validation", "true").body(
        "<NotificationConfiguration><QueueConfiguration><Queue>arn:partita:sqs::app:webhook</Queue>\
         <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"))
        .expect(200);
    put(&gateway, "k");
    put(&gateway, "k");
    let received = receiver.wait_for(5);
    let ids: Vec<&str> = received.iter().map(|one| one.header("webhook-id")).collect();
    assert!(ids[..4].iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_ne!(ids[4], ids[0], "{ids:?}");
    assert!(received[0].sequencer() < received[4].sequencer());
    assert!(received[..4].iter().all(|one| one.bytes == received[0].bytes));
    for pair in received[..4].windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(45), "it waited");
    }
    wait_until(|| state(&gateway, "app").backlog == 0);
    let log = gateway.store().deliveries("app").wait().unwrap();
    let tries: Vec<_> = log.iter().rev().map(|one| (one.attempt, one.status)).collect();
    let expected = [(1, Some(500)), (2, None), (3, Some(404)), (4, Some(204)), (1, Some(204))];
    assert_eq!(tries, expected);
    gateway.assert_sound();
}

/// The first waits of the schedule, at two thousand times the speed: an hour is 1.8 s. An attempt
/// is checked by its due time: on a busy machine it is late, but never early.
#[test]
fn an_hour_of_500_costs_four_attempts_and_no_event() {
    const FASTER: u64 = 2000;
    let waits = [5, 300, 1800, 7200, 18_000].map(|seconds| (seconds * 1000 / FASTER).to_string());
    let due = [0, 5, 305, 2105, 9305, 27_305];
    let tries: std::sync::Mutex<std::collections::HashMap<String, usize>> = Default::default();
    let receiver = Receiver::start(move |received, _| {
        let mut tries = tries.lock().unwrap();
        let before = tries.entry(received.header("webhook-id").to_owned()).or_default();
        *before += 1;
        status(if due[*before - 1] < 3600 { 500 } else { 200 })
    });
    let table = target("app", &receiver.url(), "").replace("50, 50, 50, 50, 50", &waits.join(", "));
    let (gateway, _folder) = gateway_with(&[table]);
    listen(&gateway, "app");
    for n in 0..5 {
        put(&gateway, &format!("k{n}"));
    }
    wait_until(|| state(&gateway, "app").backlog == 0);
    assert_eq!(state(&gateway, "app").dead, 0);
    let log = gateway.store().deliveries("app").wait().unwrap();
    // Attempts fail at 0, 5 s, 5 min 5 s and 35 min 5 s; the one at 2 h 35 min succeeds.
    assert!(log.iter().filter(|one| one.status == Some(200)).all(|one| one.attempt == 5));
    assert_eq!(log.len(), 6 * 5);
    let received = receiver.received();
    assert_eq!(received.iter().filter(|one| one.status == 200).count(), 5);
    for taken in received.iter().filter(|one| one.status == 200) {
        let id = taken.header("webhook-id");
        let first = received.iter().find(|one| one.header("webhook-id") == id).unwrap();
        // A twentieth less: each wait has a little jitter.
        let waited = taken.at - first.at;
        let wanted = Duration::from_millis(due[4] * 1000 / FASTER) * 19 / 20;
        assert!(waited >= wanted, "taken after {waited:?}, not {wanted:?}");
    }
}

#[test]
fn retry_after_is_honoured() {
    let receiver = Receiver::start(|_, before| match before {
        0 => Reaction::Answer(503, vec![("retry-after", "1".into())], "busy".into()),
        _ => status(200),
    });
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    let received = {
        wait_until(|| receiver.all().len() >= 2);
        receiver.all()
    };
    assert!(received[1].at - received[0].at >= Duration::from_millis(950));
    let log = gateway.store().deliveries("app").wait().unwrap();
    assert_eq!(log.last().unwrap().reply, b"busy");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::willing();
    let url = elsewhere.url();
    let receiver = Receiver::start(move |one, before| match before {
        0..3 => {
            Reaction::Answer([301, 307, 308][before], vec![("location", url.clone())], "".into())
        }
        _ => status(if one.path == "/hook" { 200 } else { 500 }),
    });
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    put(&gateway, "k");
    wait_until(|| state(&gateway, "app").backlog == 0);
    assert_eq!(elsewhere.connections(), 0);
    assert_eq!(state(&gateway, "app").dead, 0);
}

#[test]
fn a_target_that_answers_410_is_left_alone_until_it_is_enabled() {
    let receiver = Receiver::start(|_, _| status(410));
    let (mut gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    wait_until(|| state(&gateway, "app").disabled.is_some());
    assert!(state(&gateway, "app").alarm().unwrap().contains("410"));
    put(&gateway, "k");
    gateway.restart();
    put(&gateway, "k");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(receiver.all().len(), 1, "nothing more was sent");
    receiver.change(|_, _| status(200));
    gateway.store().disable_event_target("app", None).wait().unwrap();
    wait_until(|| state(&gateway, "app").backlog == 0);
    assert_eq!(receiver.received().len(), 2);
    gateway.assert_sound();
}

#[test]
fn a_target_that_hangs_or_answers_endlessly_delays_no_other() {
    let live = Receiver::willing();
    let hanging = Receiver::start(|_, _| Reaction::Hang);
    let babbling = Receiver::start(|_, _| Reaction::Endless);
    let endless_head = Receiver::start(|_, _| Reaction::EndlessHead);
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let slow = "timeout-ms = 300\nconcurrency-max = 1\nretry-ms = [100000]";
    let slow = |name: &str, url: &str| {
        target(name, url, slow).replace("retry-ms = [50, 50, 50, 50, 50]\n", "")
    };
    let (gateway, _folder) = gateway_with(&[
        target("live", &live.url(), ""),
        slow("hanging", &hanging.url()),
        slow("babbling", &babbling.url()),
        slow("head", &endless_head.url()),
        slow("nobody", &format!("http://{nobody}/")),
    ]);
    let rule = |name: &str| {
        format!(
            "<QueueConfiguration><Queue>arn:partita:sqs::{name}:webhook</Queue>\
             <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name>\
             <Value>{name}/</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
        )
    };
    let names = ["live", "hanging", "babbling", "head", "nobody"];
    let rules: String = names.iter().map(|name| rule(name)).collect();
    let document = format!("<NotificationConfiguration>{rules}</NotificationConfiguration>");
    gateway.send(&Request::new("PUT", "/bkt?notification").body(document)).expect(200);
    let started = std::time::Instant::now();
    for n in 0..20 {
        for name in names {
            put(&gateway, &format!("{name}/{n}"));
        }
    }
    live.wait_for(20);
    let took = started.elapsed();
    // Twenty events of the hanging target take six seconds by themselves.
    assert!(took < Duration::from_secs(5), "{took:?}");
    wait_until(|| state(&gateway, "babbling").backlog == 0);
    let log = gateway.store().deliveries("babbling").wait().unwrap();
    assert_eq!((log[0].status, log[0].reply.len()), (Some(200), 1024));
    assert!(log.iter().all(|one| one.millis < 3_000));
    wait_until(|| gateway.store().deliveries("hanging").wait().unwrap().len() >= 2);
    let log = gateway.store().deliveries("hanging").wait().unwrap();
    assert_eq!((log[0].status, log[0].reply.as_slice()), (None, &b"it did not answer in time"[..]));
    wait_until(|| gateway.store().deliveries("head").wait().unwrap().len() >= 2);
    assert_eq!(gateway.store().deliveries("head").wait().unwrap()[0].status, None);
    wait_until(|| gateway.store().deliveries("nobody").wait().unwrap().len() >= 21);
    assert_eq!(state(&gateway, "nobody").backlog, 21);
    gateway.assert_sound();
}

#[test]
fn an_event_that_fails_for_too_long_is_dead_and_can_be_resent() {
    let receiver = Receiver::start(|_, _| status(500));
    let (gateway, _folder) = gateway_with(&[target("app", &receiver.url(), "")]);
    listen(&gateway, "app");
    put(&gateway, "a");
    put(&gateway, "b");
    wait_until(|| state(&gateway, "app").dead == 3);
    // One attempt and five more for each event.
    assert_eq!(receiver.all().len(), 18);
    let dead: std::collections::HashSet<String> =
        receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    receiver.change(|_, _| status(200));
    assert_eq!(gateway.store().resend_dead_events("app").wait().unwrap(), 3);
    wait_until(|| state(&gateway, "app").backlog == 0);
    let again: std::collections::HashSet<String> =
        receiver.received()[12..].iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(again, dead, "under the same ids");
    assert_eq!(state(&gateway, "app").alarm(), None);
    gateway.assert_sound();
}

#[test]
fn an_address_that_is_not_public_is_not_called() {
    let receiver = Receiver::willing();
    let port = receiver.address().port();
    let urls = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://127.1:{port}/"),
    ];
    let forbid = |table: String| table.replace("allow-addresses = \"127.0.0.1\"\n", "");
    let tables: Vec<String> =
        urls.iter().enumerate().map(|(n, url)| forbid(target(&format!("t{n}"), url, ""))).collect();
    let (gateway, _folder) = gateway_with(&tables);
    for n in 0..urls.len() {
        gateway.store().test_event_target(&format!("t{n}")).wait().unwrap();
    }
    for (n, url) in urls.iter().enumerate() {
        let name = format!("t{n}");
        wait_until(|| state(&gateway, &name).dead == 1);
        let log = gateway.store().deliveries(&name).wait().unwrap();
        assert_eq!(log[0].status, None);
        let problem = String::from_utf8_lossy(&log[0].reply).into_owned();
        let refused = problem.contains("not a public address") || problem.contains("lookup");
        assert!(refused, "{url}: {problem}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn a_full_backlog_counts_dropped_events_and_reports_them_later() {
    let receiver = Receiver::start(|_, _| status(503));
    let more = "backlog-max = 5\nconcurrency-max = 1";
    let table = target("app", &receiver.url(), more).replace("50, 50, 50, 50, 50", "300, 300, 300");
    let (gateway, _folder) = gateway_with(&[table]);
    listen(&gateway, "app");
    for n in 0..20 {
        put(&gateway, &format!("k{n}"));
    }
    let full = state(&gateway, "app");
    assert_eq!(
        (full.backlog, full.dropped_count),
        (5, 16),
        "a test and four puts; the rest is counted"
    );
    assert!(full.alarm().unwrap().contains("backlog is full"));
    receiver.change(|_, _| status(200));
    wait_until(|| state(&gateway, "app").backlog == 0);
    let gaps: Vec<Value> = receiver
        .received()
        .iter()
        .filter(|one| one.event() == "partita:Events:Gap" && one.status == 200)
        .map(|one| one.body["Gap"].clone())
        .collect();
    assert_eq!((gaps.len(), &gaps[0]["count"]), (1, &json!(16)));
    put(&gateway, "after");
    wait_until(|| receiver.received().iter().any(|one| one.key() == "bkt/after"));
    gateway.assert_sound();
}

#[test]
fn https_needs_an_authority_that_is_trusted() {
    let tls = tls::Server::start();
    let trusting = format!("ca-file = \"{}\"", tls.authority().display());
    let (gateway, _folder) =
        gateway_with(&[target("trusting", &tls.url(), &trusting), target("other", &tls.url(), "")]);
    gateway.store().test_event_target("trusting").wait().unwrap();
    gateway.store().test_event_target("other").wait().unwrap();
    wait_until(|| state(&gateway, "trusting").backlog == 0);
    assert_eq!(gateway.store().deliveries("trusting").wait().unwrap()[0].status, Some(200));
    wait_until(|| state(&gateway, "other").dead == 1);
    let log = gateway.store().deliveries("other").wait().unwrap();
    let problem = String::from_utf8_lossy(&log[0].reply).into_owned();
    assert!(problem.contains("certificate"), "{problem}");
}

mod tls {
    //! A receiver over TLS that answers 200 to each connection.

    use std::path::Path;
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    pub struct Server {
        port: u16,
        folder: tempfile::TempDir,
    }

    impl Server {
        pub fn start() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let key = KeyPair::generate().unwrap();
            let names = vec!["localhost".to_owned()];
            let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
            std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let private = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
            let config = rustls::ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], private)
                .unwrap();
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let port = listener.local_addr().unwrap().port();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async move {
                    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                    while let Ok((stream, _)) = listener.accept().await {
                        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                        let _ = stream.read(&mut [0; 8192]).await;
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        let _ = stream.write_all(answer).await;
                        let _ = stream.shutdown().await;
                    }
                });
            });
            Self { port, folder }
        }

        pub fn url(&self) -> String {
            format!("https://localhost:{}/", self.port)
        }

        pub fn authority(&self) -> std::path::PathBuf {
            Path::new(self.folder.path()).join("ca.pem")
        }
    }
}
