//! A request on its way through a handler.

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::request::{Awaited, Caller, Context};
use crate::store::{Blocking, Store};
use crate::wire::target::Query;

/// Facts about the connection of a request.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// True for the control socket.
    pub control: bool,
    /// True while the server drains.
    pub draining: bool,
}

/// A request whose row is known, as its handler receives it.
pub(super) struct AdminCall {
    pub(super) store: Store,
    pub(super) channel: Channel,
    /// Decoded segment that `{}` stands for; empty if the row has none.
    pub(super) name: String,
    /// Whole body.
    pub(super) body: Bytes,
    /// Context of the gateway, as operations of S3 have it.
    pub(super) gateway: Context,
    /// Sender of the request, for decisions of access.
    pub(super) caller: Caller,
    pub(super) query: Query,
    /// Scheme (`http` or `https`) and Host header of the request.
    pub(super) address: (&'static str, String),
}

impl AdminCall {
    /// The body as JSON. An empty body is an empty object.
    ///
    /// # Errors
    /// 400 for a body that is not JSON or not a `T`.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let body = if self.body.is_empty() { b"{}" } else { self.body.as_ref() };
        serde_json::from_slice(body).map_err(|error| Failure::invalid(error.to_string()))
    }

    /// Runs a verb of this interface on the pool of blocking threads. Long work ends within one
    /// unit after the client hung up. Operations that S3 has too use [`Context::run`], whose errors
    /// are S3's.
    ///
    /// # Errors
    /// Those of the verb; 500 when it panicked.
    #[expect(clippy::disallowed_methods, reason = "the pool runs it")]
    pub(super) async fn run<T: Send + 'static>(&self, verb: Blocking<T>) -> Result<T, Failure> {
        let _awaited = Awaited::new(&verb);
        let done = tokio::task::spawn_blocking(move || verb.run()).await;
        let done = done.map_err(|panicked| {
            tracing::error!(%panicked, "a request panicked");
            let message = "the request panicked; the log has the details";
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
        })?;
        Ok(done?)
    }
}
