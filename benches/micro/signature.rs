//! Authentication: [`authenticate`](partita::auth::authenticate) of an UploadPart with an
//! Authorization header, and of one with a presigned URL. Head and query are parsed before.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use partita::auth::Mechanism;

#[allow(dead_code)] // Each benchmark uses a part of it.
mod request;
mod short;

use request::{Gateway, signer::Body};

fn signature(criterion: &mut Criterion) {
    let headers = [("content-type", "application/octet-stream"), ("content-length", "8388608")];
    let (header_signed, _) = request::header_signed(&headers, Body::Unsigned);
    let gateway = Gateway::new();
    let mut group = criterion.benchmark_group("signature");
    for (name, head, mechanism) in [
        ("header", header_signed, Mechanism::HeaderV4),
        ("presigned", request::presigned(), Mechanism::PresignedV4),
    ] {
        assert_eq!(gateway.check(&head).mechanism, mechanism);
        group.bench_function(name, |bencher| bencher.iter(|| gateway.check(black_box(&head))));
    }
    group.finish();
}

criterion_group! { name = benches; config = short::criterion(); targets = signature }
criterion_main!(benches);
