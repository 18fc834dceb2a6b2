//! Engines of metadata. There is one: SQLite.

pub(crate) mod sqlite;
