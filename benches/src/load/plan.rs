//! Plan of a load: requests, their expected responses, and the scripts of connections.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;

/// A rendered and signed request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Request line and headers, with the empty line.
    pub head: Arc<[u8]>,
    /// Bytes of the body, repeated until `body_bytes` are sent.
    pub body: Arc<[u8]>,
    /// Length of the body.
    pub body_bytes: u64,
    /// The expected status.
    pub status: u16,
    /// The expected length of the response body.
    pub answer_bytes: RangeInclusive<u64>,
    /// The expected response body, compared once on each connection.
    pub answer_body: Option<Arc<[u8]>>,
    /// True if its response ends an operation. Operations are counted and timed.
    pub ends: bool,
}

/// Source of the requests of a connection. It gets the last response; `None` closes the connection.
pub type Script = Box<dyn FnMut(Option<&Answer>) -> Option<Request>>;

/// Load to generate.
pub struct Plan {
    /// Address of the server.
    pub address: SocketAddr,
    /// Scripts, one per connection.
    pub scripts: Vec<Script>,
    /// Time after which no operation starts.
    pub time: Duration,
}
