//! Published examples of AWS and one signature of boto3, unchanged.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};

use super::chunked::{ChunkedDecoder, Trailers};
use super::*;
use crate::access::{Credential, User};
use crate::types::Timestamp;
use crate::wire::{self, ErrorCode, Head, Result};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// 2013-05-24T00:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_369_353_600_000);

fn settings() -> SignatureSettings {
    SignatureSettings { region: "us-east-1".into(), region_strict: true, sigv2_presigned: true }
}

fn credential(id: &str, secret: &str) -> Arc<Credential> {
    let user = User {
        id: "0".repeat(64),
        name: "ann".into(),
        display_name: "Ann".into(),
        email: None,
        root: false,
        created: NOW,
    };
    Arc::new(Credential {
        access_key_id: id.into(),
        secret_access_key: secret.into(),
        user: Arc::new(user),
        enabled: true,
        created: NOW,
    })
}

fn keys(id: &str) -> Option<Arc<Credential>> {
    match id {
        "AKIAIOSFODNN7EXAMPLE" => Some(credential(id, SECRET)),
        "AKIDEXAMPLE" => Some(credential(id, "secretsecret")),
        _ => None,
    }
}

fn head(method: Method, target: &str, headers: &[(&str, &str)]) -> Head {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    Head::new(method, path, query, headers, &["s3.amazonaws.com".into()], true).unwrap()
}

fn authorization(signed: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders={signed},Signature={signature}"
    )
}

#[test]
fn published_header_signatures_verify() {
    let host = ("host", "examplebucket.s3.amazonaws.com");
    let date = ("x-amz-date", "20130524T000000Z");
    let empty = ("x-amz-content-sha256", EMPTY);
    let basic = "host;x-amz-content-sha256;x-amz-date";
    let table = [
        (
            (Method::GET, "/test.txt", "host;range;x-amz-content-sha256;x-amz-date"),
            vec![host, ("range", "bytes=0-9"), empty, date],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            (
                Method::PUT,
                "/test$file.text",
                "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            ),
            vec![
                host,
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                (
                    "x-amz-content-sha256",
                    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
                ),
                date,
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            (Method::GET, "/?lifecycle", basic),
            vec![host, empty, date],
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            (Method::GET, "/?max-keys=2&prefix=J", basic),
            vec![host, empty, date],
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ];
    for ((method, target, signed), headers, signature) in table {
        for (signature, good) in [(signature.to_owned(), true), (flipped(signature), false)] {
            let authorization = authorization(signed, &signature);
            let mut headers = headers.clone();
            headers.push(("authorization", &authorization));
            let result =
                authenticate(&head(method.clone(), target, &headers), &keys, NOW, &settings());
            match result {
                Ok(found) => {
                    assert!(good, "{target}");
                    assert_eq!(found.principal.label(), "AKIAIOSFODNN7EXAMPLE");
                    assert_eq!(found.mechanism, Mechanism::HeaderV4);
                }
                Err(error) => {
                    assert!(!good, "{target}: {error:?}");
                    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
                }
            }
        }
    }
}

#[test]
fn published_presigned_url_verifies() {
    let target = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let host = [("host", "examplebucket.s3.amazonaws.com")];
    let found = authenticate(&head(Method::GET, target, &host), &keys, NOW, &settings()).unwrap();
    assert_eq!(found.mechanism, Mechanism::PresignedV4);
    assert!(matches!(found.payload, Payload::Unsigned));
    let error =
        authenticate(&head(Method::PUT, target, &host), &keys, NOW, &settings()).unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn boto3_presigned_v2_verifies() {
    let target = "/bkt1/a%20b%2Bc/%C3%A9?response-content-type=text%2Fx%20y&versionId=v1\
        &AWSAccessKeyId=AKIDEXAMPLE&Signature=lLtE0zzx3pjncsiJHkexOvdbf8s%3D&Expires=1795152065";
    let host = [("host", "127.0.0.1:9000")];
    let now = Timestamp::from_millis(1_795_152_065_999);
    let found = authenticate(&head(Method::GET, target, &host), &keys, now, &settings()).unwrap();
    assert_eq!(found.mechanism, Mechanism::PresignedV2);
    assert_eq!(found.principal.label(), "AKIDEXAMPLE");

    let late = Timestamp::from_millis(1_795_152_066_000);
    let error =
        authenticate(&head(Method::GET, target, &host), &keys, late, &settings()).unwrap_err();
    assert_eq!((error.code, &*error.message), (ErrorCode::AccessDenied, "Request has expired"));

    let changed = target.replace("versionId=v1", "versionId=v2");
    let error =
        authenticate(&head(Method::GET, &changed, &host), &keys, now, &settings()).unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
    assert!(error.fields.iter().any(|(name, value)| *name == "StringToSign"
        && value.ends_with("/bkt1/a%20b%2Bc/%C3%A9?response-content-type=text/x y&versionId=v2")));

    let off = SignatureSettings { sigv2_presigned: false, ..settings() };
    let error = authenticate(&head(Method::GET, target, &host), &keys, now, &off).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidRequest);
}

#[test]
fn sub_resources_are_sorted_and_unique() {
    assert!(sigv2::SUB_RESOURCES.windows(2).all(|pair| pair[0] < pair[1]));
}

/// Published upload of 65 KiB of `a`, in chunks of 64 KiB, 1 KiB and 0 bytes.
fn published_payload(trailer: bool) -> ChunkedPayload {
    let mut headers = vec![
        ("host", "s3.amazonaws.com"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ];
    let authorization = if trailer {
        headers.extend([
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
            ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ]);
        authorization(
            "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
             x-amz-storage-class;x-amz-trailer",
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        )
    } else {
        headers.extend([
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-length", "66824"),
        ]);
        authorization(
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
             x-amz-decoded-content-length;x-amz-storage-class",
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        )
    };
    headers.push(("authorization", &authorization));
    let head = head(Method::PUT, "/examplebucket/chunkObject.txt", &headers);
    match authenticate(&head, &keys, NOW, &settings()).unwrap().payload {
        Payload::Chunked(payload) => payload,
        other => panic!("{other:?}"),
    }
}

const PLAIN: [&str; 3] = [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
];
const TRAILED: [&str; 3] = [
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
];
const TRAILER_SIGNATURE: &str = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";

fn published_body(signatures: [&str; 3], end: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (size, signature) in [65_536, 1024].into_iter().zip(signatures) {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', size));
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("0;chunk-signature={}\r\n{end}", signatures[2]).as_bytes());
    body
}

fn trailer_end(line_end: &str, signature: &str) -> String {
    format!("x-amz-checksum-crc32c:sOO8/Q=={line_end}x-amz-trailer-signature:{signature}\r\n\r\n")
}

fn decode(payload: ChunkedPayload, pieces: &[&[u8]]) -> Result<(usize, Trailers)> {
    let mut decoder = ChunkedDecoder::new(payload);
    let mut out = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    let trailers = decoder.finish()?;
    assert!(out.iter().all(|bytes| bytes.iter().all(|&byte| byte == b'a')));
    Ok((out.iter().map(Bytes::len).sum(), trailers))
}

#[test]
fn published_chunks_verify_however_they_are_split() {
    let body = published_body(PLAIN, "\r\n");
    assert_eq!(body.len(), 66_824, "the content-length of the example");
    let crc = Trailers(vec![("x-amz-checksum-crc32c".into(), "sOO8/Q==".into())]);
    let cases = [
        (false, body, Trailers::default()),
        (true, published_body(TRAILED, &trailer_end("\n\r\n", TRAILER_SIGNATURE)), crc.clone()),
        (true, published_body(TRAILED, &trailer_end("\r\n", TRAILER_SIGNATURE)), crc),
    ];
    for (trailer, body, trailers) in cases {
        let whole = decode(published_payload(trailer), &[&body]).unwrap();
        assert_eq!(whole, (66_560, trailers));
        for size in [1, 2, 3, 7, 83, 64 * 1024 + 1] {
            let pieces: Vec<&[u8]> = body.chunks(size).collect();
            assert_eq!(decode(published_payload(trailer), &pieces).unwrap(), whole, "{size}");
        }
        // Every division in two near a line, where the state of the decoder changes.
        let cuts = (0..100).chain(65_600..65_750).chain(body.len() - 300..body.len());
        for cut in cuts {
            let (a, b) = body.split_at(cut);
            assert_eq!(decode(published_payload(trailer), &[a, b]).unwrap(), whole, "{cut}");
        }
    }
}

#[test]
fn any_changed_byte_of_the_published_bodies_is_refused() {
    let cases = [
        (false, published_body(PLAIN, "\r\n")),
        (true, published_body(TRAILED, &trailer_end("\r\n", TRAILER_SIGNATURE))),
    ];
    for (trailer, body) in cases {
        for at in (0..120).chain(65_500..65_800).chain(body.len() - 330..body.len()) {
            let mut changed = body.clone();
            changed[at] ^= 1;
            let result = decode(published_payload(trailer), &[&changed]);
            assert!(result.is_err(), "{at} of {}", body.len());
        }
        for end in (0..120).chain(65_500..65_800).chain(body.len() - 330..body.len()) {
            let error = decode(published_payload(trailer), &[&body[..end]]).unwrap_err();
            assert_eq!(error.code, ErrorCode::IncompleteBody, "{end} of {}", body.len());
        }
    }
}

/// Published policy of a form.
const POLICY: &str = r#"{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}"#;

#[test]
fn the_published_form_is_accepted_and_no_other() {
    let policy = STANDARD.encode(POLICY.replace('\n', "\r\n"));
    let signature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
    let bucket = crate::types::BucketName::parse("sigv4examplebucket").unwrap();
    let check = |policy: &str, signature: &str, credential: &str, date: &str, seconds: u64| {
        let url = "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html";
        let fields = wire::form::FormFields::from([
            ("key", "user/user1/photo.jpg"),
            ("acl", "public-read"),
            ("success_action_redirect", url),
            ("Content-Type", "image/jpeg"),
            ("x-amz-meta-uuid", "14365123651274"),
            ("x-amz-server-side-encryption", "AES256"),
            ("X-Amz-Credential", credential),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Date", date),
            ("x-amz-meta-tag", ""),
            ("Policy", policy),
            ("X-Amz-Signature", signature),
        ]);
        let now = Timestamp::from_millis(seconds * 1000);
        form::authenticate(&fields, &bucket, &keys, now, &settings()).map_err(|error| error.code)
    };
    let credential = "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request";
    // 2015-12-30T12:00:00Z.
    let (date, end) = ("20151229T000000Z", 1_451_476_800);
    let (principal, bounds) = check(&policy, signature, credential, date, end).unwrap();
    assert_eq!(principal.credential().unwrap().access_key_id, "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(bounds, LengthRange::default());
    let refused = |policy: &str, signature: &str, credential: &str, date: &str, seconds| {
        check(policy, signature, credential, date, seconds).unwrap_err()
    };
    let mismatch = ErrorCode::SignatureDoesNotMatch;
    assert_eq!(refused(&policy, signature, credential, date, end + 1), ErrorCode::AccessDenied);
    assert_eq!(refused(&policy, &flipped(signature), credential, date, end), mismatch);
    assert_eq!(refused(&policy, "", credential, date, end), mismatch);
    let other = STANDARD.encode(POLICY.replace('\n', "\r\n").replace("2015-12-30", "2035-12-30"));
    assert_eq!(refused(&other, signature, credential, date, end), mismatch);
    for (credential, code) in [
        ("AKIDEXAMPLE/20151229/us-east-1/s3/aws4_request", mismatch),
        ("AKUNKNOWN/20151229/us-east-1/s3/aws4_request", ErrorCode::InvalidAccessKeyId),
        ("AKIAIOSFODNN7EXAMPLE/20151228/us-east-1/s3/aws4_request", ErrorCode::InvalidArgument),
        ("AKIAIOSFODNN7EXAMPLE/20151229/eu-west-1/s3/aws4_request", ErrorCode::InvalidArgument),
        ("AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/sts/aws4_request", ErrorCode::InvalidArgument),
        ("AKIAIOSFODNN7EXAMPLE", ErrorCode::InvalidArgument),
        ("", ErrorCode::InvalidArgument),
    ] {
        assert_eq!(refused(&policy, signature, credential, date, end), code, "{credential}");
    }
    for date in ["", "20151230T000000Z", "2015-12-29T00:00:00Z"] {
        let code = refused(&policy, signature, credential, date, end);
        assert_eq!(code, ErrorCode::InvalidArgument, "{date}");
    }
}

fn flipped(signature: &str) -> String {
    let (head, last) = signature.split_at(signature.len() - 1);
    format!("{head}{}", if last == "0" { '1' } else { '0' })
}
