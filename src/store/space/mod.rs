//! Disk space: admission of bodies, their files, and the ballast.

pub(crate) mod admission;
pub(crate) mod ballast;
pub(crate) mod writer;
