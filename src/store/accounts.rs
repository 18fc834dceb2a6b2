//! Users and access keys. Reads are answered from memory.

use std::sync::Arc;

use super::db::sqlite::accounts;
use super::handle::Store;
use super::memory::pending::Pending;
use crate::access::{Credential, Owner, User};
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::records::accounts::NewUser;

impl Store {
    /// The access key with its secret and user, also when it is disabled.
    pub fn credential(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.engine.directory().credential(access_key_id)
    }

    /// Makes a user with a first key. [`Error::Exists`] when id, name, e-mail or key is taken.
    pub fn create_user(&self, new: NewUser) -> Pending<(Arc<User>, Arc<Credential>)> {
        accounts::create_user(&self.engine.db, new)
    }

    /// Deletes a user and its keys. [`Error::Refused`] for root and for an owner of buckets.
    pub fn delete_user(&self, name: &str) -> Pending<()> {
        accounts::delete_user(&self.engine.db, name)
    }

    /// All users, by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.engine.directory().users()
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        self.engine.directory().user(name)
    }

    /// Makes an access key (id, secret), random if none is given.
    pub fn create_key(
        &self,
        user_name: &str,
        key: Option<(String, String)>,
    ) -> Pending<Arc<Credential>> {
        accounts::create_key(&self.engine.db, user_name, key)
    }

    /// Enables or disables a key. [`Error::NotFound`].
    pub fn set_key_enabled(&self, access_key_id: &str, enabled: bool) -> Pending<()> {
        accounts::set_key_enabled(&self.engine.db, access_key_id, enabled)
    }

    /// Deletes a key. [`Error::NotFound`].
    pub fn delete_key(&self, access_key_id: &str) -> Pending<()> {
        accounts::delete_key(&self.engine.db, access_key_id)
    }

    /// All keys, or those of one user, by id.
    pub fn keys(&self, user_name: Option<&str>) -> Vec<Arc<Credential>> {
        self.engine.directory().keys(user_name)
    }

    /// The user as an owner; a deleted user has an empty display name.
    pub fn owner(&self, user_id: &str) -> Owner {
        self.engine.directory().owner(user_id)
    }
}
