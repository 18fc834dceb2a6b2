//! Resources that a decision is about: a bucket, an object, an upload.

use std::sync::Arc;

use super::accounts::Owner;
use crate::types::{BucketName, ObjectKey, Timestamp, UploadId};

/// A bucket as the decision and the verbs need it; held in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Never used again for another bucket, even of the same name.
    pub id: i64,
    /// The name.
    pub name: BucketName,
    /// The owner's canonical id and display name.
    pub owner: Owner,
    /// The region that it was created in.
    pub region: String,
    /// When it was created.
    pub created: Timestamp,
}

/// An object by its bucket and key. It need not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectPath {
    /// The bucket.
    pub bucket: Arc<Bucket>,
    /// The key.
    pub key: ObjectKey,
}

/// An upload by its bucket, key and id. It need not be open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadPath {
    /// The bucket.
    pub bucket: Arc<Bucket>,
    /// The key.
    pub key: ObjectKey,
    /// The id.
    pub id: UploadId,
}

/// The resource of a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resource {
    /// The service.
    Service,
    /// The name of a bucket to be made. Another's bucket may have it.
    NewBucket(BucketName),
    /// A bucket; for an action on objects, any object in it.
    Bucket(Arc<Bucket>),
    /// An object, or the uploads of its key.
    Object(ObjectPath),
}

impl Resource {
    /// The bucket, if the resource is one that is there, or in one.
    pub fn bucket(&self) -> Option<&Arc<Bucket>> {
        match self {
            Self::Service | Self::NewBucket(_) => None,
            Self::Bucket(bucket) => Some(bucket),
            Self::Object(object) => Some(&object.bucket),
        }
    }
}

/// Facts of a stored object that a decision can depend on, from the snapshot of one verb.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectFacts {
    /// The object.
    pub path: ObjectPath,
    /// Sequence number of its current version.
    pub seq: i64,
    /// The canonical id of its owner.
    pub owner_id: String,
}
