//! # Partita: the map
//!
//! An S3-compatible object gateway built around the multipart upload. Parts arrive in any order,
//! across any number of broken connections. Each part is durable when it is acknowledged. Joining
//! parts is one transaction that moves no byte.
//!
//! ## The path of a request
//!
//! ```text
//! server     sockets, TLS, timeouts        the only place that names hyper's server
//!   └ gateway    the pipeline, once:       request id → limits → route → authenticate
//!       │                                  → authorize → handle → render → access log
//!       ├ wire       S3's dialect of HTTP  pure: heads, errors, XML, checksums, ranges, dates
//!       ├ auth       signatures            pure: canonical request, SigV4, SigV2, aws-chunked
//!       ├ access     who may do what       pure: the one decision, and the permits that prove it
//!       ├ request    Context, Call         what a handler works with
//!       ├ limits     scarce resources      budgets, quotas, queues: owned by the Context
//!       └ ops        one file per operation   OPERATIONS is the table that drives everything
//!           ├ ops/uploads   operations and rules beyond S3
//!           ├ transfer      receive (decode → digest → verify → stage), send (verified blocks)
//!           └ store         a verb is one transaction or one snapshot
//!               ├ engine      the open store: database, files, threads
//!               ├ db/sqlite   whole verbs in SQL: one writer thread (group commit), readers
//!               ├ rules       preparing, listing, manifests: pure, for every database engine
//!               ├ blobs       immutable bytes with block checksums: segments and files
//!               ├ memory      committed accounts and buckets, pins, watchers
//!               └ upkeep      garbage collection, sweep, check
//! ```
//!
//! A PutObject crosses `server → gateway → ops/put_object → transfer/receive → store/objects →
//! store/db/sqlite/objects`, and its bytes `store/blobs`.
//!
//! ## Modules
//!
//! | module | owns |
//! |---|---|
//! | [`types`] | names, keys, ids, tags, ranges: parsed once, then trusted |
//! | [`clock`] | the only reading of the wall clock |
//! | [`digest`] | hashes and checksums, and the arithmetic that joins the CRCs of parts |
//! | [`access`] | users, keys, owners, the decision, permits |
//! | [`events`] | names, rules and bodies of events |
//! | [`config`] | the table of settings, validated once |
//! | [`store`] | all state: rows and files, durability, garbage, verification |
//! | [`wire`] | the words and forms of S3 over HTTP |
//! | [`auth`] | the sender of a request, and how its body is verified |
//! | [`limits`] | scarce resources: bounds, shares per user, and the answer at the bound |
//! | [`request`] | what an operation is, and what a handler works with |
//! | [`transfer`] | the only way bytes enter and leave |
//! | [`ops`] | the operations, their table and their routing |
//! | [`admin`] | the management interface below `/_partita/v1/`, and on the control socket |
//! | [`gateway`] | the pipeline; [`access_log`] is its one line per request |
//! | [`server`] | sockets |
//! | [`webhooks`] | delivery of events to their targets |
//! | [`cli`] | commands, exit codes; [`log`] sets up standard error |
//!
//! A connection is served by one thread from its first byte to its last; each thread has a runtime
//! of its own. Short work is done there: a lookup in SQLite ([`store::Pending`]), a read of blocks
//! that the page cache holds. Work that waits for a disk or takes long is a [`store::Blocking`] and
//! runs on the blocking pool of the runtime. Changes of rows go to the one writer thread.
//!
//! `tests/it/tidy/imports.rs` lists the modules that each module may import;
//! `tests/it/tidy/circles.rs` lists the layers of the store, and allows no circle of files. `store`
//! knows no HTTP, `wire` and `auth` know no database, files or clock, operations never import each
//! other.
//!
//! ## Invariants
//!
//! 1. **Acknowledged means durable.** Before a 200 leaves, the file of the bytes and its entry in
//!    the folder are synced and the row is committed with `synchronous=FULL` ([`store`]).
//! 2. **The row is the only commit point.** A file without a row is garbage; a row without its file
//!    is an alarm, never a 404.
//! 3. **Complete is one transaction** whose cost does not grow with bytes; repeated, it answers the
//!    same.
//! 4. **No damaged byte is served**: each block is checked before it leaves (`transfer::send`).
//! 5. **Nothing is read before it is allowed**: route, signature and decision come before the first
//!    byte of a body, or of a form's file ([`gateway`]). A [`Permit`](access::Permit) is made in
//!    one place. Its type names the right; its value holds the bucket or the object.
//! 6. **Nothing is published before it is verified**: every chunk signature, trailer, digest and
//!    length is checked before a row is written ([`transfer::receive`]).
//! 7. **Every word of a request is consumed** by the operation that wins, and every `x-partita-*`
//!    header is read by it, or the request is refused.
//! 8. **Cost is bounded**: each queue, page, document, buffer and header has a named limit.
//! 9. **Events are delivered at least once**, in the order of their key: an event is written by the
//!    transaction that it reports ([`events`]).
//! 10. **Gateways share nothing**: two of them in one process have their own limits and state.
//!
//! ## Where to change things
//!
//! `CONTRIBUTING.md` has a worked example of each.
//!
//! - an operation: its file in `src/ops`, its test file in `tests/it/ops`, its row in
//!   [`ops::OPERATIONS`], which also holds the limit of its document and its `x-partita-*` headers;
//! - a setting: its row in [`config`]; an error code: its row in [`wire::error`];
//! - a right: its row in [`access`]; a limit of requests: [`limits`];
//! - a policy or ACL in the decision: an input of [`access::decide`];
//! - the attempts of webhooks: the waits in `src/config/webhook.rs`, their use in [`webhooks`];
//! - a command: its file in `src/cli`, its row in [`admin`];
//! - an event: its row in [`events::names`], and the change that emits it in the store;
//! - a checksum algorithm: its row in [`digest`];
//! - a kind of bucket configuration: its kind in [`store`], its document in [`wire`];
//! - durable state: a migration in `store/db/sqlite/schema`, a verb beside it, a method of
//!   [`Store`](store::Store) in the file of the noun.
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
