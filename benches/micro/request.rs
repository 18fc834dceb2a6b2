//! Signed requests of the signer of the tests, and their authentication by the gateway.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::Method;
use partita::access::{Credential, User};
use partita::auth::{Authenticated, SignatureSettings, authenticate};
use partita::config::Config;
use partita::types::Timestamp;
use partita::wire::Head;

/// Signer of the tests, which shares no code with the gateway.
#[path = "../../tests/it/signer.rs"]
pub mod signer;

use signer::{Body, Signed, Signer};

const KEY: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
const HOST: &str = "127.0.0.1:9000";
const TARGET: &str = "/bucket/some/folder/object%20name?partNumber=1&uploadId=0123456789abcdef";
/// Time of every request, in seconds since 1970.
const NOW: u64 = 1_700_000_000;

/// UploadPart with an Authorization header that covers `headers`, and its signature.
pub fn header_signed(headers: &[(&str, &str)], body: Body<'_>) -> (Head, Signed) {
    let signed = Signer::new(KEY.0, KEY.1).header(NOW, "PUT", HOST, TARGET, headers, body);
    let mut all = headers.to_vec();
    all.extend(signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    (head(TARGET, &all), signed)
}

/// UploadPart with a presigned URL.
pub fn presigned() -> Head {
    head(&Signer::new(KEY.0, KEY.1).presign_v4(NOW, 900, "PUT", HOST, TARGET, &[]), &[])
}

fn head(target: &str, headers: &[(&str, &str)]) -> Head {
    let pair = |(name, value): &(&str, &str)| {
        let name = HeaderName::try_from(*name).expect("a header's name");
        (name, HeaderValue::from_str(value).expect("a header's value"))
    };
    let headers: HeaderMap = headers.iter().chain(&[("host", HOST)]).map(pair).collect();
    let (path, query) = target.split_once('?').expect("the target has a query");
    Head::new(Method::PUT, path, query, headers, &[], false).expect("the head is well-formed")
}

/// Authentication rules and one key.
pub struct Gateway {
    credential: Arc<Credential>,
    rules: SignatureSettings,
}

impl Gateway {
    pub fn new() -> Self {
        let created = Timestamp::from_millis(0);
        let user = User {
            id: "0".repeat(64),
            name: "user".into(),
            display_name: "user".into(),
            email: None,
            root: false,
            created,
        };
        let credential = Credential {
            access_key_id: KEY.0.into(),
            secret_access_key: KEY.1.into(),
            user: Arc::new(user),
            enabled: true,
            created,
        };
        Self { credential: Arc::new(credential), rules: Config::default().signature_settings() }
    }

    /// Authenticates a head, as the gateway does for every request.
    pub fn check(&self, head: &Head) -> Authenticated {
        let key = |id: &str| (id == KEY.0).then(|| Arc::clone(&self.credential));
        let now = Timestamp::from_millis(NOW * 1000);
        authenticate(head, &key, now, &self.rules).expect("the signature is good")
    }
}
