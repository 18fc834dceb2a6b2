//! Damage that reads met since the start: for the health, and once in the log.
//!
//! **Invariant:** an object is told once, and at most [`DAMAGED_MAX`] are kept; `check` finds all.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::access::ObjectPath;
use crate::store::error::Error;
use crate::types::BucketName;

/// Damaged objects that are remembered.
const DAMAGED_MAX: usize = 100;

/// Damaged objects by bucket and key, each with what was found first.
#[derive(Default)]
pub(crate) struct DamageLog(Mutex<BTreeMap<(BucketName, String), String>>);

impl DamageLog {
    /// Notes the object if the error of its reading is damage.
    pub(crate) fn note(&self, object: &ObjectPath, error: &Error) {
        let Error::Damaged { what } = error else { return };
        let mut damaged = self.0.lock();
        let name = (object.bucket.name.clone(), object.key.as_str().to_owned());
        if damaged.len() >= DAMAGED_MAX || damaged.contains_key(&name) {
            return;
        }
        tracing::error!(
            bucket = name.0.as_str(),
            key = name.1,
            what,
            "an object is damaged: restore it from a backup; `partita check --blocks` finds others"
        );
        damaged.insert(name, what.clone());
    }

    /// One line for each damaged object.
    pub(crate) fn lines(&self) -> Vec<String> {
        let damaged = self.0.lock();
        let line = |((bucket, key), what): (&(BucketName, String), &String)| {
            format!("object {key:?} of bucket {} is damaged: {what}", bucket.as_str())
        };
        damaged.iter().map(line).collect()
    }
}
