//! Rules of S3's checksum headers, one row each.

use super::*;
use crate::digest::{Hasher, WantedDigests};
use crate::wire::request::tests::head;

use ChecksumAlgorithm as A;

/// Base64 of the checksums of `hello`.
const CRC32: &str = "NhCmhg==";
const MD5: &str = "XUFAKrxLKna5cZ2REBfFkg==";
const OTHER_CRC32: &str = "AAAAAA==";

fn read(headers: &[(&str, &str)], trailer: Option<&[&str]>) -> Result<ExpectedDigests> {
    let names: Option<Vec<_>> = trailer.map(|t| t.iter().map(|n| n.to_string()).collect());
    expected(&head("PUT", "/bkt/key", "", headers), names.as_deref())
}

fn digests(checksum: Option<A>) -> Digests {
    let mut hasher = Hasher::new(WantedDigests { sha256: false, checksum });
    hasher.update(b"hello");
    hasher.finish()
}

#[test]
fn what_clients_send_is_expected() {
    type Row<'a> = (&'a [(&'a str, &'a str)], Option<&'a [&'a str]>, Option<A>, Option<A>);
    // Headers, trailer → algorithm of the trailer, algorithm to compute.
    let cases: &[Row<'_>] = &[
        (&[], None, None, None),
        (&[], Some(&[]), None, None),
        (&[("x-amz-checksum-crc32", CRC32)], None, None, Some(A::Crc32)),
        (
            &[("x-amz-checksum-crc32", CRC32), ("x-amz-sdk-checksum-algorithm", "CRC32")],
            None,
            None,
            Some(A::Crc32),
        ),
        (&[], Some(&["x-amz-checksum-crc64nvme"]), Some(A::Crc64nvme), Some(A::Crc64nvme)),
        (
            &[("x-amz-sdk-checksum-algorithm", "crc32")],
            Some(&["X-Amz-Checksum-Crc32"]),
            Some(A::Crc32),
            Some(A::Crc32),
        ),
        (&[("x-amz-checksum-algorithm", "sha1")], None, None, Some(A::Sha1)),
        (&[("x-amz-checksum-algorithm", "")], None, None, None),
        (&[("x-amz-checksum-mode", "ENABLED"), ("x-amz-checksum-type", "x")], None, None, None),
    ];
    for (headers, trailer, in_trailer, algorithm) in cases {
        let got = read(headers, *trailer).unwrap();
        assert_eq!((got.trailer, got.algorithm), (*in_trailer, *algorithm), "{headers:?}");
        assert_eq!(got.content_md5, None);
    }
    let md5 = read(&[("content-md5", MD5)], None).unwrap().content_md5.unwrap();
    assert_eq!(hex::encode(md5), "5d41402abc4b2a76b9719d911017c592");
}

/// Headers and announced trailers → the message of the InvalidRequest.
type Contradiction =
    (&'static [(&'static str, &'static str)], &'static [&'static str], &'static str);

const CONTRADICTIONS: &[Contradiction] = &[
    (&[("x-amz-checksum-crc32", CRC32), ("x-amz-checksum-crc32c", CRC32)], &[], ONE_VALUE),
    (&[("x-amz-checksum-crc32", CRC32)], &["x-amz-checksum-crc32"], ONE_VALUE),
    (&[], &["x-amz-checksum-crc32", "x-amz-checksum-sha1"], ONE_VALUE),
    (
        &[("x-amz-checksum-crc16", CRC32)],
        &[],
        "The algorithm type you specified in x-amz-checksum- header is invalid.",
    ),
    (&[], &["x-amz-meta-a"], "The value specified in the x-amz-trailer header is not supported"),
    (
        &[("x-amz-sdk-checksum-algorithm", "CRC32")],
        &[],
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
         x-amz-trailer headers were found.",
    ),
    (
        &[("x-amz-sdk-checksum-algorithm", "CRC32C")],
        &["x-amz-checksum-crc32"],
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
    ),
    (
        &[("x-amz-sdk-checksum-algorithm", "SHA1"), ("x-amz-checksum-crc32", CRC32)],
        &[],
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
    ),
    (
        &[("x-amz-sdk-checksum-algorithm", "CRC16"), ("x-amz-checksum-crc32", CRC32)],
        &[],
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
    ),
    (
        &[("x-amz-checksum-algorithm", "SHA1"), ("x-amz-checksum-crc32", CRC32)],
        &[],
        "Value for x-amz-checksum-algorithm header is invalid.",
    ),
];

#[test]
fn what_contradicts_itself_is_refused() {
    for (headers, trailer, message) in CONTRADICTIONS {
        let error = read(headers, Some(trailer)).expect_err(message);
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{headers:?}");
        assert_eq!(error.message, *message, "{headers:?}");
    }
    for (name, value) in [
        ("x-amz-checksum-crc32", "NhCmhg"),
        ("x-amz-checksum-crc32", "NhCmhg==-2"),
        ("x-amz-checksum-crc32", ""),
        ("x-amz-checksum-sha256", CRC32),
        ("x-amz-checksum-sha256", "bad"),
    ] {
        let error = read(&[(name, value)], None).unwrap_err();
        let message = format!("Value for {name} header is invalid.");
        assert_eq!((error.code, error.message), (ErrorCode::BadDigest, message), "{value}");
    }
    for md5 in ["", "XUFAKrxLKna5cZ2REBfFkg", "NhCmhg==", "5d41402abc4b2a76b9719d911017c592"] {
        let error = read(&[("content-md5", md5)], None).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidDigest, "{md5}");
    }
    let twice = read(&[("content-md5", MD5), ("content-md5", MD5)], None).unwrap_err();
    assert_eq!(twice.code, ErrorCode::InvalidDigest);
}

#[test]
fn values_in_the_query_of_a_presigned_url_are_ignored_but_for_the_md5() {
    let query = format!(
        "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&content-md5={MD5}"
    );
    let head = head("PUT", "/bkt/key", &query, &[]);
    let got = expected(&head, None).unwrap();
    assert_eq!((got.checksum, got.trailer, got.algorithm), (None, None, None));
    assert!(got.content_md5.is_some());
}

#[test]
fn every_algorithm_is_verified_in_header_and_trailer() {
    for &algorithm in A::ALL {
        let digests = digests(Some(algorithm));
        let good = digests.checksum_for(algorithm).unwrap();
        let mut bad = good.clone();
        bad.value[0] ^= 1;
        let message = format!(
            "The {} you specified did not match the calculated checksum.",
            algorithm.name()
        );

        let in_header = |c: &Checksum| read(&[(algorithm.header(), &c.base64())], None).unwrap();
        assert_eq!(verify(&in_header(&good), None, &digests).unwrap(), Some(good.clone()));
        let error = verify(&in_header(&bad), None, &digests).unwrap_err();
        assert_eq!((error.code, error.message), (ErrorCode::BadDigest, message.clone()));

        let announced = read(&[], Some(&[algorithm.header()])).unwrap();
        let in_trailer = |name: &str, c: &Checksum| {
            verify(&announced, Some((name, &c.base64())), &digests).map_err(|e| (e.code, e.message))
        };
        assert_eq!(in_trailer(algorithm.header(), &good).unwrap(), Some(good.clone()));
        let upper = algorithm.header().to_uppercase();
        assert_eq!(in_trailer(&upper, &good).unwrap(), Some(good.clone()));
        let refused = in_trailer(algorithm.header(), &bad).unwrap_err();
        assert_eq!(refused, (ErrorCode::BadDigest, message));
    }
}

#[test]
fn a_trailer_must_be_the_one_announced() {
    let digests = digests(Some(A::Crc32));
    let announced = read(&[], Some(&["x-amz-checksum-crc32"])).unwrap();
    let none = ExpectedDigests::default();
    for (expected, value, code) in [
        (&announced, None, ErrorCode::MalformedTrailerError),
        (&announced, Some(("x-amz-checksum-crc32c", CRC32)), ErrorCode::MalformedTrailerError),
        (&announced, Some(("x-amz-meta-a", CRC32)), ErrorCode::MalformedTrailerError),
        (&none, Some(("x-amz-checksum-crc32", CRC32)), ErrorCode::MalformedTrailerError),
        (&announced, Some(("x-amz-checksum-crc32", "x")), ErrorCode::InvalidRequest),
        (&announced, Some(("x-amz-checksum-crc32", "")), ErrorCode::InvalidRequest),
        (&announced, Some(("x-amz-checksum-crc32", OTHER_CRC32)), ErrorCode::BadDigest),
    ] {
        assert_eq!(verify(expected, value, &digests).unwrap_err().code, code, "{value:?}");
    }
    let lax = verify(&announced, Some(("x-amz-checksum-crc32", " NhCmhg==\n")), &digests);
    assert_eq!(lax.unwrap().unwrap().base64(), CRC32);
}

#[test]
fn md5_is_verified_beside_any_checksum() {
    let digests = digests(Some(A::Crc32));
    let good = read(&[("content-md5", MD5), ("x-amz-checksum-crc32", CRC32)], None).unwrap();
    assert_eq!(verify(&good, None, &digests).unwrap().unwrap().base64(), CRC32);
    let bad = read(&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")], None).unwrap();
    let error = verify(&bad, None, &digests).unwrap_err();
    assert_eq!(error.code, ErrorCode::BadDigest);
    assert_eq!(error.fields[1], ("CalculatedDigest", MD5.to_owned()));
}

#[test]
fn what_was_asked_for_is_kept_and_what_was_not_computed_never_passes() {
    let asked = read(&[("x-amz-checksum-algorithm", "SHA1")], None).unwrap();
    let kept = verify(&asked, None, &digests(Some(A::Sha1))).unwrap().unwrap();
    assert_eq!(hex::encode(kept.value), "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
    assert_eq!(verify(&ExpectedDigests::default(), None, &digests(None)).unwrap(), None);
    let error = verify(&asked, None, &digests(None)).unwrap_err();
    assert_eq!(error.code, ErrorCode::InternalError);
}

#[test]
fn create_declares_algorithm_and_type() {
    use ChecksumType::{Composite, FullObject};
    let read = |algorithm: &str, kind: &str| {
        let mut headers = Vec::new();
        headers.extend((!algorithm.is_empty()).then_some(("x-amz-checksum-algorithm", algorithm)));
        headers.extend((!kind.is_empty()).then_some(("x-amz-checksum-type", kind)));
        let by_header = declared(&head("POST", "/bkt/key", "uploads", &headers));
        let query: Vec<_> = headers.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let by_query = declared(&head("POST", "/bkt/key", &query.join("&"), &[]));
        assert_eq!(by_header.as_ref().ok(), by_query.as_ref().ok());
        by_header.map_err(|e| (e.code, e.message))
    };
    for (algorithm, kind, expected) in [
        ("", "", None),
        ("CRC32", "", Some((A::Crc32, Composite))),
        ("crc32", "FULL_OBJECT", Some((A::Crc32, FullObject))),
        ("CRC32C", "full_object", Some((A::Crc32c, FullObject))),
        ("CRC64NVME", "", Some((A::Crc64nvme, FullObject))),
        ("CRC64NVME", "FULL_OBJECT", Some((A::Crc64nvme, FullObject))),
        ("SHA256", "", Some((A::Sha256, Composite))),
        ("XXHASH128", "COMPOSITE", Some((A::Xxhash128, Composite))),
    ] {
        assert_eq!(read(algorithm, kind).unwrap(), expected, "{algorithm} {kind}");
    }
    for (algorithm, kind, message) in [
        (
            "SHA256",
            "FULL_OBJECT",
            "The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm.",
        ),
        (
            "CRC64NVME",
            "COMPOSITE",
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        (
            "",
            "COMPOSITE",
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm \
             header.",
        ),
        ("CRC32", "PARTIAL", "Value for x-amz-checksum-type header is invalid."),
        (
            "CRC16",
            "",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid \
             types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, \
             XXHASH128]",
        ),
    ] {
        let expected = (ErrorCode::InvalidRequest, message.to_owned());
        assert_eq!(read(algorithm, kind).unwrap_err(), expected, "{algorithm} {kind}");
    }
}

#[test]
fn complete_names_the_object_s_checksum_with_or_without_the_number_of_parts() {
    let read = |name: &str, value: &str| {
        object_checksum(&head("POST", "/bkt/key", "uploadId=x", &[(name, value)]))
    };
    for value in ["NhCmhg==", "NhCmhg==-1", "NhCmhg==-10000"] {
        let checksum = read("x-amz-checksum-crc32", value).unwrap().unwrap();
        assert_eq!((checksum.algorithm, checksum.base64().as_str()), (A::Crc32, CRC32));
    }
    for value in ["NhCmhg==-", "NhCmhg==-x", "NhCmhg==-1-1", "-1", ""] {
        let error = read("x-amz-checksum-crc32", value).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadDigest, "{value}");
    }
    assert_eq!(read("x-amz-checksum-type", "COMPOSITE").unwrap(), None);
}

#[test]
fn the_mode_is_enabled_in_any_case() {
    for (value, enabled) in [("ENABLED", true), ("enabled", true), ("", false), ("DISABLED", false)]
    {
        let by_header = head("GET", "/bkt/key", "", &[("x-amz-checksum-mode", value)]);
        assert_eq!(mode_enabled(&by_header), enabled);
        let query = format!("x-amz-checksum-mode={value}");
        assert_eq!(mode_enabled(&head("GET", "/bkt/key", &query, &[])), enabled);
    }
    assert!(!mode_enabled(&head("GET", "/bkt/key", "", &[])));
}
