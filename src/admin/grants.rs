//! Grants: one call by which a business server gives a browser everything it needs to send one
//! file, as presigned URLs of the key that asks.
//!
//! **Invariants**
//! - A grant is a CreateMultipartUpload in another form: the same checks, the same verb of the
//!   store. There is no second way to authenticate: what a browser gets are ordinary signatures.
//! - A grant keeps no state of its own. What bounds it is the upload (bucket, key, size, part size,
//!   type) and the life of its URLs; and its key, which must still be allowed when they are used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::fields::{Fields, invalid};
use super::uploads::upload;
use super::{AdminCall, Answer, Failure, PREFIX, json_response};
use crate::access::{Action, WriteObject};
use crate::auth::EXPIRES_SECONDS_MAX;
use crate::auth::presign::{Presigner, path_of};
use crate::clock;
use crate::ops::uploads::create;
use crate::ops::uploads::create::Opened;
use crate::ops::uploads::instant::Reader;
use crate::request::operation::Demand;
use crate::types::{BucketName, Layout, ObjectKey, PartNumber, UploadId};
use crate::wire::{Error, ErrorCode, Head, date, encoding};

/// URLs of parts in one answer.
const PARTS_MAX: u64 = 1000;
/// Longest callbackVar, as JSON.
const CALLBACK_VAR_BYTES_MAX: usize = 4 << 10;
/// The most prefixes that an instant upload may look below.
const INSTANT_PREFIXES_MAX: usize = 16;

/// Fields, and the headers of CreateMultipartUpload that they are.
const HEADERS: &[(&str, &str)] = &[
    ("size", "x-partita-object-size"),
    ("partSize", "x-partita-part-size"),
    ("sha256", "x-partita-content-sha256"),
    ("md5", "x-partita-content-md5"),
    ("contentType", "content-type"),
    ("callbackVar", "x-partita-callback-var"),
    ("instantPrefixes", "x-partita-instant-prefix"),
    ("proofPrefixes", "x-partita-proof-prefix"),
];

/// `POST grants`: opens the upload, or finds it open, and gives its URLs.
pub(super) async fn create(call: &AdminCall) -> Answer {
    call.parameters(&[])?;
    let asked = Asked::of(call)?;
    let demand = Demand {
        action: Action::PutObject,
        bucket: Some(asked.bucket.clone()),
        key: Some(asked.key.clone()),
    };
    let signer = Signer::of(call, asked.expires_seconds)?;
    let permit = call.caller.demand::<WriteObject>(&demand)?;
    let reader = Reader::of_caller(&call.gateway, &call.caller, &permit);
    let reader = match asked.may_find {
        MayFind::Nothing => None,
        MayFind::ByProof => reader.map(|reader| reader.who_proves(true)),
        MayFind::Below => reader,
    };
    let opened = create::open(&call.gateway, &permit, &asked.head, reader).await;
    let opened = opened.map_err(named)?;
    let how = opened.how();
    let Opened { created, declaration, .. } = opened;
    let layout = declaration.and_then(|declaration| declaration.layout);
    let layout = layout.ok_or_else(|| invalid("size", "", "It is required."))?;
    let target = Target { bucket: asked.bucket, key: asked.key, upload: created.upload.id };
    let mut answer = signer.page(&target, layout, PartNumber::FIRST, PARTS_MAX);
    answer.extend(signer.whole(&target));
    for (name, value) in [
        ("uploadId", json!(target.upload.to_string())),
        ("bucket", json!(target.bucket.as_str())),
        ("key", json!(target.key.as_str())),
        ("upload", json!(how)),
        ("size", json!(layout.size())),
        ("partSize", json!(layout.part_size())),
        ("partCount", json!(layout.count())),
    ] {
        answer.insert(name.into(), value);
    }
    Ok(json_response(StatusCode::OK, &answer))
}

/// `GET grants/ID/parts`: the URLs of more parts.
pub(super) async fn parts(call: &AdminCall) -> Answer {
    call.parameters(&["from", "limit", "expiresIn"])?;
    let from = call.number("from", 1, (1, 10_000))?;
    let from = u16::try_from(from).ok().and_then(PartNumber::new).unwrap_or(PartNumber::FIRST);
    let limit = call.number("limit", PARTS_MAX, (1, PARTS_MAX))?;
    let life = call.number("expiresIn", 3600, (1, EXPIRES_SECONDS_MAX))?;
    let upload = upload::<WriteObject>(call, Action::PutObject).await?;
    let signer = Signer::of(call, life)?;
    let (bucket, key) = (upload.permit().target_bucket(), upload.permit().key().clone());
    let target = Target { bucket: bucket.name.clone(), key, upload: upload.id() };
    let open = call.store.upload(&upload).await.map_err(Error::from)?;
    let layout = open.declaration.and_then(|declaration| declaration.layout);
    let layout = layout.ok_or_else(|| {
        let message = "The upload has no declared size, so nobody knows its parts.";
        Error::because(ErrorCode::InvalidRequest, message)
    })?;
    Ok(json_response(StatusCode::OK, &signer.page(&target, layout, from, limit)))
}

/// The request for a grant, as a CreateMultipartUpload would say it.
struct Asked {
    bucket: BucketName,
    key: ObjectKey,
    head: Head,
    expires_seconds: u64,
    may_find: MayFind,
}

/// Whether a grant says below which keys the file may be found. It must: the digest may be an end
/// user's claim, and the key of a business server reads the files of all of them.
#[derive(Clone, Copy)]
enum MayFind {
    Nothing,
    /// For a proof of possession alone.
    ByProof,
    /// Below those prefixes.
    Below,
}

impl Asked {
    fn of(call: &AdminCall) -> Result<Self, Failure> {
        let mut fields = Fields::of(call)?;
        let bucket: String = fields.required("bucket")?;
        let bucket = BucketName::parse(&bucket)
            .ok_or_else(|| invalid("bucket", &bucket, "It is no name of a bucket."))?;
        let key: String = fields.required("key")?;
        let key = parse_key(&key)?;
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost"));
        let size: u64 = fields.required("size")?;
        set(&mut headers, "size", &size.to_string())?;
        if let Some(part_size) = fields.optional::<u64>("partSize")? {
            set(&mut headers, "partSize", &part_size.to_string())?;
        }
        for name in ["sha256", "md5", "contentType"] {
            if let Some(text) = fields.optional::<String>(name)? {
                set(&mut headers, name, &text)?;
            }
        }
        if let Some(value) = fields.optional::<Value>("callbackVar")? {
            set(&mut headers, "callbackVar", &callback_var(&value)?)?;
        }
        metadata(&mut headers, fields.optional("metadata")?.unwrap_or_default())?;
        let prefixes: Vec<String> = fields.optional("instantPrefixes")?.unwrap_or_default();
        set_prefixes(&mut headers, "instantPrefixes", &prefixes)?;
        let proof_prefixes: Vec<String> = fields.optional("proofPrefixes")?.unwrap_or_default();
        set_prefixes(&mut headers, "proofPrefixes", &proof_prefixes)?;
        let expires_seconds: u64 = fields.required("expiresIn")?;
        fields.end()?;
        if !(1..=EXPIRES_SECONDS_MAX).contains(&expires_seconds) {
            let message = format!("It must be a number from 1 to {EXPIRES_SECONDS_MAX}.");
            return Err(invalid("expiresIn", &expires_seconds.to_string(), message));
        }
        let path = path_of(&bucket, &key);
        let head = Head::new(Method::POST, &path, "uploads", headers, &[], true)?;
        let may_find = match (prefixes.is_empty(), proof_prefixes.is_empty()) {
            (true, true) => MayFind::Nothing,
            (true, false) => MayFind::ByProof,
            (false, _) => MayFind::Below,
        };
        Ok(Self { bucket, key, head, expires_seconds, may_find })
    }
}

/// The key, if a browser can ask for it: it takes `.` and `..` out of every path.
fn parse_key(text: &str) -> Result<ObjectKey, Failure> {
    let key = ObjectKey::parse(text.as_bytes()).ok().filter(|_| !text.is_empty());
    let key = key.ok_or_else(|| invalid("key", text, "It is no key of an object."))?;
    if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        let message = "A browser cannot ask for a path with a segment `.` or `..`.";
        return Err(invalid("key", text, message));
    }
    Ok(key)
}

fn set(headers: &mut HeaderMap, field: &str, value: &str) -> Result<(), Failure> {
    let (_, name) = HEADERS.iter().find(|(name, _)| *name == field).expect("it is in the table");
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| invalid(field, value, "It cannot stand in a header."))?;
    headers.insert(*name, value);
    Ok(())
}

fn metadata(headers: &mut HeaderMap, metadata: Map<String, Value>) -> Result<(), Failure> {
    for (name, value) in metadata {
        let field = format!("metadata.{name}");
        let wrong = |why| invalid(&field, "", why);
        let text = value.as_str().ok_or_else(|| wrong("It must be text."))?;
        let header = format!("x-amz-meta-{name}");
        let header = HeaderName::from_bytes(header.as_bytes()).ok().filter(|_| !name.is_empty());
        let header = header.ok_or_else(|| wrong("It is no name of a header."))?;
        let value = HeaderValue::from_bytes(text.as_bytes());
        let value = value.map_err(|_| wrong("It cannot stand in a header."))?;
        if headers.insert(header, value).is_some() {
            return Err(wrong("It stands there twice: names have no case."));
        }
    }
    Ok(())
}

/// What comes back with the events of the upload: JSON, in base64, as the header has it.
fn callback_var(value: &Value) -> Result<String, Failure> {
    let text = value.to_string();
    if text.len() > CALLBACK_VAR_BYTES_MAX {
        let message = format!("It has more than {CALLBACK_VAR_BYTES_MAX} bytes of JSON.");
        return Err(invalid("callbackVar", "", message));
    }
    Ok(STANDARD.encode(text))
}

/// Below which keys a file of the same digest may be found instead of sent.
fn set_prefixes(
    headers: &mut HeaderMap,
    name: &'static str,
    prefixes: &[String],
) -> Result<(), Failure> {
    if prefixes.len() > INSTANT_PREFIXES_MAX {
        let message = format!("There can be {INSTANT_PREFIXES_MAX} of them.");
        return Err(invalid(name, "", message));
    }
    match prefixes.iter().any(|prefix| prefix.is_empty() || prefix.len() > 1024) {
        true => Err(invalid(name, "", "A prefix has 1 to 1024 bytes.")),
        false if prefixes.is_empty() => Ok(()),
        false => {
            let encode = |prefix: &String| match (name, prefix.as_str()) {
                ("proofPrefixes", "*") => prefix.clone(),
                _ => encoding::url(prefix),
            };
            let list: Vec<String> = prefixes.iter().map(encode).collect();
            set(headers, name, &list.join(","))
        }
    }
}

/// An error of Create, by the names that a grant has.
fn named(mut error: Error) -> Error {
    for (name, value) in &mut error.fields {
        let field = HEADERS.iter().find(|(_, header)| header == value);
        if let (&mut "ArgumentName", Some((field, _))) = (name, field) {
            *value = (*field).to_owned();
        }
    }
    error
}

/// The upload that URLs are for.
struct Target {
    bucket: BucketName,
    key: ObjectKey,
    upload: UploadId,
}

/// Signs the URLs of one answer.
struct Signer {
    presigner: Presigner,
    expires: String,
    expires_seconds: u64,
}

impl Signer {
    /// In the name of the key that asks. The browser comes to the address that the operator has
    /// set, else to the one that the asking server used.
    fn of(call: &AdminCall, expires_seconds: u64) -> Result<Self, Failure> {
        let credential = call.caller.principal.credential().filter(|_| !call.connection.control);
        let credential = credential.ok_or_else(|| {
            let message = "A grant is signed by the key that asks, and the operator has none.";
            Error::because(ErrorCode::AccessDenied, message)
        })?;
        let config = &call.gateway.config;
        let address = config.public_url.split_once("://");
        let address = address.unwrap_or((call.address.0, &call.address.1));
        let now = clock::now();
        let presigner = Presigner::new(credential, &config.region, address, now, expires_seconds);
        // The signature knows whole seconds.
        let end = crate::types::Timestamp::from_millis((now.seconds() + expires_seconds) * 1000);
        Ok(Self { presigner, expires: date::iso8601(end), expires_seconds })
    }

    fn url(&self, method: &str, target: &Target, words: &[(&str, &str)]) -> String {
        let upload = target.upload.to_string();
        let words: Vec<_> =
            [("uploadId", upload.as_str())].into_iter().chain(words.iter().copied()).collect();
        self.presigner.url(method, &target.bucket, &target.key, &words)
    }

    /// What concerns the whole upload.
    fn whole(&self, target: &Target) -> Map<String, Value> {
        let urls = [
            ("blocksUrl", self.url("GET", target, &[("partita-blocks", "")])),
            ("stateUrl", self.url("PUT", target, &[("partita-state", "")])),
            ("completeUrl", self.url("POST", target, &[])),
            ("abortUrl", self.url("DELETE", target, &[])),
        ];
        urls.into_iter().map(|(name, url)| (name.to_owned(), Value::String(url))).collect()
    }

    /// The parts from `from` on, at most `limit`, and where the next page is.
    fn page(
        &self,
        target: &Target,
        layout: Layout,
        from: PartNumber,
        limit: u64,
    ) -> Map<String, Value> {
        let first = u64::from(from.get());
        let last = (first + limit - 1).min(u64::from(layout.count()));
        let urls: Vec<Value> = (first..=last)
            .map(|number| {
                let words = [("partNumber", number.to_string())];
                let words = words.each_ref().map(|(name, value)| (*name, value.as_str()));
                json!({ "partNumber": number, "url": self.url("PUT", target, &words) })
            })
            .collect();
        let (marker, max) = ((first - 1).to_string(), limit.to_string());
        let list = self.url(
            "GET",
            target,
            &[("max-parts", max.as_str()), ("part-number-marker", marker.as_str())],
        );
        let next = (last < u64::from(layout.count())).then(|| {
            let (id, from, life) = (target.upload, last + 1, self.expires_seconds);
            format!("{PREFIX}grants/{id}/parts?from={from}&limit={limit}&expiresIn={life}")
        });
        let page = json!({
            "partUrls": urls,
            "listPartsUrl": list,
            "nextPartUrls": next,
            "expiresAt": self.expires,
        });
        match page {
            Value::Object(page) => page,
            _ => unreachable!("it was written as an object"),
        }
    }
}
