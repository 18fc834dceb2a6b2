//! Known ways to bypass the signatures of S3 servers, by CVE where there is one. `matrix.rs` and
//! `tamper.rs` cover these cases too; here they have the form of the attack.

use bytes::Bytes;
use partita::access::Principal;
use partita::auth::chunked::ChunkedDecoder;
use partita::auth::sigv2::SUB_RESOURCES;
use partita::wire::ErrorCode;

use super::*;

/// Headers of an upload in unsigned chunks.
const UNSIGNED_TRAILER: [(&str, &str); 3] = [
    ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ("x-amz-decoded-content-length", "5"),
    ("x-amz-trailer", "x-amz-checksum-crc32"),
];

#[test]
fn cve_2025_31489_an_unsigned_trailer_does_not_excuse_the_head() {
    let thief = Signer::new(KNOWN, "not the secret");
    let headers = &UNSIGNED_TRAILER[1..];
    let (request, _) = header_signed(&thief, "PUT", "/bkt/key", headers, Body::UnsignedTrailer);
    assert_eq!(request.refused(), ErrorCode::SignatureDoesNotMatch);
    let no_signature = request.header("authorization").split(", Signature").next().unwrap();
    let request = request.clone().set("authorization", no_signature);
    assert_eq!(request.refused(), ErrorCode::AuthorizationHeaderMalformed);
}

#[test]
fn cve_2026_40344_credentials_in_the_query_do_not_excuse_the_signature() {
    let scope = "20261120%2Fus-east-1%2Fs3%2Faws4_request";
    for target in [
        format!("/bkt/key?X-Amz-Credential={KNOWN}%2F{scope}"),
        format!(
            "/bkt/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KNOWN}%2F{scope}\
             &X-Amz-Date=20261120T120000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
        ),
    ] {
        let request = Request::new("PUT", &target, &UNSIGNED_TRAILER);
        assert_eq!(request.refused(), ErrorCode::AuthorizationQueryParametersError);
        let with_signature = Request { target: target + "&X-Amz-Signature=", ..request };
        with_signature.check().unwrap_err();
    }
}

#[test]
fn cve_2026_41145_an_upload_without_a_signature_is_anonymous() {
    let found = Request::new("PUT", "/bkt/key", &UNSIGNED_TRAILER).check().unwrap();
    assert!(matches!(found.principal, Principal::Anonymous));
    let words = format!("/bkt/key?x-amz-credential={KNOWN}&x-amz-signature=00");
    let found = Request::new("PUT", &words, &UNSIGNED_TRAILER).check().unwrap();
    assert!(matches!(found.principal, Principal::Anonymous), "the words have one spelling");
}

#[test]
fn cve_2021_21390_chunk_signatures_are_checked() {
    let length = [("x-amz-decoded-content-length", "5")];
    let (request, signed) =
        header_signed(&signer(), "PUT", "/bkt/key", &length, Body::SignedChunks);
    let body = String::from_utf8(signed.encode(b"hello", &[5], None)).unwrap();
    let error_of = |body: &str| {
        let mut decoder = ChunkedDecoder::new(chunked(&request));
        let pushed = decoder.push(Bytes::from(body.to_owned()), &mut Vec::new());
        pushed.and_then(|()| decoder.finish().map(drop)).map_err(|error| error.code)
    };
    assert_eq!(error_of(&body), Ok(()));
    assert_eq!(error_of(&body.replace("hello", "hullo")), Err(ErrorCode::SignatureDoesNotMatch));
    assert_eq!(error_of("5\r\nhello\r\n0\r\n\r\n"), Err(ErrorCode::InvalidRequest));
    let last = body.rfind("0;chunk-signature").unwrap();
    assert_eq!(error_of(&format!("{}0\r\n\r\n", &body[..last])), Err(ErrorCode::InvalidRequest));
    assert_eq!(error_of(&body[..last]), Err(ErrorCode::IncompleteBody));
}

/// Headers with a meaning that an attacker might add to a signed request.
const ADDED: [&str; 18] = [
    "x-amz-acl",
    "x-amz-bypass-governance-retention",
    "x-amz-checksum-crc32",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-decoded-content-length",
    "x-amz-grant-full-control",
    "x-amz-meta-added",
    "x-amz-metadata-directive",
    "x-amz-mp-object-size",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-trailer",
    "x-amz-website-redirect-location",
    "x-amz-word-of-tomorrow",
    "x-partita-anything",
];

#[test]
fn cve_2026_54330_headers_added_to_a_signature_are_refused() {
    let (header, _) = header_signed(&signer(), "PUT", "/bkt/key", &[], Body::Unsigned);
    let v4 = signer().presign_v4(AT, 900, "PUT", HOST, "/bkt/key", &[]);
    for request in [header, Request::new("PUT", &v4, &[])] {
        request.check().unwrap();
        for name in ADDED {
            let error = request.clone().with(name, "/other/key").check().unwrap_err();
            assert_eq!(error.code, ErrorCode::AccessDenied, "{name}");
            assert_eq!(error.fields, [("HeadersNotSigned", name.to_owned())]);
        }
        // Control: a header without the prefix may be added.
        request.with("content-type", "text/plain").check().unwrap();
    }
    let v2 = signer().presign_v2(AT + 900, "PUT", "", "/bkt/key", &[]);
    let v2 = Request::new("PUT", &v2, &[]);
    v2.check().unwrap();
    for name in ADDED {
        let code = v2.clone().with(name, "/other/key").refused();
        let ours = name.starts_with("x-partita-");
        let expected =
            if ours { ErrorCode::AccessDenied } else { ErrorCode::SignatureDoesNotMatch };
        assert_eq!(code, expected, "{name}");
    }
}

#[test]
fn host_must_be_signed() {
    let (request, _) = header_signed(&signer(), "GET", "/bkt/key", &[], Body::Sha256(b""));
    let value = request.header("authorization").replace("=host;", "=");
    let error = request.set("authorization", &value).check().unwrap_err();
    assert_eq!(error.fields, [("HeadersNotSigned", "host".to_owned())]);
}

#[test]
fn words_added_to_a_presigned_v2_url_change_nothing_that_is_signed() {
    let target = signer().presign_v2(AT + 900, "GET", "", "/bkt/key", &[]);
    let with = |word: &str| Request::new("GET", &format!("{target}&{word}"), &[]);
    for word in SUB_RESOURCES {
        assert_eq!(with(word).refused(), ErrorCode::SignatureDoesNotMatch, "{word}");
        assert_eq!(with(&format!("{word}=1")).refused(), ErrorCode::SignatureDoesNotMatch);
    }
    for word in ["partita-missing", "partita-instant=1", "X-Partita-Note=1", "x-partita-a"] {
        assert_eq!(with(word).refused(), ErrorCode::AccessDenied, "{word}");
    }
    for word in ["x-amz-copy-source=%2Fb%2Fk", "X-Amz-Acl=public-read"] {
        assert_eq!(with(word).refused(), ErrorCode::SignatureDoesNotMatch, "{word}");
    }
    // A word that this version does not sign passes here; the table of operations refuses it.
    with("attributes").check().unwrap();
}

/// The same string to sign belongs to a request with one parameter and to one with two: `&` in a
/// value looks like a separator.
#[test]
fn a_v2_signature_is_that_of_one_request() {
    for (joined, split) in [
        (
            "response-content-type=text/plain%26response-expires=0",
            "response-content-type=text/plain&response-expires=0",
        ),
        ("response-expires=x%26uploadId=U", "response-expires=x&uploadId=U"),
        ("partNumber=1%26uploadId=U", "partNumber=1&uploadId=U"),
    ] {
        let url = |words: &str| {
            signer().presign_v2(AT + 900, "GET", "", &format!("/bkt/key?{words}"), &[])
        };
        let (signed_split, signed_joined) = (url(split), url(joined));
        Request::new("GET", &signed_split, &[]).check().expect("two parameters are signed");
        let forged = signed_split.replace(split, joined);
        assert_eq!(Request::new("GET", &forged, &[]).refused(), ErrorCode::InvalidArgument);
        assert_eq!(Request::new("GET", &signed_joined, &[]).refused(), ErrorCode::InvalidArgument);
    }
}

#[test]
fn a_header_and_its_hoisted_twin_are_refused() {
    let headers = [("x-amz-meta-a", "1")];
    let target = signer().presign_v2(AT + 900, "PUT", "", "/bkt/key", &headers);
    Request::new("PUT", &target, &headers).check().unwrap();
    let hoisted = format!("{target}&x-amz-meta-a=1");
    Request::new("PUT", &hoisted, &[]).check().expect("as botocore sends it");
    let both = Request::new("PUT", &hoisted, &headers);
    assert_eq!(both.refused(), ErrorCode::InvalidArgument);
    let cases = Request::new("PUT", &format!("{hoisted}&X-Amz-Meta-A=1"), &[]);
    assert_eq!(cases.refused(), ErrorCode::InvalidArgument);
}

#[test]
fn a_payload_digest_in_a_presigned_url_cannot_be_overruled() {
    let digest = Body::Sha256(b"hello").value();
    let in_query = format!("/bkt/key?X-Amz-Content-Sha256={digest}");
    let target = signer().presign_v4(AT, 900, "PUT", HOST, &in_query, &[]);
    let request = Request::new("PUT", &target, &[]);
    assert!(matches!(request.check().unwrap().payload, Payload::Sha256(_)));
    let overruled = request.with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(overruled.refused(), ErrorCode::InvalidArgument);
    // The opposite is allowed: a digest for a URL that leaves the body open.
    let target = signer().presign_v4(AT, 900, "PUT", HOST, "/bkt/key", &[]);
    let stricter = Request::new("PUT", &target, &[("x-amz-content-sha256", &digest)]);
    assert!(matches!(stricter.check().unwrap().payload, Payload::Sha256(_)));
}

#[test]
fn session_tokens_are_refused() {
    let token = [("x-amz-security-token", "token")];
    let (request, _) = header_signed(&signer(), "GET", "/bkt/key", &token, Body::Unsigned);
    assert_eq!(request.refused(), ErrorCode::InvalidToken);
    let target = "/bkt/key?X-Amz-Security-Token=token";
    let target = signer().presign_v4(AT, 900, "GET", HOST, target, &[]);
    assert_eq!(Request::new("GET", &target, &[]).refused(), ErrorCode::InvalidToken);
}

#[test]
fn the_bucket_of_a_virtual_host_is_signed() {
    let host = format!("bkt.{DOMAIN}");
    let signed = signer().header(AT, "GET", &host, "/key", &[], Body::Sha256(b""));
    let request = Request::new("GET", "/key", &[]).set("host", &host).signed(&signed);
    request.check().unwrap();
    let other = request.set("host", &format!("other.{DOMAIN}"));
    assert_eq!(other.refused(), ErrorCode::SignatureDoesNotMatch);

    let target = signer().presign_v2(AT + 900, "GET", "/bkt", "/key", &[]);
    let request = Request::new("GET", &target, &[]).set("host", &host);
    request.check().unwrap();
    let other = request.set("host", &format!("other.{DOMAIN}"));
    assert_eq!(other.refused(), ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn content_encoding_decides_nothing() {
    let headers = [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "5")];
    let (request, _) = header_signed(&signer(), "PUT", "/bkt/key", &headers, Body::Unsigned);
    assert!(matches!(request.check().unwrap().payload, Payload::Unsigned));
    let (request, _) =
        header_signed(&signer(), "PUT", "/bkt/key", &headers[1..], Body::SignedChunks);
    assert!(matches!(request.check().unwrap().payload, Payload::Chunked(_)));
}
