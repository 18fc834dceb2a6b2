//! Makes presigned URLs: SigV4 in the query, as clients make them by themselves.
//!
//! A URL made here is judged like any other; that the server made it means nothing. So what it may
//! do is what its key may do at the moment when it is used.

use std::fmt;

use percent_encoding::percent_encode;
use sha2::{Digest, Sha256};

use super::canonical::{PATH_SET, query};
use super::date;
use super::payload::UNSIGNED;
use super::signing_key::SigningKey;
use super::sigv4::ALGORITHM;
use crate::access::Credential;
use crate::types::{BucketName, ObjectKey, Timestamp};

/// Signs URLs of one key, one moment and one life.
pub struct Presigner {
    key: SigningKey,
    /// `http://host[:port]`.
    base: String,
    /// What stands in Host.
    host: String,
    /// The parameters that all URLs share.
    parameters: [(String, String); 5],
    date: String,
    scope: String,
}

impl Presigner {
    /// URLs of `credential`, from `now` on for `expires_seconds`. A client sends no default port
    /// and no capitals in Host, whatever the address says.
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

    /// The URL of one request on a key.
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
            format!("{method}\n{path}\n{query}\nhost:{}\n\nhost\n{UNSIGNED}", self.host);
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

/// The path of a key, encoded, in the path style.
pub fn path_of(bucket: &BucketName, key: &ObjectKey) -> String {
    format!("/{}/{}", bucket.as_str(), percent_encode(key.as_bytes(), PATH_SET))
}
