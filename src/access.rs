//! Who may do what: users, access keys, owners of buckets, and the one decision over them.
//!
//! **Invariant:** a [`Permit`] is made nowhere but in [`authorize`]. Every verb of the store that
//! names a bucket asks for one, so no code path can reach data past the decision.
//!
//! Today the rule is short: the root user may do everything, the owner of a bucket may do
//! everything in it, anybody may own buckets, an anonymous caller may do nothing. Policies and ACLs
//! will be decided here too.

use std::fmt;
use std::sync::Arc;

use crate::types::{BucketName, Timestamp};

/// A user: the owner of buckets and of access keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The canonical id: 64 hexadecimal digits, or what the operator gave.
    pub id: String,
    /// The name on the command line, unique.
    pub name: String,
    /// `DisplayName` in S3's answers.
    pub display_name: String,
    /// E-mail address, if given: S3's ACL grants may name it.
    pub email: Option<String>,
    /// Whether this is the root user, to whom every action is allowed.
    pub root: bool,
    /// When the user was made.
    pub created: Timestamp,
}

/// One access key with its secret and its user.
#[derive(Clone)]
pub struct Credential {
    /// The access key id, as in `Credential=`.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// Whose key it is.
    pub user: Arc<User>,
    /// A disabled key is as good as none: InvalidAccessKeyId.
    pub enabled: bool,
    /// When the key was made.
    pub created: Timestamp,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret never reaches a log.
        write!(f, "Credential({})", self.access_key_id)
    }
}

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

/// S3's `Owner` and `Initiator`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The canonical user id.
    pub id: String,
    /// The display name.
    pub display_name: String,
}

/// Who sends a request, once its signature has been checked.
#[derive(Clone, Debug)]
pub enum Principal {
    /// No signature at all.
    Anonymous,
    /// The holder of this key.
    Key(Arc<Credential>),
}

impl Principal {
    /// The operator at the control socket: to nobody else the data folder is open, so nothing is
    /// refused. There is no secret, so nothing is signed in this name.
    pub fn operator() -> Self {
        let created = Timestamp::from_millis(0);
        let user = User {
            id: String::new(),
            name: "operator".into(),
            display_name: "operator".into(),
            email: None,
            root: true,
            created,
        };
        Self::Key(Arc::new(Credential {
            access_key_id: "-".into(),
            secret_access_key: String::new(),
            user: Arc::new(user),
            enabled: false,
            created,
        }))
    }
    /// The key that signed, unless it is anonymous.
    pub fn credential(&self) -> Option<&Arc<Credential>> {
        match self {
            Self::Anonymous => None,
            Self::Key(credential) => Some(credential),
        }
    }
    /// The user behind the request, unless it is anonymous.
    pub fn user(&self) -> Option<&Arc<User>> {
        match self {
            Self::Anonymous => None,
            Self::Key(credential) => Some(&credential.user),
        }
    }
    /// The access key id for the access log, `-` for an anonymous caller.
    pub fn label(&self) -> &str {
        match self {
            Self::Anonymous => "-",
            Self::Key(credential) => &credential.access_key_id,
        }
    }
}

/// An action in the words of IAM (`s3:` is left out): what a policy would allow or deny.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)] // Each is AWS's own word.
pub enum Action {
    ListAllMyBuckets,
    CreateBucket,
    DeleteBucket,
    ListBucket,
    ListBucketVersions,
    ListBucketMultipartUploads,
    GetBucketLocation,
    GetBucketCORS,
    /// Reading any bucket configuration that has no row of its own yet.
    GetBucketConfiguration,
    GetObject,
    GetObjectAcl,
    GetObjectAttributes,
    GetObjectTagging,
    GetBucketNotification,
    PutBucketAcl,
    PutBucketCORS,
    PutBucketNotification,
    PutObject,
    PutObjectAcl,
    DeleteObject,
    AbortMultipartUpload,
    ListMultipartUploadParts,
}

/// The request that something was allowed for, as events tell it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// Its id.
    pub request_id: String,
    /// Where it came from.
    pub peer: String,
}

/// Proof that one action on one bucket was decided and allowed.
#[derive(Clone, Debug)]
pub struct Permit {
    bucket: Arc<Bucket>,
    action: Action,
    user: Arc<User>,
    origin: Option<Arc<Origin>>,
}

impl Permit {
    /// The bucket that the permit is for.
    pub fn bucket(&self) -> &Arc<Bucket> {
        &self.bucket
    }
    /// The action that was allowed.
    pub fn action(&self) -> Action {
        self.action
    }
    /// The user who was allowed it.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }
    /// The request that it was given for; `None` for what the server does by itself.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.as_ref()
    }
    /// The same, given for this request.
    pub fn for_request(mut self, origin: &Arc<Origin>) -> Self {
        self.origin = Some(Arc::clone(origin));
        self
    }
}

/// The decision was no: AccessDenied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denied;

/// Decides whether `principal` may do `action` on `bucket`: on the bucket itself, or a key in it.
pub fn authorize(
    principal: &Principal,
    action: Action,
    bucket: &Arc<Bucket>,
) -> Result<Permit, Denied> {
    let user = principal.user().ok_or(Denied)?;
    if may_anything(user, bucket) {
        let (bucket, user) = (Arc::clone(bucket), Arc::clone(user));
        return Ok(Permit { bucket, action, user, origin: None });
    }
    Err(Denied)
}

/// Whether there is anything that the user may do with the bucket. A search skips what is in other
/// ones, so that what they hold changes neither its result nor, much, its time; each find is still
/// decided by [`authorize`].
pub fn may_anything(user: &User, bucket: &Bucket) -> bool {
    user.root || user.id == bucket.owner.id
}

/// Decides an action that names no existing bucket (ListBuckets, CreateBucket): any user may.
pub fn authorize_service(principal: &Principal, _action: Action) -> Result<Arc<User>, Denied> {
    principal.user().cloned().ok_or(Denied)
}
