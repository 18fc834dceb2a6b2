//! Random requests signed by the signer of the AWS SDK for Rust: the gateway accepts each of them,
//! and refuses each with one change. A failure prints its seed; `AUTH_SEED=<seed>` repeats it.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::config::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use partita::wire::ErrorCode;

use super::*;
use crate::signer::encode;

/// SplitMix64: a small seeded generator for test cases.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is below a usize")
    }
    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
    fn text(&mut self, pieces: &[&str], count_max: usize) -> String {
        (0..=self.below(count_max)).map(|_| self.pick(pieces)).collect()
    }
}

const KEY_PIECES: [&str; 22] = [
    "a",
    "Z",
    "0",
    " ",
    "+",
    "%",
    "/",
    "//",
    "..",
    "/../",
    "./",
    "~",
    "*",
    "'",
    "(",
    "&",
    "=",
    ":",
    "\u{e9}",
    "e\u{301}",
    "\u{1f3b5}",
    "\u{7f}",
];
const VALUE_PIECES: [&str; 10] = ["a", "B", "9", " ", "   ", ",", "=", "/", "~", "\""];

fn random_request(random: &mut Random) -> (Request, Vec<(String, String)>) {
    let method = random.pick(&["GET", "PUT", "POST", "DELETE", "HEAD"]);
    let key = random.text(&KEY_PIECES, 12);
    let mut target = format!("/bkt/{}", encode(key.as_bytes(), true));
    for (index, name) in ["prefix", "partNumber", "Zz", "a b", "uploads"].iter().enumerate() {
        if random.below(2) == 0 {
            let value = random.text(&KEY_PIECES, 4);
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(&encode(name.as_bytes(), false));
            if index != 4 {
                target.push('=');
                target.push_str(&encode(value.as_bytes(), false));
            }
        }
    }
    let mut headers = Vec::new();
    for name in ["content-type", "range", "x-amz-meta-a", "x-amz-meta-b", "x-partita-a"] {
        if random.below(2) == 0 {
            headers.push((name.to_owned(), random.text(&VALUE_PIECES, 6)));
        }
    }
    let borrowed: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    (Request::new(method, &target, &borrowed), headers)
}

/// The request, signed by the SDK.
fn sdk_signed(request: &Request, region: &str, presigned: bool) -> Request {
    let credentials = Credentials::new(KNOWN, "correct horse", None, None, "test").into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    if presigned {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(900));
    }
    let parameters = v4::SigningParams::builder()
        .identity(&credentials)
        .region(region)
        .name("s3")
        .time(UNIX_EPOCH + Duration::from_secs(AT))
        .settings(settings)
        .build()
        .expect("all is given")
        .into();
    let uri = format!("http://{HOST}{}", request.target);
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::UnsignedPayload;
    let signable =
        SignableRequest::new(&request.method, uri, headers, body).expect("a valid request");
    let (instructions, _) = sign(signable, &parameters).expect("it can be signed").into_parts();
    let (headers, query) = instructions.into_parts();
    let mut signed = request.clone();
    for header in headers {
        signed.headers.push((header.name().into(), header.value().into()));
    }
    for (name, value) in query {
        signed.target.push(if signed.target.contains('?') { '&' } else { '?' });
        signed.target.push_str(&format!("{name}={}", encode(value.as_bytes(), false)));
    }
    signed
}

#[test]
fn the_gateway_and_our_signer_agree_with_the_sdk() {
    let seeds: Vec<u64> = match std::env::var("AUTH_SEED") {
        Ok(seed) => vec![seed.parse().expect("AUTH_SEED is a number")],
        Err(_) => (0..500).collect(),
    };
    for seed in seeds {
        let mut random = Random(seed);
        let (request, headers) = random_request(&mut random);
        let region = random.pick(&["us-east-1", "eu-west-1", "US"]);
        for presigned in [false, true] {
            let signed = sdk_signed(&request, region, presigned);
            if let Err(error) = signed.check() {
                panic!("AUTH_SEED={seed}: {signed:?}: {error:?} {:?}", error.fields);
            }
            let mut changed = signed.clone();
            changed.target = signed.target.replacen("/bkt/", "/bkt/x", 1);
            assert_eq!(changed.refused(), ErrorCode::SignatureDoesNotMatch, "AUTH_SEED={seed}");

            // Three signers agree: the SDK, the gateway and the tests' own.
            let ours = Signer { region: region.into(), ..signer() };
            let borrowed: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let (method, target) = (&*request.method, &*request.target);
            if presigned {
                let target = ours.presign_v4(AT, 900, method, HOST, target, &borrowed);
                let ours = target.rsplit_once("Signature=").expect("it is signed").1;
                assert!(signed.target.ends_with(ours), "AUTH_SEED={seed}");
            } else {
                let ours = ours.header(AT, method, HOST, target, &borrowed, Body::Unsigned);
                let theirs = signed.header("authorization");
                assert!(theirs.ends_with(&ours.signature), "AUTH_SEED={seed}: {theirs} {ours:?}");
            }
        }
    }
}
