//! Signed requests with one signed element changed: each change is refused.

use bytes::Bytes;
use partita::auth::chunked::{ChunkedDecoder, Trailers};
use partita::wire::ErrorCode;

use super::*;

const DATA: &[u8] = b"the quick brown fox jumps over the lazy dog";

fn base() -> Request {
    let headers = [
        ("content-type", "text/plain"),
        ("range", "bytes=0-9"),
        ("x-amz-meta-color", "light  blue"),
        ("x-partita-note", "n"),
    ];
    let target = "/bkt/a%20key?partNumber=3&uploadId=u";
    header_signed(&signer(), "PUT", target, &headers, Body::Sha256(DATA)).0
}

#[test]
fn every_signed_element_of_a_header_signature_counts() {
    base().check().unwrap();
    let at = |target: &str| Request { target: target.into(), ..base() };
    let authorization = base().header("authorization").to_owned();
    let table = [
        ("method", Request { method: "POST".into(), ..base() }),
        ("path", at("/bkt/a%20kez?partNumber=3&uploadId=u")),
        ("bucket", at("/bku/a%20key?partNumber=3&uploadId=u")),
        ("case of the path", at("/bkt/A%20key?partNumber=3&uploadId=u")),
        ("doubled slash", at("/bkt//a%20key?partNumber=3&uploadId=u")),
        ("dot segment", at("/bkt/./a%20key?partNumber=3&uploadId=u")),
        ("encoded twice", at("/bkt/a%2520key?partNumber=3&uploadId=u")),
        ("plus for space", at("/bkt/a+key?partNumber=3&uploadId=u")),
        ("query value", at("/bkt/a%20key?partNumber=4&uploadId=u")),
        ("query name", at("/bkt/a%20key?PartNumber=3&uploadId=u")),
        ("query parameter gone", at("/bkt/a%20key?uploadId=u")),
        ("query parameter added", at("/bkt/a%20key?partNumber=3&uploadId=u&acl")),
        ("host", base().set("host", "127.0.0.1:9001")),
        ("content-type", base().set("content-type", "text/html")),
        ("content-type gone", base().without("content-type")),
        ("range", base().set("range", "bytes=0-10")),
        ("metadata", base().set("x-amz-meta-color", "dark blue")),
        ("metadata gone", base().without("x-amz-meta-color")),
        ("metadata twice", base().with("x-amz-meta-color", "green")),
        ("vendor header", base().set("x-partita-note", "m")),
        ("payload digest", base().set("x-amz-content-sha256", &Body::Sha256(b"").value())),
        ("payload mode", base().set("x-amz-content-sha256", "UNSIGNED-PAYLOAD")),
        ("time", base().set("x-amz-date", "20261120T120001Z")),
        ("signed list", base().set("authorization", &authorization.replace("range;", ""))),
        ("region", base().set("authorization", &authorization.replace("us-east-1", "us-east-2"))),
    ];
    for (what, request) in table {
        assert_eq!(request.refused(), ErrorCode::SignatureDoesNotMatch, "{what}");
    }
    // Changes that keep the canonical request: encoding, order, spaces around and within values.
    for same in [
        at("/bkt/%61%20k%65y?uploadId=u&partNumber=%33"),
        base().set("x-amz-meta-color", "  light blue "),
        base().with("accept", "unsigned"),
    ] {
        same.check().unwrap();
    }
}

#[test]
fn every_signed_element_of_presigned_urls_counts() {
    let headers = [("content-type", "text/plain"), ("x-amz-meta-a", "1")];
    let target = "/bkt/key?x-amz-meta-b=2";
    let v4 = signer().presign_v4(AT, 900, "PUT", HOST, target, &headers);
    let v2 = signer().presign_v2(AT + 900, "PUT", "", "/bkt/key?uploadId=u&x-id=P", &headers);
    let v4 = Request::new("PUT", &v4, &headers);
    let v2 = Request::new("PUT", &v2, &headers);
    v4.check().unwrap();
    v2.check().unwrap();
    let replaced = |request: &Request, from: &str, to: &str| {
        assert!(request.target.contains(from), "{from}");
        Request { target: request.target.replace(from, to), ..request.clone() }
    };
    for request in [
        Request { method: "GET".into(), ..v4.clone() },
        replaced(&v4, "/key", "/kez"),
        replaced(&v4, "meta-b=2", "meta-b=3"),
        replaced(&v4, "x-amz-meta-b=2&", ""),
        replaced(&v4, "Expires=900", "Expires=901"),
        replaced(&v4, "T120000Z", "T120001Z"),
        replaced(&v4, "X-Amz-Algorithm", "partNumber=1&X-Amz-Algorithm"),
        v4.clone().set("content-type", "text/html"),
        v4.clone().set("x-amz-meta-a", "2"),
        v4.set("host", "localhost:9000"),
        Request { method: "GET".into(), ..v2.clone() },
        replaced(&v2, "/key", "/kez"),
        replaced(&v2, "uploadId=u", "uploadId=v"),
        replaced(&v2, "uploadId=u&", ""),
        replaced(&v2, "AWSAccessKeyId", "versionId=1&AWSAccessKeyId"),
        replaced(&v2, "AWSAccessKeyId", "x-amz-meta-c=1&AWSAccessKeyId"),
        replaced(&v2, &format!("Expires={}", AT + 900), &format!("Expires={}", AT + 901)),
        v2.clone().set("content-type", "text/html"),
        v2.clone().set("x-amz-meta-a", "2"),
        v2.clone().with("x-amz-copy-source", "/other/key"),
        v2.with("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
    ] {
        assert_eq!(request.refused(), ErrorCode::SignatureDoesNotMatch, "{request:?}");
    }
}

#[test]
fn the_refusal_shows_what_the_server_signed() {
    let error = base().set("range", "bytes=1-9").check().unwrap_err();
    let field = |name: &str| {
        let found = error.fields.iter().find(|(n, _)| *n == name);
        found.unwrap_or_else(|| panic!("{name}")).1.as_str()
    };
    assert_eq!(field("AWSAccessKeyId"), KNOWN);
    assert_eq!(field("SignatureProvided").len(), 64);
    assert!(field("StringToSign").starts_with("AWS4-HMAC-SHA256\n20261120T120000Z\n20261120/"));
    let request = field("CanonicalRequest");
    assert!(request.starts_with("PUT\n/bkt/a%20key\npartNumber=3&uploadId=u\ncontent-type:text/"));
    assert!(request.contains("\nrange:bytes=1-9\n"));
    assert!(field("StringToSignBytes").starts_with("41 57 53 34 2d"));
    assert!(field("CanonicalRequestBytes").starts_with("50 55 54 0a 2f"));
    let shown: String = error.fields.iter().map(|(_, value)| value.as_str()).collect();
    assert!(!shown.contains("correct horse"), "the secret stays here");
}

/// An upload in two signed chunks with a signed trailer: head, frames and end.
fn upload() -> (Request, Vec<Vec<u8>>) {
    let headers =
        [("x-amz-decoded-content-length", "43"), ("x-amz-trailer", "x-amz-checksum-crc32")];
    let (request, signed) =
        header_signed(&signer(), "PUT", "/bkt/key", &headers, Body::SignedChunksTrailer);
    let body = signed.encode(DATA, &[20, 20], Some(&[("x-amz-checksum-crc32", "QU+lOQ==")]));
    let mut frames = Vec::new();
    let mut rest = &body[..];
    for length in [20, 20, 3, 0] {
        let line = rest.iter().position(|&byte| byte == b'\n').expect("a line") + 1;
        let end = if length == 0 { line } else { line + length + 2 };
        frames.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    frames.push(rest.to_vec());
    (request, frames)
}

fn decode(frames: &[Vec<u8>]) -> Result<(Vec<u8>, Trailers), Error> {
    let mut decoder = ChunkedDecoder::new(chunked(&upload().0));
    let mut out = Vec::new();
    decoder.push(Bytes::from(frames.concat()), &mut out)?;
    Ok((out.concat(), decoder.finish()?))
}

#[test]
fn every_signed_element_of_a_chunked_body_counts() {
    let (_, good) = upload();
    let (data, trailers) = decode(&good).unwrap();
    assert_eq!((data.as_slice(), trailers.value("x-amz-checksum-crc32")), (DATA, Some("QU+lOQ==")));

    let mismatch = ErrorCode::SignatureDoesNotMatch;
    let changed = |frame: usize, at: usize| {
        let mut frames = good.clone();
        frames[frame][at] ^= 1;
        decode(&frames).unwrap_err().code
    };
    let line = good[0].iter().position(|&byte| byte == b'\n').unwrap();
    assert_eq!(changed(0, line + 5), mismatch, "data");
    assert_eq!(changed(2, line), mismatch, "data of the last chunk");
    for (frame, bytes) in good.iter().enumerate().take(3) {
        let from = bytes.iter().position(|&byte| byte == b'=').unwrap() + 1;
        assert_eq!(changed(frame, from), mismatch, "signature of chunk {frame}");
    }
    assert_eq!(changed(3, 20), mismatch, "signature of the terminating chunk");
    let end = good[4].len();
    assert_eq!(changed(4, "x-amz-checksum-crc32:".len()), mismatch, "trailer value");
    assert_eq!(changed(4, end - 5), mismatch, "trailer signature");

    let order = |order: &[usize]| {
        let frames: Vec<Vec<u8>> = order.iter().map(|&frame| good[frame].clone()).collect();
        decode(&frames).unwrap_err().code
    };
    assert_eq!(order(&[1, 0, 2, 3, 4]), mismatch, "chunks swapped");
    assert_eq!(order(&[0, 0, 2, 3, 4]), mismatch, "a chunk sent twice");
    assert_eq!(order(&[0, 2, 3, 4]), mismatch, "a chunk left out");
    assert_eq!(order(&[0, 1, 3, 4]), ErrorCode::IncompleteBody, "the last one left out");
    assert_eq!(order(&[0, 1, 2, 4]), ErrorCode::InvalidRequest, "no terminating chunk");
    assert_eq!(order(&[0, 1, 2, 3]), ErrorCode::IncompleteBody, "no trailer");
    assert_eq!(order(&[0, 1, 2, 3, 4, 4]), ErrorCode::InvalidRequest, "bytes behind the end");
    assert_eq!(order(&[0, 1]), ErrorCode::IncompleteBody, "the end cut off");
}

#[test]
fn chunks_of_another_request_do_not_fit() {
    let (_, frames) = upload();
    let headers = [
        ("x-amz-decoded-content-length", "43"),
        ("x-amz-meta-other", "1"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let (other, _) =
        header_signed(&signer(), "PUT", "/bkt/key", &headers, Body::SignedChunksTrailer);
    let mut decoder = ChunkedDecoder::new(chunked(&other));
    let error = decoder.push(Bytes::from(frames.concat()), &mut Vec::new()).unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn a_refused_body_stays_refused() {
    let (request, mut frames) = upload();
    frames[0][100] ^= 1;
    let mut decoder = ChunkedDecoder::new(chunked(&request));
    let mut out = Vec::new();
    decoder.push(Bytes::from(frames[0].clone()), &mut out).unwrap_err();
    decoder.push(Bytes::from(upload().1.concat()), &mut out).unwrap_err();
    decoder.finish().unwrap_err();

    // A body that was complete before the additional byte.
    let mut decoder = ChunkedDecoder::new(chunked(&request));
    decoder.push(Bytes::from(upload().1.concat()), &mut out).unwrap();
    decoder.push(Bytes::from_static(b"\r"), &mut out).unwrap_err();
    decoder.finish().unwrap_err();
}
