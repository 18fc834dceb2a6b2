//! Policy of a form: its expiration and its conditions on the fields.
//!
//! Source: AWS, "Creating a POST policy".
//!
//! **Invariant:** every field must have a condition, except those of [`is_free`]. So the sender of
//! a form cannot add what the author of the policy did not allow.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::date;
use crate::types::{BucketName, Timestamp, decimal};
use crate::wire::form::FormFields;
use crate::wire::{Error, ErrorCode, Result, checksum};

/// Range of the length of the file in bytes: the condition `content-length-range`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LengthRange {
    /// Smallest length.
    pub bytes_min: u64,
    /// Largest length.
    pub bytes_max: u64,
}

impl Default for LengthRange {
    fn default() -> Self {
        Self { bytes_min: 0, bytes_max: u64::MAX }
    }
}

/// Parsed policy.
#[derive(Debug)]
pub(super) struct Policy {
    /// Expiration in seconds since 1970.
    expiration: u64,
    conditions: Vec<Condition>,
}

/// Condition on one field. Names of fields are in lower case.
#[derive(Debug)]
enum Condition {
    Equal { field: String, value: String },
    StartsWith { field: String, prefix: String },
    Length(LengthRange),
}

/// JSON document of a policy. Unknown members are refused, because this server could not enforce
/// them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    expiration: String,
    conditions: Vec<Value>,
}

impl Policy {
    /// Policy from its base64.
    ///
    /// # Errors
    /// InvalidPolicyDocument.
    pub(super) fn parse(base64: &str) -> Result<Self> {
        let json = BASE64.decode(base64).map_err(|_| invalid("it is not base64."))?;
        let json = String::from_utf8(json).map_err(|_| invalid("it is not UTF-8."))?;
        let document: Document = serde_json::from_str(&without_dollar_escapes(&json))
            .map_err(|error| invalid(error.to_string()))?;
        let expiration = date::parse_extended(&document.expiration).ok_or_else(|| {
            invalid(format!("Invalid 'expiration' value: '{}'", document.expiration))
        })?;
        let conditions = document.conditions.iter().map(Condition::parse).collect::<Result<_>>()?;
        Ok(Self { expiration, conditions })
    }

    /// Checks all conditions on the fields of a form, and gives the range of the file's length.
    ///
    /// # Errors
    /// AccessDenied, naming the condition that failed or the fields without a condition.
    pub(super) fn check(
        &self,
        fields: &FormFields,
        bucket: &BucketName,
        now: Timestamp,
    ) -> Result<LengthRange> {
        if now.seconds() > self.expiration {
            return Err(denied("Policy expired."));
        }
        // A form may not name another bucket than the one in its URL.
        if fields.get("bucket").is_some_and(|named| named != bucket.as_str()) {
            return Err(denied("the form is for another bucket."));
        }
        let mut bounds = LengthRange::default();
        for condition in &self.conditions {
            condition.check(fields, bucket)?;
            if let Condition::Length(own) = condition {
                bounds.bytes_min = bounds.bytes_min.max(own.bytes_min);
                bounds.bytes_max = bounds.bytes_max.min(own.bytes_max);
            }
        }
        let covered =
            |name: &str| self.conditions.iter().any(|condition| condition.field() == Some(name));
        // The bucket is part of the URL, so it counts as a field of every form.
        let names = fields.iter().map(|(name, _)| name).filter(|name| *name != "bucket");
        let open: Vec<&str> = std::iter::once("bucket")
            .chain(names)
            .filter(|name| !is_free(name) && !covered(name))
            .collect();
        match open.is_empty() {
            true => Ok(bounds),
            false => Err(denied(format!("Extra input fields: {}", open.join(", ")))),
        }
    }
}

/// True for a field that needs no condition: fields of the signature, fields that S3 ignores, and
/// the checksum of the file, which can only reject the file.
fn is_free(name: &str) -> bool {
    const FREE: [&str; 5] = ["policy", "x-amz-signature", "awsaccesskeyid", "signature", "file"];
    FREE.contains(&name) || name.starts_with("x-ignore-") || checksum::is_value(name)
}

impl Condition {
    fn parse(value: &Value) -> Result<Self> {
        match value {
            Value::Object(simple) => Self::simple(simple),
            Value::Array(parts) => Self::list(parts),
            _ => Err(invalid("Conditions must be JSON Objects or JSON Arrays.")),
        }
    }

    /// Condition such as `{"acl": "private"}`.
    fn simple(simple: &Map<String, Value>) -> Result<Self> {
        let mut entries = simple.iter();
        let (Some((field, value)), None) = (entries.next(), entries.next()) else {
            return Err(invalid(
                "Invalid Simple-Condition: Simple-Conditions must have exactly one property \
                 specified.",
            ));
        };
        let value = value
            .as_str()
            .ok_or_else(|| invalid("Invalid Simple-Condition: value must be a string."))?;
        Ok(Self::Equal { field: field.to_ascii_lowercase(), value: value.to_owned() })
    }

    /// Condition such as `["eq", "$acl", "private"]`, `["starts-with", "$key", "user/"]` or
    /// `["content-length-range", 0, 1024]`.
    fn list(parts: &[Value]) -> Result<Self> {
        let [operator, first, second] = parts else {
            return Err(invalid("a condition has an operator and two arguments."));
        };
        let operator = operator.as_str().unwrap_or_default().to_ascii_lowercase();
        if operator == "content-length-range" {
            let (Some(bytes_min), Some(bytes_max)) = (bytes(first), bytes(second)) else {
                return Err(invalid("content-length-range has two numbers of bytes."));
            };
            if bytes_min > bytes_max {
                return Err(invalid("content-length-range begins above its end."));
            }
            return Ok(Self::Length(LengthRange { bytes_min, bytes_max }));
        }
        let field = first.as_str().and_then(|field| field.strip_prefix('$'));
        let (Some(field), Some(value)) = (field, second.as_str()) else {
            return Err(invalid("a condition names a field as \"$field\", and a string."));
        };
        let (field, value) = (field.to_ascii_lowercase(), value.to_owned());
        match &*operator {
            "eq" => Ok(Self::Equal { field, value }),
            "starts-with" => Ok(Self::StartsWith { field, prefix: value }),
            _ => Err(invalid(format!("unknown operator '{operator}'."))),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Equal { field, .. } | Self::StartsWith { field, .. } => Some(field),
            Self::Length(_) => None,
        }
    }

    fn check(&self, fields: &FormFields, bucket: &BucketName) -> Result<()> {
        // The bucket of the URL counts, not a field with that name.
        let sent = |field: &str| match field {
            "bucket" => bucket.as_str(),
            field => fields.get(field).unwrap_or_default(),
        };
        let (holds, text) = match self {
            Self::Length(_) => return Ok(()),
            Self::Equal { field, value } => {
                (sent(field) == value, format!("[\"eq\", \"${field}\", \"{value}\"]"))
            }
            Self::StartsWith { field, prefix } => {
                // Every type in a list must have the prefix.
                let holds = match &**field {
                    "content-type" => {
                        sent(field).split(',').all(|kind| kind.trim_start().starts_with(prefix))
                    }
                    field => sent(field).starts_with(prefix),
                };
                (holds, format!("[\"starts-with\", \"${field}\", \"{prefix}\"]"))
            }
        };
        match holds {
            true => Ok(()),
            false => Err(denied(format!("Policy Condition failed: {text}"))),
        }
    }
}

/// Number of bytes. Some clients write it as a string.
fn bytes(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => decimal::parse(text),
        _ => None,
    }
}

/// JSON text with `\$` replaced by `$`. Policies escape the dollar sign, which JSON does not allow.
fn without_dollar_escapes(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut chars = json.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => out.push('$'),
                Some(escaped) => out.extend(['\\', escaped]),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

fn invalid(why: impl AsRef<str>) -> Error {
    Error::because(ErrorCode::InvalidPolicyDocument, format!("Invalid Policy: {}", why.as_ref()))
}

fn denied(why: impl AsRef<str>) -> Error {
    let message = format!("Invalid according to Policy: {}", why.as_ref());
    Error::because(ErrorCode::AccessDenied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_369_353_600_000);

    /// Result of a policy with these conditions for a form on `bkt`: its range of lengths, or the
    /// code and the text after the first colon of the message.
    fn check(
        conditions: &str,
        fields: FormFields,
    ) -> std::result::Result<LengthRange, (ErrorCode, String)> {
        let json =
            format!(r#"{{"expiration": "2013-05-24T00:00:00Z", "conditions": [{conditions}]}}"#);
        let bucket = BucketName::parse("bkt").unwrap();
        let policy = Policy::parse(&BASE64.encode(json));
        policy.and_then(|policy| policy.check(&fields, &bucket, NOW)).map_err(|error| {
            let why = error.message.split_once(": ").map(|(_, why)| why.to_owned());
            (error.code, why.unwrap_or_default())
        })
    }

    fn allowed(conditions: &str, fields: FormFields) -> bool {
        let outcome = check(&format!(r#"{{"bucket": "bkt"}}, {conditions}"#), fields);
        match outcome {
            Ok(_) => true,
            Err((ErrorCode::AccessDenied, _)) => false,
            Err(other) => panic!("{conditions}: {other:?}"),
        }
    }

    #[test]
    fn conditions_compare_values_with_their_case_and_names_without() {
        for (conditions, value, holds) in [
            (r#"{"key": "a/b"}"#, "a/b", true),
            (r#"{"kEy": "a/b"}"#, "a/b", true),
            (r#"{"key": "a/b"}"#, "A/b", false),
            (r#"{"key": "a/b"}"#, "a/bc", false),
            (r#"["eq", "$key", "a/b"]"#, "a/b", true),
            (r#"["EQ", "$KEY", "a/b"]"#, "a/b", true),
            (r#"["eq", "$key", "a/b"]"#, "a/", false),
            (r#"["starts-with", "$key", "a/"]"#, "a/b", true),
            (r#"["StArTs-WiTh", "$Key", "a/"]"#, "a/b", true),
            (r#"["starts-with", "$key", "a/"]"#, "b/a/", false),
            (r#"["starts-with", "$key", "A/"]"#, "a/b", false),
            (r#"["starts-with", "$key", ""]"#, "anything", true),
            // All must hold.
            (r#"{"key": "a"}, ["starts-with", "$key", "b"]"#, "a", false),
            // A backslash is one; an escaped dollar sign is a dollar sign.
            (r#"["starts-with", "$key", "\\$foo"]"#, "\\$foo.txt", true),
            (r#"{"key": "\$foo"}"#, "$foo", true),
            (r#"{"key": "\u00e9\n\"\/"}"#, "é\n\"/", true),
        ] {
            let fields = FormFields::from([("key", value)]);
            assert_eq!(allowed(conditions, fields), holds, "{conditions} of {value}");
        }
    }

    #[test]
    fn a_list_of_types_needs_each_of_them() {
        let only = r#"["starts-with", "$Content-Type", "image/"]"#;
        for (value, holds) in [
            ("image/png", true),
            ("image/png, image/jpeg", true),
            ("image/png,text/html", false),
            ("image/png,", false),
            ("text/html,image/png", false),
        ] {
            let fields = FormFields::from([("content-type", value)]);
            assert_eq!(allowed(only, fields), holds, "{value}");
        }
    }

    #[test]
    fn every_field_needs_a_condition() {
        let extra = |conditions: &str, fields| match check(conditions, fields) {
            Err((ErrorCode::AccessDenied, why)) => why,
            other => panic!("{other:?}"),
        };
        let fields = || FormFields::from([("key", "k"), ("acl", "private"), ("x-amz-meta-a", "1")]);
        let why = extra(r#"{"bucket": "bkt"}, {"key": "k"}"#, fields());
        assert_eq!(why, "Extra input fields: acl, x-amz-meta-a");
        let why = extra(r#"{"key": "k"}"#, FormFields::from([("key", "k")]));
        assert_eq!(why, "Extra input fields: bucket");
        let free = FormFields::from([
            ("Policy", "p"),
            ("X-Amz-Signature", "s"),
            ("Signature", "s"),
            ("AWSAccessKeyId", "a"),
            ("x-ignore-this", "i"),
            ("X-Ignore-", "i"),
            ("x-amz-checksum-sha256", "c"),
        ]);
        assert_eq!(check(r#"{"bucket": "bkt"}"#, free), Ok(LengthRange::default()));
        for name in [
            "x-amz-credential",
            "x-amz-date",
            "x-amz-algorithm",
            "x-amz-security-token",
            "x-amz-checksum-algorithm",
            "x-amz-checksum-type",
            "x-partita-callback-var",
            "x-ignored",
            "success_action_redirect",
            "key",
            "submit",
        ] {
            let why = extra(r#"{"bucket": "bkt"}"#, FormFields::from([(name, "x")]));
            assert_eq!(why, format!("Extra input fields: {name}"));
        }
        // A missing field counts as empty.
        let meta = r#"["starts-with", "$x-amz-meta-a", "1"]"#;
        assert!(!allowed(meta, FormFields::default()));
        assert!(allowed(r#"["starts-with", "$x-amz-meta-a", ""]"#, FormFields::default()));
    }

    #[test]
    fn the_bucket_is_that_of_the_url() {
        let of = |conditions: &str, named: &str| {
            let fields = FormFields::from([("bucket", named)]);
            check(conditions, fields).map_err(|(code, _)| code)
        };
        assert_eq!(of(r#"{"bucket": "bkt"}"#, "bkt"), Ok(LengthRange::default()));
        assert_eq!(of(r#"["starts-with", "$bucket", "b"]"#, "bkt"), Ok(LengthRange::default()));
        for conditions in [r#"{"bucket": "other"}"#, r#"{"bucket": "bkt"}"#] {
            assert_eq!(of(conditions, "other"), Err(ErrorCode::AccessDenied));
        }
    }

    #[test]
    fn lengths_are_bounded_by_all_conditions() {
        let bounds = |range: &str| check(&format!(r#"{{"bucket": "bkt"}}, {range}"#), [].into());
        let of = |bytes_min, bytes_max| Ok(LengthRange { bytes_min, bytes_max });
        assert_eq!(bounds(r#"["content-length-range", 0, 0]"#), of(0, 0));
        assert_eq!(bounds(r#"["Content-Length-Range", "5", "17"]"#), of(5, 17));
        let two = r#"["content-length-range", 5, 17], ["content-length-range", 1, 10]"#;
        assert_eq!(bounds(two), of(5, 10));
        for bad in ["0", "-1, 0", "0, 1.5", "2, 1", "\"\", 1", "\"+1\", 2", "0, 1e3", "null, 1"] {
            let error = bounds(&format!(r#"["content-length-range", {bad}]"#)).unwrap_err();
            assert_eq!(error.0, ErrorCode::InvalidPolicyDocument, "{bad}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let refused = |base64: &str| Policy::parse(base64).unwrap_err().code;
        let good = r#"{"expiration": "2013-05-24T00:00:00Z", "conditions": []}"#;
        assert!(Policy::parse(&BASE64.encode(good)).is_ok());
        let encoded = BASE64.encode(good);
        for bad in ["", "?", &encoded[1..], &format!("{encoded}\n"), &encoded.replace('=', "")] {
            assert_eq!(refused(bad), ErrorCode::InvalidPolicyDocument, "{bad:?}");
        }
        let date = r#""expiration": "2013-05-24T00:00:00Z""#;
        for bad in [
            String::new(),
            "{".into(),
            "[]".into(),
            "null".into(),
            format!("{good} {good}"),
            format!("{{{date}}}"),
            r#"{"conditions": []}"#.into(),
            format!(r#"{{{date}, "CONDITIONS": []}}"#),
            r#"{"EXPIRATION": "2013-05-24T00:00:00Z", "conditions": []}"#.into(),
            format!(r#"{{{date}, "conditions": [], "more": 1}}"#),
            format!(r#"{{{date}, {date}, "conditions": []}}"#),
            format!(r#"{{{date}, "conditions": {{}}}}"#),
            r#"{"expiration": 5, "conditions": []}"#.into(),
            r#"{"expiration": "2013-05-24 00:00:00+00:00", "conditions": []}"#.into(),
            format!(r#"{{{date}, "conditions": {}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000)),
        ] {
            assert_eq!(refused(&BASE64.encode(&bad)), ErrorCode::InvalidPolicyDocument, "{bad}");
        }
        for bad in [
            "{}",
            "1",
            "\"eq\"",
            "[]",
            r#"{"acl": "private", "key": "k"}"#,
            r#"{"acl": 1}"#,
            r#"{"acl": null}"#,
            r#"["eq", "key", "k"]"#,
            r#"["eq", "$key"]"#,
            r#"["eq", "$key", "k", "k"]"#,
            r#"["eq", "$key", 1]"#,
            r#"["ends-with", "$key", "k"]"#,
            r#"[1, "$key", "k"]"#,
            r#"["eq", 1, "k"]"#,
        ] {
            let error = check(bad, FormFields::default()).unwrap_err();
            assert_eq!(error.0, ErrorCode::InvalidPolicyDocument, "{bad}");
        }
        assert_eq!(refused(&BASE64.encode(b"\xff\xfe")), ErrorCode::InvalidPolicyDocument);
    }

    #[test]
    fn a_policy_ends() {
        let policy = |date: &str| {
            let json =
                format!(r#"{{"expiration": "{date}", "conditions": [{{"bucket": "bkt"}}]}}"#);
            let bucket = BucketName::parse("bkt").unwrap();
            let policy = Policy::parse(&BASE64.encode(json)).unwrap();
            policy.check(&FormFields::default(), &bucket, NOW).map_err(|error| error.message)
        };
        assert!(policy("2013-05-24T00:00:00Z").is_ok());
        let ended = Err("Invalid according to Policy: Policy expired.".to_owned());
        assert_eq!(policy("2013-05-23T23:59:59.999Z"), ended);
    }
}
