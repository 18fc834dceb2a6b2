//! Grants: presigned URLs with which a browser uploads one file on behalf of a business server.
//! They are signed with the key of the caller.
//!
//! **Invariants**
//! - A grant is a CreateMultipartUpload in JSON: the same checks and the same verb of the store.
//!   Its URLs are ordinary presigned URLs, so there is no second way to authenticate.
//! - A grant has no state of its own. It is bounded by the upload (bucket, key, size, part size,
//!   type), by the expiry of its URLs, and by the rights of the key when they are used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::call::AdminCall;
use super::failure::{Answer, Failure};
use super::fields::{Fields, invalid};
use super::json::json_response;
use super::path::PREFIX;
use super::uploads::locate;
use crate::access::{Action, WriteObject};
use crate::auth::EXPIRES_SECONDS_MAX;
use crate::auth::presign::{Presigner, path_of};
use crate::ops::uploads::create;
use crate::ops::uploads::create::Opened;
use crate::ops::uploads::instant::{PREFIXES_MAX, Reader};
use crate::request::operation::Demand;
use crate::types::{BucketName, Layout, ObjectKey, PartNumber, Timestamp, UploadId};
use crate::wire::{Error, ErrorCode, Head, date, encoding};

/// Most part URLs in one response.
const URLS_MAX: u64 = 1000;
/// Longest `callbackVar` in bytes of JSON.
const CALLBACK_VAR_BYTES_MAX: usize = 4 << 10;

/// Fields of a grant, and the headers of CreateMultipartUpload that they stand for.
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

/// `POST grants`: opens the upload, or finds it open, and returns its URLs.
pub(super) async fn create(call: &AdminCall) -> Answer {
    call.check_parameters(&[])?;
    let grant = GrantRequest::of(call)?;
    let demand = Demand {
        action: Action::PutObject,
        bucket: Some(grant.bucket.clone()),
        key: Some(grant.key.clone()),
    };
    let signer = UrlSigner::of(call, grant.expires_seconds)?;
    let permit = call.caller.demand::<WriteObject>(demand)?;
    let reader = Reader::of_caller(&call.gateway, &call.caller, &permit);
    let reader = match grant.search {
        InstantSearch::Off => None,
        InstantSearch::ByProof => reader.map(|reader| reader.who_proves(true)),
        InstantSearch::Below => reader,
    };
    let opened = create::open(&call.gateway, &permit, &grant.head, reader).await;
    let opened = opened.map_err(with_field_names)?;
    let how = opened.how();
    let Opened { created, declaration, .. } = opened;
    let layout = declaration.and_then(|declaration| declaration.layout);
    let layout = layout.ok_or_else(|| invalid("size", "", "It is required."))?;
    let target = TargetUpload { bucket: grant.bucket, key: grant.key, upload: created.upload.id };
    let mut answer = signer.part_urls(&target, layout, PartNumber::FIRST, URLS_MAX);
    answer.extend(signer.upload_urls(&target));
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

/// `GET grants/ID/parts`: URLs of more parts.
pub(super) async fn parts(call: &AdminCall) -> Answer {
    call.check_parameters(&["from", "limit", "expiresIn"])?;
    let from = call.number("from", 1, (1, 10_000))?;
    let from = u16::try_from(from).ok().and_then(PartNumber::new).unwrap_or(PartNumber::FIRST);
    let limit = call.number("limit", URLS_MAX, (1, URLS_MAX))?;
    let expires_seconds = call.number("expiresIn", 3600, (1, EXPIRES_SECONDS_MAX))?;
    let upload = locate::<WriteObject>(call, Action::PutObject).await?;
    let signer = UrlSigner::of(call, expires_seconds)?;
    let (bucket, key) = (upload.permit().target_bucket(), upload.permit().key().clone());
    let target = TargetUpload { bucket: bucket.name.clone(), key, upload: upload.id() };
    let open = call.store.upload(&upload).await.map_err(Error::from)?;
    let layout = open.declaration.and_then(|declaration| declaration.layout);
    let layout = layout.ok_or_else(|| {
        let message = "The upload was created without a declared size, so its parts are unknown.";
        Error::because(ErrorCode::InvalidRequest, message)
    })?;
    Ok(json_response(StatusCode::OK, &signer.part_urls(&target, layout, from, limit)))
}

/// Request for a grant, translated to the head of a CreateMultipartUpload.
struct GrantRequest {
    bucket: BucketName,
    key: ObjectKey,
    head: Head,
    expires_seconds: u64,
    search: InstantSearch,
}

/// Search for existing content that a grant allows. A grant must name prefixes for it: the digest
/// may be a claim of an end user, while the key of the business server can read the files of all.
#[derive(Clone, Copy)]
enum InstantSearch {
    Off,
    /// Only with a proof of possession.
    ByProof,
    /// Below the prefixes that the grant names.
    Below,
}

impl GrantRequest {
    fn of(call: &AdminCall) -> Result<Self, Failure> {
        let mut fields = Fields::of(call)?;
        let bucket: String = fields.required("bucket")?;
        let bucket = BucketName::parse(&bucket)
            .ok_or_else(|| invalid("bucket", &bucket, "It is not a valid bucket name."))?;
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
        fields.finish()?;
        if !(1..=EXPIRES_SECONDS_MAX).contains(&expires_seconds) {
            let message = format!("It must be a number from 1 to {EXPIRES_SECONDS_MAX}.");
            return Err(invalid("expiresIn", &expires_seconds.to_string(), message));
        }
        let path = path_of(&bucket, &key);
        let head = Head::new(Method::POST, &path, "uploads", headers, &[], true)?;
        let search = match (prefixes.is_empty(), proof_prefixes.is_empty()) {
            (true, true) => InstantSearch::Off,
            (true, false) => InstantSearch::ByProof,
            (false, _) => InstantSearch::Below,
        };
        Ok(Self { bucket, key, head, expires_seconds, search })
    }
}

/// Parses a key that a browser can request. Browsers remove segments `.` and `..` from paths.
fn parse_key(text: &str) -> Result<ObjectKey, Failure> {
    let key = ObjectKey::parse(text.as_bytes()).ok().filter(|_| !text.is_empty());
    let key = key.ok_or_else(|| invalid("key", text, "It is not a valid object key."))?;
    if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        let message = "A browser cannot request a path with a segment `.` or `..`.";
        return Err(invalid("key", text, message));
    }
    Ok(key)
}

fn set(headers: &mut HeaderMap, field: &str, value: &str) -> Result<(), Failure> {
    let (_, name) = HEADERS.iter().find(|(name, _)| *name == field).expect("it is in the table");
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| invalid(field, value, "It is not a valid header value."))?;
    headers.insert(*name, value);
    Ok(())
}

fn metadata(headers: &mut HeaderMap, metadata: Map<String, Value>) -> Result<(), Failure> {
    for (name, value) in metadata {
        let field = format!("metadata.{name}");
        let wrong = |why| invalid(&field, "", why);
        let text = value.as_str().ok_or_else(|| wrong("It must be a string."))?;
        let header = format!("x-amz-meta-{name}");
        let header = HeaderName::from_bytes(header.as_bytes()).ok().filter(|_| !name.is_empty());
        let header = header.ok_or_else(|| wrong("It is not a valid header name."))?;
        let value = HeaderValue::from_bytes(text.as_bytes());
        let value = value.map_err(|_| wrong("It is not a valid header value."))?;
        if headers.insert(header, value).is_some() {
            return Err(wrong("It was given more than once: names are case-insensitive."));
        }
    }
    Ok(())
}

/// Value that events of the upload repeat: JSON in base64, as the header has it.
fn callback_var(value: &Value) -> Result<String, Failure> {
    let text = value.to_string();
    if text.len() > CALLBACK_VAR_BYTES_MAX {
        let message = format!("It has more than {CALLBACK_VAR_BYTES_MAX} bytes of JSON.");
        return Err(invalid("callbackVar", "", message));
    }
    Ok(STANDARD.encode(text))
}

/// Sets the prefixes below which existing content may be found.
fn set_prefixes(
    headers: &mut HeaderMap,
    name: &'static str,
    prefixes: &[String],
) -> Result<(), Failure> {
    if prefixes.len() > PREFIXES_MAX {
        let message = format!("At most {PREFIXES_MAX} prefixes are allowed.");
        return Err(invalid(name, "", message));
    }
    match prefixes.iter().any(|prefix| prefix.is_empty() || prefix.len() > 1024) {
        true => Err(invalid(name, "", "A prefix must have 1 to 1024 bytes.")),
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

/// An error of CreateMultipartUpload, with the field names of a grant for its headers.
fn with_field_names(mut error: Error) -> Error {
    for (name, value) in &mut error.fields {
        let field = HEADERS.iter().find(|(_, header)| header == value);
        if let (&mut "ArgumentName", Some((field, _))) = (name, field) {
            *value = (*field).to_owned();
        }
    }
    error
}

/// Upload that the URLs are for.
struct TargetUpload {
    bucket: BucketName,
    key: ObjectKey,
    upload: UploadId,
}

/// Signer of the URLs of one response.
struct UrlSigner {
    presigner: Presigner,
    expires: String,
    expires_seconds: u64,
}

impl UrlSigner {
    /// A signer with the key of the caller. The URLs have the configured `public-url`, otherwise
    /// the address that the caller used.
    ///
    /// # Errors
    /// AccessDenied over the control socket, where there is no key.
    fn of(call: &AdminCall, expires_seconds: u64) -> Result<Self, Failure> {
        let credential = call.caller.principal.credential().filter(|_| !call.channel.control);
        let credential = credential.ok_or_else(|| {
            let message = "A grant is signed with the key of the caller: send a signed request.";
            Error::because(ErrorCode::AccessDenied, message)
        })?;
        let config = &call.gateway.config;
        let address = config.public_url.split_once("://");
        let address = address.unwrap_or((call.address.0, &call.address.1));
        let now = call.store.now();
        let presigner = Presigner::new(credential, &config.region, address, now, expires_seconds);
        // Signatures have whole seconds.
        let expires = Timestamp::from_millis((now.seconds() + expires_seconds) * 1000);
        Ok(Self { presigner, expires: date::iso8601(expires), expires_seconds })
    }

    fn url(&self, method: &str, target: &TargetUpload, words: &[(&str, &str)]) -> String {
        let upload = target.upload.to_string();
        let words: Vec<_> =
            [("uploadId", upload.as_str())].into_iter().chain(words.iter().copied()).collect();
        self.presigner.url(method, &target.bucket, &target.key, &words)
    }

    /// URLs for the whole upload.
    fn upload_urls(&self, target: &TargetUpload) -> Map<String, Value> {
        let urls = [
            ("blocksUrl", self.url("GET", target, &[("partita-blocks", "")])),
            ("stateUrl", self.url("PUT", target, &[("partita-state", "")])),
            ("completeUrl", self.url("POST", target, &[])),
            ("abortUrl", self.url("DELETE", target, &[])),
        ];
        urls.into_iter().map(|(name, url)| (name.to_owned(), Value::String(url))).collect()
    }

    /// URLs of at most `limit` parts from `from` on, and the path of the next page.
    fn part_urls(
        &self,
        target: &TargetUpload,
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
