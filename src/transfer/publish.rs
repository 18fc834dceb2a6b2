//! Receiving and publishing of a whole object, for PutObject and PostObject.

use std::sync::Arc;

use super::receive;
use crate::access::WriteObject;
use crate::digest::{ChecksumAlgorithm, ObjectChecksum};
use crate::request::Call;
use crate::store::{BlobOrigin, NewObject, Published};
use crate::wire::{Response, Result};

/// An object that was stored.
pub struct Stored {
    /// ETag and time of the published object.
    pub published: Published,
    /// The checksum that it is stored with.
    pub checksum: Option<ObjectChecksum>,
}

/// Receives the body and publishes it.
///
/// # Errors
/// Those of [`receive::content`]; PreconditionFailed.
pub async fn receive(
    call: Call,
    announced: receive::ExpectedBody,
    object: NewObject,
) -> Result<Stored> {
    let (body, call) = call.take_body();
    let permit = call.permit::<WriteObject>()?;
    let Call { context, .. } = call;
    let bucket = permit.target_bucket();
    let origin = BlobOrigin { bucket: bucket.id, key: permit.key().clone(), part: None };
    let sha256 = context.store.stores_once(bucket);
    let user = Arc::clone(permit.user());
    let plan = receive::Plan { user, origin, algorithm: None, sha256 };
    let received = receive::content(&context, body, announced, plan).await?;
    let checksum = received
        .checksum
        .clone()
        .or_else(|| received.staged.digests().checksum_for(ChecksumAlgorithm::Crc64nvme));
    let checksum = checksum.map(ObjectChecksum::full);

    let object = NewObject { checksum: checksum.clone(), ..object };
    let published = context.store.put_object(&permit, object, received.staged).await?;
    Ok(Stored { published, checksum })
}

impl Stored {
    /// The answer, with the object's tag and checksum.
    pub fn mark(&self, response: Response) -> Response {
        let mut response = response.header("etag", self.published.etag.quoted());
        if let Some(checksum) = &self.checksum {
            response.set(checksum.checksum.algorithm.header(), checksum.text());
            response.set("x-amz-checksum-type", checksum.kind.name());
        }
        response
    }
}
