//! [`KeyPair`]: an access key id and its secret, given by an operator.
//!
//! **Invariants**
//! - The id fits into a credential scope and an `Authorization` header unescaped: it has no `/`,
//!   `,`, `=` or space.
//! - `Debug` does not show the secret.

use std::fmt;
use std::ops::RangeInclusive;

/// Length of an access key id in bytes.
const ACCESS_KEY_ID_BYTES: RangeInclusive<usize> = 3..=128;
/// Length of a secret access key in bytes.
const SECRET_BYTES: RangeInclusive<usize> = 8..=128;
/// Accepted access key ids, in words.
pub const ACCESS_KEY_ID_SHAPE: &str = "3 to 128 of A-Z, a-z, 0-9, '.', '_' and '-'";
/// Accepted secret access keys, in words.
pub const SECRET_SHAPE: &str = "8 to 128 printable ASCII characters without spaces";

/// Access key id with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    access_key_id: String,
    secret_access_key: String,
}

impl KeyPair {
    /// Pair of valid texts.
    ///
    /// # Errors
    /// Name of the field that is invalid (`accessKeyId` or `secretAccessKey`), and its accepted
    /// values in words.
    pub fn parse(id: &str, secret: &str) -> Result<Self, (&'static str, &'static str)> {
        let id_byte = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if !ACCESS_KEY_ID_BYTES.contains(&id.len()) || !id.bytes().all(id_byte) {
            return Err(("accessKeyId", ACCESS_KEY_ID_SHAPE));
        }
        if !SECRET_BYTES.contains(&secret.len()) || !secret.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(("secretAccessKey", SECRET_SHAPE));
        }
        Ok(Self { access_key_id: id.to_owned(), secret_access_key: secret.to_owned() })
    }
    /// Access key id.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }
    /// Secret access key.
    pub fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }
    /// Access key id and secret.
    pub fn into_parts(self) -> (String, String) {
        (self.access_key_id, self.secret_access_key)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.access_key_id)
    }
}
