//! Signature of Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Value of `webhook-signature`: one signature per key, separated by spaces.
pub(super) fn signature(keys: &[Vec<u8>], id: &str, seconds: u64, body: &[u8]) -> String {
    let sign = |key: &Vec<u8>| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(id.as_bytes());
        mac.update(format!(".{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    keys.iter().map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_specification() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signed = signature(&[key], id, 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_public_verifier_takes_either_key() {
        let (old, new) = (vec![7; 24], vec![8; 64]);
        let now = crate::clock::now().seconds();
        let value = signature(&[new.clone(), old.clone()], "msg_1", now, b"body");
        for key in [&old, &new] {
            let verifier = standardwebhooks::Webhook::from_bytes(key.clone()).unwrap();
            let mut headers = http_headers(&value, now);
            verifier.verify(b"body", &headers).unwrap();
            assert!(verifier.verify(b"bodY", &headers).is_err());
            headers.insert("webhook-id", "msg_2".parse().unwrap());
            assert!(verifier.verify(b"body", &headers).is_err());
        }
        let stranger = standardwebhooks::Webhook::from_bytes(vec![9; 24]).unwrap();
        assert!(stranger.verify(b"body", &http_headers(&value, now)).is_err());
    }

    fn http_headers(signature: &str, seconds: u64) -> http::HeaderMap {
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("webhook-timestamp", seconds.to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }
}
