//! A pair of access key id and secret as an operator gives it, checked once.
//!
//! **Invariant:** the id can stand in a credential scope and in an `Authorization` header as it is:
//! it holds no `/`, `,`, `=` or space. The secret never shows in `Debug`.

use std::fmt;

/// What an access key id must look like.
pub const ACCESS_KEY_ID_SHAPE: &str = "3 to 128 of A-Z, a-z, 0-9, '.', '_' and '-'";
/// What a secret access key must look like.
pub const SECRET_SHAPE: &str = "8 to 128 printable ASCII characters without spaces";

/// An access key id with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    access_key_id: String,
    secret_access_key: String,
}

impl KeyPair {
    /// The pair, or the name of the half that is wrong and what it must look like.
    pub fn parse(id: &str, secret: &str) -> Result<Self, (&'static str, &'static str)> {
        let id_byte = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        if !(3..=128).contains(&id.len()) || !id.bytes().all(id_byte) {
            return Err(("accessKeyId", ACCESS_KEY_ID_SHAPE));
        }
        if !(8..=128).contains(&secret.len()) || !secret.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(("secretAccessKey", SECRET_SHAPE));
        }
        Ok(Self { access_key_id: id.to_owned(), secret_access_key: secret.to_owned() })
    }
    /// The id.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }
    /// The secret.
    pub fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }
    /// Both, id first: the form that the store takes.
    pub fn into_parts(self) -> (String, String) {
        (self.access_key_id, self.secret_access_key)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.access_key_id)
    }
}
