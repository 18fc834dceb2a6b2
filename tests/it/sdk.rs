//! The AWS SDK for Rust as a client: an independent implementation of S3.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete,
    ObjectIdentifier,
};

use crate::harness::{Gateway, Request, Who, bytes_of, md5_hex};

fn client(gateway: &Gateway) -> Client {
    let (id, secret) = Who::Root.key();
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(id, secret, None, None, "tests"))
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{}", gateway.host()))
        .force_path_style(true)
        .http_client(http)
        .build();
    Client::from_conf(config)
}

/// Runs a test with a client on a runtime of its own.
fn with_client<F: Future<Output = ()>>(
    settings: &[(&'static str, &str)],
    test: impl FnOnce(Client) -> F,
) {
    let gateway = Gateway::with(settings);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(test(client(&gateway)));
    gateway.assert_sound();
}

#[test]
fn buckets() {
    with_client(&[], |s3| async move {
        s3.create_bucket().bucket("new").send().await.unwrap();
        s3.head_bucket().bucket("new").send().await.unwrap();
        let listed = s3.list_buckets().send().await.unwrap();
        let names: Vec<_> = listed.buckets().iter().filter_map(|bucket| bucket.name()).collect();
        assert_eq!(names, ["bkt", "new"]);
        assert_eq!(listed.owner().unwrap().id(), Some("root"));
        s3.get_bucket_location().bucket("new").send().await.unwrap();
        assert!(s3.get_bucket_versioning().bucket("new").send().await.unwrap().status().is_none());
        s3.delete_bucket().bucket("new").send().await.unwrap();
        let error = s3.head_bucket().bucket("new").send().await.unwrap_err();
        assert!(error.into_service_error().is_not_found());
    });
}

#[test]
fn objects() {
    with_client(&[], |s3| async move {
        for (key, size) in [("empty", 0), ("small é+&", 100), ("dir/large", 300_000)] {
            let bytes = bytes_of(size, 1);
            let put = s3.put_object().bucket("bkt").key(key).body(ByteStream::from(bytes.clone()));
            let put = put.metadata("note", "n").content_type("text/x").send().await.unwrap();
            assert_eq!(put.e_tag(), Some(format!("\"{}\"", md5_hex(&bytes)).as_str()));
            assert!(put.checksum_crc32().is_some(), "the SDK sends one, and gets it back");
            let get = s3.get_object().bucket("bkt").key(key);
            let got = get.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
            assert_eq!(got.content_type(), Some("text/x"));
            assert_eq!(got.metadata().unwrap()["note"], "n");
            // The SDK verifies the checksum while it reads.
            assert_eq!(got.body.collect().await.unwrap().into_bytes(), bytes);
            let head = s3.head_object().bucket("bkt").key(key).send().await.unwrap();
            assert_eq!(head.content_length(), Some(size as i64));
        }
        let got = s3.get_object().bucket("bkt").key("dir/large").range("bytes=65530-65540");
        let got = got.send().await.unwrap();
        assert_eq!(got.content_range(), Some("bytes 65530-65540/300000"));
        let part = got.body.collect().await.unwrap().into_bytes();
        assert_eq!(part, bytes_of(300_000, 1)[65_530..=65_540]);
        let error = s3.get_object().bucket("bkt").key("none").send().await.unwrap_err();
        assert!(error.into_service_error().is_no_such_key());
        let put = s3.put_object().bucket("bkt").key("empty").if_none_match("*").send().await;
        assert_eq!(put.unwrap_err().code(), Some("PreconditionFailed"));
    });
}

#[test]
fn every_checksum_of_the_sdk() {
    with_client(&[], |s3| async move {
        for algorithm in [
            ChecksumAlgorithm::Crc32,
            ChecksumAlgorithm::Crc32C,
            ChecksumAlgorithm::Crc64Nvme,
            ChecksumAlgorithm::Sha1,
            ChecksumAlgorithm::Sha256,
        ] {
            let bytes = bytes_of(100_000, 2);
            let put = s3.put_object().bucket("bkt").key("k").checksum_algorithm(algorithm.clone());
            put.body(ByteStream::from(bytes.clone())).send().await.unwrap();
            let get = s3.get_object().bucket("bkt").key("k").checksum_mode(ChecksumMode::Enabled);
            let got = get.send().await.unwrap();
            assert_eq!(got.body.collect().await.unwrap().into_bytes(), bytes, "{algorithm:?}");
        }
    });
}

#[test]
fn lists_copies_and_deletes() {
    with_client(&[], |s3| async move {
        for n in 0..7 {
            let key = format!("dir{}/key {n}", n % 2);
            let put = s3.put_object().bucket("bkt").key(key);
            put.body(ByteStream::from(bytes_of(n, 0))).send().await.unwrap();
        }
        let mut pages = s3.list_objects_v2().bucket("bkt").max_keys(3).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page.unwrap().contents().iter().map(|o| o.key().unwrap().to_owned()));
        }
        assert_eq!(keys.len(), 7);
        assert!(keys.is_sorted());
        let list = s3.list_objects_v2().bucket("bkt").delimiter("/").send().await.unwrap();
        let folders: Vec<_> = list.common_prefixes().iter().filter_map(|p| p.prefix()).collect();
        assert_eq!(folders, ["dir0/", "dir1/"]);
        let list = s3.list_objects().bucket("bkt").prefix("dir1/").send().await.unwrap();
        assert_eq!(list.contents().len(), 3);

        let copy = s3.copy_object().bucket("bkt").key("copy").copy_source("bkt/dir0/key%206");
        let copied = copy.send().await.unwrap();
        let tag = copied.copy_object_result().unwrap().e_tag().unwrap().to_owned();
        assert_eq!(tag, format!("\"{}\"", md5_hex(&bytes_of(6, 0))));

        keys.push("copy".to_owned());
        let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
        let delete = Delete::builder().set_objects(Some(objects.collect())).build().unwrap();
        let deleted = s3.delete_objects().bucket("bkt").delete(delete).send().await.unwrap();
        assert_eq!((deleted.deleted().len(), deleted.errors().len()), (8, 0));
        s3.delete_object().bucket("bkt").key("copy").send().await.unwrap();
        let list = s3.list_objects_v2().bucket("bkt").send().await.unwrap();
        assert_eq!(list.key_count(), Some(0));
    });
}

#[test]
fn a_multipart_upload_that_is_resumed() {
    with_client(&[("part-bytes-min", "65536")], |s3| async move {
        let create = s3.create_multipart_upload().bucket("bkt").key("k");
        let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap();
        let id = create.upload_id().unwrap();
        let bodies = [bytes_of(65_536, 1), bytes_of(200_000, 2), bytes_of(5, 3)];
        for (index, body) in bodies.iter().enumerate().rev() {
            let part = s3.upload_part().bucket("bkt").key("k").upload_id(id);
            let part = part.part_number(index as i32 + 1).body(ByteStream::from(body.clone()));
            part.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap();
        }
        // A client that resumes asks the gateway for what is there.
        let uploads = s3.list_multipart_uploads().bucket("bkt").prefix("k").send().await.unwrap();
        assert_eq!(uploads.uploads()[0].upload_id(), Some(id));
        let list = s3.list_parts().bucket("bkt").key("k").upload_id(id).send().await.unwrap();
        let parts = list.parts().iter().map(|part| {
            CompletedPart::builder()
                .set_part_number(part.part_number())
                .set_e_tag(part.e_tag().map(str::to_owned))
                .set_checksum_crc32(part.checksum_crc32().map(str::to_owned))
                .build()
        });
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let complete = s3.complete_multipart_upload().bucket("bkt").key("k").upload_id(id);
        let done = complete.multipart_upload(upload).send().await.unwrap();
        assert!(done.e_tag().unwrap().ends_with("-3\""));
        assert!(done.checksum_crc32().unwrap().ends_with("-3"));
        let got = s3.get_object().bucket("bkt").key("k").send().await.unwrap();
        assert_eq!(got.body.collect().await.unwrap().into_bytes(), bodies.concat());
        let part = s3.get_object().bucket("bkt").key("k").part_number(3).send().await.unwrap();
        assert_eq!(part.parts_count(), Some(3));

        let create = s3.create_multipart_upload().bucket("bkt").key("other").send().await.unwrap();
        let copy = s3.upload_part_copy().bucket("bkt").key("other").part_number(1);
        let copy = copy.upload_id(create.upload_id().unwrap()).copy_source("bkt/k");
        copy.copy_source_range("bytes=0-65535").send().await.unwrap();
        let abort = s3.abort_multipart_upload().bucket("bkt").key("other");
        abort.upload_id(create.upload_id().unwrap()).send().await.unwrap();
    });
}

#[test]
fn presigned_urls() {
    let gateway = Gateway::start();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    let s3 = client(&gateway);
    let (put, get) = runtime.block_on(async {
        let config = || PresigningConfig::expires_in(std::time::Duration::from_secs(900)).unwrap();
        let put = s3.put_object().bucket("bkt").key("a b+é").presigned(config()).await.unwrap();
        let get = s3.get_object().bucket("bkt").key("a b+é").presigned(config()).await.unwrap();
        (put, get)
    });
    let request = |method: &str, presigned: &aws_sdk_s3::presigning::PresignedRequest| {
        let (_, target) = presigned.uri().split_once(&gateway.host()).expect("our host");
        let request = Request::new(method, target).by(Who::Anonymous);
        presigned.headers().fold(request, |request, (name, value)| request.header(name, value))
    };
    gateway.send(&request("PUT", &put).body("hello")).expect(200);
    assert_eq!(gateway.send(&request("GET", &get)).expect(200).body, b"hello");
    gateway.send(&request("PUT", &get).body("evil")).expect(403);
}
