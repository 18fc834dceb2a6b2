//! listing
use crate::access::*;
#[allow(unused)]
use crate::digest::Checksum;
use crate::store::{engine::Engine, *};
use crate::types::*;
use std::sync::Arc;
pub(crate) fn objects(_: &Arc<Engine>, _: &Permit, _: &ListQuery) -> Result<Page<ListedObject>> {
    Err(Error::Closed)
}
pub(crate) fn uploads(_: &Arc<Engine>, _: &Permit, _: &UploadsQuery) -> Result<Page<UploadRecord>> {
    Err(Error::Closed)
}
