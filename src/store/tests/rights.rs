//! Permits of one user in one bucket, each from a decision.

use std::sync::Arc;

use crate::access::{
    AbortUpload, Action, Bucket, CreateBucket, Credential, DeleteBucket, DeleteObject, ListBuckets,
    ListObjects, ListUploads, ObjectPath, Permit, Principal, Question, ReadAccess, ReadCors,
    ReadNotification, ReadObject, Resource, Right, Rules, UploadHandle, WriteCors,
    WriteNotification, WriteObject, decide,
};
use crate::types::{BucketName, ObjectKey, UploadId};

/// Rights of an access key in one bucket. A denial panics.
#[derive(Clone)]
pub(super) struct Rights {
    credential: Arc<Credential>,
    bucket: Arc<Bucket>,
}

/// The question whether the holder of a key may do `action`.
pub(super) fn question(
    credential: &Arc<Credential>,
    action: Action,
    resource: Resource,
) -> Question {
    Question {
        principal: Principal::Key(Arc::clone(credential)),
        action,
        resource,
        origin: None,
        rules: Rules::default(),
        object: None,
    }
}

/// The permit to make a bucket.
pub(super) fn create_permit(
    credential: &Arc<Credential>,
    name: BucketName,
) -> Permit<CreateBucket> {
    permit(question(credential, Action::CreateBucket, Resource::NewBucket(name)))
}

/// The permit to list one's own buckets.
pub(super) fn list_buckets_permit(credential: &Arc<Credential>) -> Permit<ListBuckets> {
    permit(question(credential, Action::ListAllMyBuckets, Resource::Service))
}

fn permit<R: Right>(question: Question) -> Permit<R> {
    let permit = decide(question).permit::<R>();
    permit.expect("it is permitted")
}

impl Rights {
    pub(super) fn new(credential: &Arc<Credential>, bucket: &Arc<Bucket>) -> Self {
        Self { credential: Arc::clone(credential), bucket: Arc::clone(bucket) }
    }

    pub(super) fn bucket(&self) -> &Arc<Bucket> {
        &self.bucket
    }

    /// The object of this name.
    pub(super) fn path(&self, name: &str) -> ObjectPath {
        let key = ObjectKey::parse(name.as_bytes()).expect("a key");
        ObjectPath { bucket: Arc::clone(&self.bucket), key }
    }

    fn on_object<R: Right>(&self, action: Action, name: &str) -> Permit<R> {
        permit(question(&self.credential, action, Resource::Object(self.path(name))))
    }

    fn on_bucket<R: Right>(&self, action: Action) -> Permit<R> {
        permit(question(&self.credential, action, Resource::Bucket(Arc::clone(&self.bucket))))
    }

    pub(super) fn write(&self, name: &str) -> Permit<WriteObject> {
        self.on_object(Action::PutObject, name)
    }

    pub(super) fn read(&self, name: &str) -> Permit<ReadObject> {
        self.on_object(Action::GetObject, name)
    }

    pub(super) fn access(&self, name: &str) -> ReadAccess<ReadObject> {
        ReadAccess::Allowed(self.read(name))
    }

    pub(super) fn delete(&self, name: &str) -> Permit<DeleteObject> {
        self.on_object(Action::DeleteObject, name)
    }

    pub(super) fn deletes<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Permit<DeleteObject>> {
        names.into_iter().map(|name| self.delete(name)).collect()
    }

    /// An upload, to add to it and to complete it.
    pub(super) fn upload(&self, name: &str, id: UploadId) -> UploadHandle<WriteObject> {
        self.write(name).upload(id)
    }

    /// An upload, to end it.
    pub(super) fn ending(&self, name: &str, id: UploadId) -> UploadHandle<AbortUpload> {
        self.on_object::<AbortUpload>(Action::AbortMultipartUpload, name).upload(id)
    }

    pub(super) fn list(&self) -> Permit<ListObjects> {
        self.on_bucket(Action::ListBucket)
    }

    pub(super) fn list_uploads(&self) -> Permit<ListUploads> {
        self.on_bucket(Action::ListBucketMultipartUploads)
    }

    pub(super) fn read_cors(&self) -> Permit<ReadCors> {
        self.on_bucket(Action::GetBucketCORS)
    }

    pub(super) fn write_cors(&self) -> Permit<WriteCors> {
        self.on_bucket(Action::PutBucketCORS)
    }

    pub(super) fn read_notification(&self) -> Permit<ReadNotification> {
        self.on_bucket(Action::GetBucketNotification)
    }

    pub(super) fn write_notification(&self) -> Permit<WriteNotification> {
        self.on_bucket(Action::PutBucketNotification)
    }

    pub(super) fn delete_bucket(&self) -> Permit<DeleteBucket> {
        self.on_bucket(Action::DeleteBucket)
    }
}
