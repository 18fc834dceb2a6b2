//! Arguments and results of the verbs: plain values, valid by construction, free of SQL.
//!
//! **Invariant:** a record names records only, never the engine, the metadata or a file. Every
//! layer of the store may name a record.

pub(crate) mod accounts;
pub(crate) mod bounds;
pub(crate) mod check;
pub(crate) mod configurations;
pub(crate) mod contents;
pub(crate) mod declared;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod lists;
pub(crate) mod missing_parts;
pub(crate) mod objects;
pub(crate) mod options;
pub(crate) mod progress;
pub(crate) mod uploads;

pub use accounts::*;
pub use bounds::*;
pub use configurations::*;
pub use contents::*;
pub use declared::*;
pub use events::*;
pub use health::*;
pub use lists::*;
pub use missing_parts::*;
pub use objects::*;
pub use options::*;
pub use progress::*;
pub use uploads::*;
