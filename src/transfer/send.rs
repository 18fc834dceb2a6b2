//! Sending of content, the only streaming answer: verified blocks, one chunk on the wire, one being
//! read.
//!
//! Bytes in the page cache are read in line: a hop to the blocking pool and back costs more than
//! the copy. Only reads from the disk go there, one chunk ahead.
//!
//! **Invariant:** the first unit is read and checked before the status line leaves, so damage at
//! the start of an object is a 500; damage further on cuts the connection. A client never takes a
//! short or rotten body for a whole one.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::task::JoinHandle;

use crate::limits::chunk_size::TransferGuard;
use crate::request::{Call, Context};
use crate::store::{ContentReader, ObjectRecord, OpenObject, PartSpan, Result as StoreResult};
use crate::types::{ByteRange, PartNumber};
use crate::wire::conditions::{self, Evaluation, Validators};
use crate::wire::object_headers;
use crate::wire::response::BodyError;
use crate::wire::{Body, Error, ErrorCode, Head, Response, Result, checksum, date, range};

/// Part of an object that a GET or HEAD asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selection {
    /// All of it.
    Whole,
    /// A range of it.
    Range(ByteRange),
}

/// Span of the part that `partNumber` names; `None` when the object has no such part, or has no
/// parts.
///
/// # Errors
/// Those of the store.
pub async fn part_span(call: &Call, object: &OpenObject) -> Result<Option<PartSpan>> {
    let number = call.head.query.get("partNumber").and_then(PartNumber::parse);
    match number.filter(|_| object.record.parts.is_some()) {
        Some(number) => call.context.run(object.part(number)).await,
        None => Ok(None),
    }
}

/// Answer to a GET or HEAD without its bytes: conditions, headers, status; and the selected bytes
/// (`None` for 304). `span` is the answer of [`part_span`].
///
/// # Errors
/// NoSuchVersion, PreconditionFailed, InvalidRange, InvalidPartNumber, InvalidRequest for a part
/// and a range at once, InvalidArgument for an override that no header can bear.
pub fn prepare(
    head: &Head,
    record: &ObjectRecord,
    span: Option<PartSpan>,
) -> Result<(Response, Option<Selection>)> {
    only_null_version(head)?;
    refuse_customer_keys(head)?;
    let mut response = Response::ok();
    object_headers(&mut response, head, record)?;
    let validators = Validators { etag: &record.etag, modified: record.modified };
    match conditions::read(head, &validators)? {
        Evaluation::Proceed => {}
        Evaluation::NotModified => {
            response.status = StatusCode::NOT_MODIFIED;
            response.headers.remove("content-type");
            return Ok((response, None));
        }
        Evaluation::Failed(condition) => {
            return Err(Error::new(ErrorCode::PreconditionFailed).field("Condition", condition));
        }
    }
    let selection = match head.query.get("partNumber") {
        Some(number) => part(&mut response, head, record, number, span)?,
        None => range_of(&mut response, head, record)?,
    };
    let length = match selection {
        Selection::Whole => record.size,
        Selection::Range(range) => range.len(),
    };
    response.set("content-length", length.to_string());
    Ok((response, Some(selection)))
}

/// A bucket that was never versioned has the version `null` of each key, and no other.
///
/// # Errors
/// NoSuchVersion.
pub fn only_null_version(head: &Head) -> Result<()> {
    match head.query.get("versionId") {
        None | Some("null") => Ok(()),
        Some("") => Err(Error::argument("versionId", "", "Version id cannot be the empty string")),
        Some(other) => Err(Error::new(ErrorCode::NoSuchVersion).field("VersionId", other)),
    }
}

fn range_of(response: &mut Response, head: &Head, record: &ObjectRecord) -> Result<Selection> {
    let validators = Validators { etag: &record.etag, modified: record.modified };
    let asked = match conditions::range_holds(head, &validators)? {
        true => head.header("range")?,
        false => None,
    };
    match range::parse(asked, record.size) {
        Ok(None) => {
            whole_checksum(response, head, record);
            Ok(Selection::Whole)
        }
        Ok(Some(range)) => {
            partial(response, range, record.size);
            Ok(Selection::Range(range))
        }
        Err(unsatisfiable) => Err(unsatisfiable.into()),
    }
}

fn part(
    response: &mut Response,
    head: &Head,
    record: &ObjectRecord,
    number: &str,
    span: Option<PartSpan>,
) -> Result<Selection> {
    if head.has_header("range") {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    let number = PartNumber::parse(number).ok_or_else(|| {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        Error::argument("partNumber", number, message)
    })?;
    let beyond = || {
        Error::new(ErrorCode::InvalidPartNumber)
            .field("PartNumberRequested", number.to_string())
            .field("ActualPartCount", record.parts.unwrap_or(1).to_string())
    };
    let Some(parts) = record.parts else {
        // An object without parts is its own part 1.
        if number.get() != 1 {
            return Err(beyond());
        }
        whole_checksum(response, head, record);
        let last = record.size.checked_sub(1);
        let Some(last) = last else { return Ok(Selection::Whole) };
        let range = ByteRange { first: 0, last };
        partial(response, range, record.size);
        return Ok(Selection::Range(range));
    };
    let span = span.ok_or_else(beyond)?;
    response.set("x-amz-mp-parts-count", parts.to_string());
    if let Some(checksum) = span.checksum.filter(|_| checksum::mode_enabled(head)) {
        response.set(checksum.algorithm.header(), checksum.base64());
        // The part's value, and the type of the object's.
        if let Some(whole) = &record.checksum {
            response.set("x-amz-checksum-type", whole.kind.name());
        }
    }
    let Some(last) = span.size.checked_sub(1) else {
        // An empty part has no byte that a range could name.
        response.set("content-length", "0");
        return Ok(Selection::Whole);
    };
    let range = ByteRange { first: span.first, last: span.first + last };
    partial(response, range, record.size);
    Ok(Selection::Range(range))
}

/// The checksum of the whole object, when the client asks for checksums.
fn whole_checksum(response: &mut Response, head: &Head, record: &ObjectRecord) {
    if let Some(checksum) = record.checksum.as_ref().filter(|_| checksum::mode_enabled(head)) {
        response.set(checksum.checksum.algorithm.header(), checksum.text());
        response.set("x-amz-checksum-type", checksum.kind.name());
    }
}

/// No object here is encrypted with a key of its client's, so a key for it is a mistake.
///
/// # Errors
/// InvalidRequest.
pub fn refuse_customer_keys(head: &Head) -> Result<()> {
    match head.header_or_query("x-amz-server-side-encryption-customer-algorithm")? {
        None | Some("") => Ok(()),
        Some(_) => Err(Error::because(
            ErrorCode::InvalidRequest,
            "The encryption parameters are not applicable to this object.",
        )),
    }
}

fn partial(response: &mut Response, range: ByteRange, size: u64) {
    response.status = StatusCode::PARTIAL_CONTENT;
    response.set("content-range", format!("bytes {}-{}/{size}", range.first, range.last));
}

/// The bytes that a selection names.
///
/// # Errors
/// InternalError when the first unit cannot be read or does not verify.
pub async fn content(context: &Context, object: &OpenObject, selection: Selection) -> Result<Body> {
    let range = match selection {
        Selection::Whole if object.record.size == 0 => return Ok(Body::Empty),
        Selection::Whole => None,
        Selection::Range(range) => Some(range),
    };
    if let Some(bytes) = object.inline(range) {
        return Ok(Body::Full(bytes));
    }
    let transfer = context.limits.transfers.begin();
    let mut reader = Box::new(object.reader(range)?);
    reader.limit_unit(transfer.chunk_bytes());
    let first = match reader.next_in_memory() {
        Some(unit) => unit,
        None => {
            let read = context.blocking(move |_| Ok((reader.next()?, reader))).await?;
            reader = read.1;
            read.0
        }
    };
    Ok(match first {
        None => Body::Empty,
        Some(_) => Body::Stream(Blocks { state: State::Ready(first, reader), transfer }.boxed()),
    })
}

type Reading = JoinHandle<(StoreResult<Option<Bytes>>, Box<ContentReader>)>;

/// Units of a content.
struct Blocks {
    state: State,
    transfer: TransferGuard,
}

enum State {
    /// The unit that is to be sent next, if it was read already.
    Ready(Option<Bytes>, Box<ContentReader>),
    /// The chunk is being read from the disk.
    Reading(Reading),
    Ended,
}

impl State {
    fn from_disk(mut reader: Box<ContentReader>) -> Self {
        Self::Reading(tokio::task::spawn_blocking(move || (reader.next(), reader)))
    }

    /// Reads one unit ahead: now, if the page cache holds it.
    fn ahead(mut reader: Box<ContentReader>, unit_bytes: usize) -> Self {
        reader.limit_unit(unit_bytes);
        match reader.next_in_memory() {
            Some(Some(unit)) => Self::Ready(Some(unit), reader),
            Some(None) => Self::Ended,
            None => Self::from_disk(reader),
        }
    }
}

impl http_body::Body for Blocks {
    type Data = Bytes;
    type Error = BodyError;

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Ready(None, reader) => reader.has_ended(),
            State::Ready(Some(_), _) | State::Reading(_) => false,
            State::Ended => true,
        }
    }

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BodyError>>> {
        let unit_bytes = self.transfer.chunk_bytes();
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Ready(Some(unit), reader) => {
                    self.state = State::Ready(None, reader);
                    return Poll::Ready(Some(Ok(Frame::data(unit))));
                }
                State::Ready(None, reader) => self.state = State::ahead(reader, unit_bytes),
                State::Reading(mut reading) => {
                    let Poll::Ready(done) = Pin::new(&mut reading).poll(cx) else {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    };
                    return Poll::Ready(match done {
                        Ok((Ok(Some(unit)), reader)) => {
                            self.state = State::ahead(reader, unit_bytes);
                            Some(Ok(Frame::data(unit)))
                        }
                        Ok((Ok(None), _)) => None,
                        Ok((Err(error), _)) => {
                            tracing::error!(%error, "a body was cut off: it does not verify");
                            Some(Err(error.into()))
                        }
                        Err(panic) => Some(Err(panic.into())),
                    });
                }
            }
        }
    }
}

/// Query parameters that replace a stored header in the answer to a signed request.
const OVERRIDES: &[(&str, &str)] = &[
    ("response-cache-control", "cache-control"),
    ("response-content-disposition", "content-disposition"),
    ("response-content-encoding", "content-encoding"),
    ("response-content-language", "content-language"),
    ("response-content-type", "content-type"),
    ("response-expires", "expires"),
];

/// Refuses overrides in an unsigned request: a person who passes a link on must not choose the type
/// that a browser gives to the bytes.
///
/// # Errors
/// InvalidRequest.
pub fn refuse_overrides(head: &Head) -> Result<()> {
    if OVERRIDES.iter().any(|(parameter, _)| head.query.has(parameter)) {
        let message =
            "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// The headers of GET and HEAD: what the object bears, and the overrides of the query.
fn object_headers(response: &mut Response, head: &Head, record: &ObjectRecord) -> Result<()> {
    response.set("content-type", object_headers::DEFAULT_CONTENT_TYPE);
    for (name, value) in &record.headers.0 {
        response.set(name, value);
    }
    for (parameter, name) in OVERRIDES {
        let Some(value) = head.query.non_empty(parameter) else { continue };
        let legal = http::HeaderValue::from_bytes(value.as_bytes()).is_ok();
        if !legal {
            let message = "Header value cannot be represented.";
            return Err(Error::argument(parameter, value, message));
        }
        response.set(name, value);
    }
    response.set("accept-ranges", "bytes");
    response.set("etag", record.etag.quoted());
    response.set("last-modified", date::http_date(record.modified));
    Ok(())
}
