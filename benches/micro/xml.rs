//! XML: writes a list page of 1,000 keys, and parses a CompleteMultipartUpload of 10,000 parts with
//! checksums.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use partita::types::{ETag, Timestamp};
use partita::wire::date;
use partita::wire::xml::{self, Writer};

mod short;

const KEYS: u64 = 1000;
const PARTS: usize = 10_000;
const ROOT: &str = "CompleteMultipartUpload";

/// Elements of ListObjectsV2, formatted as by the operation.
fn list_page(keys: &[String]) -> Vec<u8> {
    let mut xml = Writer::document("ListBucketResult");
    xml.text("Name", "bucket").display("KeyCount", keys.len());
    for key in keys {
        xml.element("Contents", |xml| {
            xml.text("Key", key);
            xml.text("LastModified", date::iso8601(Timestamp::from_millis(1_700_000_000_000)));
            xml.text("ETag", ETag::plain([7; 16]).quoted());
            xml.text("ChecksumAlgorithm", "CRC64NVME").text("ChecksumType", "FULL_OBJECT");
            xml.display("Size", 8_388_608).text("StorageClass", "STANDARD");
        });
    }
    xml.finish()
}

/// Document as written by SDKs.
fn complete() -> String {
    let mut document = format!("<{ROOT} xmlns=\"{}\">", xml::NAMESPACE);
    for number in 1..=PARTS {
        let _ = write!(
            document,
            "<Part><ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME>\
             <ETag>&quot;{number:032x}&quot;</ETag><PartNumber>{number}</PartNumber></Part>",
        );
    }
    document + "</" + ROOT + ">"
}

fn xml(criterion: &mut Criterion) {
    let keys: Vec<String> = (0..KEYS).map(|n| format!("folder/with & in it/{n:010}")).collect();
    let document = complete();
    let parsed = xml::parse(document.as_bytes(), ROOT).expect("the document is well-formed");
    assert_eq!(parsed.children.len(), PARTS);
    let mut group = criterion.benchmark_group("xml");
    group.throughput(Throughput::Elements(KEYS));
    group.bench_function("write 1,000 keys", |bencher| {
        bencher.iter(|| list_page(black_box(&keys)));
    });
    group.throughput(Throughput::Elements(PARTS as u64));
    group.bench_function("read 10,000 parts", |bencher| {
        bencher.iter_with_large_drop(|| xml::parse(black_box(document.as_bytes()), ROOT));
    });
    group.finish();
}

criterion_group! { name = benches; config = short::criterion(); targets = xml }
criterion_main!(benches);
