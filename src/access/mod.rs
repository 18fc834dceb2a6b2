//! Access control: users and access keys, the one decision, and the permits that prove it.
//!
//! **Invariants**
//! - [`decide`] is the only maker of permits. A verb of the store that reads or changes objects,
//!   uploads or the settings of a bucket takes the permit of the right that it needs, so no code
//!   path reaches data past the decision.
//! - A decision that depends on a stored object is made with the facts that the reading verb found
//!   ([`Sealed`]), not by a second look.

mod accounts;
mod action;
mod decision;
mod permit;
mod resource;
mod right;

pub use accounts::{Credential, Owner, Principal, User};
pub use action::Action;
pub use decision::{Decision, Question, Rules, decide, may_anything};
pub use permit::{Allowed, Denied, Origin, Permit, ReadAccess, Sealed, Undecided, UploadHandle};
pub use resource::{Bucket, ObjectFacts, ObjectPath, Resource, UploadPath};
pub use right::{
    AbortUpload, CreateBucket, DeleteBucket, DeleteObject, DeleteObjects, ListBuckets, ListObjects,
    ListUploads, ObjectRight, ReadAttributes, ReadCors, ReadNotification, ReadObject,
    ReadObjectAcl, ReadObjectTags, ReadUpload, Right, SeesObject, SeesUpload, UploadRight,
    WriteCors, WriteNotification, WriteObject, WriteObjectAcl,
};
