//! One request on its way through a handler, and the caller who sent it.

use std::sync::Arc;

use super::body::{Form, Incoming};
use super::context::Context;
use super::operation::{Demand, Operation};
use crate::access::{
    self, Action, Bucket, Decision, Denied, ObjectPath, ObjectRight, Origin, Permit, Principal,
    Question, ReadAccess, ReadObject, Resource, Right, UploadHandle, UploadRight,
};
use crate::auth::{self, Mechanism};
use crate::store::{self, Pending, Store};
use crate::types::{BucketName, ObjectKey, PartNumber, UploadId};
use crate::wire::{Error, ErrorCode, Head, Result};

/// Headers by which a client guards against a bucket that now has another owner: of the target's
/// bucket, and of a copy source's.
const EXPECTED_OWNERS: [&str; 2] =
    ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];

/// The caller of a request. A handler that needs a right beyond the demands of its row asks here.
#[derive(Clone)]
pub struct Caller {
    /// The principal that the signature proved.
    pub principal: Principal,
    store: Store,
    origin: Arc<Origin>,
}

impl Caller {
    /// The caller behind a checked signature, and the request that it is checked for.
    pub fn new(principal: Principal, store: Store, origin: Origin) -> Self {
        Self { principal, store, origin: Arc::new(origin) }
    }

    /// Decides one action.
    ///
    /// # Errors
    /// NoSuchBucket, AccessDenied.
    pub fn ask(&self, demand: Demand) -> Result<Decision> {
        let resource = match (demand.bucket, demand.key) {
            (None, _) => Resource::Service,
            (Some(name), _) if demand.action == Action::CreateBucket => Resource::NewBucket(name),
            (Some(name), key) => {
                let bucket = self.store.bucket(&name).ok_or_else(|| {
                    Error::new(ErrorCode::NoSuchBucket).field("BucketName", name.as_str())
                })?;
                match key {
                    None => Resource::Bucket(bucket),
                    Some(key) => Resource::Object(ObjectPath { bucket, key }),
                }
            }
        };
        Ok(access::decide(Question {
            principal: self.principal.clone(),
            action: demand.action,
            resource,
            origin: Some(Arc::clone(&self.origin)),
            rules: access::Rules::default(),
            object: None,
        }))
    }

    /// The permit for one action that does not depend on a stored object.
    ///
    /// # Errors
    /// NoSuchBucket, AccessDenied.
    pub fn demand<R: Right>(&self, demand: Demand) -> Result<Permit<R>> {
        Ok(self.ask(demand)?.permit()?)
    }

    /// The permit for one action that changes an object. A decision that depends on the stored
    /// object is made with its facts, and the permit names the version.
    ///
    /// # Errors
    /// NoSuchBucket; AccessDenied, also when the decision depends on an object that is not there.
    pub async fn demand_write<R: ObjectRight>(
        &self,
        action: Action,
        bucket: &BucketName,
        key: ObjectKey,
    ) -> Result<Permit<R>> {
        let (bucket, key) = (Some(bucket.clone()), Some(key));
        match self.ask(Demand { action, bucket, key })? {
            Decision::NeedsObject(undecided) => match self.store.object_facts(&undecided).await {
                Ok(facts) => Ok(undecided.decide(&facts)?.permit()?),
                Err(store::Error::NoSuchKey) => Err(ErrorCode::AccessDenied.into()),
                Err(error) => Err(error.into()),
            },
            decision => Ok(decision.permit()?),
        }
    }

    /// Decides everything that a row demands, in its order; nothing of the body has been read.
    ///
    /// # Errors
    /// Those of the single decisions.
    pub fn decide(&self, operation: &Operation, head: &Head) -> Result<Vec<Decision>> {
        let mut decisions = Vec::new();
        for demand in operation.demands.of(head)? {
            let decision = self.ask(demand)?;
            if let Decision::Deny = decision {
                return Err(ErrorCode::AccessDenied.into());
            }
            decisions.push(decision);
        }
        for (decision, header) in decisions.iter().zip(EXPECTED_OWNERS) {
            let Some(bucket) = decision.bucket() else { continue };
            let expected = head.header_or_query(header)?.filter(|expected| !expected.is_empty());
            if expected.is_some_and(|expected| expected != bucket.owner.id) {
                return Err(ErrorCode::AccessDenied.into());
            }
        }
        Ok(decisions)
    }
}

/// Decisions about one write in all: it is decided again when the object changed under the
/// decision.
pub const DECISIONS_MAX: usize = 3;

impl From<Denied> for Error {
    fn from(Denied: Denied) -> Self {
        ErrorCode::AccessDenied.into()
    }
}

/// One request on its way through a handler.
pub struct Call {
    /// The context of the gateway.
    pub context: Context,
    /// The row that was routed to.
    pub operation: &'static Operation,
    /// The head.
    pub head: Head,
    /// Signature mechanism of the request.
    pub mechanism: Mechanism,
    /// The caller.
    pub caller: Caller,
    /// The decisions about the row's demands, in their order; none of them is a denial.
    pub decisions: Vec<Decision>,
    /// The body, unread; of a form, what follows its fields.
    pub body: Incoming,
    /// The fields of a form and what its policy says of its file.
    pub form: Option<Form>,
}

impl Call {
    /// The permit for the right `R` on what the request addresses: the first demand of the row.
    ///
    /// # Errors
    /// AccessDenied when the action of the row does not give the right, and when the decision
    /// depends on the stored object: such an operation uses [`Self::read_access`] or
    /// [`Self::write`].
    pub fn permit<R: Right>(&self) -> Result<Permit<R>> {
        Ok(self.decisions.first().ok_or(ErrorCode::AccessDenied)?.permit()?)
    }
    /// The permit for one upload of the key that the request addresses.
    ///
    /// # Errors
    /// NoSuchUpload for an id that was never given out; those of [`Self::permit`].
    pub fn upload<R: UploadRight>(&self) -> Result<UploadHandle<R>> {
        let id = self.upload_id()?;
        Ok(self.permit::<R>()?.upload(id))
    }
    /// Access to the object that the request addresses, by the right `R`.
    ///
    /// # Errors
    /// AccessDenied.
    pub fn read_access<R: ObjectRight>(&self) -> Result<ReadAccess<R>> {
        Ok(self.decisions.first().ok_or(ErrorCode::AccessDenied)?.read_access()?)
    }
    /// Access to read the copy source: the second demand of the rows that copy.
    ///
    /// # Errors
    /// AccessDenied.
    pub fn source_access(&self) -> Result<ReadAccess<ReadObject>> {
        Ok(self.decisions.get(1).ok_or(ErrorCode::AccessDenied)?.read_access()?)
    }
    /// Runs a `verb` that changes the object that the request addresses and takes the permit. A
    /// decision that depends on the stored object is made with its facts; if the object changed
    /// after that, it is decided again: three decisions in all.
    ///
    /// # Errors
    /// AccessDenied, also when the decision depends on an object that is not there; those of the
    /// verb; OperationAborted when the object kept changing.
    pub async fn write<R, T>(
        &self,
        action: Action,
        verb: impl Fn(&Permit<R>) -> Pending<T>,
    ) -> Result<T>
    where
        R: ObjectRight,
        T: Unpin,
    {
        let decide = || self.caller.demand_write(action, self.bucket(), self.key().clone());
        write_decided(decide, verb).await
    }
    /// The bucket that the request addresses, as it was decided on.
    ///
    /// # Errors
    /// NoSuchBucket.
    pub fn bucket_record(&self) -> Result<&Arc<Bucket>> {
        let bucket = self.decisions.first().and_then(Decision::bucket);
        bucket.ok_or_else(|| ErrorCode::NoSuchBucket.into())
    }
    /// A check that can be repeated while the request lasts: its signature is still valid.
    ///
    /// # Errors
    /// The check fails with InvalidAccessKeyId or AccessDenied.
    pub fn recheck(&self) -> impl Fn() -> Result<()> + Send + Sync + 'static {
        let (head, mechanism) = (self.head.clone(), self.mechanism);
        let Caller { principal, store, .. } = self.caller.clone();
        move || {
            let key = |id: &str| store.credential(id);
            auth::recheck(&head, mechanism, &principal, &key, store.now())
        }
    }
    /// The body, and the call without it.
    pub fn take_body(mut self) -> (Incoming, Self) {
        let body = std::mem::replace(&mut self.body, Incoming::taken());
        (body, self)
    }
    /// The key that the request addresses.
    pub fn key(&self) -> &ObjectKey {
        self.head.key()
    }
    /// The bucket that the request addresses.
    pub fn bucket(&self) -> &BucketName {
        self.head.bucket()
    }
    /// The upload that the query names.
    ///
    /// # Errors
    /// NoSuchUpload: an id that was never given out names no upload.
    pub fn upload_id(&self) -> Result<UploadId> {
        let text = self.head.query.get("uploadId").unwrap_or_default();
        let no_such = || Error::new(ErrorCode::NoSuchUpload).field("UploadId", text);
        UploadId::parse(text).ok_or_else(no_such)
    }
    /// The part number that the query names.
    ///
    /// # Errors
    /// InvalidArgument unless it is 1 to 10,000.
    pub fn part_number(&self) -> Result<PartNumber> {
        let text = self.head.query.get("partNumber").unwrap_or_default();
        PartNumber::parse(text).ok_or_else(|| {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            Error::argument("partNumber", text, message)
        })
    }
}

/// Decides, and runs `verb` with the permit. Each time that the object changed under the decision,
/// it decides again: [`DECISIONS_MAX`] decisions in all.
async fn write_decided<P, T, D>(
    decide: impl Fn() -> D,
    verb: impl Fn(&P) -> Pending<T>,
) -> Result<T>
where
    D: Future<Output = Result<P>>,
    T: Unpin,
{
    for _ in 1..DECISIONS_MAX {
        match verb(&decide().await?).await {
            Err(store::Error::ObjectChanged) => {}
            done => return Ok(done?),
        }
    }
    Ok(verb(&decide().await?).await?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Runs a verb whose object changes so often; gives the answer, and how often it was decided
    /// and run.
    fn changes(times: usize, is_denied: bool) -> (Result<usize>, usize, usize) {
        let (decided, run) = (Cell::new(0), Cell::new(0));
        let decide = || {
            decided.set(decided.get() + 1);
            let denied = is_denied && decided.get() > 1;
            std::future::ready(if denied { Err(Denied.into()) } else { Ok(decided.get()) })
        };
        let verb = |permit: &usize| {
            run.set(run.get() + 1);
            let changed = run.get() <= times;
            Pending::answered(if changed { Err(store::Error::ObjectChanged) } else { Ok(*permit) })
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let answer = runtime.block_on(write_decided(decide, verb));
        (answer, decided.get(), run.get())
    }

    #[test]
    fn a_write_is_decided_at_most_three_times() {
        for times in 0..DECISIONS_MAX {
            let (answer, decided, run) = changes(times, false);
            let permit = answer.expect("the object stays at last");
            assert_eq!((permit, decided, run), (times + 1, times + 1, times + 1));
        }
        let (answer, decided, run) = changes(100, false);
        assert_eq!(answer.err().map(|error| error.code), Some(ErrorCode::OperationAborted));
        assert_eq!((decided, run), (3, 3));
    }

    #[test]
    fn a_denial_ends_the_retries() {
        let (answer, decided, run) = changes(100, true);
        assert_eq!(answer.err().map(|error| error.code), Some(ErrorCode::AccessDenied));
        assert_eq!((decided, run), (2, 1));
    }
}
