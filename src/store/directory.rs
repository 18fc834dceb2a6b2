//! Users, keys, buckets in memory.
use crate::access::*;
use crate::types::BucketName;
use std::sync::Arc;
pub(crate) struct Directory;
impl Directory {
    pub(crate) fn credential(&self, _: &str) -> Option<Arc<Credential>> {
        None
    }
    pub(crate) fn users(&self) -> Vec<Arc<User>> {
        vec![]
    }
    pub(crate) fn user(&self, _: &str) -> Option<Arc<User>> {
        None
    }
    pub(crate) fn keys(&self, _: Option<&str>) -> Vec<Arc<Credential>> {
        vec![]
    }
    pub(crate) fn owner(&self, id: &str) -> Owner {
        Owner { id: id.into(), display_name: String::new() }
    }
    pub(crate) fn bucket(&self, _: &BucketName) -> Option<Arc<Bucket>> {
        None
    }
    pub(crate) fn buckets(
        &self,
        _: &str,
        _: &str,
        _: Option<&str>,
        _: usize,
    ) -> (Vec<Arc<Bucket>>, bool) {
        (vec![], false)
    }
}
