//! Disk space: admission of bodies, and the ballast.

pub(crate) mod admission;
pub(crate) mod ballast;
