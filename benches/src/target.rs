//! Server under load, as a client sees it: its address, and the signatures of requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::load::{self, Answer, Plan, Request, Script};
use crate::signer::{Body, Signer, now};

/// Bucket of all workloads.
pub const BUCKET: &str = "bench";
/// Access key that every server is started with.
pub const ACCESS_KEY: &str = "benchbenchbenchbench";
/// Secret of [`ACCESS_KEY`]. Garage requires 64 hexadecimal digits.
pub const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// Access key in the format that Garage requires.
pub const GARAGE_KEY: &str = "GK000102030405060708090a0b";

/// Expiry of presigned URLs: a day.
const EXPIRES_SECONDS: u64 = 86_400;
/// Longest preparation of a workload.
const PREPARING: Duration = Duration::from_secs(900);

/// Server under load.
#[derive(Clone)]
pub struct Target {
    /// Address of the server.
    pub address: SocketAddr,
    signer: Signer,
    /// False for servers without signatures, the limits of the machine.
    signs: bool,
}

/// Body with its SHA-256, for signatures.
#[derive(Clone)]
pub struct Payload {
    bytes: Arc<[u8]>,
    length: u64,
    sha256: String,
}

impl Payload {
    /// `length` incompressible bytes, the same in each run.
    pub fn new(length: u64) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = length.min(64 << 20).div_ceil(8).max(1);
        let bytes: Vec<u8> = (0..words)
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            })
            .collect();
        let bytes = &bytes[..length.min(bytes.len() as u64) as usize];
        let sha256 =
            if length <= 64 << 20 { crate::signer::sha256_hex(bytes) } else { String::new() };
        Self { bytes: bytes.into(), length, sha256 }
    }

    /// All bytes, for bodies of at most 64 MiB.
    pub fn bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// A body of a text.
    pub fn of(text: String) -> Self {
        let sha256 = crate::signer::sha256_hex(text.as_bytes());
        Self { length: text.len() as u64, bytes: text.into_bytes().into(), sha256 }
    }
}

impl Target {
    /// A server that was started with `access_key`.
    pub fn new(address: SocketAddr, access_key: &str, signs: bool) -> Self {
        Self { address, signer: Signer::new(access_key, SECRET_KEY), signs }
    }

    /// Request with a presigned URL and an unsigned body.
    pub fn presigned(
        &self,
        method: &str,
        path: &str,
        body: Option<&Payload>,
        status: u16,
    ) -> Request {
        let target = match self.signs {
            true => self.signer.presign_v4(now(), EXPIRES_SECONDS, method, &self.host(), path, &[]),
            false => path.to_owned(),
        };
        self.render(method, &target, &[], body, status)
    }

    /// Request with an Authorization header that covers the body.
    pub fn signed(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Payload>,
        status: u16,
    ) -> Request {
        let sha256 = match body {
            None => Body::Sha256(b""),
            Some(payload) if payload.sha256.is_empty() => Body::Unsigned,
            Some(payload) => Body::Literal(&payload.sha256),
        };
        let signed = self.signer.header(now(), method, &self.host(), path, headers, sha256);
        let mut all: Vec<(&str, &str)> = headers.to_vec();
        all.extend(signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.render(method, path, &all, body, status)
    }

    /// Sends requests over `connections` connections and waits for all responses.
    ///
    /// # Errors
    /// A request fails.
    pub fn all(&self, requests: Vec<Request>, connections: usize) -> io::Result<()> {
        let mut shares: Vec<Vec<Request>> =
            vec![Vec::new(); connections.min(requests.len()).max(1)];
        let count = shares.len();
        for (number, request) in requests.into_iter().enumerate() {
            shares[number % count].push(request);
        }
        let scripts = shares.into_iter().map(once_each).collect();
        let plan = Plan { address: self.address, scripts, time: PREPARING };
        load::run(plan)?.checked().map(drop)
    }

    /// Sends one request. Gives a header of the response or the text of a tag in its body.
    ///
    /// # Errors
    /// The request fails, or the response has neither.
    pub fn ask(&self, request: Request, name: &str) -> io::Result<String> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let name = name.to_owned();
        let mut request = Some(request);
        let script: Script = Box::new(move |answer: Option<&Answer>| {
            if let Some(answer) = answer {
                let found = answer.header(&name).or_else(|| answer.tag(&name));
                let _ = sender.send(found.map(str::to_owned));
            }
            request.take()
        });
        let plan = Plan { address: self.address, scripts: vec![script], time: PREPARING };
        load::run(plan)?.checked()?;
        let found = receiver.try_recv().ok().flatten();
        found.ok_or_else(|| io::Error::other("the answer lacks what was asked for"))
    }

    /// URL of a request, for another client.
    pub fn url(&self, request: &Request) -> String {
        let head = String::from_utf8_lossy(&request.head);
        let target = head.split(' ').nth(1).unwrap_or_default();
        format!("http://{}{target}", self.host())
    }

    fn host(&self) -> String {
        self.address.to_string()
    }

    fn render(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&Payload>,
        status: u16,
    ) -> Request {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(payload) = body {
            head.push_str(&format!("Content-Length: {}\r\n", payload.length));
        }
        head.push_str("\r\n");
        Request {
            head: head.into_bytes().into(),
            body: body.map_or_else(|| Arc::from([]), |payload| Arc::clone(&payload.bytes)),
            body_bytes: body.map_or(0, |payload| payload.length),
            status,
            answer_bytes: 0..=u64::MAX,
            answer_body: None,
            ends: true,
        }
    }
}

/// Script that sends each request once.
pub fn once_each(requests: Vec<Request>) -> Script {
    let mut requests = requests.into_iter();
    Box::new(move |_| requests.next())
}

/// Scripts that repeat the requests on each connection. They start at different requests, so that
/// no two write the same key at once, if there are enough.
pub fn spread(requests: Vec<Request>, connections: usize) -> Vec<Script> {
    let requests: Arc<[Request]> = requests.into();
    let from = |n| n * requests.len() / connections;
    (0..connections).map(|n| in_turn(Arc::clone(&requests), from(n))).collect()
}

/// Script that repeats the requests, starting at one of them.
pub fn in_turn(requests: Arc<[Request]>, from: usize) -> Script {
    let mut next = from % requests.len().max(1);
    Box::new(move |_| {
        let request = requests.get(next).cloned();
        next = (next + 1) % requests.len().max(1);
        request
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn connections_begin_at_different_places() {
        let target = Target::new(([127, 0, 0, 1], 1).into(), ACCESS_KEY, false);
        let put = |n| target.presigned("PUT", &format!("/{BUCKET}/{n}"), None, 200);
        for (requests, connections) in [(48, 32), (33, 32), (32, 32), (200_000, 64), (5, 2)] {
            let mut scripts = spread((0..requests).map(put).collect(), connections);
            for _ in 0..3 {
                let now = scripts.iter_mut().map(|script| script(None).unwrap().head);
                let keys: BTreeSet<_> = now.collect();
                assert_eq!(keys.len(), connections, "{requests} over {connections}");
            }
        }
    }
}
