//! uploads
use crate::access::*;
#[allow(unused)]
use crate::digest::Checksum;
use crate::store::{engine::Engine, *};
use crate::types::*;
use std::sync::Arc;
fn no<T>() -> Pending<T> {
    Pending::answered(Err(Error::Closed))
}
pub(crate) fn create(
    _: &Arc<Engine>,
    _: &Permit,
    _: ObjectKey,
    _: NewUpload,
) -> Pending<UploadRecord> {
    no()
}
pub(crate) fn record(
    _: &Arc<Engine>,
    _: &Permit,
    _: &ObjectKey,
    _: UploadId,
) -> Result<UploadRecord> {
    Err(Error::Closed)
}
pub(crate) fn put_part(
    _: &Arc<Engine>,
    _: &Permit,
    _: &ObjectKey,
    _: (UploadId, PartNumber),
    _: StagedBlob,
) -> Pending<PartRecord> {
    no()
}
pub(crate) fn copy_part(
    _: &Arc<Engine>,
    _: &Permit,
    _: &ObjectKey,
    _: (UploadId, PartNumber),
    _: &OpenObject,
    _: BlobRef,
    _: Option<Checksum>,
) -> Pending<PartRecord> {
    no()
}
pub(crate) fn list_parts(
    _: &Arc<Engine>,
    _: &Permit,
    _: &ObjectKey,
    _: UploadId,
    _: u16,
    _: usize,
) -> Result<PartsPage> {
    Err(Error::Closed)
}
pub(crate) fn abort(_: &Arc<Engine>, _: &Permit, _: &ObjectKey, _: UploadId) -> Pending<()> {
    no()
}
