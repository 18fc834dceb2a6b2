//! What a handler works with: the store, the settings, the caller and the request.

use std::sync::Arc;

use tokio::sync::watch;

use super::challenges::Challenges;
use super::form::Form;
use super::incoming::Incoming;
use crate::access::{self, Action, Origin, Permit, Principal, User};
use crate::auth::{self, Mechanism};
use crate::clock;
use crate::config::Config;
use crate::ops::{Demand, Demands, Operation};
use crate::store::{self, Store};
use crate::types::{BucketName, ObjectKey};
use crate::wire::copy_source::{self, CopySource};
use crate::wire::{Error, ErrorCode, Head, Result};

/// What all requests share. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The settings.
    pub config: Arc<Config>,
    /// The store.
    pub store: Store,
    /// Challenges that wait for their answers.
    pub challenges: Arc<Challenges>,
    /// Whether the server is about to end.
    pub ending: Ending,
}

/// Tells those who wait for somebody else's request that none comes any more.
#[derive(Clone, Default)]
pub struct Ending(Arc<watch::Sender<bool>>);

impl Ending {
    /// The server is about to end.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Returns when that is so.
    pub async fn begun(&self) {
        // The sender is here, so there is no other end of waiting.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }
}

impl Context {
    /// Over an open store.
    pub fn new(config: Arc<Config>, store: Store) -> Self {
        Self { config, store, challenges: Arc::default(), ending: Ending::default() }
    }

    /// Runs a verb that reads files or many rows on the blocking pool. It runs to its end even
    /// when the client hangs up.
    pub async fn blocking<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> store::Result<T> + Send + 'static,
    {
        let store = self.store.clone();
        on_pool(move || verb(&store).map_err(Error::from)).await
    }
}

/// Runs work that takes long, or waits for a disk, on the blocking pool.
///
/// # Errors
/// Its own; InternalError when it panicked.
pub async fn on_pool<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(Error::new(ErrorCode::InternalError).caused_by(panic)))
}

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
        let permits = match operation.demands {
            Demands::Service(action) => self.demand_service(action).map(|_| Vec::new())?,
            Demands::Target(action) => {
                let bucket = head.address.bucket().cloned();
                let key = head.address.key().cloned();
                vec![self.demand(&Demand { action, bucket, key })?]
            }
            Demands::Several(demands) => {
                demands(head)?.iter().map(|demand| self.demand(demand)).collect::<Result<_>>()?
            }
        };
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
}

/// The copy source of a request; header and query count the same.
///
/// # Errors
/// InvalidArgument when it is malformed.
pub fn copy_source_of(head: &Head) -> Result<CopySource> {
    let text = head.header_or_query("x-amz-copy-source")?.unwrap_or_default();
    copy_source::parse(text)
}

/// The demands of a copy: to write the target and to read the source.
///
/// # Errors
/// InvalidArgument when the source is malformed.
pub fn copy_demands(head: &Head) -> Result<Vec<Demand>> {
    let source = copy_source_of(head)?;
    Ok(vec![
        Demand {
            action: Action::PutObject,
            bucket: head.address.bucket().cloned(),
            key: head.address.key().cloned(),
        },
        Demand { action: Action::GetObject, bucket: Some(source.bucket), key: Some(source.key) },
    ])
}
