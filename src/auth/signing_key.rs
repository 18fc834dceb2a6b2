//! [`SigningKey`]: the key that SigV4 derives from a secret for one day and one region.
//!
//! The key is derived for each request. Four HMACs take about a microsecond; a cache would have to
//! be invalidated when secrets change.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Derived key. `Debug` does not show it.
#[derive(Clone)]
pub(super) struct SigningKey([u8; 32]);

impl SigningKey {
    /// Key for a credential scope. `day` is `yyyyMMdd`. The service is `s3`.
    pub(super) fn derive(secret: &str, day: &str, region: &str) -> Self {
        let mut key = hmac(format!("AWS4{secret}").as_bytes(), day.as_bytes());
        for part in [region, "s3", "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        Self(key)
    }

    /// Signature of a string to sign: HMAC-SHA256.
    pub(super) fn sign(&self, string_to_sign: &[u8]) -> [u8; 32] {
        hmac(&self.0, string_to_sign)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// True if `provided_hex` is `expected` in hexadecimal. Compares in constant time.
pub(super) fn signature_matches(provided_hex: &[u8], expected: &[u8; 32]) -> bool {
    let mut provided = [0; 32];
    hex::decode_to_slice(provided_hex, &mut provided).is_ok() && provided.ct_eq(expected).into()
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The published vectors in `vectors.rs` prove that the derivation is AWS's.
    #[test]
    fn every_input_changes_the_key() {
        let key = SigningKey::derive("secret", "20130524", "us-east-1");
        let signature = key.sign(b"text");
        assert!(signature_matches(hex::encode(signature).as_bytes(), &signature));
        for (secret, day, region) in [
            ("Secret", "20130524", "us-east-1"),
            ("secret", "20130525", "us-east-1"),
            ("secret", "20130524", "us-east-2"),
        ] {
            assert_ne!(SigningKey::derive(secret, day, region).sign(b"text"), signature);
        }
    }

    #[test]
    fn only_whole_signatures_match() {
        let expected = [0xab; 32];
        assert!(signature_matches(&b"ab".repeat(32), &expected));
        for bad in ["", "ab", "zz", &"ab".repeat(31), &"ab".repeat(33), &"ac".repeat(32)] {
            assert!(!signature_matches(bad.as_bytes(), &expected), "{bad}");
        }
        assert!(!format!("{:?}", SigningKey([0xab; 32])).contains("ab, "));
    }
}
