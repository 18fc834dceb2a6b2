//! [`Presigner`]: presigned URLs with SigV4, the same as clients make.
//!
//! The server checks such a URL like one made by a client. Its permissions are those of its access
//! key at the time of use.

use std::fmt;

use percent_encoding::percent_encode;
use sha2::{Digest, Sha256};

use super::canonical::{PATH_SET, query};
use super::date;
use super::payload::UNSIGNED_PAYLOAD;
use super::signing_key::SigningKey;
use super::sigv4::ALGORITHM;
use crate::access::Credential;
use crate::types::{BucketName, ObjectKey, Timestamp};

/// Maker of presigned URLs with one access key, one start and one life.
pub struct Presigner {
    key: SigningKey,
    /// `http://host[:port]`.
    base: String,
    /// Value of the Host header.
    host: String,
    /// Query parameters that all URLs have.
    parameters: [(String, String); 5],
    date: String,
    scope: String,
}

impl Presigner {
    /// Presigner with the key `credential`. Its URLs are valid from `now` for `expires_seconds`.
    /// The default port is removed from the host and its letters become lower case, as clients do
    /// in Host.
    pub fn new(
        credential: &Credential,
        region: &str,
        (scheme, host): (&str, &str),
        now: Timestamp,
        expires_seconds: u64,
    ) -> Self {
        let date = date::basic(now.seconds());
        let day = &date[..8];
        let scope = format!("{day}/{region}/s3/aws4_request");
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let host = host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
        let parameters = [
            ("X-Amz-Algorithm", ALGORITHM.to_owned()),
            ("X-Amz-Credential", format!("{}/{scope}", credential.access_key_id)),
            ("X-Amz-Date", date.clone()),
            ("X-Amz-Expires", expires_seconds.to_string()),
            ("X-Amz-SignedHeaders", "host".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        Self {
            key: SigningKey::derive(&credential.secret_access_key, day, region),
            base: format!("{scheme}://{host}"),
            host,
            parameters,
            date,
            scope,
        }
    }

    /// URL of one request on a key. `words` are further query parameters.
    pub fn url(
        &self,
        method: &str,
        bucket: &BucketName,
        key: &ObjectKey,
        words: &[(&str, &str)],
    ) -> String {
        let path = path_of(bucket, key);
        let words = words.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let pairs: Vec<_> = words.chain(self.parameters.iter().cloned()).collect();
        let query = query(&pairs, None);
        let canonical =
            format!("{method}\n{path}\n{query}\nhost:{}\n\nhost\n{UNSIGNED_PAYLOAD}", self.host);
        let digest = hex::encode(Sha256::digest(canonical));
        let text = format!("{ALGORITHM}\n{}\n{}\n{digest}", self.date, self.scope);
        let signature = hex::encode(self.key.sign(text.as_bytes()));
        format!("{}{path}?{query}&X-Amz-Signature={signature}", self.base)
    }
}

impl fmt::Debug for Presigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presigner({})", self.scope)
    }
}

/// Path-style path of a key, percent-encoded.
pub fn path_of(bucket: &BucketName, key: &ObjectKey) -> String {
    format!("/{}/{}", bucket.as_str(), percent_encode(key.as_bytes(), PATH_SET))
}
