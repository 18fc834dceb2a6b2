//! Facts that the server knows about a request before its head is parsed.

/// Connection of a request, as the server describes it.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// IP address of the peer, or `control` for the control socket.
    pub peer: String,
    /// True for a connection over TLS.
    pub secure: bool,
    /// True for the control socket, which only the owner of the data folder can open.
    pub control: bool,
    /// True while the server drains: readiness fails, requests are still served.
    pub draining: bool,
    /// True for a connection beyond the places of the server: only the health is answered.
    pub refused: bool,
}
