//! Configurations of buckets (CORS, notification). Reads are answered from memory.

use std::sync::Arc;

use super::db::sqlite::configurations;
use super::error::Result;
use super::handle::Store;
use super::memory::pending::Pending;
use crate::access::{
    Bucket, Permit, ReadCors, ReadNotification, Right, WriteCors, WriteNotification,
};
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::records::configurations::{BucketConfiguration, BucketConfigurationKind};
use crate::types::BucketName;

/// A right to read the configuration of one kind.
pub trait ReadsConfiguration: Right<Resource = Arc<Bucket>> {
    /// The kind.
    const KIND: BucketConfigurationKind;
}

/// A right to change the configuration of one kind.
pub trait WritesConfiguration: Right<Resource = Arc<Bucket>> {
    /// The kind.
    const KIND: BucketConfigurationKind;
}

impl ReadsConfiguration for ReadCors {
    const KIND: BucketConfigurationKind = BucketConfigurationKind::Cors;
}

impl ReadsConfiguration for ReadNotification {
    const KIND: BucketConfigurationKind = BucketConfigurationKind::Notification;
}

impl WritesConfiguration for WriteCors {
    const KIND: BucketConfigurationKind = BucketConfigurationKind::Cors;
}

impl WritesConfiguration for WriteNotification {
    const KIND: BucketConfigurationKind = BucketConfigurationKind::Notification;
}

impl Store {
    /// The document of the right's kind, if one was put. [`Error::NoSuchBucket`].
    pub fn bucket_configuration<R: ReadsConfiguration>(
        &self,
        permit: &Permit<R>,
    ) -> Result<Option<Arc<BucketConfiguration>>> {
        let bucket = permit.bucket();
        self.engine.db.require_bucket(bucket)?;
        Ok(self.engine.directory().bucket_configuration(bucket.id, R::KIND))
    }

    /// True if any bucket has a document of any kind.
    pub fn has_bucket_configurations(&self) -> bool {
        self.engine.directory().count_bucket_configurations() > 0
    }

    /// The CORS rules of the bucket of this name, without a permit: they are evaluated before
    /// authentication.
    pub fn cors_rules(&self, bucket: &BucketName) -> Option<Arc<BucketConfiguration>> {
        let kind = BucketConfigurationKind::Cors;
        self.engine.directory().bucket_configuration_by_name(bucket, kind)
    }

    /// Stores a document of the right's kind, in place of an earlier one. It is held in memory too,
    /// so the caller bounds its length. [`Error::NoSuchBucket`].
    pub fn put_bucket_configuration<R: WritesConfiguration>(
        &self,
        permit: &Permit<R>,
        document: Vec<u8>,
    ) -> Pending<()> {
        configurations::put(&self.engine.db, Arc::clone(permit.bucket()), R::KIND, document)
    }

    /// Deletes the document of the right's kind, if there is one. [`Error::NoSuchBucket`].
    pub fn delete_bucket_configuration<R: WritesConfiguration>(
        &self,
        permit: &Permit<R>,
    ) -> Pending<()> {
        configurations::delete(&self.engine.db, Arc::clone(permit.bucket()), R::KIND)
    }
}
