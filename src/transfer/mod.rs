//! The only way bytes enter ([`receive`]) and leave (`send`).

pub(crate) mod copy;
pub mod document;
pub mod form;
pub(crate) mod framing;
pub(crate) mod publish;
pub mod receive;
pub(crate) mod send;
pub(crate) mod staging;
