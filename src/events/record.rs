//! Bodies of deliveries: the record of AWS (`eventVersion` 2.1) with the additional fields of
//! MinIO.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::callback::CallbackVar;
use super::names::EventName;
use crate::types::{ETag, ObjectHeaders, Timestamp};

/// Characters to percent-encode: all but the unreserved ones of RFC 3986 and the slash. A space
/// becomes `%20` and a plus `%2B`, so decoders of forms and of paths read the same key.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// Prefix of the headers with user metadata.
const USER_PREFIX: &str = "x-amz-meta-";

/// Object or upload of an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// Size in bytes of an existing object.
    pub size: Option<u64>,
    /// Entity tag of an existing object.
    pub etag: Option<ETag>,
    /// Headers and user metadata of the object, or of the object to be created.
    pub headers: Option<&'a ObjectHeaders>,
    /// Upload id, for the events of uploads.
    pub upload_id: Option<&'a str>,
    /// JSON of `x-partita-callback-var`.
    pub callback_var: Option<&'a CallbackVar>,
}

/// Data of one event, known in the transaction that records it.
#[derive(Clone, Copy, Debug)]
pub struct EventDetails<'a> {
    /// Name.
    pub event: EventName,
    /// Time of the change.
    pub time: Timestamp,
    /// Name, owner's id and region of the bucket.
    pub bucket: (&'a str, &'a str, &'a str),
    /// Key of the object or upload.
    pub key: &'a str,
    /// Sequence number, greater than that of every earlier event of the key.
    pub sequence: i64,
    /// User that sent the request.
    pub principal: &'a str,
    /// Id of the request.
    pub request_id: &'a str,
    /// IP address of the client.
    pub peer: &'a str,
    /// Object or upload.
    pub subject: Subject<'a>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "EventName")]
    event_name: &'static str,
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Records")]
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_source: &'static str,
    aws_region: &'a str,
    event_time: String,
    event_name: &'static str,
    user_identity: Identity<'a>,
    request_parameters: serde_json::Value,
    response_elements: serde_json::Value,
    s3: S3<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opaque_data: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    principal_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct S3<'a> {
    #[serde(rename = "s3SchemaVersion")]
    schema_version: &'static str,
    configuration_id: &'a str,
    bucket: Bucket<'a>,
    object: Object<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket<'a> {
    name: &'a str,
    owner_identity: Identity<'a>,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "eTag")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_metadata: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_id: Option<&'a str>,
    sequencer: String,
}

impl EventDetails<'_> {
    /// Body for the target of the rule with the id `configuration_id`.
    pub fn render(&self, configuration_id: &str) -> Vec<u8> {
        let (bucket, owner, region) = self.bucket;
        let subject = self.subject;
        let record = Record {
            event_version: "2.1",
            event_source: "aws:s3",
            aws_region: region,
            event_time: iso8601(self.time),
            event_name: self.event.in_record(),
            user_identity: Identity { principal_id: self.principal },
            request_parameters: json!({ "sourceIPAddress": self.peer }),
            response_elements: json!({
                "x-amz-request-id": self.request_id,
                "x-amz-id-2": "partita",
            }),
            s3: S3 {
                schema_version: "1.0",
                configuration_id,
                bucket: Bucket {
                    name: bucket,
                    owner_identity: Identity { principal_id: owner },
                    arn: format!("arn:aws:s3:::{bucket}"),
                },
                object: Object {
                    key: utf8_percent_encode(self.key, ENCODED).to_string(),
                    size: subject.size,
                    etag: subject.etag.map(|etag| etag.to_string()),
                    content_type: subject.headers.and_then(content_type),
                    user_metadata: subject.headers.and_then(user_metadata),
                    upload_id: subject.upload_id,
                    sequencer: format!("{:016X}", self.sequence),
                },
            },
            opaque_data: subject.callback_var.map(CallbackVar::raw),
        };
        let document = Document {
            event_name: self.event.as_str(),
            key: format!("{bucket}/{}", self.key),
            records: [record],
        };
        serde_json::to_vec(&document).expect("texts and numbers can be written")
    }
}

fn content_type(headers: &ObjectHeaders) -> Option<String> {
    let header = headers.0.iter().find(|(name, _)| name == "content-type");
    header.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

/// User metadata as MinIO shows it, with its prefix.
fn user_metadata(headers: &ObjectHeaders) -> Option<serde_json::Map<String, serde_json::Value>> {
    let user = headers.0.iter().filter(|(name, _)| name.starts_with(USER_PREFIX));
    let map: serde_json::Map<_, _> = user
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned().into()))
        .collect();
    (!map.is_empty()).then_some(map)
}

/// Body of a test event, as AWS sends it.
pub fn test_event(bucket: &str, request_id: &str, time: Timestamp) -> Vec<u8> {
    let document = json!({
        "Service": "Amazon S3",
        "Event": EventName::TestEvent.as_str(),
        "Time": iso8601(time),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": "partita",
    });
    document.to_string().into_bytes()
}

/// Number and period of events that a target does not receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DroppedEvents {
    /// Number of events.
    pub count: u64,
    /// Time of the first one.
    pub first: Timestamp,
    /// Time of the last one.
    pub last: Timestamp,
}

/// Body of `partita:Events:Gap`: the count of events that were dropped because the backlog of the
/// target, or the share of one key in it, was full, or because all attempts failed and the event
/// was deleted.
pub fn dropped_events(target: &str, missing: &DroppedEvents) -> Vec<u8> {
    let DroppedEvents { count, first, last } = *missing;
    let document = json!({
        "EventName": EventName::Gap.as_str(),
        "Key": "",
        "Records": [],
        "Gap": {
            "target": target,
            "count": count,
            "first": iso8601(first),
            "last": iso8601(last),
        },
    });
    document.to_string().into_bytes()
}

/// Count in a body that [`dropped_events`] made. `None` for another body.
pub fn parse_dropped_events(body: &[u8]) -> Option<DroppedEvents> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let gap = document.get("Gap")?;
    let time = |name: &str| {
        let time: jiff::Timestamp = gap.get(name)?.as_str()?.parse().ok()?;
        u64::try_from(time.as_millisecond()).ok().map(Timestamp::from_millis)
    };
    let count = gap.get("count")?.as_u64()?;
    Some(DroppedEvents { count, first: time("first")?, last: time("last")? })
}

/// Time in ISO 8601 with milliseconds.
fn iso8601(time: Timestamp) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(subject: Subject<'_>) -> EventDetails<'_> {
        EventDetails {
            event: EventName::ObjectCreatedPut,
            time: Timestamp::from_millis(1_700_000_000_007),
            bucket: ("bkt", "owner", "eu-west-1"),
            key: "a b/ü+%.txt",
            sequence: 0x1f,
            principal: "alice",
            request_id: "R1",
            peer: "127.0.0.1",
            subject,
        }
    }

    #[test]
    fn a_record_has_the_fields_of_aws_and_minio() {
        let headers = ObjectHeaders(vec![
            ("content-type".into(), b"text/plain".to_vec()),
            ("cache-control".into(), b"no-store".to_vec()),
            ("x-amz-meta-a".into(), "é".as_bytes().to_vec()),
        ]);
        let var = CallbackVar::from_bytes(b"{\"b\": 1.0, \"a\":2}".to_vec()).unwrap();
        let subject = Subject {
            size: Some(5),
            etag: Some(ETag { md5: [0xab; 16], parts: Some(2) }),
            headers: Some(&headers),
            upload_id: None,
            callback_var: Some(&var),
        };
        let body = String::from_utf8(details(subject).render("rule1")).unwrap();
        assert!(body.contains("\"opaqueData\":{\"b\": 1.0, \"a\":2}"), "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        let expected = json!({
            "EventName": "s3:ObjectCreated:Put",
            "Key": "bkt/a b/ü+%.txt",
            "Records": [{
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "eu-west-1",
                "eventTime": "2023-11-14T22:13:20.007Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": { "principalId": "alice" },
                "requestParameters": { "sourceIPAddress": "127.0.0.1" },
                "responseElements": { "x-amz-request-id": "R1", "x-amz-id-2": "partita" },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "rule1",
                    "bucket": {
                        "name": "bkt",
                        "ownerIdentity": { "principalId": "owner" },
                        "arn": "arn:aws:s3:::bkt",
                    },
                    "object": {
                        "key": "a%20b/%C3%BC%2B%25.txt",
                        "size": 5,
                        "eTag": "abababababababababababababababab-2",
                        "contentType": "text/plain",
                        "userMetadata": { "x-amz-meta-a": "é" },
                        "sequencer": "000000000000001F",
                    },
                },
                "opaqueData": { "b": 1.0, "a": 2 },
            }],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let body: Value = serde_json::from_slice(&details(Subject::default()).render("r")).unwrap();
        let object = &body["Records"][0]["s3"]["object"];
        let names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["key", "sequencer"]);
        assert!(body["Records"][0].get("opaqueData").is_none());
    }

    #[test]
    fn a_test_and_a_gap_have_bodies_of_their_own() {
        let time = Timestamp::from_millis(0);
        let test: Value = serde_json::from_slice(&test_event("bkt", "R", time)).unwrap();
        assert_eq!(test["Event"], "s3:TestEvent");
        assert_eq!(test["Time"], "1970-01-01T00:00:00.000Z");
        let missing = DroppedEvents { count: 7, first: time, last: Timestamp::from_millis(1_234) };
        let body = dropped_events("app", &missing);
        assert_eq!(
            super::parse_dropped_events(&body),
            Some(missing),
            "what it counts is read back"
        );
        assert_eq!(super::parse_dropped_events(&test_event("bkt", "R", time)), None);
        let gap: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&gap["EventName"], &gap["Gap"]["count"]),
            (&json!("partita:Events:Gap"), &json!(7))
        );
    }
}
