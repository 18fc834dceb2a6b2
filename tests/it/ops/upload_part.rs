//! UploadPart.

use std::path::{Path, PathBuf};

use crate::harness::{Gateway, Request, Script, bytes_of, check, check_with, md5_hex};

#[test]
fn stores_a_part_and_answers_with_its_digests() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << hello => 200 | etag: "{md5hex}"
            | content-length: 0
        PUT /bkt/k?partNumber=3&uploadId=$U&x-id=UploadPart << @70000 => 200 | etag: "{md5hex}"
        PUT /bkt/k?uploadId=$U&partNumber=10000 => 200 | etag: "d41d8cd98f00b204e9800998ecf8427e"
        GET /bkt/k?uploadId=$U => 200 | PartNumber = 1 3 10000 | Size = 5 70000 0
        GET /bkt/k => 404 NoSuchKey
        "#,
    );
}

#[test]
fn the_same_number_replaces_the_part() {
    check_with(
        &[("part-bytes-min", "1")],
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << @70000:1 => 200 | etag -> A
        PUT /bkt/k?uploadId=$U&partNumber=1 << @80000:2 => 200 | etag -> B
        GET /bkt/k?uploadId=$U => 200 | PartNumber = 1 | Size = 80000
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidPart
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$B</ETag></Part></CompleteMultipartUpload>
            => 200
        GET /bkt/k => 200 << @80000:2
        "#,
    );
}

#[test]
fn numbers_and_ids_are_checked() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=0 << x     => 400 InvalidArgument
            | ArgumentName = partNumber | ArgumentValue = 0
            | Message = Part number must be an integer between 1 and 10000, inclusive
        PUT /bkt/k?uploadId=$U&partNumber=10001 << x => 400 InvalidArgument
        PUT /bkt/k?uploadId=$U&partNumber=-1 << x    => 400 InvalidArgument
        PUT /bkt/k?uploadId=$U&partNumber= << x      => 400 InvalidArgument
        PUT /bkt/k?uploadId=$U&partNumber=one << x   => 400 InvalidArgument
        PUT /bkt/k?uploadId=x&partNumber=1 << x      => 404 NoSuchUpload | UploadId = x
        PUT /bkt/j?uploadId=$U&partNumber=1 << x     => 404 NoSuchUpload
        # One of the two parameters alone is never a PutObject.
        PUT /bkt/k?uploadId=$U << x                  => 400 InvalidRequest
        PUT /bkt/k?partNumber=1 << x                 => 400 InvalidRequest
        GET /bkt/k                                   => 404 NoSuchKey
        GET /bkt/k?uploadId=$U                       => 200 | !Part
        "#,
    );
}

/// Files below the folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn ids_that_look_like_paths_are_refused() {
    let gateway = Gateway::start();
    Script::new(&gateway).run(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=..%2F..%2Fout&partNumber=1 << x => 404 NoSuchUpload
        PUT /bkt/k?uploadId=%2Ftmp%2Fout&partNumber=1 << x  => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U%2F..%2Fout&partNumber=1 << x => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U&partNumber=1%2F..%2Fout << x => 400 InvalidArgument
        PUT /bkt/k?uploadId=$U&partNumber=..%2Fout << x     => 400 InvalidArgument
        # Any key is legal: it is a name, not a path.
        PUT /bkt/..%2F..%2Fout << @300000                   => 200
        GET /bkt/..%2F..%2Fout                              => 200 << @300000
        POST /bkt/%2Ftmp%2F..%2Fout?uploads                 => 200 | UploadId -> V
        PUT /bkt/%2Ftmp%2F..%2Fout?uploadId=$V&partNumber=1 << @300000 => 200
        "#,
    );
    let files = files(gateway.folder());
    let is_blob = |path: &&PathBuf| path.components().any(|folder| folder.as_os_str() == "blobs");
    assert_eq!(files.iter().filter(is_blob).count(), 2, "{files:?}");
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(!name.contains("out") && !name.contains(".."), "{path:?}");
    }
}

#[test]
fn of_two_senders_of_one_part_the_one_that_ends_last_wins_wholly() {
    let gateway = Gateway::with(&[("part-bytes-min", "1")]);
    let upload = gateway.send(&Request::new("POST", "/bkt/k?uploads")).text("UploadId");
    let target = format!("/bkt/k?uploadId={upload}&partNumber=1");
    let request = |seed| Request::new("PUT", target.as_str()).body(bytes_of(300_000, seed));
    // The first request is in the middle of its body while the second one is served.
    let (head, body) = request(1).encode_apart(&gateway.host());
    let mut first = gateway.connect();
    first.write(&[&head[..], &body[..150_000]].concat());
    gateway.send(&request(2)).expect(200);
    let listed = |seed| {
        let answer = gateway.send(&Request::new("GET", format!("/bkt/k?uploadId={upload}")));
        let etag = format!("\"{}\"", md5_hex(&bytes_of(300_000, seed)));
        assert_eq!(answer.xml().texts("Part/ETag"), [etag.as_str()]);
        etag
    };
    listed(2);
    first.write(&body[150_000..]);
    first.read_answer("PUT").expect(200);
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
         </CompleteMultipartUpload>",
        listed(1)
    );
    let complete = Request::new("POST", format!("/bkt/k?uploadId={upload}")).body(document);
    gateway.send(&complete).expect(200);
    assert_eq!(gateway.send(&Request::new("GET", "/bkt/k")).body, bytes_of(300_000, 1));
    gateway.assert_sound();
}

#[test]
fn unverified_bodies_are_not_stored() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 | content-md5: AAAAAAAAAAAAAAAAAAAAAA== << x
            => 400 BadDigest
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-checksum-crc32: AAAAAA== << @70000
            => 400 BadDigest
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-checksum-crc32: AAAA << x => 400 BadDigest
        PUT /bkt/k?uploadId=$U&partNumber=1 | content-md5: x << x => 400 InvalidDigest
        GET /bkt/k?uploadId=$U => 200 | !Part
        "#,
    );
}

#[test]
fn the_algorithm_is_that_of_the_upload() {
    check(
        r#"
        POST /bkt/k?uploads | x-amz-checksum-algorithm: SHA256 => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-checksum-sha256: {sha256} << x => 200
            | x-amz-checksum-sha256: {sha256}
        PUT /bkt/k?uploadId=$U&partNumber=1 | x-amz-checksum-crc32: {crc32} << x
            => 400 InvalidRequest | Message = Checksum Type mismatch occurred*sha256*crc32
        PUT /bkt/k?uploadId=$U&partNumber=1 << x => 400 InvalidRequest
            | Message = Checksum Type mismatch occurred*sha256*null
        # FULL_OBJECT: a checksum that the client does not send is computed.
        POST /bkt/k?uploads | x-amz-checksum-algorithm: CRC32 | x-amz-checksum-type: FULL_OBJECT
            => 200 | UploadId -> V
        PUT /bkt/k?uploadId=$V&partNumber=1 << x => 200 | x-amz-checksum-crc32: {crc32}
        # None declared: any is accepted.
        POST /bkt/k?uploads => 200 | UploadId -> W
        PUT /bkt/k?uploadId=$W&partNumber=1 | x-amz-checksum-sha1: {sha1} << x => 200
            | x-amz-checksum-sha1: {sha1}
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        alice: PUT /bkt/k?uploadId=$U&partNumber=1 << x => 403 AccessDenied
        anon: PUT /bkt/k?uploadId=$U&partNumber=1 << x  => 403 AccessDenied
        PUT /nobkt/k?uploadId=$U&partNumber=1 << x      => 404 NoSuchBucket
        anon: PUT /nobkt/k?uploadId=$U&partNumber=1 << x => 404 NoSuchBucket
        GET /bkt/k?uploadId=$U => 200 | !Part
        "#,
    );
}
