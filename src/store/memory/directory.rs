//! Users, access keys, buckets and their configurations in memory: read by each request.
//!
//! **Invariants**
//! - The directory is the committed state: the writer applies a transaction's [`Effect`]s after
//!   COMMIT and before it answers.
//! - Only the writer (and start) changes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::{RwLock, RwLockReadGuard};

use crate::access::{Bucket, Credential, Owner, User};
use crate::store::records::configurations::{BucketConfiguration, BucketConfigurationKind};
use crate::types::{BucketName, UploadId};

/// Change outside the database, of a committed transaction.
#[derive(Clone)]
pub(crate) enum Effect {
    /// A user is new.
    UserMade(Arc<User>),
    /// The user of that id is gone, with all its keys.
    UserGone(String),
    /// A key is new or changed.
    KeySet(Arc<Credential>),
    /// The key of that id is gone.
    KeyGone(String),
    /// A bucket is new.
    BucketMade(Arc<Bucket>),
    /// A bucket is gone.
    BucketGone(Arc<Bucket>),
    /// The bucket of that id has a new document of this kind.
    BucketConfigurationSet {
        bucket: i64,
        kind: BucketConfigurationKind,
        document: Arc<BucketConfiguration>,
    },
    /// The bucket of that id has no document of this kind any more.
    BucketConfigurationGone { bucket: i64, kind: BucketConfigurationKind },
    /// There is garbage to collect.
    Garbage,
    /// An upload is in another state, or has other parts.
    UploadChanged(UploadId),
    /// There is an event for the target.
    EventQueued(Arc<str>),
    /// The target's backlog is full: from now on events are only counted.
    EventsDropped(Arc<str>),
}

impl Effect {
    /// True if it is for the targets of events, not for the directory.
    pub(crate) fn is_for_targets(&self) -> bool {
        matches!(self, Self::EventQueued(_) | Self::EventsDropped(_))
    }
}

#[derive(Default)]
struct State {
    users: HashMap<String, Arc<User>>,
    users_by_name: BTreeMap<String, Arc<User>>,
    keys: BTreeMap<String, Arc<Credential>>,
    buckets: HashMap<BucketName, Arc<Bucket>>,
    /// Owner's id and bucket's name: the order in which ListBuckets reads.
    owned: BTreeSet<(String, String)>,
    /// Owner's id and bucket's id: the order in which a search goes through what it may read.
    owned_ids: BTreeSet<(String, i64)>,
    /// Documents by the id of the bucket.
    configurations: HashMap<(i64, BucketConfigurationKind), Arc<BucketConfiguration>>,
}

/// The tables in memory.
#[derive(Default)]
pub(crate) struct Directory {
    state: RwLock<State>,
}

impl Directory {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// Applies what one transaction did.
    pub(crate) fn apply(&self, effects: Vec<Effect>) {
        let mut state = self.state.write();
        effects.into_iter().for_each(|effect| state.apply(effect));
    }

    pub(crate) fn credential(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.read().keys.get(access_key_id).cloned()
    }

    pub(crate) fn users(&self) -> Vec<Arc<User>> {
        self.read().users_by_name.values().cloned().collect()
    }

    pub(crate) fn user(&self, name: &str) -> Option<Arc<User>> {
        self.read().users_by_name.get(name).cloned()
    }

    pub(crate) fn keys(&self, user_name: Option<&str>) -> Vec<Arc<Credential>> {
        let wanted = |key: &&Arc<Credential>| user_name.is_none_or(|name| key.user.name == name);
        self.read().keys.values().filter(wanted).cloned().collect()
    }

    pub(crate) fn owner(&self, user_id: &str) -> Owner {
        let display_name = self.read().users.get(user_id).map(|user| user.display_name.clone());
        Owner { id: user_id.to_owned(), display_name: display_name.unwrap_or_default() }
    }

    pub(crate) fn bucket(&self, name: &BucketName) -> Option<Arc<Bucket>> {
        self.read().buckets.get(name).cloned()
    }

    /// True if this bucket, by id, exists: not deleted, and not another one of its name.
    pub(crate) fn has_bucket(&self, bucket: &Bucket) -> bool {
        self.read().buckets.get(&bucket.name).is_some_and(|there| there.id == bucket.id)
    }

    /// The document of a bucket's id.
    pub(crate) fn bucket_configuration(
        &self,
        bucket: i64,
        kind: BucketConfigurationKind,
    ) -> Option<Arc<BucketConfiguration>> {
        self.read().configurations.get(&(bucket, kind)).cloned()
    }

    /// The document of the bucket that has the name now.
    pub(crate) fn bucket_configuration_by_name(
        &self,
        name: &BucketName,
        kind: BucketConfigurationKind,
    ) -> Option<Arc<BucketConfiguration>> {
        let state = self.read();
        let bucket = state.buckets.get(name)?.id;
        state.configurations.get(&(bucket, kind)).cloned()
    }

    /// Documents of a kind, each with the id of its bucket.
    pub(crate) fn bucket_configurations(
        &self,
        kind: BucketConfigurationKind,
    ) -> Vec<(i64, Arc<BucketConfiguration>)> {
        let state = self.read();
        let wanted = state.configurations.iter().filter(|((_, other), _)| *other == kind);
        wanted.map(|((bucket, _), document)| (*bucket, Arc::clone(document))).collect()
    }

    pub(crate) fn count_bucket_configurations(&self) -> usize {
        self.read().configurations.len()
    }

    pub(crate) fn count_buckets(&self) -> usize {
        self.read().buckets.len()
    }

    /// The buckets in which the user may do anything, as [`may_anything`] has it, by name. Others'
    /// cost nothing; for root it is one pass over all names.
    ///
    /// [`may_anything`]: crate::access::may_anything
    pub(crate) fn buckets_in_sight(&self, user: &User, from: &str, max: usize) -> Vec<Arc<Bucket>> {
        let state = self.read();
        if !user.root {
            let first = Bound::Included((user.id.clone(), from.to_owned()));
            let owned = state.owned.range((first, Bound::Unbounded));
            let names = owned.take_while(|(owner, _)| *owner == user.id).take(max);
            return names.map(|(_, name)| state.bucket(name)).collect();
        }
        let follows = |bucket: &&Arc<Bucket>| bucket.name.as_str() >= from;
        let mut buckets: Vec<_> = state.buckets.values().filter(follows).cloned().collect();
        buckets.sort_unstable_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        buckets.truncate(max);
        buckets
    }

    /// The least id, from `from` on, of a bucket that may be in sight of the user.
    pub(crate) fn next_id_in_sight(&self, user: &User, from: i64) -> Option<i64> {
        if user.root {
            return Some(from);
        }
        let state = self.read();
        let mut owned = state.owned_ids.range((user.id.clone(), from)..);
        owned.next().filter(|(owner, _)| *owner == user.id).map(|(_, id)| *id)
    }

    pub(crate) fn buckets(
        &self,
        owner_id: &str,
        prefix: &str,
        after: Option<&str>,
        max: usize,
    ) -> (Vec<Arc<Bucket>>, bool) {
        let state = self.read();
        let first = match after {
            Some(after) if after >= prefix => {
                Bound::Excluded((owner_id.to_owned(), after.to_owned()))
            }
            _ => Bound::Included((owner_id.to_owned(), prefix.to_owned())),
        };
        let mut names = state
            .owned
            .range((first, Bound::Unbounded))
            .take_while(|(owner, name)| owner == owner_id && name.starts_with(prefix));
        if max == 0 {
            return (Vec::new(), false);
        }
        let page = names.by_ref().take(max).map(|(_, name)| state.bucket(name)).collect();
        (page, names.next().is_some())
    }
}

impl State {
    /// An existing bucket.
    fn bucket(&self, name: &str) -> Arc<Bucket> {
        let name = BucketName::parse(name).expect("names of buckets were parsed before");
        Arc::clone(&self.buckets[&name])
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::UserMade(user) => {
                self.users_by_name.insert(user.name.clone(), Arc::clone(&user));
                self.users.insert(user.id.clone(), user);
            }
            Effect::UserGone(id) => {
                if let Some(user) = self.users.remove(&id) {
                    self.users_by_name.remove(&user.name);
                }
                self.keys.retain(|_, key| key.user.id != id);
            }
            Effect::KeySet(key) => {
                self.keys.insert(key.access_key_id.clone(), key);
            }
            Effect::KeyGone(id) => {
                self.keys.remove(&id);
            }
            Effect::BucketMade(bucket) => {
                self.owned_ids.insert((bucket.owner.id.clone(), bucket.id));
                self.owned.insert((bucket.owner.id.clone(), bucket.name.as_str().to_owned()));
                self.buckets.insert(bucket.name.clone(), bucket);
            }
            Effect::BucketGone(bucket) => {
                self.owned_ids.remove(&(bucket.owner.id.clone(), bucket.id));
                self.owned.remove(&(bucket.owner.id.clone(), bucket.name.as_str().to_owned()));
                self.buckets.remove(&bucket.name);
                for kind in BucketConfigurationKind::ALL {
                    self.configurations.remove(&(bucket.id, kind));
                }
            }
            Effect::BucketConfigurationSet { bucket, kind, document } => {
                self.configurations.insert((bucket, kind), document);
            }
            Effect::BucketConfigurationGone { bucket, kind } => {
                self.configurations.remove(&(bucket, kind));
            }
            Effect::Garbage
            | Effect::UploadChanged(_)
            | Effect::EventQueued(_)
            | Effect::EventsDropped(_) => {}
        }
    }
}
