//! What several operations share, and what of one of them is long enough to be read alone.
//!
//! - of every operation: [`context`], `errors`, [`extensions`];
//! - what the head or a document says: [`document`], `acl`, `canned`, [`form`], `listing`,
//!   `metadata`, `notification`, `parts`;
//! - the bytes that come: [`incoming`], [`receive`], and for it `framing`, `disk`, `hashing`,
//!   `budget`, `units`; those that go: `send`;
//! - objects: `copying`, `publishing`;
//! - open uploads: `expiry`, [`opening`], `pause`, [`rates`], `state`, `watching`; `turns` of
//!   Complete; `shares` of all who wait;
//! - declared uploads: [`blocks`], [`declared`];
//! - bytes that need not come: `challenge`, [`challenges`], `delta`, [`instant`].
//!
//! **Invariant:** nothing here uses an operation.

pub(super) mod acl;
pub mod blocks;
mod budget;
mod canned;
pub(super) mod challenge;
pub mod challenges;
pub mod context;
pub(super) mod copying;
pub mod declared;
pub(super) mod delta;
mod disk;
pub mod document;
mod errors;
pub(super) mod expiry;
pub mod extensions;
pub mod form;
mod framing;
mod hashing;
pub mod incoming;
pub mod instant;
pub(super) mod listing;
pub(super) mod metadata;
pub(super) mod notification;
pub mod opening;
pub(super) mod parts;
pub(super) mod pause;
pub(super) mod publishing;
pub mod rates;
pub mod receive;
pub(super) mod send;
mod shares;
pub(super) mod state;
pub(super) mod turns;
mod units;
pub(super) mod watching;

pub use context::{Call, Caller, Context};
