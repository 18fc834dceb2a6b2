//! Open uploads: progress of each, and totals of a bucket.
//!
//! **Invariants**
//! - A response shows nothing that ListMultipartUploads and ListParts would not show to the same
//!   caller. An upload without permission is answered like one that does not exist.
//! - One response costs at most `PAGE_BUCKETS_MAX` decisions and `PAGE_UPLOADS_MAX` uploads.

use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::call::AdminCall;
use super::failure::{Answer, Failure};
use super::fields::invalid;
use super::json::json_response;
use crate::access::{Action, ListUploads, Permit, ReadUpload, UploadHandle, UploadRight};
use crate::limits::upload_rates::UploadRates;
use crate::ops::uploads::missing_parts;
use crate::request::operation::Demand;
use crate::store::{PartMap, PartRun, ProgressPage, ProgressQuery, UploadProgress};
use crate::types::{BucketName, Layout, PartNumber, UploadId};
use crate::wire::{Error, ErrorCode, date};

/// Uploads on one page by default.
const PAGE_UPLOADS_DEFAULT: u64 = 100;
/// Most uploads, or runs of parts, on one page.
pub(super) const PAGE_UPLOADS_MAX: u64 = 1000;
/// Most buckets that one page covers.
const PAGE_BUCKETS_MAX: usize = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UploadDocument<'a> {
    upload_id: String,
    bucket: &'a str,
    key: &'a str,
    status: &'static str,
    paused_at: Option<String>,
    total_size: Option<u64>,
    part_size: Option<u64>,
    part_count: Option<u16>,
    received_bytes: u64,
    received_parts: u16,
    in_flight_bytes: u64,
    bytes_per_second: u64,
    initiator: Initiator<'a>,
    initiated_at: String,
    last_active_at: String,
    expires_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Initiator<'a> {
    id: &'a str,
    display_name: &'a str,
}

fn document<'a>(
    rates: &UploadRates,
    bucket: &'a BucketName,
    progress: &'a UploadProgress,
) -> UploadDocument<'a> {
    let UploadProgress { upload, declaration, last_active, parts, received_bytes, .. } = progress;
    let layout = declaration.and_then(|declaration| declaration.layout);
    let rate = rates.of(upload.id);
    UploadDocument {
        upload_id: upload.id.to_string(),
        bucket: bucket.as_str(),
        key: upload.key.as_str(),
        status: missing_parts::status(upload.paused.is_some()),
        paused_at: upload.paused.map(date::iso8601),
        total_size: layout.map(Layout::size),
        part_size: layout.map(Layout::part_size),
        part_count: layout.map(Layout::count),
        received_bytes: *received_bytes,
        received_parts: *parts,
        in_flight_bytes: rate.in_flight_bytes,
        bytes_per_second: rate.bytes_per_second,
        initiator: Initiator {
            id: &upload.initiator.id,
            display_name: &upload.initiator.display_name,
        },
        initiated_at: date::iso8601(upload.initiated),
        last_active_at: date::iso8601(*last_active),
        expires_at: date::iso8601(upload.expires),
    }
}

/// `GET uploads`: one page, ordered by bucket, key and initiation.
pub(super) async fn list(call: &AdminCall) -> Answer {
    call.check_parameters(&["bucket", "prefix", "limit", "marker"])?;
    let scan = UploadScan {
        bucket: bucket(call.query.non_empty("bucket"))?,
        prefix: call.query.get("prefix").unwrap_or_default().to_owned(),
        marker: marker(call.query.non_empty("marker"))?,
        limit: call.number("limit", PAGE_UPLOADS_DEFAULT, (1, PAGE_UPLOADS_MAX))?,
    };
    let found = scan.run(call).await?;
    let rates = &call.gateway.limits.upload_rates;
    let uploads: Vec<UploadDocument<'_>> = found
        .uploads
        .iter()
        .map(|(permit, of)| document(rates, &permit.bucket().name, of))
        .collect();
    let answer = json!({ "uploads": uploads, "nextMarker": found.next });
    Ok(json_response(StatusCode::OK, &answer))
}

/// `GET uploads/ID`: one upload and the runs of its parts.
pub(super) async fn show(call: &AdminCall) -> Answer {
    call.check_parameters(&["from", "limit"])?;
    let from = call.number("from", 1, (1, 10_000))?;
    let from = u16::try_from(from).ok().and_then(PartNumber::new).unwrap_or(PartNumber::FIRST);
    let limit = call.number("limit", PAGE_UPLOADS_MAX, (1, PAGE_UPLOADS_MAX))?;
    let upload = locate::<ReadUpload>(call, Action::ListMultipartUploadParts).await?;
    let map = call.store.part_map(&upload, from, usize::try_from(limit).unwrap_or(usize::MAX));
    let PartMap { progress, runs, next } = call.gateway.run(map).await?;
    let rates = &call.gateway.limits.upload_rates;
    let bucket = &upload.permit().target_bucket().name;
    let mut answer = serde_json::to_value(document(rates, bucket, &progress))
        .map_err(|error| Failure::invalid(error.to_string()))?;
    answer["parts"] = runs.iter().map(run).collect();
    answer["nextFrom"] = json!(next.map(PartNumber::get));
    Ok(json_response(StatusCode::OK, &answer))
}

fn run(run: &PartRun) -> Value {
    json!({ "firstPart": run.first.get(), "lastPart": run.last.get(), "bytes": run.bytes })
}

/// `GET buckets/NAME/uploads`: totals of the open uploads of one page.
pub(super) async fn totals(call: &AdminCall) -> Answer {
    call.check_parameters(&["prefix", "limit", "marker"])?;
    let scan = UploadScan {
        bucket: bucket(Some(&call.name))?,
        prefix: call.query.get("prefix").unwrap_or_default().to_owned(),
        marker: marker(call.query.non_empty("marker"))?,
        limit: call.number("limit", PAGE_UPLOADS_MAX, (1, PAGE_UPLOADS_MAX))?,
    };
    let found = scan.run(call).await?;
    let bytes: u64 = found.uploads.iter().map(|(_, of)| of.received_bytes).sum();
    let parts: u64 = found.uploads.iter().map(|(_, of)| u64::from(of.parts)).sum();
    let answer = json!({
        "bucket": call.name,
        "uploadCount": found.uploads.len(),
        "receivedParts": parts,
        "receivedBytes": bytes,
        "nextMarker": found.next,
    });
    Ok(json_response(StatusCode::OK, &answer))
}

/// The upload that the path names, if the caller may do `action` to it.
///
/// # Errors
/// NoSuchUpload, also if the action is not allowed.
pub(super) async fn locate<R: UploadRight>(
    call: &AdminCall,
    action: Action,
) -> Result<UploadHandle<R>, Failure> {
    let absent = || Error::from(ErrorCode::NoSuchUpload);
    let id = UploadId::parse(&call.name).ok_or_else(absent)?;
    let found = call.store.locate_upload(id).await.map_err(Error::from)?;
    let (bucket, key) = found.ok_or_else(absent)?;
    let demand = Demand { action, bucket: Some(bucket), key: Some(key) };
    let permit = call.caller.demand::<R>(demand).map_err(|error| match error.code {
        ErrorCode::AccessDenied | ErrorCode::NoSuchBucket => absent(),
        _ => error,
    })?;
    Ok(permit.upload(id))
}

/// Parses the name of a bucket, if one is given.
///
/// # Errors
/// InvalidBucketName.
pub(super) fn bucket(name: Option<&str>) -> Result<Option<BucketName>, Failure> {
    let parsed = name.map(|name| {
        let error = || Error::new(ErrorCode::InvalidBucketName);
        BucketName::parse(name).ok_or_else(error)
    });
    Ok(parsed.transpose()?)
}

/// Start of a page: the beginning of a bucket, or the position after an upload.
#[derive(Clone)]
pub(super) struct PageMarker {
    bucket: String,
    after: Option<(String, UploadId)>,
}

/// Parses a marker: `bucket`, or `bucket/upload/key`.
pub(super) fn marker(text: Option<&str>) -> Result<Option<PageMarker>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || invalid("marker", text, "It is not the nextMarker of an earlier response.");
    let mut pieces = text.splitn(3, '/');
    let bucket = pieces.next().filter(|name| BucketName::parse(name).is_some());
    let bucket = bucket.ok_or_else(wrong)?.to_owned();
    let after = match (pieces.next(), pieces.next()) {
        (None, _) => None,
        (Some(id), Some(key)) => Some((key.to_owned(), UploadId::parse(id).ok_or_else(wrong)?)),
        (Some(_), None) => return Err(wrong()),
    };
    Ok(Some(PageMarker { bucket, after }))
}

/// Query for one page of uploads, in one bucket or in all that the caller may list.
pub(super) struct UploadScan {
    pub(super) bucket: Option<BucketName>,
    pub(super) prefix: String,
    pub(super) marker: Option<PageMarker>,
    pub(super) limit: u64,
}

/// One page of uploads, each with the permit to list its bucket.
pub(super) struct ScanPage {
    pub(super) uploads: Vec<(Permit<ListUploads>, UploadProgress)>,
    /// Marker of the next page.
    pub(super) next: Option<String>,
}

impl UploadScan {
    /// Reads the page.
    pub(super) async fn run(self, call: &AdminCall) -> Result<ScanPage, Failure> {
        let (permits, more) = self.permits(call)?;
        let mut found = ScanPage { uploads: Vec::new(), next: more };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        for permit in permits {
            let name = permit.bucket().name.as_str().to_owned();
            if found.uploads.len() == limit {
                found.next = Some(name);
                break;
            }
            let marker = self.marker.as_ref().filter(|marker| marker.bucket == name);
            let query = ProgressQuery {
                prefix: self.prefix.clone(),
                after: marker.and_then(|marker| marker.after.clone()),
                max: limit - found.uploads.len(),
            };
            let page = call.store.upload_progress(&permit, query);
            let ProgressPage { uploads, truncated } = call.gateway.run(page).await?;
            let last = uploads.last().map(|last| &last.upload);
            let behind = last.map(|last| format!("{name}/{}/{}", last.id, last.key.as_str()));
            found.uploads.extend(uploads.into_iter().map(|of| (permit.clone(), of)));
            if truncated {
                found.next = behind;
                break;
            }
        }
        Ok(found)
    }

    /// The buckets of this page that the caller may list, and the first one of the next page.
    fn permits(
        &self,
        call: &AdminCall,
    ) -> Result<(Vec<Permit<ListUploads>>, Option<String>), Failure> {
        let demand = |bucket: &BucketName| {
            let action = Action::ListBucketMultipartUploads;
            call.caller.demand(Demand { action, bucket: Some(bucket.clone()), key: None })
        };
        if let Some(bucket) = &self.bucket {
            return Ok((vec![demand(bucket)?], None));
        }
        let from = self.marker.as_ref().map_or("", |marker| marker.bucket.as_str());
        let Some(user) = call.caller.principal.user() else { return Ok((Vec::new(), None)) };
        // Buckets of other users are not counted, so a marker never has the name of one.
        let buckets = call.store.buckets_in_sight(user, from, PAGE_BUCKETS_MAX + 1);
        let next = buckets.get(PAGE_BUCKETS_MAX).map(|bucket| bucket.name.as_str().to_owned());
        let page = buckets.iter().take(PAGE_BUCKETS_MAX);
        // A bucket that was deleted meanwhile is skipped.
        let page = page.filter_map(|bucket| demand(&bucket.name).ok()).collect();
        Ok((page, next))
    }
}
