//! Digests: 1 MiB through the single pass over a body, as a PUT (MD5 and CRC64NVME), as a signed
//! PUT (SHA-256 too) and with a client's CRC32C; the CRC32C alone, which guards the blocks of
//! files; MD5 of bodies side by side; and joining the CRCs of 10,000 parts.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use partita::digest::lanes::{self, Md5Lane};
use partita::digest::{ChecksumAlgorithm, Combiner, Digests, Hasher, WantedDigests, crc32c};

mod short;

const BODY_BYTES: usize = 1 << 20;
const PARTS: u64 = 10_000;
const PART_BYTES: u64 = 8 << 20;

fn digests(want: WantedDigests, body: &[u8]) -> Digests {
    let mut hasher = Hasher::new(want);
    hasher.update(body);
    hasher.finish()
}

fn body(criterion: &mut Criterion) {
    let body: Vec<u8> = (0..BODY_BYTES).map(|n| (n % 251) as u8).collect();
    let crc32c_too = Some(ChecksumAlgorithm::Crc32c);
    let mut group = criterion.benchmark_group("digest");
    group.throughput(Throughput::Bytes(BODY_BYTES as u64));
    for (name, want) in [
        ("md5+crc64nvme", WantedDigests::default()),
        ("md5+crc64nvme+sha256", WantedDigests { sha256: true, checksum: None }),
        ("md5+crc64nvme+crc32c", WantedDigests { sha256: false, checksum: crc32c_too }),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| digests(want, black_box(&body))));
    }
    group.bench_function("crc32c", |bencher| bencher.iter(|| crc32c(black_box(&body))));
    group.finish();
}

fn side_by_side(criterion: &mut Criterion) {
    let body: Bytes = (0..BODY_BYTES).map(|n| (n % 251) as u8).collect();
    let mut group = criterion.benchmark_group("md5");
    for bodies in [1, 2, 4, lanes::LANES] {
        group.throughput(Throughput::Bytes((bodies * BODY_BYTES) as u64));
        group.bench_function(bodies.to_string(), |bencher| {
            bencher.iter(|| {
                let mut moving: Vec<_> = (0..bodies).map(|_| Md5Lane::default()).collect();
                moving.iter_mut().for_each(|lane| lane.feed(body.clone()));
                while !moving.iter().all(Md5Lane::is_idle) {
                    lanes::advance(&mut moving);
                }
                moving.into_iter().map(Md5Lane::finish).collect::<Vec<_>>()
            });
        });
    }
    group.finish();
}

/// Joins `crcs` of parts of `PART_BYTES`, of which the last one is shorter.
fn combine(algorithm: ChecksumAlgorithm, crcs: &[Vec<u8>]) -> Vec<u8> {
    let mut combiner = Combiner::new(algorithm).expect("the algorithm is a CRC");
    if let Some((last, others)) = crcs.split_last() {
        others.iter().for_each(|crc| combiner.append(crc, PART_BYTES));
        combiner.append(last, PART_BYTES / 3);
    }
    combiner.finish().value
}

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("combine");
    group.throughput(Throughput::Elements(PARTS));
    for algorithm in [ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64nvme] {
        let crc = |n: u64| n.to_be_bytes()[8 - algorithm.length()..].to_vec();
        let crcs: Vec<Vec<u8>> = (1..=PARTS).map(crc).collect();
        group.bench_function(algorithm.name(), |bencher| {
            bencher.iter(|| combine(algorithm, black_box(&crcs)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = short::criterion();
    targets = body, side_by_side, parts
}
criterion_main!(benches);
