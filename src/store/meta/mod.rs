//! SQLite.
#![allow(unused_imports)]
pub(crate) mod accounts;
pub(crate) mod buckets;
pub(crate) mod complete;
pub(crate) mod listing;
pub(crate) mod objects;
pub(crate) mod uploads;
