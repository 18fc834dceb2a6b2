//! The one decision: may this principal do this action on this resource.
//!
//! It is a pure function of a [`Question`]. Policies and ACLs will be more fields of the question.
//!
//! Today's rule is short: the root user may do everything, the owner of a bucket may do everything
//! in it, any user may own buckets, an anonymous caller may do nothing.

use std::sync::Arc;

use super::accounts::{Principal, User};
use super::action::Action;
use super::permit::{Allowed, Denied, Origin, Permit, ReadAccess, Undecided};
use super::resource::{Bucket, ObjectFacts, Resource};
use super::right::{ObjectRight, Right};

/// Everything that a decision depends on.
#[derive(Clone, Debug)]
pub struct Question {
    /// The principal of the request.
    pub principal: Principal,
    /// The action.
    pub action: Action,
    /// The resource.
    pub resource: Resource,
    /// Facts of the request; `None` for work of the server itself.
    pub origin: Option<Arc<Origin>>,
    /// The rules in force.
    pub rules: Rules,
    /// Facts of the stored object, once a verb has read them.
    pub object: Option<ObjectFacts>,
}

/// The rules that decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Rules {
    /// The root user, and the owner of the bucket.
    #[default]
    BucketOwner,
    /// The owner of the stored object: a rule that needs the object, for tests of the contract.
    #[cfg(test)]
    ObjectOwner,
}

/// The answer to a question.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Yes.
    Allow(Allowed),
    /// No.
    Deny,
    /// It depends on the stored object.
    NeedsObject(Undecided),
}

/// Decides. This function is the only maker of an [`Allowed`], and so of every permit.
pub fn decide(question: Question) -> Decision {
    let Some(user) = question.principal.user().map(Arc::clone) else { return Decision::Deny };
    let allowed = match (&question.resource, question.rules) {
        (Resource::Service | Resource::NewBucket(_), _) => true,
        #[cfg(test)]
        (Resource::Object(path), Rules::ObjectOwner) => match &question.object {
            Some(facts) => facts.owner_id == user.id,
            None => {
                let again = question.clone();
                let decide = move |facts: &ObjectFacts| {
                    let object = Some(facts.clone());
                    match decide(Question { object, ..again.clone() }) {
                        Decision::Allow(allowed) => Ok(allowed),
                        Decision::Deny | Decision::NeedsObject(_) => Err(Denied),
                    }
                };
                return Decision::NeedsObject(Undecided::new(path.clone(), Arc::new(decide)));
            }
        },
        (Resource::Bucket(bucket), _) => may_anything(&user, bucket),
        (Resource::Object(path), _) => may_anything(&user, &path.bucket),
    };
    if !allowed {
        return Decision::Deny;
    }
    let Question { action, resource, origin, object, .. } = question;
    let decided_on = object.map(|facts| facts.seq);
    Decision::Allow(Allowed::new(action, resource, user, origin, decided_on))
}

impl Decision {
    /// The bucket that was decided about; `None` for the service, and for a denial.
    pub fn bucket(&self) -> Option<&Arc<Bucket>> {
        match self {
            Self::Allow(allowed) => allowed.bucket(),
            Self::NeedsObject(undecided) => Some(&undecided.object().bucket),
            Self::Deny => None,
        }
    }

    /// The proof of a decision that needs no object.
    ///
    /// # Errors
    /// [`Denied`], also when the object would be needed: the caller has no way to give it.
    pub fn allowed(&self) -> Result<&Allowed, Denied> {
        match self {
            Self::Allow(allowed) => Ok(allowed),
            Self::Deny | Self::NeedsObject(_) => Err(Denied),
        }
    }

    /// The permit for the right `R`, of a decision that needs no object.
    ///
    /// # Errors
    /// [`Denied`], as of [`Self::allowed`] and [`Allowed::permit`].
    pub fn permit<R: Right>(&self) -> Result<Permit<R>, Denied> {
        self.allowed()?.permit()
    }

    /// The access to an object by the right `R`, for a verb that reads the object.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn read_access<R: ObjectRight>(&self) -> Result<ReadAccess<R>, Denied> {
        match self {
            Self::Allow(allowed) => allowed.permit::<R>().map(ReadAccess::Allowed),
            Self::NeedsObject(undecided) => Ok(ReadAccess::NeedsObject(undecided.clone())),
            Self::Deny => Err(Denied),
        }
    }
}

/// True if there is anything that the user may do with the bucket. A search skips other buckets, so
/// that their objects change neither its result nor, much, its time; each find is still decided by
/// [`decide`].
pub fn may_anything(user: &User, bucket: &Bucket) -> bool {
    user.root || user.id == bucket.owner.id
}
