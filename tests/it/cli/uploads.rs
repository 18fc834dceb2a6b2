//! `partita uploads`, with a server and without one.

use super::*;
use crate::harness::{Answer, Connection, Request, Who};

/// A server whose root user is that of the other tests.
pub fn server(data: &Path, more: &[&str]) -> Server {
    let data = data.to_str().unwrap();
    let fixed = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--part-bytes-min", "1"];
    let mut command = partita(&[&fixed, more].concat());
    let (id, secret) = Who::Root.key();
    command.env("PARTITA_ROOT_ACCESS_KEY_ID", id).env("PARTITA_ROOT_SECRET_ACCESS_KEY", secret);
    Server::start_command(command)
}

pub fn send(server: &Server, request: &Request) -> Answer {
    let mut connection = Connection::open(server.address().parse().unwrap());
    connection.write(&request.encode(server.address()));
    connection.read_answer(&request.method)
}

/// An upload of 25 bytes, of which the second part of ten is there.
fn upload(server: &Server, target: &str) -> String {
    let create = Request::new("POST", format!("{target}?uploads"))
        .header("x-partita-object-size", "25")
        .header("x-partita-part-size", "10");
    let id = send(server, &create).expect(200).text("UploadId");
    let part = Request::new("PUT", format!("{target}?partNumber=2&uploadId={id}"));
    send(server, &part.body("0123456789")).expect(200);
    id
}

/// Commands that give the same results with and without a server.
fn uploads_work_on(data: &Path, ids: &[String; 2]) {
    let [one, other] = ids;
    let table = on(data, &["uploads", "list"]);
    assert!(table.starts_with("UPLOAD"), "{table}");
    assert!(table.contains(one) && table.contains("10 B of 25 B (40 %)"), "{table}");
    assert_eq!(on(data, &["uploads", "list", "--prefix", "none"]).lines().count(), 1);
    let listed = json_on(data, &["uploads", "list", "--bucket", "bkt", "--prefix", "b c"]);
    assert_eq!(listed["uploads"][0]["uploadId"].as_str(), Some(other.as_str()));
    assert_eq!(listed["uploads"].as_array().unwrap().len(), 1);

    let status = || json_on(data, &["uploads", "show", one])["status"].as_str().unwrap().to_owned();
    on(data, &["uploads", "pause", one]);
    assert_eq!(status(), "pause");
    assert_eq!(on(data, &["uploads", "extend", one]), "", "what succeeds says nothing");
    let resumed = json_on(data, &["uploads", "resume", one]);
    assert_eq!(
        (&resumed["uploadId"], &resumed["status"]),
        (&one.as_str().into(), &"upload".into())
    );
    assert_eq!(status(), "upload");
    let shown = on(data, &["uploads", "show", one]);
    assert!(shown.contains("parts        1/3") && shown.contains("    2 - 2     10 B"), "{shown}");

    let clean = ["uploads", "clean", "--idle-hours", "0", "--prefix", "b c"];
    let told = on(data, &clean);
    assert!(told.contains("1 uploads, 10 B idle"), "{told}");
    let told = json_on(data, &clean);
    assert_eq!((&told["dryRun"], &told["receivedBytes"]), (&true.into(), &10.into()));
    assert_eq!(told["uploads"][0]["uploadId"], **other);
    assert!(on(data, &["uploads", "clean", "--idle-hours", "1", "--yes"]).contains("0 uploads"));
    assert!(on(data, &[&clean[..], &["--yes"]].concat()).contains("1 uploads, 10 B aborted"));
    let ended = json_on(data, &["uploads", "abort", one]);
    assert_eq!(
        (ended["uploadId"].as_str(), ended["status"].as_str()),
        (Some(&**one), Some("cancel"))
    );
    assert_eq!(json_on(data, &["uploads", "list"])["uploads"].as_array().unwrap().len(), 0);
    let gone = run(&["uploads", "show", one, "--data", data.to_str().unwrap()]);
    assert_eq!(code(&gone), 1);
    assert!(text(&gone.stderr).contains("does not exist"), "{}", text(&gone.stderr));
}

#[test]
fn uploads_are_seen_and_changed_with_and_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let running = server(data, &[]);
    send(&running, &Request::new("PUT", "/bkt")).expect(200);
    let pair = |server: &Server| [upload(server, "/bkt/a"), upload(server, "/bkt/b%20c")];
    uploads_work_on(data, &pair(&running));
    let ids = pair(&running);
    let watched = on(data, &["uploads", "list"]);
    assert!(watched.contains(&ids[0]));
    assert_eq!(running.stop().0, 0);
    // Without a server, a watch reads once and frees the folder.
    let watched = on(data, &["uploads", "watch"]);
    assert_eq!(watched.lines().count(), 2, "{watched}");
    assert!(watched.contains(&ids[0]) && watched.contains("bkt/b c"), "{watched}");
    let one = json_on(data, &["uploads", "watch", &ids[0]]);
    assert_eq!(one["uploads"][0]["receivedBytes"], 10);
    assert_eq!(json_on(data, &["uploads", "watch"])["uploads"].as_array().unwrap().len(), 2);
    uploads_work_on(data, &ids);
    assert_eq!(on(data, &["check"]), "all invariants hold\n");
}

#[test]
fn a_watch_follows_an_upload_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let running = server(folder.path(), &[]);
    send(&running, &Request::new("PUT", "/bkt")).expect(200);
    let id = upload(&running, "/bkt/a");
    let data = folder.path().to_str().unwrap();
    let watch = partita(&["uploads", "watch", &id, "--interval-ms", "100", "--data", data])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut watch = watch;
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().contains("10 B of 25 B (40 %)"));
    let part = Request::new("PUT", format!("/bkt/a?partNumber=1&uploadId={id}"));
    send(&running, &part.body("0123456789")).expect(200);
    while !next().contains("20 B of 25 B (80 %)") {}
    on(folder.path(), &["uploads", "abort", &id]);
    while next() != "the upload has ended" {}
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn text_from_clients_cannot_control_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let running = server(folder.path(), &[]);
    send(&running, &Request::new("PUT", "/bkt")).expect(200);
    let id = upload(&running, "/bkt/a%1B%5B2J%0Ab");
    assert_eq!(running.stop().0, 0);
    for words in [&["list"][..], &["show", &id], &["watch"], &["watch", &id]] {
        let shown = on(folder.path(), &[&["uploads"], words].concat());
        assert!(shown.contains("a [2J b"), "{words:?}: {shown:?}");
    }
}

#[test]
fn requests_that_wait_for_a_paused_upload_do_not_delay_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let running = server(folder.path(), &["--pause-hold-ms", "55000"]);
    send(&running, &Request::new("PUT", "/bkt")).expect(200);
    let id = upload(&running, "/bkt/a");
    on(folder.path(), &["uploads", "pause", &id]);
    let part = Request::new("PUT", format!("/bkt/a?partNumber=1&uploadId={id}")).body("0123456789");
    let mut waiting = Connection::open(running.address().parse().unwrap());
    waiting.write(&part.encode(running.address()));
    assert!(!waiting.answers_within(std::time::Duration::from_millis(300)));
    let begun = std::time::Instant::now();
    assert_eq!(running.stop().0, 0);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let answer = waiting.read_answer("PUT").expect(503);
    assert_eq!(answer.header("x-partita-upload-state").as_deref(), Some("paused"));
}
