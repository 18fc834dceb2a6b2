//! CompleteMultipartUpload. Checksums of whole objects are in `checksums.rs`, races in
//! `conditional.rs`.

use crate::harness::{Gateway, Script, check, check_with, md5_hex};

/// Small parts are allowed, so that a test is quick.
const SMALL: &[(&str, &str)] = &[("part-bytes-min", "1")];

/// An upload `$U` with the parts 1, 3 and 4, whose tags are `$A`, `$B` and `$C`.
const THREE_PARTS: &str = r#"
    POST /bkt/k?uploads => 200 | UploadId -> U
    PUT /bkt/k?uploadId=$U&partNumber=1 << @1000   => 200 | etag -> A
    PUT /bkt/k?uploadId=$U&partNumber=4 << @10:3   => 200 | etag -> C
    PUT /bkt/k?uploadId=$U&partNumber=3 << @70000  => 200 | etag -> B
"#;

#[track_caller]
fn with_three_parts(script: &str) {
    check_with(SMALL, &format!("{THREE_PARTS}\n{script}"));
}

#[test]
fn joins_the_listed_parts() {
    let gateway = Gateway::with(SMALL);
    let mut script = Script::new(&gateway);
    let digests: Vec<u8> = [(1000, 0), (70_000, 0), (10, 3)]
        .iter()
        .flat_map(|&(length, seed)| {
            hex::decode(md5_hex(&crate::harness::bytes_of(length, seed))).unwrap()
        })
        .collect();
    script.set("ETAG", format!("\"{}-3\"", md5_hex(&digests)));
    script.run(THREE_PARTS);
    script.run(
        r#"
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload
            xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
            <Part><PartNumber>3</PartNumber><ETag>$B</ETag></Part>
            <Part><PartNumber>4</PartNumber><ETag>$C</ETag></Part></CompleteMultipartUpload>
            => 200 | Bucket = bkt | Key = k | ETag = $ETAG | Location = http://$HOST/bkt/k
            | content-type: application/xml
        GET /bkt/k => 200 | etag: $ETAG | content-length: 71010 << @1000 + @70000 + @10:3
        GET /bkt?list-type=2 => 200 | Contents/Size = 71010 | Contents/ETag = $ETAG
        GET /bkt?uploads => 200 | !Upload
        GET /bkt/k?uploadId=$U => 404 NoSuchUpload
        PUT /bkt/k?uploadId=$U&partNumber=9 << x => 404 NoSuchUpload
        "#,
    );
    gateway.assert_sound();
}

#[test]
fn a_subset_will_do() {
    with_three_parts(
        r#"
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><ETag>$C</ETag><PartNumber>4</PartNumber></Part></CompleteMultipartUpload>
            => 200 | ETag = "*-1"
        GET /bkt/k => 200 << @10:3
        "#,
    );
}

/// Spellings of clients: quoted, bare, escaped in every way; any order of elements; white space.
#[test]
fn tags_in_every_spelling() {
    let gateway = Gateway::with(SMALL);
    let mut script = Script::new(&gateway);
    script.run(THREE_PARTS);
    let bare = script.get("A").trim_matches('"').to_owned();
    for spelled in [
        bare.clone(),
        format!("\"{bare}\""),
        format!("&quot;{bare}&quot;"),
        format!("&#34;{bare}&#34;"),
        format!("&#x22;{bare}&#x22;"),
        bare.to_uppercase(),
    ] {
        script.set("SPELLED", spelled);
        // All spellings name the same list, so the later ones are repetitions.
        script.run(
            r#"
            POST /bkt/k?uploadId=$U << <?xml version="1.0" encoding="UTF-8"?>\n
                <CompleteMultipartUpload> <Part>\n <ETag>$SPELLED</ETag> <PartNumber>1</PartNumber>
                <ChecksumUnknown>x</ChecksumUnknown></Part></CompleteMultipartUpload> => 200
            "#,
        );
    }
}

#[test]
fn a_repetition_gets_the_same_answer() {
    with_three_parts(
        r#"
        POST /bkt/k?uploadId=$U | if-none-match: * << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 200 | ETag -> E
        GET /bkt/k | x-amz-checksum-mode: ENABLED => 200 | last-modified -> T << @1000
        # Also when its condition would fail now, and when the object is gone.
        POST /bkt/k?uploadId=$U | if-none-match: * << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 200 | ETag = $E | Location = http://$HOST/bkt/k
        PUT /bkt/k << newer => 200
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 200 | ETag = $E
        GET /bkt/k => 200 << newer
        DELETE /bkt/k => 204
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 200 | ETag = $E
        GET /bkt/k => 404 NoSuchKey
        # Another list, key or user is no repetition.
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>3</PartNumber><ETag>$B</ETag></Part></CompleteMultipartUpload>
            => 404 NoSuchUpload
        POST /bkt/j?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 404 NoSuchUpload
        alice: POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 403 AccessDenied
        "#,
    );
}

#[test]
fn bad_lists_are_refused_and_the_upload_survives() {
    with_three_parts(
        r#"
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>2</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidPart | PartNumber = 2 | Error/ETag = * | UploadId = $U
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$B</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidPart | PartNumber = 1
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>3</PartNumber><ETag>$B</ETag></Part>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidPartOrder
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidPartOrder
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>tag</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidPart
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload></CompleteMultipartUpload>
            => 400 MalformedXML
        POST /bkt/k?uploadId=$U => 400 MalformedXML
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><ETag>$A</ETag></Part>
            </CompleteMultipartUpload> => 400 MalformedXML
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>
            </CompleteMultipartUpload> => 400 MalformedXML
        POST /bkt/k?uploadId=$U << {"Parts": []} => 400 MalformedXML
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>0</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidArgument | ArgumentName = PartNumber
        POST /bkt/k?uploadId=$U | content-md5: AAAAAAAAAAAAAAAAAAAAAA== << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 400 BadDigest
        GET /bkt/k?uploadId=$U => 200 | PartNumber = 1 3 4
        GET /bkt/k => 404 NoSuchKey
        "#,
    );
}

#[test]
fn the_size_of_the_object_can_be_announced() {
    with_three_parts(
        r#"
        POST /bkt/k?uploadId=$U | x-amz-mp-object-size: 999 << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidRequest
        POST /bkt/k?uploadId=$U | x-amz-mp-object-size: x << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 400 InvalidArgument
        POST /bkt/k?uploadId=$U | x-amz-mp-object-size: 1000 << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 200
        "#,
    );
}

#[test]
fn all_but_the_last_listed_part_have_a_least_size() {
    check_with(
        &[("part-bytes-min", "1000")],
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << @999   => 200 | etag -> A
        PUT /bkt/k?uploadId=$U&partNumber=2 << @1000  => 200 | etag -> B
        PUT /bkt/k?uploadId=$U&partNumber=3 << x      => 200 | etag -> C
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part>
            <Part><PartNumber>3</PartNumber><ETag>$C</ETag></Part></CompleteMultipartUpload>
            => 400 EntityTooSmall | PartNumber = 1 | ProposedSize = 999 | MinSizeAllowed = 1000
            | Error/ETag = *
        POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>2</PartNumber><ETag>$B</ETag></Part>
            <Part><PartNumber>3</PartNumber><ETag>$C</ETag></Part></CompleteMultipartUpload>
            => 200
        GET /bkt/k => 200 | content-length: 1001
        "#,
    );
}

#[test]
fn conditions_are_checked_and_the_upload_survives_them() {
    with_three_parts(
        r#"
        POST /bkt/k?uploadId=$U | if-match: * << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 404 NoSuchKey
        PUT /bkt/k << old => 200 | etag -> E
        POST /bkt/k?uploadId=$U | if-none-match: * << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 412 PreconditionFailed | Condition = If-None-Match
        POST /bkt/k?uploadId=$U | if-match: "x" << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 412 PreconditionFailed | Condition = If-Match
        GET /bkt/k => 200 << old
        POST /bkt/k?uploadId=$U | if-match: $E << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$A</ETag></Part></CompleteMultipartUpload>
            => 200
        GET /bkt/k => 200 << @1000
        "#,
    );
}

#[test]
fn needs_the_owner_and_a_bucket() {
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        PUT /bkt/k?uploadId=$U&partNumber=1 << x => 200 | etag -> E
        alice: POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$E</ETag></Part></CompleteMultipartUpload>
            => 403 AccessDenied
        anon: POST /bkt/k?uploadId=$U << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$E</ETag></Part></CompleteMultipartUpload>
            => 403 AccessDenied
        POST /nobkt/k?uploadId=$U     => 404 NoSuchBucket
        anon: POST /nobkt/k?uploadId=$U => 404 NoSuchBucket
        POST /bkt/k?uploadId=x << <CompleteMultipartUpload>
            <Part><PartNumber>1</PartNumber><ETag>$E</ETag></Part></CompleteMultipartUpload>
            => 404 NoSuchUpload
        GET /bkt/k                    => 404 NoSuchKey
        "#,
    );
}
