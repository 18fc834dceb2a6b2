//! The aws-chunked decoder: frames of real clients, malformed frames, and random bytes.

use bytes::Bytes;
use partita::auth::chunked::{CHUNK_LINE_BYTES_MAX, ChunkedDecoder, TRAILER_BYTES_MAX, Trailers};
use partita::wire::ErrorCode;
use proptest::prelude::*;

use super::*;
use crate::signer::encode_unsigned;

const CRC32: (&str, &str) = ("x-amz-checksum-crc32", "NhCmhg==");

fn unsigned(decoded_length: u64, names: &[&str]) -> ChunkedPayload {
    let trailer = Some(names.iter().map(|name| (*name).to_owned()).collect());
    ChunkedPayload { decoded_length, trailer, signer: None }
}

fn decode<'a>(
    payload: ChunkedPayload,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Trailers), ErrorCode> {
    let mut decoder = ChunkedDecoder::new(payload);
    let mut out = Vec::new();
    for piece in pieces {
        let pushed = decoder.push(Bytes::copy_from_slice(piece), &mut out);
        pushed.map_err(|error| error.code)?;
    }
    let trailers = decoder.finish().map_err(|error| error.code)?;
    Ok((out.concat(), trailers))
}

#[test]
fn bodies_as_clients_send_them() {
    let crc64 = ("x-amz-checksum-crc64nvme", "ZFdC7OBrFHs=");
    let zeros = [0_u8; 1000];
    let crt = [&b"3E8\r\n"[..], &zeros, b"\r\n0\r\nx-amz-checksum-crc64nvme:ZFdC7OBrFHs=\r\n\r\n"];
    let table = [
        (crt.concat(), &zeros[..], crc64),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n".into(), b"hello", CRC32),
        (b"5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: NhCmhg==\n\r\n\r\n".into(), b"hello", CRC32),
        (
            b"3\r\nhel\r\n02\r\nlo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n".into(),
            b"hello",
            CRC32,
        ),
        (b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n".into(), b"", (CRC32.0, "AAAAAA==")),
    ];
    for (body, data, (name, value)) in table {
        let text = String::from_utf8_lossy(&body).into_owned();
        let expected = (data.to_vec(), Trailers(vec![(name.into(), value.into())]));
        for size in [1, 2, 5, body.len()] {
            let payload = unsigned(data.len() as u64, &[name]);
            assert_eq!(decode(payload, body.chunks(size)).as_ref(), Ok(&expected), "{text}");
        }
    }
}

#[test]
fn malformed_frames_are_refused() {
    let end = "x-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    let (bad, cut, trailer) =
        (ErrorCode::InvalidRequest, ErrorCode::IncompleteBody, ErrorCode::MalformedTrailerError);
    let long_line = format!("{}5\r\nhello\r\n0\r\n{end}", "0".repeat(CHUNK_LINE_BYTES_MAX));
    let long_trailer = format!("5\r\nhello\r\n0\r\n{}:a\r\n", "a".repeat(TRAILER_BYTES_MAX));
    let many = format!("5\r\nhello\r\n0\r\n{}", "x-amz-checksum-crc32:\n\r\n".repeat(2));
    let table = [
        ("".to_owned(), cut),
        ("5".into(), cut),
        ("5\r\nhell".into(), cut),
        ("5\r\nhello".into(), cut),
        ("5\r\nhello\r\n".into(), cut),
        ("5\r\nhello\r\n0\r\n".into(), cut),
        (format!("4\r\nhell\r\n0\r\n{end}"), cut),
        (format!("6\r\nhello!\r\n0\r\n{end}"), cut),
        (format!("5\r\nhello\r\n1\r\n!\r\n0\r\n{end}"), cut),
        ("ffffffffffffffff\r\nhello".into(), cut),
        ("10000000000000000\r\nhello".into(), bad),
        (format!("5\nhello\r\n0\r\n{end}"), bad),
        (format!("5\r\nhello\n0\r\n{end}"), bad),
        (format!("5\r\nhello0\r\n{end}"), bad),
        (format!("\r\n5\r\nhello\r\n0\r\n{end}"), bad),
        (format!("+5\r\nhello\r\n0\r\n{end}"), bad),
        (format!("0x5\r\nhello\r\n0\r\n{end}"), bad),
        (format!(" 5\r\nhello\r\n0\r\n{end}"), bad),
        (format!("5 \r\nhello\r\n0\r\n{end}"), bad),
        (format!("5;name=value\r\nhello\r\n0\r\n{end}"), bad),
        (format!("5;chunk-signature=00\r\nhello\r\n0\r\n{end}"), bad),
        (long_line, bad),
        ("5\r\nhello\r\n0\r\n\r\n".into(), trailer),
        ("5\r\nhello\r\n0\r\nx-amz-checksum-sha1:a\r\n\r\n".into(), trailer),
        (format!("5\r\nhello\r\n0\r\nx-amz-meta-a:1\r\n{end}"), trailer),
        (format!("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n{end}"), trailer),
        (format!("5\r\nhello\r\n0\r\nx-amz-trailer-signature:00\r\n{end}"), trailer),
        ("5\r\nhello\r\n0\r\nno colon\r\n\r\n".into(), trailer),
        (many, trailer),
        (long_trailer, trailer),
        ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\n\r\n".into(), bad),
        (format!("5\r\nhello\r\n0\r\n{end}\r\n"), bad),
        (format!("5\r\nhello\r\n0\r\n{end}0\r\n\r\n"), bad),
    ];
    for (body, code) in table {
        for size in [1, 3, body.len().max(1)] {
            let payload = unsigned(5, &[CRC32.0]);
            let result = decode(payload, body.as_bytes().chunks(size));
            assert_eq!(result.unwrap_err(), code, "{body:?} by {size}");
        }
    }
}

#[test]
fn a_line_without_an_end_is_not_held() {
    for (start, bytes_max) in [("", CHUNK_LINE_BYTES_MAX), ("0\r\n", TRAILER_BYTES_MAX)] {
        let mut decoder = ChunkedDecoder::new(unsigned(0, &[CRC32.0]));
        decoder.push(Bytes::from(start), &mut Vec::new()).unwrap();
        for _ in 0..bytes_max {
            decoder.push(Bytes::from_static(b"0"), &mut Vec::new()).unwrap();
        }
        decoder.push(Bytes::from_static(b"0"), &mut Vec::new()).unwrap_err();
    }
}

#[test]
fn all_trailer_lines_together_are_bounded() {
    let names: Vec<String> = (0..8).map(|n| format!("x-amz-checksum-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let value = "v".repeat(TRAILER_BYTES_MAX / 8);
    let trailers: Vec<(&str, &str)> = names.iter().map(|name| (*name, &*value)).collect();
    let body = encode_unsigned(b"", &[], &trailers);
    let error = decode(unsigned(0, &names), [&body[..]]).unwrap_err();
    assert_eq!(error, ErrorCode::MalformedTrailerError);
    let short: Vec<(&str, &str)> = names.iter().map(|name| (*name, "v")).collect();
    let body = encode_unsigned(b"", &[], &short);
    assert_eq!(decode(unsigned(0, &names), [&body[..]]).unwrap().1.0.len(), 8);
}

#[test]
fn data_passes_on_uncopied_before_its_chunk_ends() {
    let mut decoder = ChunkedDecoder::new(unsigned(1 << 40, &[CRC32.0]));
    let mut out = Vec::new();
    decoder.push(Bytes::from_static(b"10000000000\r\n"), &mut out).unwrap();
    let piece = Bytes::from(vec![7; 1 << 16]);
    for _ in 0..100 {
        decoder.push(piece.clone(), &mut out).unwrap();
    }
    assert_eq!(out.len(), 100);
    assert!(out.iter().all(|bytes| bytes.as_ptr() == piece.as_ptr()), "the same memory");
    assert_eq!(decoder.finish().unwrap_err().code, ErrorCode::IncompleteBody);
}

#[test]
fn several_signed_trailers_are_signed_in_order_of_their_names() {
    let names = "x-amz-checksum-sha256,x-amz-checksum-sha2";
    let headers = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", names)];
    let (request, signed) =
        header_signed(&signer(), "PUT", "/bkt/key", &headers, Body::SignedChunksTrailer);
    let mut trailers = [("x-amz-checksum-sha256", "a"), ("x-amz-checksum-sha2", "b")];
    for _ in 0..2 {
        trailers.reverse();
        let body = signed.encode(b"hello", &[5], Some(&trailers));
        let (data, found) = decode(chunked(&request), [&body[..]]).unwrap();
        assert_eq!(data, b"hello");
        assert_eq!(found.value("x-amz-checksum-sha2"), Some("b"));
    }
}

#[test]
fn the_trailer_signature_is_the_last_line_and_stands_once() {
    let headers = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", CRC32.0)];
    let (request, signed) =
        header_signed(&signer(), "PUT", "/bkt/key", &headers, Body::SignedChunksTrailer);
    let body = String::from_utf8(signed.encode(b"hello", &[5], Some(&[CRC32]))).unwrap();
    let cut = body.find(CRC32.0).unwrap();
    let lines: Vec<&str> = body[cut..].split_inclusive("\r\n").collect();
    let with = |order: &[usize]| {
        let trailer: String = order.iter().map(|&line| lines[line]).collect();
        decode(chunked(&request), [&body.as_bytes()[..cut], trailer.as_bytes()])
    };
    assert_eq!(lines.len(), 3);
    with(&[0, 1, 2]).unwrap();
    for order in [&[1, 0, 2][..], &[0, 1, 1, 2], &[1, 2], &[0, 2], &[2]] {
        assert_eq!(with(order).unwrap_err(), ErrorCode::MalformedTrailerError, "{order:?}");
    }
}

/// Splits a body at the given lengths, which are repeated.
fn pieces<'a>(mut body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &size in cuts.iter().cycle() {
        let (piece, rest) = body.split_at(size.min(body.len()));
        pieces.push(piece);
        body = rest;
        if body.is_empty() {
            break;
        }
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded(
        data in prop::collection::vec(any::<u8>(), 0..5000),
        sizes in prop::collection::vec(1_usize..2000, 1..6),
        cuts in prop::collection::vec(1_usize..700, 1..8),
        kind in 0..3,
    ) {
        let length = data.len().to_string();
        let mut headers = vec![("x-amz-decoded-content-length", length.as_str())];
        let trailers = [CRC32];
        if kind > 0 {
            headers.push(("x-amz-trailer", CRC32.0));
        }
        let of = |body| header_signed(&signer(), "PUT", "/bkt/key", &headers, body);
        let (payload, body) = match kind {
            0 => {
                let (request, signed) = of(Body::SignedChunks);
                (chunked(&request), signed.encode(&data, &sizes, None))
            }
            1 => {
                let (request, signed) = of(Body::SignedChunksTrailer);
                (chunked(&request), signed.encode(&data, &sizes, Some(&trailers)))
            }
            _ => {
                let (request, _) = of(Body::UnsignedTrailer);
                (chunked(&request), encode_unsigned(&data, &sizes, &trailers))
            }
        };
        let (decoded, found) = decode(payload, pieces(&body, &cuts)).unwrap();
        prop_assert_eq!(decoded, data);
        prop_assert_eq!(found.0.len(), usize::from(kind > 0));
    }

    #[test]
    fn no_bytes_make_it_panic(
        body in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b"0123456789aF;:=\r\n".to_vec())],
            0..400,
        ),
        cuts in prop::collection::vec(1_usize..50, 1..5),
        length in any::<u64>(),
    ) {
        for decoded_length in [length, length % 64] {
            // Random bytes never complete this trailer, so they never pass.
            let payload = unsigned(decoded_length, &["x-amz-checksum-crc64nvme"]);
            prop_assert!(decode(payload, pieces(&body, &cuts)).is_err());
        }
    }
}
