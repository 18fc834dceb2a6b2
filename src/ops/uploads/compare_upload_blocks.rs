//! CompareUploadBlocks: what must really be sent of a file, by the digests of its parts.
//!
//! A part that the upload has with the same bytes is present, one with other bytes counts as
//! missing: a changed file is sent as its difference. Parts whose bytes are in objects that the
//! client may read are filled in, between the comparison and the answer ([`delta`]).

use crate::access::WriteObject;
use serde::Deserialize;

use crate::ops::uploads::{delta, missing_parts};
use crate::request::Call;
use crate::store::ClaimedPart;
use crate::transfer::document;
use crate::types::{PART_NUMBER_MAX, PartNumber};
use crate::wire::{Error, ErrorCode, Response, Result};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Part {
    part_number: u16,
    size: Option<u64>,
    md5: Option<String>,
    sha256: Option<String>,
    crc64nvme: Option<String>,
}

/// Takes a list of parts (`docs/schemas/parts.json`) and answers as GetUploadBlocks does.
///
/// # Errors
/// NoSuchUpload; InvalidRequest for another document, and for a part that the file does not have.
pub async fn handle(call: Call) -> Result<Response> {
    let upload = call.upload::<WriteObject>()?;
    // Before the document is asked for: it may be long.
    let open = call.context.store.upload(&upload).await?;
    let (document, call) = document::receive(call).await?;
    let claims = document::parse(&call.context.limits, document, claims).await?;
    let compare = || call.context.store.compare_blocks(&upload, claims.clone());
    let mut missing = call.context.run(compare()).await?;
    if delta::fill(&call, &upload, &open, &claims, &missing).await? {
        missing = call.context.run(compare()).await?;
    }
    Ok(Response::json(missing_parts::document(&missing)))
}

fn claims(document: &[u8]) -> Result<Vec<ClaimedPart>> {
    let parts: Vec<Part> = serde_json::from_slice(document)
        .map_err(|error| refused(format!("Expected a list of parts: {error}")))?;
    if parts.len() > usize::from(PART_NUMBER_MAX) {
        return Err(refused(format!("There are more than {PART_NUMBER_MAX} parts.")));
    }
    let mut claims: Vec<ClaimedPart> = parts.into_iter().map(claim).collect::<Result<_>>()?;
    claims.sort_by_key(|claim| claim.number);
    match claims.windows(2).find(|pair| pair[0].number == pair[1].number) {
        None => Ok(claims),
        Some(pair) => Err(refused(format!("Part {} was given more than once.", pair[0].number))),
    }
}

fn claim(part: Part) -> Result<ClaimedPart> {
    let number = PartNumber::new(part.part_number).ok_or_else(|| {
        refused(format!("There is no part {}: they are 1 to {PART_NUMBER_MAX}.", part.part_number))
    })?;
    if part.md5.is_none() && part.sha256.is_none() && part.crc64nvme.is_none() {
        return Err(refused(format!("Part {number} has no digest.")));
    }
    let crc64nvme: Option<[u8; 8]> = digest(number, "crc64nvme", part.crc64nvme.as_deref())?;
    Ok(ClaimedPart {
        number,
        size: part.size,
        md5: digest(number, "md5", part.md5.as_deref())?,
        sha256: digest(number, "sha256", part.sha256.as_deref())?,
        crc64nvme: crc64nvme.map(u64::from_be_bytes),
    })
}

fn digest<const N: usize>(
    number: PartNumber,
    name: &str,
    text: Option<&str>,
) -> Result<Option<[u8; N]>> {
    let Some(text) = text else { return Ok(None) };
    let mut bytes = [0; N];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(_) => {
            let digits = N * 2;
            Err(refused(format!("{name} of part {number} is not {digits} hexadecimal digits.")))
        }
    }
}

fn refused(message: String) -> Error {
    Error::because(ErrorCode::InvalidRequest, message)
}
