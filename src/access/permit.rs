//! Proofs of decisions: what a verb of the store takes.
//!
//! **Invariants**
//! - Nothing outside of this folder makes a proof: [`decide`](super::decide) is the only maker.
//! - A [`Permit`] names its right as a type and its resource as a value. A verb takes key and
//!   version from the permit, so it cannot be used for another object, and a permit for another
//!   right does not compile.
//!
//! A permit to read does not delete:
//!
//! ```compile_fail
//! use partita::access::{Permit, ReadObject};
//! use partita::store::Store;
//! use partita::types::WriteCondition;
//!
//! fn wrong(store: &Store, permit: &Permit<ReadObject>) {
//!     let _ = store.delete_object(permit, WriteCondition::default());
//! }
//! ```
//!
//! nor does one to delete an object delete its bucket:
//!
//! ```compile_fail
//! use partita::access::{DeleteObject, Permit};
//! use partita::store::Store;
//!
//! fn wrong(store: &Store, permit: &Permit<DeleteObject>) {
//!     let _ = store.delete_bucket(permit);
//! }
//! ```
//!
//! nor does one to read the attributes of an object open its bytes:
//!
//! ```compile_fail
//! use partita::access::{ReadAccess, ReadAttributes};
//! use partita::store::Store;
//!
//! fn wrong(store: &Store, access: &ReadAccess<ReadAttributes>) {
//!     let _ = store.open_object(access);
//! }
//! ```
//!
//! nor does one to abort an upload show its parts:
//!
//! ```compile_fail
//! use partita::access::{AbortUpload, UploadHandle};
//! use partita::store::Store;
//!
//! fn wrong(store: &Store, upload: &UploadHandle<AbortUpload>) {
//!     let _ = store.list_parts(upload, 0, 1);
//! }
//! ```
//!
//! nor does one to change CORS rules change those of notifications:
//!
//! ```compile_fail
//! use partita::access::{Permit, WriteCors};
//! use partita::events::NotificationRules;
//! use partita::store::Store;
//!
//! fn wrong(store: &Store, permit: &Permit<WriteCors>, rules: NotificationRules) {
//!     let _ = store.set_event_rules(permit, rules, false);
//! }
//! ```
//!
//! nor does a content that was found become a proven one by itself:
//!
//! ```compile_fail
//! use partita::store::{Proven, Readable};
//!
//! fn unproven(found: Readable) -> Proven {
//!     Proven(found)
//! }
//! ```
//!
//! and nobody makes one:
//!
//! ```compile_fail
//! use partita::access::{ObjectPath, Permit, ReadObject};
//!
//! fn forged(object: ObjectPath) -> Permit<ReadObject> {
//!     let made: Permit<ReadObject> = todo!();
//!     Permit { resource: object, ..made }
//! }
//! ```
//!
//! The right pairings compile:
//!
//! ```
//! use partita::access::{
//!     DeleteBucket, DeleteObject, Permit, ReadAccess, ReadObject, ReadUpload, UploadHandle,
//! };
//! use partita::store::Store;
//! use partita::types::WriteCondition;
//!
//! fn right(store: &Store, permit: &Permit<DeleteObject>) {
//!     let _ = store.delete_object(permit, WriteCondition::default());
//! }
//! fn deletes(store: &Store, permit: &Permit<DeleteBucket>) {
//!     let _ = store.delete_bucket(permit);
//! }
//! fn reads(store: &Store, access: &ReadAccess<ReadObject>, upload: &UploadHandle<ReadUpload>) {
//!     let _ = store.open_object(access);
//!     let _ = store.list_parts(upload, 0, 1);
//! }
//! ```

use std::marker::PhantomData;
use std::sync::Arc;

use super::accounts::User;
use super::action::Action;
use super::resource::{Bucket, ObjectFacts, ObjectPath, Resource, UploadPath};
use super::right::{FromResource, ObjectRight, Right, UploadRight};
use crate::types::{BucketName, ObjectKey, UploadId};

/// The decision was no: AccessDenied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denied;

/// The request that something was allowed for, as events report it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// Its id.
    pub request_id: String,
    /// Where it came from.
    pub peer: String,
}

/// Proof that one action on one resource was allowed. It names its action as a value; verbs take a
/// [`Permit`], which [`Allowed::permit`] gives.
#[derive(Clone, Debug)]
pub struct Allowed {
    action: Action,
    resource: Resource,
    user: Arc<User>,
    origin: Option<Arc<Origin>>,
    decided_on: Option<i64>,
}

/// Proof that the right `R` on one resource was allowed.
#[derive(Clone, Debug)]
pub struct Permit<R: Right> {
    resource: R::Resource,
    user: Arc<User>,
    origin: Option<Arc<Origin>>,
    /// Sequence number of the version that was decided on; `None` when the decision did not depend
    /// on the stored object.
    decided_on: Option<i64>,
    _right: PhantomData<R>,
}

impl Allowed {
    /// Called by the decision alone.
    pub(super) fn new(
        action: Action,
        resource: Resource,
        user: Arc<User>,
        origin: Option<Arc<Origin>>,
        decided_on: Option<i64>,
    ) -> Self {
        Self { action, resource, user, origin, decided_on }
    }

    /// The bucket that the resource is in; `None` for the service.
    pub fn bucket(&self) -> Option<&Arc<Bucket>> {
        self.resource.bucket()
    }

    /// The user who was allowed it.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// The permit that this proof is worth.
    ///
    /// # Errors
    /// [`Denied`] when the action does not give the right, or the resource is of another kind.
    pub fn permit<R: Right>(&self) -> Result<Permit<R>, Denied> {
        if !R::ACTIONS.contains(&self.action) {
            return Err(Denied);
        }
        Ok(Permit {
            resource: R::Resource::from_resource(&self.resource).ok_or(Denied)?,
            user: Arc::clone(&self.user),
            origin: self.origin.clone(),
            decided_on: self.decided_on,
            _right: PhantomData,
        })
    }
}

impl<R: Right> Permit<R> {
    /// The user who was allowed it.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// The request that it was given for; `None` for work of the server itself.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.as_ref()
    }

    /// Sequence number of the version that was decided on, if the decision depended on it.
    pub fn decided_on(&self) -> Option<i64> {
        self.decided_on
    }
}

impl<R: Right<Resource = Arc<Bucket>>> Permit<R> {
    /// The bucket.
    pub fn bucket(&self) -> &Arc<Bucket> {
        &self.resource
    }
}

impl<R: Right<Resource = BucketName>> Permit<R> {
    /// The name of the bucket to be made.
    pub fn bucket_name(&self) -> &BucketName {
        &self.resource
    }
}

impl<R: ObjectRight> Permit<R> {
    /// The object.
    pub fn object(&self) -> &ObjectPath {
        &self.resource
    }

    /// The bucket of the object.
    pub fn target_bucket(&self) -> &Arc<Bucket> {
        &self.resource.bucket
    }

    /// The key of the object.
    pub fn key(&self) -> &ObjectKey {
        &self.resource.key
    }
}

impl<R: UploadRight> Permit<R> {
    /// The permit, for one upload of its key.
    pub fn upload(self, id: UploadId) -> UploadHandle<R> {
        UploadHandle { permit: self, id }
    }
}

/// A permit for one upload: bucket, key and id in one value.
#[derive(Clone, Debug)]
pub struct UploadHandle<R: UploadRight> {
    permit: Permit<R>,
    id: UploadId,
}

impl<R: UploadRight> UploadHandle<R> {
    /// The permit.
    pub fn permit(&self) -> &Permit<R> {
        &self.permit
    }

    /// The upload's id.
    pub fn id(&self) -> UploadId {
        self.id
    }

    /// The upload by bucket, key and id.
    pub fn path(&self) -> UploadPath {
        let ObjectPath { bucket, key } = self.permit.object().clone();
        UploadPath { bucket, key, id: self.id }
    }
}

/// The decision about the right `R` on an object: allowed, or allowed if the stored object permits
/// it. A verb that reads the object takes it.
#[derive(Clone, Debug)]
pub enum ReadAccess<R: ObjectRight> {
    /// Allowed, whatever is stored.
    Allowed(Permit<R>),
    /// To be decided with the facts of the stored object.
    NeedsObject(Undecided),
}

impl<R: ObjectRight> ReadAccess<R> {
    /// The object.
    pub fn object(&self) -> &ObjectPath {
        match self {
            Self::Allowed(permit) => permit.object(),
            Self::NeedsObject(undecided) => &undecided.object,
        }
    }
}

/// A question about an object that waits for the facts of the object.
#[derive(Clone)]
pub struct Undecided {
    object: ObjectPath,
    decide: Decide,
}

/// Asks the same question again, with the facts.
type Decide = Arc<dyn Fn(&ObjectFacts) -> Result<Allowed, Denied> + Send + Sync>;

impl std::fmt::Debug for Undecided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Undecided({:?})", self.object)
    }
}

impl Undecided {
    /// Called by the decision alone. No rule of today needs the object; those of tests do.
    #[cfg(test)]
    pub(super) fn new(object: ObjectPath, decide: Decide) -> Self {
        Self { object, decide }
    }

    /// The object.
    pub fn object(&self) -> &ObjectPath {
        &self.object
    }

    /// Decides with the facts of the object. The proof names the version of the facts.
    ///
    /// # Errors
    /// [`Denied`], also when the facts are of another object.
    pub fn decide(&self, facts: &ObjectFacts) -> Result<Allowed, Denied> {
        if facts.path != self.object {
            return Err(Denied);
        }
        (self.decide)(facts)
    }
}

/// The answer of a verb that reads an object by the right `R`. It opens only for a permit of that
/// right that names the object and, if the decision depended on the object, this version of it.
pub struct Sealed<T, R> {
    value: T,
    facts: ObjectFacts,
    _right: PhantomData<R>,
}

impl<T, R: ObjectRight> Sealed<T, R> {
    /// Called by the store. Seals `value`, which was read in the snapshot that `facts` come from.
    pub(crate) fn new(value: T, facts: ObjectFacts) -> Self {
        Self { value, facts, _right: PhantomData }
    }

    /// The value, for an allowed reader.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn open(self, access: &ReadAccess<R>) -> Result<T, Denied> {
        let decided;
        let permit = match access {
            ReadAccess::Allowed(permit) => permit,
            ReadAccess::NeedsObject(undecided) => {
                decided = undecided.decide(&self.facts)?.permit::<R>()?;
                &decided
            }
        };
        let is_version = permit.decided_on.is_none_or(|seq| seq == self.facts.seq);
        match *permit.object() == self.facts.path && is_version {
            true => Ok(self.value),
            false => Err(Denied),
        }
    }
}
