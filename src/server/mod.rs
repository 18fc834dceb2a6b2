//! Server: sockets, TLS, connection limits, timeouts and graceful shutdown. The only module that
//! names hyper's server.
//!
//! `listener` owns the sockets and the stages of a shutdown. `connection` serves the requests of
//! one connection on a worker of `threads`. `socket` and `body` bound the time of a peer below and
//! above hyper; `tls` holds the certificate, `control_socket` the socket for commands. The caller
//! gives the handler of the requests: the [`gateway`](crate::gateway).
//!
//! **Invariants**
//! - What a peer can occupy is bounded: connections by a semaphore (others wait in the kernel's
//!   backlog), headers and buffers by hyper's limits, time by the timeouts of `socket` and `body`.
//! - A failed accept never stops the server.
//! - A shutdown accepts no connections, lets requests under way end for the drain time, and then
//!   drops them.

mod body;
mod connection;
mod control_socket;
mod least_rate;
mod listener;
mod socket;
mod threads;
mod tls;

pub use control_socket::connect;
pub use listener::{BindError, Server};
pub use tls::{Tls, TlsError};

#[cfg(test)]
mod tests;
