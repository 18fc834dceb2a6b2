//! gc
use super::{
    engine::Engine,
    error::{Error, Result},
};
use crate::types::Timestamp;
use std::sync::Arc;
pub(crate) fn collect(_: &Arc<Engine>) -> Result<u64> {
    Err(Error::Closed)
}
pub(crate) fn sweep_files(_: &Arc<Engine>) -> Result<u64> {
    Err(Error::Closed)
}
pub(crate) fn expire_uploads(_: &Arc<Engine>, _: Timestamp) -> Result<u64> {
    Err(Error::Closed)
}
