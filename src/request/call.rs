//! One request on its way through a handler, and the caller who sent it.

use std::sync::Arc;

use super::body::{Form, Incoming};
use super::context::Context;
use super::operation::{Demand, Operation};
use crate::access::{self, Action, Origin, Permit, Principal, User};
use crate::auth::{self, Mechanism};
use crate::clock;
use crate::store::Store;
use crate::types::{BucketName, ObjectKey, PartNumber, UploadId};
use crate::wire::{Error, ErrorCode, Head, Result};

/// Headers by which a client guards against a bucket that has changed hands: of the target's
/// bucket, and of a copy source's.
const EXPECTED_OWNERS: [&str; 2] =
    ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];

/// Who asks, and the only way to be allowed more than the row demanded.
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

    /// Decides one action on a bucket or a key in it.
    ///
    /// # Errors
    /// NoSuchBucket, AccessDenied.
    pub fn demand(&self, demand: &Demand) -> Result<Permit> {
        let name = demand.bucket.as_ref().ok_or(ErrorCode::AccessDenied)?;
        let bucket = self.store.bucket(name).ok_or_else(|| {
            Error::new(ErrorCode::NoSuchBucket).field("BucketName", name.as_str())
        })?;
        access::authorize(&self.principal, demand.action, &bucket)
            .map(|permit| permit.for_request(&self.origin))
            .map_err(|access::Denied| ErrorCode::AccessDenied.into())
    }

    /// Decides one action on the service.
    ///
    /// # Errors
    /// AccessDenied.
    pub fn demand_service(&self, action: Action) -> Result<Arc<User>> {
        access::authorize_service(&self.principal, action)
            .map_err(|access::Denied| ErrorCode::AccessDenied.into())
    }

    /// Decides everything that a row demands, in its order; nothing of the body has been read.
    ///
    /// # Errors
    /// Those of the single decisions.
    pub fn decide(&self, operation: &Operation, head: &Head) -> Result<Vec<Permit>> {
        let mut permits = Vec::new();
        for demand in operation.demands.of(head)? {
            match demand.bucket {
                None => drop(self.demand_service(demand.action)?),
                Some(_) => permits.push(self.demand(&demand)?),
            }
        }
        for (permit, header) in permits.iter().zip(EXPECTED_OWNERS) {
            let expected = head.header_or_query(header)?.filter(|expected| !expected.is_empty());
            if expected.is_some_and(|expected| expected != permit.bucket().owner.id) {
                return Err(ErrorCode::AccessDenied.into());
            }
        }
        Ok(permits)
    }
}

/// One request on its way through a handler.
pub struct Call {
    /// What all requests share.
    pub context: Context,
    /// The row that was routed to.
    pub operation: &'static Operation,
    /// The head.
    pub head: Head,
    /// How the request is signed.
    pub mechanism: Mechanism,
    /// Who asks.
    pub caller: Caller,
    /// What was allowed, in the order of the row's demands.
    pub permits: Vec<Permit>,
    /// The body, unread; of a form, what follows its fields.
    pub body: Incoming,
    /// The fields of a form and what its policy says of its file.
    pub form: Option<Form>,
}

impl Call {
    /// The permit for what the request addresses: the first demand of every row with a bucket.
    pub fn permit(&self) -> &Permit {
        self.permits.first().expect("a row with a bucket in its scope demands something of it")
    }
    /// The permit for the copy source: the second demand of the rows that copy.
    pub fn source_permit(&self) -> &Permit {
        self.permits.get(1).expect("a row that copies demands its source second")
    }
    /// What may be asked again while the request lasts: whether its signature is still good.
    ///
    /// # Errors
    /// Of what it gives: InvalidAccessKeyId, AccessDenied.
    pub fn recheck(&self) -> impl Fn() -> Result<()> + Send + Sync + 'static {
        let (head, mechanism) = (self.head.clone(), self.mechanism);
        let Caller { principal, store, .. } = self.caller.clone();
        move || {
            let key = |id: &str| store.credential(id);
            auth::recheck(&head, mechanism, &principal, &key, clock::now())
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
