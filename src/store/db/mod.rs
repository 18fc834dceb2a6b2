//! The engines of metadata. There is one: SQLite.

pub(crate) mod sqlite;
