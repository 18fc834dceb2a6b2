//! Room on the disk: admission of bodies, and the ballast that a full disk is given back.

pub(crate) mod admission;
pub(crate) mod ballast;
