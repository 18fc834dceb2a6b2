//! What stands behind the door.
use super::{
    Health, Options,
    blobs::Blobs,
    directory::Directory,
    error::{Error, Result},
    space::Space,
};
use std::sync::Arc;
pub(crate) struct Engine {
    pub(crate) directory: Directory,
    pub(crate) space: Arc<Space>,
    pub(crate) blobs: Arc<Blobs>,
}
impl Engine {
    pub(crate) fn open(_o: Options) -> Result<Arc<Self>> {
        Err(Error::Closed)
    }
    pub(crate) fn close(&self) {}
    pub(crate) fn health(&self) -> Health {
        Health { writable: false, poisoned: None, wal_bytes: 0, free_bytes: 0, queue_length: 0 }
    }
    pub(crate) fn writable(&self) -> Result<()> {
        Err(Error::Closed)
    }
}
