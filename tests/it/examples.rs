//! The unchanged examples against a gateway. `tests/browser` tests the upload page.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use partita::access::{Action, ListUploads, ObjectPath, Permit, Resource, WriteObject};
use partita::store::{Listed, UploadRecord, UploadsQuery};

use crate::harness::{Gateway, Request, Who, bytes_of, permit, skip};

const FILE_BYTES: usize = 40 << 20;

fn has_boto3() -> bool {
    let tried = Command::new("python3").args(["-c", "import boto3"]).output();
    tried.is_ok_and(|output| output.status.success())
}

fn uploader(gateway: &Gateway, file: &std::path::Path, more: &[&str]) -> Child {
    let (id, secret) = Who::Root.key();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/uploader.py");
    Command::new("python3")
        .arg(script)
        .arg(file)
        .args(["bkt/film", "--parallel", "1"])
        .args(more)
        .env("AWS_ACCESS_KEY_ID", id)
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("PARTITA", format!("http://{}", gateway.host()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs")
}

fn open_uploads(gateway: &Gateway, permit: &Permit<ListUploads>) -> Vec<UploadRecord> {
    let query = UploadsQuery { max: 10, ..UploadsQuery::default() };
    let page = gateway.store().list_uploads(permit, query).run().expect("a list");
    let record = |entry| match entry {
        Listed::Item(upload) => Some(upload),
        Listed::Prefix(_) => None,
    };
    page.entries.into_iter().filter_map(record).collect()
}

#[test]
fn the_uploader_goes_on_where_it_was_cut_off() {
    if !has_boto3() {
        skip("python3 with boto3 is not here");
        return;
    }
    let gateway = Gateway::start();
    let file = gateway.folder().join("film");
    let content = bytes_of(FILE_BYTES, 7);
    std::fs::write(&file, &content).unwrap();
    let bucket = partita::types::BucketName::parse("bkt").unwrap();
    let bucket = gateway.store().bucket(&bucket).unwrap();
    let of_bucket = Resource::Bucket(bucket.clone());
    let list = permit(&gateway, Who::Root, Action::ListBucketMultipartUploads, of_bucket);
    let handle = |upload: &UploadRecord| {
        let path = ObjectPath { bucket: bucket.clone(), key: upload.key.clone() };
        let object = Resource::Object(path);
        permit::<WriteObject>(&gateway, Who::Root, Action::PutObject, object).upload(upload.id)
    };
    let parts = |upload: &UploadRecord| {
        let page = gateway.store().list_parts(&handle(upload), 0, 100).run();
        page.map_or(0, |page| page.parts.len())
    };

    let mut first = uploader(&gateway, &file, &[]);
    let began = Instant::now();
    let upload = loop {
        let open = open_uploads(&gateway, &list).into_iter().find(|of| parts(of) > 0);
        if let Some(upload) = open {
            break upload;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no part came");
        std::thread::sleep(Duration::from_millis(5));
    };
    // The pause holds what comes next, so there is something left when it is cut off.
    gateway.store().pause_upload(&handle(&upload)).wait().expect("paused");
    first.kill().unwrap();
    first.wait().unwrap();
    gateway.store().resume_upload(&handle(&upload)).wait().expect("resumed");

    let again = uploader(&gateway, &file, &[]).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    let complaint = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success(), "{said}{complaint}");
    let (how, rest) = said.split_once(": ").expect("it says how");
    let left: usize = rest.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(how, "resumed", "{said}");
    assert!((1..5).contains(&left), "{said}");
    let got = gateway.send(&Request::new("GET", "/bkt/film")).expect(200);
    assert!(got.body == content, "another file came out");
    gateway.assert_sound();
}

#[test]
fn the_uploader_proves_what_it_may_not_find() {
    if !has_boto3() {
        skip("python3 with boto3 is not here");
        return;
    }
    let gateway = Gateway::with(&[("proof-buckets", "bkt")]);
    let (theirs, file) = (bytes_of(FILE_BYTES, 8), gateway.folder().join("film"));
    gateway.send(&Request::new("PUT", "/bkt/user1/film").body(theirs.clone())).expect(200);
    std::fs::write(&file, &theirs).unwrap();
    let narrow = ["--instant-prefix", "user2/", "--proof-prefix", "*"];
    for (more, said) in [
        (&narrow[..], "instant: 0 of 5"),
        (&narrow[..2], "created: 5 of 5"),
        // Now it may find what it has sent, which came in parts.
        (&["--instant-prefix", "film"], "instant: 0 of 5"),
    ] {
        let sent = if said.starts_with("instant") { 0 } else { FILE_BYTES };
        let said = format!("{said} parts to send\nbkt/film: {FILE_BYTES} bytes, {sent} sent\n");
        let output = uploader(&gateway, &file, more).wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), said, "{more:?} {complaint}");
        assert!(output.status.success(), "{complaint}");
        let got = gateway.send(&Request::new("GET", "/bkt/film")).expect(200);
        assert!(got.body == theirs, "another file came out");
    }
    gateway.assert_sound();
}
