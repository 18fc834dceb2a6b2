//! Room on the disk.
use super::error::{Error, Result};
pub(crate) struct Space;
/// Room on the disk, reserved until this is dropped.
#[derive(Debug)]
pub struct Admission {
    _bytes: u64,
}
impl Space {
    pub(crate) fn admit(&self, _bytes: Option<u64>) -> Result<Admission> {
        Err(Error::Closed)
    }
}
