//! objects
use crate::access::*;
#[allow(unused)]
use crate::digest::Checksum;
use crate::store::{engine::Engine, *};
use crate::types::*;
use std::sync::Arc;
fn no<T>() -> Pending<T> {
    Pending::answered(Err(Error::Closed))
}
pub(crate) fn put(_: &Arc<Engine>, _: &Permit, _: NewObject, _: StagedBlob) -> Pending<Published> {
    no()
}
pub(crate) fn copy(
    _: &Arc<Engine>,
    _: &Permit,
    _: NewObject,
    _: &OpenObject,
) -> Pending<Published> {
    no()
}
pub(crate) fn record(_: &Arc<Engine>, _: &Permit, _: &ObjectKey) -> Result<ObjectRecord> {
    Err(Error::Closed)
}
pub(crate) fn delete(
    _: &Arc<Engine>,
    _: &Permit,
    _: &ObjectKey,
    _: WriteCondition,
) -> Pending<bool> {
    no()
}
pub(crate) fn delete_many(_: &Arc<Engine>, _: &Permit, _: Vec<ObjectKey>) -> Pending<Vec<bool>> {
    no()
}
