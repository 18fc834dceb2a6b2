//! aws-chunked: decoding 1 MiB in chunks of 64 KiB, unsigned with a trailer, and signed. The body
//! arrives in pieces as from a socket; the signature of the request is checked before. Without a
//! signature only chunk lines are parsed, and the pieces are sliced.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use partita::auth::chunked::ChunkedDecoder;
use partita::auth::{ChunkedPayload, Payload};
use partita::wire::Head;

#[allow(dead_code)] // Each benchmark uses a part of it.
mod request;
mod short;

use request::Gateway;
use request::signer::{Body, encode_unsigned};

const BODY_BYTES: usize = 1 << 20;
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes of one read of a socket.
const READ_BYTES: usize = 64 << 10;

/// Head and encoded body of a request.
type Request = (Head, Bytes);

fn unsigned(data: &[u8], length: &str) -> Request {
    let headers =
        [("x-amz-decoded-content-length", length), ("x-amz-trailer", "x-amz-checksum-crc32")];
    let (head, _) = request::header_signed(&headers, Body::UnsignedTrailer);
    // The decoder only returns the value of a trailer.
    let body = encode_unsigned(data, &[CHUNK_BYTES], &[("x-amz-checksum-crc32", "AAAAAA==")]);
    (head, body.into())
}

fn signed(data: &[u8], length: &str) -> Request {
    let headers = [("x-amz-decoded-content-length", length)];
    let (head, signed) = request::header_signed(&headers, Body::SignedChunks);
    (head, signed.encode(data, &[CHUNK_BYTES], None).into())
}

fn payload(gateway: &Gateway, head: &Head) -> ChunkedPayload {
    match gateway.check(head).payload {
        Payload::Chunked(payload) => payload,
        other => panic!("the body is aws-chunked, not {other:?}"),
    }
}

/// Decoded bytes, as slices of the pieces.
fn decode(payload: ChunkedPayload, pieces: &[Bytes]) -> Vec<Bytes> {
    let (mut decoder, mut out) = (ChunkedDecoder::new(payload), Vec::new());
    for piece in pieces {
        decoder.push(piece.clone(), &mut out).expect("the body is well-formed");
    }
    decoder.finish().expect("the body is whole");
    out
}

fn chunked(criterion: &mut Criterion) {
    let data = vec![b'x'; BODY_BYTES];
    let length = data.len().to_string();
    let gateway = Gateway::new();
    let mut group = criterion.benchmark_group("chunked");
    for (name, (head, body)) in
        [("unsigned", unsigned(&data, &length)), ("signed", signed(&data, &length))]
    {
        let cut = |first| body.slice(first..body.len().min(first + READ_BYTES));
        let pieces: Vec<Bytes> = (0..body.len()).step_by(READ_BYTES).map(cut).collect();
        assert_eq!(decode(payload(&gateway, &head), &pieces).concat(), data);
        group.bench_function(name, |bencher| {
            let setup = || payload(&gateway, &head);
            bencher.iter_batched(setup, |payload| decode(payload, &pieces), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = short::criterion(); targets = chunked }
criterion_main!(benches);
