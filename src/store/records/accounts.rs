//! New users, and the result of CreateBucket.

use std::sync::Arc;

use crate::access::Bucket;

/// Result of CreateBucket.
#[derive(Clone, Debug)]
pub enum CreatedBucket {
    /// The bucket is new.
    Created(Arc<Bucket>),
    /// A bucket of that name was there before; its owner says whose it is.
    Exists(Arc<Bucket>),
}

/// A user to be made.
#[derive(Clone, Default)]
pub struct NewUser {
    /// The canonical id; random (64 hexadecimal digits) if none is given.
    pub id: Option<String>,
    /// The name on the command line, unique.
    pub name: String,
    /// `DisplayName`; the name if none is given.
    pub display_name: Option<String>,
    /// E-mail address, unique if given.
    pub email: Option<String>,
    /// True if every action is allowed.
    pub root: bool,
    /// Access key id and secret of the first key; random if none are given.
    pub key: Option<(String, String)>,
}
