//! # Partita: the map
//!
//! An S3-compatible object gateway whose heart is the multipart upload: parts arrive in any order,
//! across any number of breaks; each is durable when it is acknowledged; joining them is one
//! transaction that moves no byte.
//!
//! ## The path of a request
//!
//! ```text
//! server   sockets, TLS, timeouts            the only place that names hyper's server
//!   └ gateway   THE pipeline, once:          request id → limits → route → authenticate
//!       │                                    → authorize → handle → render → access log
//!       ├ wire      S3's dialect of HTTP     pure: heads, errors, XML, checksums, ranges, dates
//!       ├ auth      signatures               pure: canonical request, SigV4, SigV2, aws-chunked
//!       ├ access    who may do what          the one decision, and the proof of it: a Permit
//!       └ ops       one file per operation   OPERATIONS is the table that drives everything
//!           ├ shared/receive   the only way bytes enter: decode → digest → verify → stage
//!           ├ shared/send      the only way bytes leave: verified blocks, read ahead by one unit
//!           └ store     the door: one verb, one transaction
//!               ├ meta    SQLite: one writer thread (group commit), readers, a file per noun
//!               ├ blobs   immutable bytes with a trailer of block checksums: small ones packed
//!               │         into segments, large ones in a file each
//!               └ gc, sweep, check, recovery
//! ```
//!
//! A PutObject crosses `server → gateway → ops/put_object → ops/shared/receive → store →
//! store/blobs`.
//!
//! ## What each module owns
//!
//! | module | owns |
//! |---|---|
//! | [`types`] | names, keys, ids, tags, ranges: parsed once, then trusted |
//! | [`clock`] | the only reading of the wall clock |
//! | [`digest`] | every hash and checksum, and the arithmetic that joins the CRCs of parts |
//! | [`access`] | users, keys, owners, the decision, the permit |
//! | [`events`] | names, rules and bodies of what others are told |
//! | [`config`] | every setting and limit, in one table, validated once |
//! | [`store`] | all state: rows and files, durability, garbage, verification |
//! | [`wire`] | the words and forms of S3 over HTTP |
//! | [`auth`] | who sent a request, and how its body is to be verified |
//! | [`ops`] | the operations of S3, their table and their routing |
//! | [`manage`] | Partita's own interface below `/_partita/v1/`, and on the control socket |
//! | [`gateway`] | the pipeline; [`access_log`] is its one line per request |
//! | [`server`] | sockets |
//! | [`workers`] | what goes on beside requests: events on their way to webhooks |
//! | [`cli`] | commands, exit codes; [`log`] sets up what goes to standard error |
//!
//! A connection is served by one thread from its first byte to its last, each thread with a runtime
//! of its own. What is in memory is answered there, in line: the lookup in SQLite, blocks that the
//! page cache holds. What waits for a disk or takes long (files, lists, hashing) goes to the
//! blocking pool of that runtime; what changes rows goes to the one writer.
//!
//! Each module names only those that a table in `tests/it/tidy.rs` allows it, without circles:
//! `store` knows no HTTP, `wire` and `auth` know no database, files or clock, operations never
//! import each other.
//!
//! ## Invariants
//!
//! 1. **Acknowledged means durable.** Before a 200 leaves, the file of the bytes and its entry in
//!    the folder are synced and the row is committed with `synchronous=FULL` ([`store`]).
//! 2. **The row is the only commit point.** A file without a row is garbage; a row without its file
//!    is an alarm, never a 404.
//! 3. **Complete is one transaction** whose cost does not grow with bytes; repeated, it answers the
//!    same.
//! 4. **No rotten byte is served**: each block is checked before it leaves ([`ops::shared`],
//!    `send`).
//! 5. **Nothing is read before it is allowed**: route, signature and permit come before the first
//!    byte of a body, or of a form's file ([`gateway`]); a [`Permit`](access::Permit) is made in
//!    one place.
//! 6. **Nothing is published before it is verified**: every chunk signature, trailer, digest and
//!    length is checked before a row is written ([`ops::shared::receive`]).
//! 7. **Every word of a request is consumed** by the operation that wins, and every header of
//!    Partita's own read by it, or it is refused.
//! 8. **Cost is bounded**: each queue, page, document, buffer and header has a named limit.
//! 9. **What happened is told at least once**, in the order of its key, and nothing else: the event
//!    is written by the transaction that it tells of ([`events`]).
//!
//! ## Where to change things
//!
//! - a new operation: its file in `src/ops`, its test file in `tests/it/ops`, its row in
//!   [`ops::OPERATIONS`];
//! - a new setting: its row in [`config`]; a new error code: its row in [`wire::error`];
//! - a new header of our own: its row in [`ops::shared::extensions`];
//! - a new event: its row in [`events::names`], and the change that tells of it in [`store`];
//! - a new checksum algorithm: its row in [`digest`];
//! - a new kind of bucket configuration: its kind in [`store`], its document in [`wire`];
//! - new durable state: a verb in [`store`] and a migration.
//!
//! ## Deliberately absent
//!
//! Erasure coding, replication and consensus of our own; HTTP/2; SigV4A; S3 Select; a plug-in
//! system; a trait with one implementation.
#![warn(missing_docs)]

pub mod access;
pub mod access_log;
pub mod admin;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod digest;
pub mod events;
pub mod gateway;
pub mod limits;
pub mod log;
pub mod ops;
pub mod request;
pub mod server;
pub mod store;
pub mod transfer;
pub mod types;
pub mod webhooks;
pub mod wire;
