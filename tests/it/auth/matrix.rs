//! Every signing mechanism × every payload mode × every fault.

use partita::auth::{Mechanism, Payload};
use partita::wire::ErrorCode;

use super::*;

const MECHANISMS: [Mechanism; 4] =
    [Mechanism::Anonymous, Mechanism::HeaderV4, Mechanism::PresignedV4, Mechanism::PresignedV2];

const MODES: [&str; 8] = [
    "",
    "UNSIGNED-PAYLOAD",
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
    "streaming-unsigned-payload-trailer",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    BadSignature,
    WrongSecret,
    UnknownKey,
    DisabledKey,
    NoSignature,
}

const FAULTS: [Fault; 6] = [
    Fault::None,
    Fault::BadSignature,
    Fault::WrongSecret,
    Fault::UnknownKey,
    Fault::DisabledKey,
    Fault::NoSignature,
];

fn request(mechanism: Mechanism, mode: &str, fault: Fault) -> Request {
    let signer = match fault {
        Fault::None | Fault::BadSignature | Fault::NoSignature => signer(),
        Fault::WrongSecret => Signer::new(KNOWN, "incorrect horse"),
        // An unknown id must not be treated as no id.
        Fault::UnknownKey => Signer::new("AKUNKNOWN", &"0".repeat(40)),
        Fault::DisabledKey => Signer::new(DISABLED, "correct horse"),
    };
    let mut headers = vec![];
    if mode.starts_with("STREAMING") {
        headers.push(("x-amz-decoded-content-length", "5"));
        headers.push(("x-amz-trailer", "x-amz-checksum-crc32"));
    }
    let with_mode = [&headers[..], &[("x-amz-content-sha256", mode)]].concat();
    let with_mode = if mode.is_empty() { &headers } else { &with_mode };
    let request = match mechanism {
        Mechanism::Anonymous => Request::new("PUT", "/bkt/key", with_mode),
        Mechanism::HeaderV4 => {
            let (request, _) =
                header_signed(&signer, "PUT", "/bkt/key", &headers, Body::Literal(mode));
            if mode.is_empty() { request.without("x-amz-content-sha256") } else { request }
        }
        Mechanism::PresignedV4 => {
            let target = signer.presign_v4(AT, 900, "PUT", HOST, "/bkt/key", with_mode);
            Request::new("PUT", &target, with_mode)
        }
        Mechanism::Form => unreachable!("no head says that it is a form's"),
        Mechanism::PresignedV2 => {
            let target = signer.presign_v2(AT + 900, "PUT", "", "/bkt/key", with_mode);
            Request::new("PUT", &target, with_mode)
        }
    };
    spoil(request, mechanism, fault)
}

fn spoil(mut request: Request, mechanism: Mechanism, fault: Fault) -> Request {
    let at_header = |request: Request, from: &str, to: &str| {
        let value = request.header("authorization").replacen(from, to, 1);
        request.set("authorization", &value)
    };
    match (fault, mechanism) {
        (Fault::BadSignature, Mechanism::HeaderV4) => {
            let flipped = last_digit_flipped(request.header("authorization"));
            return request.set("authorization", &flipped);
        }
        (Fault::BadSignature, Mechanism::PresignedV4) => {
            request.target = last_digit_flipped(&request.target);
        }
        (Fault::BadSignature, Mechanism::PresignedV2) => {
            let (head, tail) = request.target.split_once("Signature=").expect("it is signed");
            let first = if tail.starts_with('A') { "B" } else { "A" };
            // The first base64 digit: it may be percent-encoded, but is never `=`.
            let tail = tail.strip_prefix("%2").map_or(&tail[1..], |rest| &rest[1..]);
            request.target = format!("{head}Signature={first}{tail}");
        }
        (Fault::NoSignature, Mechanism::HeaderV4) => {
            return at_header(request, "Signature=", "Nothing=");
        }
        (Fault::NoSignature, Mechanism::PresignedV4) => {
            request.target = request.target.replace("X-Amz-Signature=", "Nothing=");
        }
        (Fault::NoSignature, Mechanism::PresignedV2) => {
            request.target = request.target.replace("Signature=", "Nothing=");
        }
        (
            Fault::None | Fault::WrongSecret | Fault::UnknownKey | Fault::DisabledKey,
            Mechanism::HeaderV4 | Mechanism::PresignedV4 | Mechanism::PresignedV2,
        )
        | (_, Mechanism::Anonymous | Mechanism::Form) => {}
    }
    request
}

fn last_digit_flipped(text: &str) -> String {
    let (head, last) = text.split_at(text.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

/// Expected error code of a request whose signature is valid.
fn refusal_of_mode(mechanism: Mechanism, mode: &str) -> Option<ErrorCode> {
    match mode {
        "" if mechanism == Mechanism::HeaderV4 => Some(ErrorCode::InvalidRequest),
        "streaming-unsigned-payload-trailer" => Some(ErrorCode::InvalidArgument),
        _ if mode.contains("ECDSA") => Some(ErrorCode::NotImplemented),
        _ if mode.contains("AWS4-HMAC") && mechanism != Mechanism::HeaderV4 => {
            Some(ErrorCode::InvalidRequest)
        }
        _ => None,
    }
}

fn refusal_of_fault(mechanism: Mechanism, fault: Fault) -> Option<ErrorCode> {
    if mechanism == Mechanism::Anonymous {
        return None;
    }
    match (fault, mechanism) {
        (Fault::None, _) => None,
        (Fault::BadSignature | Fault::WrongSecret, _) => Some(ErrorCode::SignatureDoesNotMatch),
        (Fault::UnknownKey | Fault::DisabledKey, _) => Some(ErrorCode::InvalidAccessKeyId),
        (Fault::NoSignature, Mechanism::HeaderV4) => Some(ErrorCode::AuthorizationHeaderMalformed),
        (Fault::NoSignature, Mechanism::PresignedV4) => {
            Some(ErrorCode::AuthorizationQueryParametersError)
        }
        (Fault::NoSignature, _) => Some(ErrorCode::AccessDenied),
    }
}

#[test]
fn only_a_good_signature_ever_passes() {
    let mut passed = 0;
    for mechanism in MECHANISMS {
        for mode in MODES {
            for fault in FAULTS {
                let case = format!("{mechanism:?} {mode:?} {fault:?}");
                let (by_mode, by_fault) =
                    (refusal_of_mode(mechanism, mode), refusal_of_fault(mechanism, fault));
                match request(mechanism, mode, fault).check() {
                    Ok(found) => {
                        assert_eq!((by_mode, by_fault), (None, None), "{case}");
                        assert_eq!(found.mechanism, mechanism, "{case}");
                        let anonymous = mechanism == Mechanism::Anonymous;
                        assert_eq!(found.principal.user().is_none(), anonymous, "{case}");
                        check_payload(&found.payload, mode, &case);
                        passed += 1;
                    }
                    // Either of two faults may be reported, but one of them must be.
                    Err(error) => assert!(
                        by_mode == Some(error.code) || by_fault == Some(error.code),
                        "{case}: {error:?}"
                    ),
                }
            }
        }
    }
    // Signed in the header: five modes. Presigned: four, twice. Anonymous: four, under six faults.
    assert_eq!(passed, 5 + 4 + 4 + 4 * 6);
}

fn check_payload(payload: &Payload, mode: &str, case: &str) {
    match (payload, mode) {
        (Payload::Unsigned, "" | "UNSIGNED-PAYLOAD") => {}
        (Payload::Sha256(digest), _) => assert_eq!(hex::encode(digest), mode, "{case}"),
        (Payload::Chunked(chunked), _) => {
            assert!(mode.starts_with("STREAMING"), "{case}");
            assert_eq!(chunked.decoded_length, 5);
            assert_eq!(chunked.signer.is_some(), mode.contains("HMAC"), "{case}");
            let names = mode.ends_with("TRAILER").then(|| vec!["x-amz-checksum-crc32".to_owned()]);
            assert_eq!(chunked.trailer, names, "{case}");
        }
        (Payload::Unsigned | Payload::Form(_), _) => panic!("{case}: not verified"),
    }
}

#[test]
fn two_mechanisms_at_once_are_refused() {
    let (signed, _) = header_signed(&signer(), "GET", "/bkt/key", &[], Body::Sha256(b""));
    let authorization = signed.header("authorization").to_owned();
    let v4 = signer().presign_v4(AT, 900, "GET", HOST, "/bkt/key", &[]);
    let v2 = signer().presign_v2(AT + 900, "GET", "", "/bkt/key", &[]);
    let both = format!("{v4}&{}", v2.split_once('?').unwrap().1);
    for request in [
        Request::new("GET", &v4, &[("authorization", &authorization)]),
        Request::new("GET", &v2, &[("authorization", &authorization)]),
        Request::new("GET", &both, &[]),
        Request { target: "/bkt/key?X-Amz-Signature=00".into(), ..signed.clone() },
        Request { target: "/bkt/key?X-Amz-Credential=a".into(), ..signed.clone() },
        Request { target: "/bkt/key?Signature=00".into(), ..signed },
    ] {
        assert_eq!(request.refused(), ErrorCode::InvalidArgument);
    }
}

#[test]
fn half_of_a_signature_is_never_anonymous() {
    for word in ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"] {
        for value in ["", "x", "AWS4-HMAC-SHA256"] {
            let request = Request::new("GET", &format!("/bkt/key?{word}={value}"), &[]);
            assert_eq!(request.refused(), ErrorCode::AuthorizationQueryParametersError);
        }
    }
    for word in ["AWSAccessKeyId", "Signature"] {
        let request = Request::new("GET", &format!("/bkt/key?{word}=x"), &[]);
        assert_eq!(request.refused(), ErrorCode::AccessDenied);
    }
}

#[test]
fn malformed_authorization_headers_are_refused() {
    let scope = "20261120/us-east-1/s3/aws4_request";
    let of = |text: &str| Request::new("GET", "/bkt/key", &[("authorization", text)]);
    let malformed = ErrorCode::AuthorizationHeaderMalformed;
    let table = [
        ("", ErrorCode::AccessDenied),
        ("AWS AKKNOWN:c2lnbmF0dXJl", ErrorCode::InvalidRequest),
        ("Bearer token", ErrorCode::InvalidArgument),
        ("Basic dXNlcjpwYXNz", ErrorCode::InvalidArgument),
        ("AWS4-HMAC-SHA256x Credential=a", ErrorCode::InvalidArgument),
        ("AWS4-ECDSA-P256-SHA256 Credential=a", ErrorCode::NotImplemented),
        ("AWS4-HMAC-SHA256", malformed),
        ("AWS4-HMAC-SHA256 Credential", malformed),
        ("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0", malformed),
    ];
    for (text, code) in table {
        assert_eq!(of(text).refused(), code, "{text}");
    }
    let parts = |credential: &str, signed: &str| {
        of(&format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},Signature=0"))
            .refused()
    };
    for credential in [
        scope.to_owned(),
        format!("/{scope}"),
        "AK/20261120/us-east-1/sts/aws4_request".into(),
        "AK/20261120/us-east-1/s3/aws4".into(),
        "AK/us-east-1/s3/aws4_request".into(),
    ] {
        assert_eq!(parts(&credential, "host"), malformed, "{credential}");
    }
    for signed in ["", "Host", "host;host", "host;;x-amz-date"] {
        assert_eq!(parts(&format!("AK/{scope}"), signed), malformed, "{signed}");
    }
    let twice = format!(
        "AWS4-HMAC-SHA256 Credential=AK/{scope},SignedHeaders=host,Signature=0,Signature=1"
    );
    assert_eq!(of(&twice).refused(), malformed);
}

#[test]
fn the_authorization_header_is_read_leniently() {
    let (request, _) = header_signed(&signer(), "GET", "/bkt/key", &[], Body::Sha256(b""));
    let value = request.header("authorization").to_owned();
    let mut parts: Vec<&str> =
        value.strip_prefix("AWS4-HMAC-SHA256 ").unwrap().split(", ").collect();
    for separator in [",", ", ", " ,  ", ",\t"] {
        for _ in 0..3 {
            parts.rotate_left(1);
            let value = format!("AWS4-HMAC-SHA256  {}", parts.join(separator));
            request.clone().set("authorization", &value).check().unwrap();
        }
    }
}

#[test]
fn headers_and_parameters_that_must_not_be_repeated() {
    let trailer = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-sha1")];
    let (request, _) =
        header_signed(&signer(), "PUT", "/bkt/key?a=1", &trailer, Body::UnsignedTrailer);
    request.check().unwrap();
    for name in [
        "authorization",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-trailer",
    ] {
        let value = request.header(name).to_owned();
        let code = request.clone().with(name, &value).refused();
        assert_eq!(code, ErrorCode::InvalidRequest, "{name}");
    }
    for target in ["/bkt/key?a=1&a=1", "/bkt/key?a=1&%61=2", "/bkt?uploads&uploads="] {
        let (signed, _) = header_signed(&signer(), "GET", target, &[], Body::Sha256(b""));
        assert_eq!(signed.refused(), ErrorCode::InvalidArgument, "{target}");
        let anonymous = Request::new("GET", target, &[]);
        assert_eq!(anonymous.refused(), ErrorCode::InvalidArgument, "{target}");
    }
}

#[test]
fn streaming_bodies_need_a_decoded_length() {
    let refused = |headers: &[(&str, &str)], body| {
        header_signed(&signer(), "PUT", "/bkt/key", headers, body).0.refused()
    };
    let name = ("x-amz-trailer", "x-amz-checksum-crc32");
    assert_eq!(refused(&[name], Body::UnsignedTrailer), ErrorCode::MissingContentLength);
    assert_eq!(refused(&[], Body::SignedChunks), ErrorCode::MissingContentLength);
    for bad in ["", "-1", "+5", "0x5", "5 5", "18446744073709551616", "1e3"] {
        let headers = [("x-amz-decoded-content-length", bad)];
        assert_eq!(refused(&headers, Body::SignedChunks), ErrorCode::InvalidArgument, "{bad}");
    }
    let length = ("x-amz-decoded-content-length", "18446744073709551615");
    for body in [Body::UnsignedTrailer, Body::SignedChunksTrailer] {
        assert_eq!(refused(&[length], body), ErrorCode::InvalidRequest, "no x-amz-trailer");
        for bad in ["", "x-amz-meta-a", "x-amz-trailer-signature", "x-amz-checksum-", "host"] {
            let code = refused(&[length, ("x-amz-trailer", bad)], body);
            assert_eq!(code, ErrorCode::InvalidRequest, "{bad}");
        }
    }
    let names = [length, ("x-amz-trailer", "X-Amz-Checksum-CRC32 , x-amz-checksum-sha1")];
    let payload =
        chunked(&header_signed(&signer(), "PUT", "/bkt/key", &names, Body::UnsignedTrailer).0);
    assert_eq!(payload.decoded_length, u64::MAX);
    assert_eq!(payload.trailer.unwrap(), ["x-amz-checksum-crc32", "x-amz-checksum-sha1"]);
}
