//! Published values, and the combination of checksums against plain hashing.

use bytes::Bytes;
use proptest::prelude::*;
use sha2::Digest as _;

use super::lanes::{LANES, Md5Lane};
use super::*;

use ChecksumAlgorithm as A;

fn digests(bytes: &[u8], want: WantedDigests) -> Digests {
    let mut hasher = Hasher::new(want);
    hasher.update(bytes);
    hasher.finish()
}

fn checksum(algorithm: A, bytes: &[u8]) -> Checksum {
    let want = WantedDigests { sha256: false, checksum: Some(algorithm) };
    digests(bytes, want).checksum.expect("asked for")
}

#[test]
fn published_values() {
    let cases: &[(A, &[u8], &str)] = &[
        (A::Crc32, b"", "00000000"),
        (A::Crc32, b"123456789", "cbf43926"),
        (A::Crc32c, b"123456789", "e3069283"),
        (A::Crc32c, &[0; 32], "8a9136aa"),
        (A::Crc64nvme, b"", "0000000000000000"),
        (A::Crc64nvme, b"123456789", "ae8b14860a799888"),
        (A::Sha1, b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (A::Sha256, b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            A::Sha512,
            b"abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (A::Md5, b"abc", "900150983cd24fb0d6963f7d28e17f72"),
        (A::Xxhash64, b"", "ef46db3751d8e999"),
        (A::Xxhash64, b"abc", "44bc2cf5ad770999"),
        (A::Xxhash3, b"", "2d06800538d394c2"),
        (A::Xxhash3, b"abc", "78af5f94892f3950"),
        (A::Xxhash128, b"", "99aa06d3014798d86001c324468d497f"),
        (A::Xxhash128, b"abc", "06b05ab6733a618578af5f94892f3950"),
    ];
    for (algorithm, bytes, hex) in cases {
        let got = checksum(*algorithm, bytes);
        assert_eq!(got.algorithm, *algorithm);
        assert_eq!(hex::encode(&got.value), *hex, "{algorithm:?} of {bytes:?}");
    }
    assert!(A::ALL.iter().all(|a| cases.iter().any(|(c, ..)| c == a)), "each has a vector");
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

/// Body of AWS's examples of aws-chunked.
#[test]
fn values_of_the_chunked_example() {
    let body = [b'a'; 66_560];
    for (algorithm, base64) in
        [(A::Crc32, "sK4Y7A=="), (A::Crc32c, "sOO8/Q=="), (A::Crc64nvme, "pRf+emrnL+A=")]
    {
        assert_eq!(checksum(algorithm, &body).base64(), base64);
        assert_eq!(Checksum::parse(algorithm, base64), Some(checksum(algorithm, &body)));
    }
}

#[test]
fn everything_known_is_given_and_nothing_else() {
    let bytes = b"123456789";
    let plain = digests(bytes, WantedDigests::default());
    assert_eq!(plain.length, 9);
    assert_eq!(hex::encode(plain.md5), "25f9e794323b453885f5181f1b624d0b");
    assert_eq!(plain.crc64nvme, 0xae8b_1486_0a79_9888);
    assert_eq!((plain.sha256, &plain.checksum), (None, &None));
    for &algorithm in A::ALL {
        let known = [A::Crc64nvme, A::Md5].contains(&algorithm);
        let expected = known.then(|| checksum(algorithm, bytes));
        assert_eq!(plain.checksum_for(algorithm), expected);

        let asked = digests(bytes, WantedDigests { sha256: false, checksum: Some(algorithm) });
        assert_eq!(asked.checksum_for(algorithm), Some(checksum(algorithm, bytes)));
        assert_eq!(asked.checksum_for(A::Sha1).is_some(), algorithm == A::Sha1);
    }
    let signed = digests(bytes, WantedDigests { sha256: true, checksum: Some(A::Crc32) });
    let sha256 = signed.sha256.expect("asked for");
    assert_eq!(signed.checksum_for(A::Sha256).expect("known").value, sha256);
    assert_eq!(hex::encode(signed.checksum_for(A::Crc32).expect("asked").value), "cbf43926");
}

#[test]
fn the_table_reads_back() {
    for &algorithm in A::ALL {
        assert_eq!(A::parse(algorithm.name()), Some(algorithm));
        assert_eq!(A::parse(&algorithm.name().to_lowercase()), Some(algorithm));
        assert_eq!(A::from_header(algorithm.header()), Some(algorithm));
        assert_eq!(A::from_header(&algorithm.header().to_uppercase()), Some(algorithm));
        assert_eq!(A::from_code(algorithm.code()), Some(algorithm));
        let name = algorithm.name();
        assert_eq!(algorithm.header(), format!("x-amz-checksum-{}", name.to_lowercase()));
        assert_eq!(algorithm.element(), format!("Checksum{name}"));
        assert_eq!(algorithm.length(), checksum(algorithm, b"").value.len());
        assert!(algorithm.allows(algorithm.default_type()));
        assert_eq!(Combiner::new(algorithm).is_some(), algorithm.allows(ChecksumType::FullObject));
        assert_eq!(algorithm.allows(ChecksumType::Composite), algorithm != A::Crc64nvme);
    }
    assert_eq!(A::Crc32.default_type(), ChecksumType::Composite);
    assert_eq!(A::Crc64nvme.default_type(), ChecksumType::FullObject);
    for bad in ["", "CRC", "CRC-32", "CRC32 "] {
        assert_eq!((A::parse(bad), A::from_header(bad)), (None, None));
    }
    assert_eq!((A::from_code(0), A::from_code(11)), (None, None));
    for kind in [ChecksumType::FullObject, ChecksumType::Composite] {
        assert_eq!(ChecksumType::parse(kind.name()), Some(kind));
        assert_eq!(ChecksumType::parse(&kind.name().to_lowercase()), Some(kind));
        assert_eq!(ChecksumType::from_code(kind.code()), Some(kind));
    }
    assert_eq!((ChecksumType::parse("FULL"), ChecksumType::from_code(0)), (None, None));
}

#[test]
fn base64_is_strict() {
    // Wrong length, wrong padding, bits behind the end, white space, URL alphabet, suffix.
    for bad in ["", "AAAA", "AAAAAA", "AAAAAAA=", "AAAAAB==", " AAAAA==", "sOO8_Q==", "AAAAAA==-1"]
    {
        assert_eq!(Checksum::parse(A::Crc32, bad), None, "{bad:?}");
    }
    assert_eq!(Checksum::parse(A::Crc32, "AAAAAA==").expect("good").value, [0; 4]);
    assert_eq!(Checksum::parse(A::Crc64nvme, "AAAAAA=="), None);
}

#[test]
fn an_object_checksum_is_written_and_read_back() {
    let mut all = Vec::new();
    for &algorithm in A::ALL {
        let checksum = checksum(algorithm, b"x");
        all.push(ObjectChecksum::full(checksum.clone()));
        let kind = ChecksumType::Composite;
        all.push(ObjectChecksum { checksum, kind, parts: Some(10_000) });
    }
    for one in all {
        let bytes = one.encode();
        assert_eq!(ObjectChecksum::decode(&bytes), Some(one.clone()));
        assert_eq!(ObjectChecksum::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(ObjectChecksum::decode(&[&bytes[..], &[0]].concat()), None);
        let base64 = one.checksum.base64();
        let parts = if one.parts.is_some() { "-10000" } else { "" };
        assert_eq!(one.text(), format!("{base64}{parts}"));
    }
    for bad in [&[][..], &[1, 1, 0], &[0, 1, 0, 0, 0, 0, 0, 0], &[1, 3, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(ObjectChecksum::decode(bad), None);
    }
}

#[test]
fn a_composite_hashes_the_raw_digests() {
    let parts = [checksum(A::Sha256, b"a").value, checksum(A::Sha256, b"b").value];
    let expected = checksum(A::Sha256, &parts.concat());
    assert_eq!(composite(A::Sha256, parts.iter().map(Vec::as_slice)), expected);
}

#[test]
fn huge_parts_agree_with_the_other_implementation() {
    for (algorithm, other) in [
        (A::Crc32, crc_fast::CrcAlgorithm::Crc32IsoHdlc),
        (A::Crc32c, crc_fast::CrcAlgorithm::Crc32Iscsi),
        (A::Crc64nvme, crc_fast::CrcAlgorithm::Crc64Nvme),
    ] {
        let mut combiner = Combiner::new(algorithm).expect("a CRC");
        let mut expected = 0;
        for number in 0..200_u64 {
            let length = (5 << 30) - number % 3;
            let crc = checksum(algorithm, &number.to_be_bytes()).value;
            combiner.append(&crc, length);
            let value = crc.iter().fold(0, |v, &b| v << 8 | u64::from(b));
            expected = crc_fast::checksum_combine(other, expected, value, length);
        }
        let expected = &expected.to_be_bytes()[8 - algorithm.length()..];
        assert_eq!(combiner.finish().value, expected);
    }
}

proptest! {
    #[test]
    fn combined_parts_are_the_crc_of_the_whole(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
    ) {
        for algorithm in [A::Crc32, A::Crc32c, A::Crc64nvme] {
            let mut combiner = Combiner::new(algorithm).expect("a CRC");
            for part in &parts {
                combiner.append(&checksum(algorithm, part).value, part.len() as u64);
            }
            prop_assert_eq!(combiner.finish(), checksum(algorithm, &parts.concat()));
        }
    }

    #[test]
    fn pieces_do_not_matter(
        bytes in prop::collection::vec(any::<u8>(), 0..40_000),
        cut in 0_usize..40_000,
    ) {
        let cut = cut.min(bytes.len());
        for &algorithm in A::ALL {
            let want = WantedDigests { sha256: true, checksum: Some(algorithm) };
            let mut hasher = Hasher::new(want);
            hasher.update(&bytes[..cut]);
            hasher.update(&bytes[cut..]);
            prop_assert_eq!(hasher.finish(), digests(&bytes, want));
        }
    }

    #[test]
    fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Some(checksum) = ObjectChecksum::decode(&bytes) {
            prop_assert_eq!(checksum.encode(), bytes);
        }
    }
}

/// Body that is hashed in a lane: the sizes of its pieces and the step at which it joins.
#[derive(Debug)]
struct Body {
    body: Vec<u8>,
    piece: usize,
    joins: usize,
}

/// Hashes all bodies concurrently: each joins at a step, is fed in pieces, and leaves at its end.
fn in_lanes(bodies: &[Body]) -> Vec<[u8; 16]> {
    let mut md5 = vec![[0; 16]; bodies.len()];
    let mut fed = vec![0; bodies.len()];
    let (mut active, mut moving): (Vec<usize>, Vec<Md5Lane>) = (Vec::new(), Vec::new());
    let mut step = 0;
    let mut waiting: Vec<usize> = (0..bodies.len()).collect();
    while !waiting.is_empty() || !active.is_empty() {
        waiting.retain(|&n| {
            let joins = bodies[n].joins <= step && active.len() < LANES;
            if joins {
                active.push(n);
                moving.push(Md5Lane::default());
            }
            !joins
        });
        for i in (0..active.len()).rev().filter(|i| moving[*i].is_idle()).collect::<Vec<_>>() {
            let n = active[i];
            let rest = &bodies[n].body[fed[n]..];
            if rest.is_empty() {
                md5[n] = moving.swap_remove(i).finish();
                active.swap_remove(i);
                continue;
            }
            let piece = &rest[..rest.len().min(bodies[n].piece)];
            fed[n] += piece.len();
            moving[i].feed(Bytes::copy_from_slice(piece));
        }
        lanes::advance(&mut moving);
        step += 1;
    }
    md5
}

fn body() -> impl Strategy<Value = Body> {
    let length = prop_oneof![0..200_usize, 32_700..32_900_usize, 60_000..100_000_usize];
    let piece = prop_oneof![1..130_usize, 32_000..70_000_usize];
    (length, piece, 0..6_usize, any::<u8>()).prop_map(|(length, piece, joins, seed)| {
        // Small pieces of a long body would take long and add no case.
        let piece = piece.max(length / 50);
        let body = (0..length).map(|i| (i * 31 + i / 251) as u8 ^ seed).collect();
        Body { body, piece, joins }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn lanes_give_the_md5_of_each_body(bodies in prop::collection::vec(body(), 1..12)) {
        let expected: Vec<[u8; 16]> =
            bodies.iter().map(|one| md5::Md5::digest(&one.body).into()).collect();
        prop_assert_eq!(in_lanes(&bodies), expected);
    }
}

/// Every number of lanes, and every length around the ends of blocks and of the padding.
#[test]
fn lanes_of_every_number_and_length() {
    for count in 1..=LANES {
        for length in (0..=130).chain([64 * 511, 64 * 512, 64 * 513 + 1]) {
            let make = |n: usize| Body {
                body: (0..length).map(|i| (i + n * 17) as u8).collect(),
                piece: usize::MAX,
                joins: 0,
            };
            let bodies: Vec<_> = (0..count).map(make).collect();
            let expected: Vec<[u8; 16]> =
                bodies.iter().map(|one| md5::Md5::digest(&one.body).into()).collect();
            assert_eq!(in_lanes(&bodies), expected, "{count} lanes, {length} bytes");
        }
    }
}
