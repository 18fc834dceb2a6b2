//! Rights: what a verb of the store asks for, each a type.
//!
//! A right is given by one or more actions. Adding a right: a row in the table below; the verb that
//! needs it takes `Permit<TheRight>`.

use std::fmt;
use std::sync::Arc;

use super::action::Action;
use super::resource::{Bucket, ObjectPath, Resource};
use crate::types::BucketName;

/// A right on a kind of resource. The rights of this file are all there are.
pub trait Right: Clone + fmt::Debug + Send + Sync + sealed::Sealed + 'static {
    /// The kind of resource.
    type Resource: FromResource;
    /// The actions that give the right.
    const ACTIONS: &'static [Action];
}

/// A right on one object, or on the uploads of its key.
pub trait ObjectRight: Right<Resource = ObjectPath> {}
impl<R: Right<Resource = ObjectPath>> ObjectRight for R {}

/// A right on the uploads of a key.
pub trait UploadRight: ObjectRight {}

/// A right that lets its holder see the state and the parts of an upload.
pub trait SeesUpload: UploadRight {}

/// A right that lets its holder see the record of an object: size, ETag, headers, owner.
pub trait SeesObject: ObjectRight {}

mod sealed {
    pub trait Sealed {}
}

/// A kind of resource, out of the resource of a question.
pub trait FromResource: Clone + fmt::Debug + Send + Sync + Sized {
    /// The resource; `None` when it is of another kind.
    fn from_resource(resource: &Resource) -> Option<Self>;
}

impl FromResource for Arc<Bucket> {
    fn from_resource(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::Bucket(bucket) => Some(Self::clone(bucket)),
            Resource::Service | Resource::NewBucket(_) | Resource::Object(_) => None,
        }
    }
}

impl FromResource for ObjectPath {
    fn from_resource(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::Object(object) => Some(object.clone()),
            Resource::Service | Resource::NewBucket(_) | Resource::Bucket(_) => None,
        }
    }
}

impl FromResource for BucketName {
    fn from_resource(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::NewBucket(name) => Some(name.clone()),
            Resource::Service | Resource::Bucket(_) | Resource::Object(_) => None,
        }
    }
}

impl FromResource for () {
    fn from_resource(resource: &Resource) -> Option<Self> {
        matches!(resource, Resource::Service).then_some(())
    }
}

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident($resource:ty) = $($action:ident)|+;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name;
            impl sealed::Sealed for $name {}
            impl Right for $name {
                type Resource = $resource;
                const ACTIONS: &'static [Action] = &[$(Action::$action),+];
            }
        )*
    };
}

rights! {
    /// To list one's own buckets.
    ListBuckets(()) = ListAllMyBuckets;
    /// To make a bucket.
    CreateBucket(BucketName) = CreateBucket;
    /// To delete a bucket.
    DeleteBucket(Arc<Bucket>) = DeleteBucket;
    /// To list the objects of a bucket.
    ListObjects(Arc<Bucket>) = ListBucket | ListBucketVersions;
    /// To list the open uploads of a bucket.
    ListUploads(Arc<Bucket>) = ListBucketMultipartUploads;
    /// To read the CORS rules of a bucket.
    ReadCors(Arc<Bucket>) = GetBucketCORS;
    /// To change the CORS rules of a bucket.
    WriteCors(Arc<Bucket>) = PutBucketCORS;
    /// To read the notification rules of a bucket.
    ReadNotification(Arc<Bucket>) = GetBucketNotification;
    /// To change the notification rules of a bucket.
    WriteNotification(Arc<Bucket>) = PutBucketNotification;
    /// To delete objects of a bucket; each key is decided by itself.
    DeleteObjects(Arc<Bucket>) = DeleteObject;
    /// To read an object: its record and its bytes.
    ReadObject(ObjectPath) = GetObject;
    /// To read the attributes of an object, among them its parts.
    ReadAttributes(ObjectPath) = GetObjectAttributes;
    /// To read the ACL of an object.
    ReadObjectAcl(ObjectPath) = GetObjectAcl;
    /// To write the ACL of an object.
    WriteObjectAcl(ObjectPath) = PutObjectAcl;
    /// To read the tags of an object.
    ReadObjectTags(ObjectPath) = GetObjectTagging;
    /// To write an object: at once, or by an upload.
    WriteObject(ObjectPath) = PutObject;
    /// To delete an object.
    DeleteObject(ObjectPath) = DeleteObject;
    /// To read the state and the parts of an upload.
    ReadUpload(ObjectPath) = ListMultipartUploadParts;
    /// To abort an upload.
    AbortUpload(ObjectPath) = AbortMultipartUpload;
}

impl UploadRight for WriteObject {}
impl UploadRight for ReadUpload {}
impl UploadRight for AbortUpload {}

// A client that sends parts resumes by what is stored of them.
impl SeesUpload for WriteObject {}
impl SeesUpload for ReadUpload {}

impl SeesObject for ReadObject {}
impl SeesObject for ReadAttributes {}
impl SeesObject for ReadObjectAcl {}
impl SeesObject for WriteObjectAcl {}
impl SeesObject for ReadObjectTags {}
