//! Configurations of buckets (CORS, notification). Reads are answered from memory.

use std::sync::Arc;

use super::db::sqlite::configurations;
use super::error::Result;
use super::handle::Store;
use super::memory::pending::Pending;
use crate::access::{Permit, ReadConfiguration, WriteConfiguration};
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::records::configurations::{BucketConfiguration, BucketConfigurationKind};
use crate::types::BucketName;

impl Store {
    /// The document of this kind, if one was put. [`Error::NoSuchBucket`].
    pub fn bucket_configuration(
        &self,
        permit: &Permit<ReadConfiguration>,
        kind: BucketConfigurationKind,
    ) -> Result<Option<Arc<BucketConfiguration>>> {
        let bucket = permit.bucket();
        self.engine.db.require_bucket(bucket)?;
        Ok(self.engine.directory().bucket_configuration(bucket.id, kind))
    }

    /// True if any bucket has a document of any kind.
    pub fn has_bucket_configurations(&self) -> bool {
        self.engine.directory().count_bucket_configurations() > 0
    }

    /// The document of the bucket of this name, without a permit. Only for rules that are evaluated
    /// before authentication, such as CORS.
    pub fn bucket_rules(
        &self,
        bucket: &BucketName,
        kind: BucketConfigurationKind,
    ) -> Option<Arc<BucketConfiguration>> {
        self.engine.directory().bucket_configuration_by_name(bucket, kind)
    }

    /// Keeps a document, in place of an earlier one of its kind. It is held in memory too, so the
    /// caller bounds its length. [`Error::NoSuchBucket`].
    pub fn put_bucket_configuration(
        &self,
        permit: &Permit<WriteConfiguration>,
        kind: BucketConfigurationKind,
        document: Vec<u8>,
    ) -> Pending<()> {
        configurations::put(&self.engine.db, Arc::clone(permit.bucket()), kind, document)
    }

    /// Drops the document of this kind, if there is one. [`Error::NoSuchBucket`].
    pub fn delete_bucket_configuration(
        &self,
        permit: &Permit<WriteConfiguration>,
        kind: BucketConfigurationKind,
    ) -> Pending<()> {
        configurations::delete(&self.engine.db, Arc::clone(permit.bucket()), kind)
    }
}
