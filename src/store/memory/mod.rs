//! State in memory: the committed directory, pins of readers, signals, watchers, damage that was
//! met.

pub(crate) mod damage_log;
pub(crate) mod digest_cache;
pub(crate) mod directory;
pub(crate) mod pending;
pub(crate) mod pins;
pub(crate) mod signal;
pub(crate) mod source_blob;
pub(crate) mod targets;
pub(crate) mod watchers;
