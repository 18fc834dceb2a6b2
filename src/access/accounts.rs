//! Users, access keys, owners, and the principal of a request.

use std::fmt;
use std::sync::Arc;

use crate::types::Timestamp;

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
    /// True for the root user, to whom every action is allowed.
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
    /// The user of the key.
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

/// S3's `Owner` and `Initiator`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The canonical user id.
    pub id: String,
    /// The display name.
    pub display_name: String,
}

/// Sender of a request whose signature has been checked.
#[derive(Clone, Debug)]
pub enum Principal {
    /// No signature at all.
    Anonymous,
    /// The holder of this key.
    Key(Arc<Credential>),
}

impl Principal {
    /// The operator at the control socket. Only the owner of the data folder can open the socket,
    /// so nothing is refused. There is no secret, so nothing is signed in this name.
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
