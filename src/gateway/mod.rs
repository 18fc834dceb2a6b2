//! Pipeline of every request: request id → limits → route → authenticate → authorize → handle →
//! render → access log.
//!
//! `pipeline` runs the steps in this order. It calls `checks` for what is refused before and
//! after routing, `cors` for preflights and response headers, `form` for form uploads,
//! `deferred` for slow responses and `error_document` for errors. Sockets call it from
//! [`server`](crate::server); it calls [`ops`](crate::ops) and [`admin`](crate::admin).
//!
//! **Invariants**
//! - No byte of a body is read before the request is routed, authenticated and authorized. hyper
//!   sends `100 Continue` when a handler first polls the body. The exception are the fields of a
//!   form, which are bounded in number and size and contain the signature.
//! - Every request has one response and one line in the access log, also when the client
//!   disconnects or a handler panics.
//! - A preflight is answered before routing, from the CORS rules of its bucket.
//! - All state belongs to a [`Gateway`]: two gateways in one process share nothing.

mod arrival;
mod checks;
mod cors;
mod deferred;
mod error_document;
mod form;
mod panics;
mod pipeline;
mod request_ids;
mod signed;

pub use arrival::Arrival;
pub use pipeline::Gateway;
