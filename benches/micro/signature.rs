//! The check of a signature: [`authenticate`] of a request with an Authorization header, and of a
//! presigned URL. Head and query are parsed before; the key is found at once.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::Method;
use partita::access::{Credential, User};
use partita::auth::{Mechanism, authenticate};
use partita::config::Config;
use partita::types::Timestamp;
use partita::wire::Head;

mod short;
#[path = "../../tests/it/signer.rs"]
#[allow(dead_code)]
mod signer;

use signer::{Body, Signer};

const KEY: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
const HOST: &str = "127.0.0.1:9000";
const TARGET: &str = "/bucket/some/folder/object%20name?partNumber=1&uploadId=0123456789abcdef";
/// The time of every request here, in seconds since 1970.
const NOW: u64 = 1_700_000_000;

fn header_signed() -> Head {
    let signer = Signer::new(KEY.0, KEY.1);
    let extra = [("content-type", "application/octet-stream"), ("x-amz-meta-name", "value")];
    let signed = signer.header(NOW, "PUT", HOST, TARGET, &extra, Body::Unsigned);
    let added = signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    head(Method::PUT, TARGET, extra.into_iter().chain(added))
}

fn presigned() -> Head {
    let target = Signer::new(KEY.0, KEY.1).presign_v4(NOW, 900, "PUT", HOST, TARGET, &[]);
    head(Method::PUT, &target, std::iter::empty())
}

fn head<'a>(
    method: Method,
    target: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> Head {
    let pair = |(name, value): (&str, &str)| {
        let name = HeaderName::try_from(name).expect("a name");
        (name, HeaderValue::from_str(value).expect("a value"))
    };
    let headers: HeaderMap = headers.chain([("host", HOST)]).map(pair).collect();
    let (path, query) = target.split_once('?').expect("a query");
    Head::new(method, path, query, headers, &[], false).expect("a good head")
}

fn credential() -> Arc<Credential> {
    let created = Timestamp::from_millis(0);
    let user = Arc::new(User {
        id: "id".into(),
        name: "name".into(),
        display_name: "name".into(),
        email: None,
        root: false,
        created,
    });
    let (id, secret) = (KEY.0.into(), KEY.1.into());
    Arc::new(Credential {
        access_key_id: id,
        secret_access_key: secret,
        user,
        enabled: true,
        created,
    })
}

fn signature(criterion: &mut Criterion) {
    let (rules, credential) = (Config::default().auth_rules(), credential());
    let key = |id: &str| (id == KEY.0).then(|| Arc::clone(&credential));
    let now = Timestamp::from_millis(NOW * 1000);
    let mut group = criterion.benchmark_group("signature");
    for (name, head, mechanism) in [
        ("header", header_signed(), Mechanism::HeaderV4),
        ("presigned", presigned(), Mechanism::PresignedV4),
    ] {
        let check = || authenticate(black_box(&head), &key, now, &rules);
        assert_eq!(check().expect("a good signature").mechanism, mechanism);
        group.bench_function(name, |bencher| bencher.iter(check));
    }
    group.finish();
}

criterion_group! { name = benches; config = short::criterion(); targets = signature }
criterion_main!(benches);
