//! A server under load, seen as a client sees it: where it is, how requests to it are signed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::load::{self, Answer, Plan, Request, Script};
use crate::signer::{Body, Signer, now};

/// The bucket of all workloads.
pub const BUCKET: &str = "bench";
/// The keys that every server is started with.
pub const ACCESS_KEY: &str = "benchbenchbenchbench";
/// See [`ACCESS_KEY`]; Garage takes nothing but 64 hexadecimal digits.
pub const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// What Garage wants as the access key's form.
pub const GARAGE_KEY: &str = "GK000102030405060708090a0b";

/// Presigned URLs live for a day.
const EXPIRES_SECONDS: u64 = 86_400;
/// Longest time for what a workload prepares.
const PREPARING: Duration = Duration::from_secs(900);

/// One server.
#[derive(Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    signer: Signer,
    /// Whether it knows signatures; the limits do not.
    signs: bool,
}

/// A body with the SHA-256 that its signature binds.
#[derive(Clone)]
pub struct Payload {
    bytes: Arc<[u8]>,
    length: u64,
    sha256: String,
}

impl Payload {
    /// `length` bytes that no compression makes smaller, the same in each run.
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

    /// All of them: only of a body of at most 64 MiB.
    pub fn bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// Given bytes.
    pub fn of(text: String) -> Self {
        let sha256 = crate::signer::sha256_hex(text.as_bytes());
        Self { length: text.len() as u64, bytes: text.into_bytes().into(), sha256 }
    }
}

impl Target {
    /// A server; `access_key` is the one that it was started with.
    pub fn new(address: SocketAddr, access_key: &str, signs: bool) -> Self {
        Self { address, signer: Signer::new(access_key, SECRET_KEY), signs }
    }

    /// A request with its signature in the URL, body not signed.
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

    /// A request with its signature, and that of its body, in headers.
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

    /// Sends the requests over `connections` connections and waits for all answers.
    ///
    /// # Errors
    /// When any of them fails.
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

    /// Sends one request; gives its answer's header or the text of a tag in its body.
    ///
    /// # Errors
    /// When it fails, or the answer has neither.
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

    /// The URL of a request, for another client.
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

/// Each request once.
pub fn once_each(requests: Vec<Request>) -> Script {
    let mut requests = requests.into_iter();
    Box::new(move |_| requests.next())
}

/// The requests again and again on each connection, which all begin at other places, as long as
/// there are enough: no two write the same key at the same time.
pub fn spread(requests: Vec<Request>, connections: usize) -> Vec<Script> {
    let requests: Arc<[Request]> = requests.into();
    let from = |n| n * requests.len() / connections;
    (0..connections).map(|n| in_turn(Arc::clone(&requests), from(n))).collect()
}

/// The requests again and again, from one of them on.
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
