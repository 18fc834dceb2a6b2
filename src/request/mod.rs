//! One request, from the table of operations to a handler: what an operation is, what a handler
//! works with, and what all requests of a gateway share.

pub mod body;
pub mod call;
pub mod context;
pub mod operation;

pub use call::{Call, Caller};
pub use context::{Awaited, Context};
