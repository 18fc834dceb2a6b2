//! State that is held in memory: what is committed, what is read, and who waits.

pub(crate) mod digest_cache;
pub(crate) mod directory;
pub(crate) mod pending;
pub(crate) mod pins;
pub(crate) mod signal;
pub(crate) mod targets;
pub(crate) mod watchers;
