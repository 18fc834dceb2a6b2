//! Creation of an upload from the head of a CreateMultipartUpload: for the operation, and for a
//! grant, which is such a request in another form.

use super::{declared, instant};
use crate::access::{Permit, WriteObject};
use crate::digest::{ChecksumAlgorithm, ChecksumType};
use crate::request::Context;
use crate::store::{CreatedUpload, Declaration, NewUpload};
use crate::wire::object_headers;
use crate::wire::{Head, Result, checksum};

/// An upload that was opened, or found open.
pub struct Opened {
    /// The upload.
    pub created: CreatedUpload,
    /// Declaration of the file, if the upload has one.
    pub declaration: Option<Declaration>,
    /// The checksum that its parts must have.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// True if a challenge was offered: a proof of possession replaces the bytes.
    pub is_challenged: bool,
}

impl Opened {
    /// Value of `x-partita-upload`: `instant`, `challenge`, `resumed` or `created`.
    pub fn how(&self) -> &'static str {
        match (self.created.is_instant, self.is_challenged, self.created.is_resumed) {
            (true, ..) => "instant",
            (false, true, _) => "challenge",
            (false, false, true) => "resumed",
            (false, false, false) => "created",
        }
    }
}

/// Opens the upload. Bytes that `reader` may read need not be sent; without a reader all must.
///
/// # Errors
/// MetadataTooLarge; InvalidRequest for a checksum type that the algorithm does not have;
/// InvalidArgument for a declaration that is malformed, or of no possible upload.
pub async fn open(
    context: &Context,
    permit: &Permit<WriteObject>,
    head: &Head,
    reader: Option<instant::Reader<'_>>,
) -> Result<Opened> {
    object_headers::refuse_unsupported(head)?;
    let checksum = checksum::declared(head)?;
    let headers = object_headers::of_request(head, context.config.metadata_bytes_max)?;
    let callback_var = object_headers::callback_var(head)?;
    let declaration = declared::of_create(head, &context.config)?;
    let algorithm = checksum.map(|(algorithm, _)| algorithm);
    let proof_prefixes = instant::proof_prefixes(head)?;
    let instant = instant::of_create(reader, head, declaration.as_ref(), algorithm).await?;
    let new = NewUpload { headers, checksum, declaration, callback_var, instant };
    let created = context.store.create_upload(permit, new).await?;
    let declared = declaration.as_ref();
    let is_challenged =
        instant::offer(reader, &created, declared, algorithm, proof_prefixes).await?;
    Ok(Opened { created, declaration, checksum, is_challenged })
}
