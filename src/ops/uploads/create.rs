//! Opens an upload as the head of a CreateMultipartUpload says: for the operation, and for a grant,
//! which is such a request in another form.

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
    /// What it declares.
    pub declaration: Option<Declaration>,
    /// The checksum that its parts must have.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// Whether a proof of possession is as good as its bytes.
    pub is_challenged: bool,
}

impl Opened {
    /// What became of a Create, in a word.
    pub fn how(&self) -> &'static str {
        match (self.created.is_instant, self.is_challenged, self.created.is_resumed) {
            (true, ..) => "instant",
            (false, true, _) => "challenge",
            (false, false, true) => "resumed",
            (false, false, false) => "created",
        }
    }
}

/// Opens the upload. What a `reader` may read need not be sent; without one, all must.
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
