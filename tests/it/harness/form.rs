//! Forms as the server of a page makes them: a policy with a condition for each field, and its
//! signature.

use super::gateway::Who;
use super::http::Request;
use crate::signer;

/// Signature version of a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    V2,
    V4,
}

/// A form. Each field has a condition, unless it is bare.
#[derive(Clone, Debug)]
pub struct Form {
    who: Who,
    version: Version,
    bucket: String,
    expires: String,
    conditions: Vec<String>,
    fields: Vec<(String, String)>,
    file_name: Option<String>,
    file: Vec<u8>,
}

/// Boundary between the parts.
pub const BOUNDARY: &str = "----a-Boundary";

impl Form {
    /// A form by root for this key, valid for a minute.
    pub fn new(bucket: &str, key: &str) -> Self {
        Self::empty(bucket).field("key", key)
    }

    /// The same without a key.
    pub fn empty(bucket: &str) -> Self {
        Self {
            who: Who::Root,
            version: Version::V4,
            bucket: bucket.into(),
            expires: signer::extended_date(signer::now() + 60),
            conditions: vec![format!("{{\"bucket\": \"{bucket}\"}}")],
            fields: Vec::new(),
            file_name: None,
            file: b"content".to_vec(),
        }
    }

    /// The same, signed by another principal; an anonymous form has no policy.
    pub fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// The same with another signature version.
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// One more field, and the condition that it has this value.
    pub fn field(self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        let condition = serde_json::json!({ name: value }).to_string();
        self.bare(name, value).condition(condition)
    }

    /// One more field that no condition names.
    pub fn bare(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// One more condition.
    pub fn condition(mut self, json: impl Into<String>) -> Self {
        self.conditions.push(json.into());
        self
    }

    /// No condition at all, not even that of the bucket.
    pub fn unconditional(mut self) -> Self {
        self.conditions.clear();
        self
    }

    /// Another expiration of the policy.
    pub fn expires(mut self, date: &str) -> Self {
        self.expires = date.into();
        self
    }

    /// Bytes of the file.
    pub fn file(mut self, bytes: &[u8]) -> Self {
        self.file = bytes.to_vec();
        self
    }

    /// Name of the file.
    pub fn named(mut self, name: &str) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// All fields before the file, including those of the signature.
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields = self.fields.clone();
        let Some(signer) = self.who.signer() else { return fields };
        let at = signer::now();
        let mut conditions = self.conditions.clone();
        if self.version == Version::V4 {
            let of_signature = signer.policy_v4(at, "");
            for (name, value) in &of_signature[..3] {
                conditions.push(serde_json::json!({ *name: value }).to_string());
            }
        }
        let document = format!(
            "{{\"expiration\": \"{}\", \"conditions\": [{}]}}",
            self.expires,
            conditions.join(", ")
        );
        let policy = super::base64(document.as_bytes());
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        match self.version {
            Version::V2 => fields.extend(signer.policy_v2(&policy).map(own)),
            Version::V4 => fields.extend(signer.policy_v4(at, &policy).map(own)),
        }
        fields.push(("policy".into(), policy));
        fields
    }

    /// The request; its head is not signed.
    pub fn request(&self) -> Request {
        self.request_of(&self.fields())
    }

    /// The request with these fields instead.
    pub fn request_of(&self, fields: &[(String, String)]) -> Request {
        Request::new("POST", format!("/{}", self.bucket))
            .by(Who::Anonymous)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(encode(fields, self.file_name.as_deref(), &self.file))
    }
}

/// The body of a form.
pub fn encode(fields: &[(String, String)], file_name: Option<&str>, file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut part = |name: &str, more: &str, value: &[u8]| {
        body.extend_from_slice(format!("--{BOUNDARY}\r\n").as_bytes());
        let line = format!("Content-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
        body.extend_from_slice(line.as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    };
    for (name, value) in fields {
        part(name, "", value.as_bytes());
    }
    let name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
    part("file", &name, file);
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}
