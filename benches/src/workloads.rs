//! Workloads, one row each. Their data is prepared with signed requests of S3.

use std::io;
use std::time::Duration;

use crate::load::{Answer, Request, Script};
use crate::servers::Running;
use crate::target::{BUCKET, Payload, Target, once_each, spread};

/// Unit of the figure of a workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub enum Unit {
    /// Operations per second: more is better.
    PerSecond,
    /// MiB per second: more is better.
    MibPerSecond,
    /// Milliseconds of one operation: less is better.
    Milliseconds,
}

impl Unit {
    /// True if a greater figure is better.
    pub fn more_is_better(self) -> bool {
        self != Self::Milliseconds
    }
}

/// Workload.
pub struct Workload {
    /// Name, also on the command line.
    pub name: &'static str,
    /// Unit of its figure.
    pub unit: Unit,
    /// Operation.
    pub kind: Kind,
    /// Bytes of each body.
    pub bytes: u64,
    /// Concurrent connections.
    pub connections: usize,
    /// Seconds over all rounds. Finite workloads may take less.
    pub seconds: u64,
}

/// Operation of a workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// GetObject, presigned, over several keys.
    Get,
    /// HeadObject.
    Head,
    /// PutObject, presigned, each to another key.
    Put,
    /// PutObject, the body signed.
    PutSigned,
    /// Whole upload: Create, parts of 5 MiB, Complete; signed.
    Multipart,
    /// DeleteObject.
    Delete,
    /// DeleteObjects of 1000.
    DeleteMany,
    /// Page of 1000 from a random marker, out of `objects`.
    List {
        /// Keys below the prefix.
        objects: u64,
        /// True for a page of common prefixes with ten keys each.
        delimiter: bool,
    },
    /// CompleteMultipartUpload.
    Complete {
        /// Parts.
        parts: u64,
    },
    /// CopyObject.
    Copy,
    /// UploadPartCopy of an object with one part.
    PartCopy {
        /// True for a range without the last byte, which cannot be copied by reference.
        range: bool,
    },
    /// ListParts, one page.
    ListParts {
        /// Parts.
        parts: u64,
    },
    /// Range of 1 MiB at the end of an object.
    TailRange {
        /// Parts.
        parts: u64,
    },
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Size of a part that every server accepts.
const PART_BYTES: u64 = 5 * MIB;
/// Keys of a PUT workload, and their bytes. After them, objects are replaced.
const PUT_KEYS: u64 = 200_000;
const PUT_BYTES: u64 = 3 << 30;
/// Least length of a page of 1000. A shorter one has missing keys.
const LIST_BYTES_MIN: u64 = 30_000;
/// Keys of uploads per connection.
const UPLOAD_KEYS: u64 = 4;

macro_rules! rows {
    ($(
        $name:literal $unit:ident $kind:expr, $bytes:expr, $connections:literal, $seconds:literal;
    )*) => {
        /// All workloads.
        pub const WORKLOADS: &[Workload] = &[$(Workload {
            name: $name, unit: Unit::$unit, kind: $kind, bytes: $bytes,
            connections: $connections, seconds: $seconds,
        },)*];
    };
}

rows! {
    "get-4k" PerSecond Kind::Get, 4 * KIB, 16, 12;
    "get-16k" PerSecond Kind::Get, 16 * KIB, 16, 12;
    "get-64k" PerSecond Kind::Get, 64 * KIB, 16, 12;
    "get-256k" MibPerSecond Kind::Get, 256 * KIB, 16, 12;
    "get-1m" MibPerSecond Kind::Get, MIB, 16, 12;
    "get-64m" MibPerSecond Kind::Get, 64 * MIB, 4, 12;
    "head" PerSecond Kind::Head, 4 * KIB, 16, 9;
    "put-4k-1" PerSecond Kind::Put, 4 * KIB, 1, 30;
    "put-4k-16" PerSecond Kind::Put, 4 * KIB, 16, 30;
    "put-4k-64" PerSecond Kind::Put, 4 * KIB, 64, 30;
    "put-16k-16" PerSecond Kind::Put, 16 * KIB, 16, 30;
    "put-64k-1" PerSecond Kind::Put, 64 * KIB, 1, 30;
    "put-64k-16" PerSecond Kind::Put, 64 * KIB, 16, 30;
    "put-64k-64" PerSecond Kind::Put, 64 * KIB, 64, 30;
    "put-256k-16" MibPerSecond Kind::Put, 256 * KIB, 16, 30;
    "put-64m-1" MibPerSecond Kind::PutSigned, 64 * MIB, 1, 30;
    "put-64m-4" MibPerSecond Kind::PutSigned, 64 * MIB, 4, 30;
    "put-64m-32" MibPerSecond Kind::PutSigned, 64 * MIB, 32, 30;
    "multipart-1" MibPerSecond Kind::Multipart, 64 * MIB, 1, 30;
    "multipart-4" MibPerSecond Kind::Multipart, 64 * MIB, 4, 30;
    "multipart-32" MibPerSecond Kind::Multipart, 64 * MIB, 32, 30;
    "delete" PerSecond Kind::Delete, 4 * KIB, 16, 30;
    "delete-1000" Milliseconds Kind::DeleteMany, 1, 1, 30;
    "list-10k" Milliseconds Kind::List { objects: 10_000, delimiter: false }, 1, 1, 6;
    "list-100k" Milliseconds Kind::List { objects: 100_000, delimiter: false }, 1, 1, 6;
    "list-100k-delimiter" Milliseconds Kind::List { objects: 100_000, delimiter: true }, 1, 1, 6;
    "complete-50" Milliseconds Kind::Complete { parts: 50 }, PART_BYTES, 1, 30;
    "complete-10000" Milliseconds Kind::Complete { parts: 10_000 }, 1, 1, 30;
    "copy-1g" Milliseconds Kind::Copy, 1024 * MIB, 1, 9;
    "part-copy" Milliseconds Kind::PartCopy { range: false }, 64 * MIB, 1, 6;
    "part-copy-range" Milliseconds Kind::PartCopy { range: true }, 64 * MIB, 1, 9;
    "list-parts" Milliseconds Kind::ListParts { parts: 10_000 }, 1, 1, 6;
    "tail-range-1" Milliseconds Kind::TailRange { parts: 1 }, 20 * MIB, 1, 6;
    "tail-range-16" Milliseconds Kind::TailRange { parts: 16 }, 64 * KIB, 1, 6;
    "tail-range-10000" Milliseconds Kind::TailRange { parts: 10_000 }, 64 * KIB, 1, 6;
}

impl Workload {
    /// Reason why a server cannot run the workload, if there is one.
    pub fn refused_by(&self, running: &Running) -> Option<&'static str> {
        let small_parts = matches!(
            self.kind,
            Kind::Complete { parts: 10_000 } | Kind::TailRange { parts: 16 | 10_000 }
        );
        match running.server.name {
            "nginx" => (self.kind != Kind::Get).then_some("it only reads"),
            "sink" => {
                let writes = matches!(self.kind, Kind::Put | Kind::PutSigned);
                (!writes).then_some("it only writes")
            }
            "partita" => None,
            _ if small_parts => Some("it wants parts of 5 MiB"),
            _ => None,
        }
    }

    /// Prepares the data, and gives the script of each connection. `round` makes keys unique.
    ///
    /// # Errors
    /// A preparing request fails.
    pub fn scripts(&self, running: &Running, round: usize) -> io::Result<Vec<Script>> {
        let target = &running.target;
        let requests = match self.kind {
            Kind::Get | Kind::Head => return self.reads(running, round),
            Kind::Put => self.puts(target, round, Target::presigned),
            Kind::PutSigned => self.puts(target, round, |target, method, path, body, status| {
                target.signed(method, path, &[], body, status)
            }),
            Kind::Multipart => return Ok(self.uploads(target, round)),
            Kind::Delete => return self.deletes(target, round),
            Kind::DeleteMany => return self.bulk_deletes(target, round),
            Kind::List { objects, delimiter } => self.lists(target, objects, delimiter, round)?,
            Kind::Complete { parts } => return self.completes(target, parts, round),
            Kind::Copy => self.copies(target, round)?,
            Kind::PartCopy { range } => self.part_copies(target, range, round)?,
            Kind::ListParts { parts } => {
                let (path, id) = self.upload(target, &format!("parts-{round}"), parts)?.0;
                vec![target.presigned("GET", &format!("{path}?uploadId={id}"), None, 200)]
            }
            Kind::TailRange { parts } => self.tail(target, parts, round)?,
        };
        Ok(spread(requests, self.connections))
    }

    /// Keys of reads: several, and few enough to stay in the page cache.
    fn keys_read(&self) -> u64 {
        (256 * MIB / self.bytes.max(1)).clamp(4, 1000)
    }

    fn reads(&self, running: &Running, round: usize) -> io::Result<Vec<Script>> {
        let target = &running.target;
        let paths: Vec<String> =
            (0..self.keys_read()).map(|n| format!("/{BUCKET}/r-{}-{n:06}", self.bytes)).collect();
        let body = Payload::new(self.bytes);
        if round == 0 && running.server.s3 {
            let put = |path: &String| target.signed("PUT", path, &[], Some(&body), 200);
            target.all(paths.iter().map(put).collect(), 8)?;
        } else if round == 0 {
            for path in &paths {
                let file = running.folder.join(path.trim_start_matches('/'));
                std::fs::write(file, body.bytes())?;
            }
        }
        let method = if self.kind == Kind::Head { "HEAD" } else { "GET" };
        let requests = paths
            .iter()
            .map(|path| {
                let request = target.presigned(method, path, None, 200);
                let (bytes, body) = match method {
                    "GET" => (self.bytes, Some(body.bytes())),
                    _ => (0, None),
                };
                Request { answer_bytes: bytes..=bytes, answer_body: body, ..request }
            })
            .collect();
        Ok(spread(requests, self.connections))
    }

    fn puts(
        &self,
        target: &Target,
        round: usize,
        sign: impl Fn(&Target, &str, &str, Option<&Payload>, u16) -> Request,
    ) -> Vec<Request> {
        let keys = (PUT_BYTES / self.bytes.max(1)).clamp(32, PUT_KEYS);
        let body = Payload::new(self.bytes);
        // Large bodies replace those of the round before, for lack of disk space.
        let round = if self.bytes > MIB { 0 } else { round };
        let path = |n| format!("/{BUCKET}/w-{}-{}-{round}/{n:08}", self.bytes, self.connections);
        (0..keys).map(|n| sign(target, "PUT", &path(n), Some(&body), 200)).collect()
    }

    fn deletes(&self, target: &Target, round: usize) -> io::Result<Vec<Script>> {
        let body = Payload::new(self.bytes);
        let paths: Vec<String> =
            (0..8_000).map(|n| format!("/{BUCKET}/d-{round}/{n:06}")).collect();
        let put = |path: &String| target.signed("PUT", path, &[], Some(&body), 200);
        target.all(paths.iter().map(put).collect(), 32)?;
        let deletes: Vec<Request> =
            paths.iter().map(|path| target.presigned("DELETE", path, None, 204)).collect();
        let share = deletes.len().div_ceil(self.connections);
        Ok(deletes.chunks(share).map(|some| once_each(some.to_vec())).collect())
    }

    fn bulk_deletes(&self, target: &Target, round: usize) -> io::Result<Vec<Script>> {
        Ok(vec![once_each(self.bulk(target, round)?)])
    }

    /// DeleteObjects of 1000 prepared keys each.
    ///
    /// # Errors
    /// A preparing request fails.
    pub fn bulk(&self, target: &Target, round: usize) -> io::Result<Vec<Request>> {
        let body = Payload::new(self.bytes);
        let mut requests = Vec::new();
        for batch in 0..5 {
            let keys: Vec<String> =
                (0..1000).map(|n| format!("m-{round}-{batch}/{n:06}")).collect();
            let put = |key: &String| {
                target.signed("PUT", &format!("/{BUCKET}/{key}"), &[], Some(&body), 200)
            };
            target.all(keys.iter().map(put).collect(), 32)?;
            let objects: String =
                keys.iter().map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
            let xml = format!("<Delete><Quiet>true</Quiet>{objects}</Delete>");
            let md5 = crate::md5_base64(xml.as_bytes());
            let body = Payload::of(xml);
            let path = format!("/{BUCKET}?delete=");
            requests.push(target.signed("POST", &path, &[("content-md5", &md5)], Some(&body), 200));
        }
        Ok(requests)
    }

    fn lists(
        &self,
        target: &Target,
        objects: u64,
        delimiter: bool,
        round: usize,
    ) -> io::Result<Vec<Request>> {
        let prefix = format!("l-{objects}/");
        let key = |n: u64| format!("{prefix}{:05}/{}", n / 10, n % 10);
        if round == 0 {
            let body = Payload::new(self.bytes);
            let put =
                |n| target.signed("PUT", &format!("/{BUCKET}/{}", key(n)), &[], Some(&body), 200);
            target.all((0..objects).map(put).collect(), 32)?;
        }
        let random = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % (objects * 9 / 10);
        let rest = if delimiter { "&delimiter=%2F" } else { "" };
        let page = |n| {
            let after = key(random(n)).replace('/', "%2F");
            let prefix = prefix.replace('/', "%2F");
            let query = format!("list-type=2&prefix={prefix}&start-after={after}{rest}");
            let list = target.presigned("GET", &format!("/{BUCKET}?{query}"), None, 200);
            Request { answer_bytes: LIST_BYTES_MIN..=u64::MAX, ..list }
        };
        Ok((0..500).map(page).collect())
    }

    /// Opens an upload and sends `parts` parts. Gives its path and id, and the document that
    /// completes it.
    fn upload(
        &self,
        target: &Target,
        key: &str,
        parts: u64,
    ) -> io::Result<((String, String), Payload)> {
        let path = format!("/{BUCKET}/{key}");
        let create = target.signed("POST", &format!("{path}?uploads="), &[], None, 200);
        let id = target.ask(create, "UploadId")?;
        let body = Payload::new(self.bytes);
        let part = |number| {
            let part = format!("{path}?partNumber={number}&uploadId={id}");
            target.signed("PUT", &part, &[], Some(&body), 200)
        };
        let etag = target.ask(part(1), "etag")?;
        target.all((2..=parts).map(part).collect(), 16)?;
        Ok(((path, id), parts_document((0..parts).map(|_| etag.as_str()))))
    }

    /// Request that completes such an upload.
    ///
    /// # Errors
    /// A preparing request fails.
    pub fn complete(&self, target: &Target, key: &str, parts: u64) -> io::Result<Request> {
        let ((path, id), document) = self.upload(target, key, parts)?;
        let path = format!("{path}?uploadId={id}");
        Ok(target.signed("POST", &path, &[], Some(&document), 200))
    }

    fn completes(&self, target: &Target, parts: u64, round: usize) -> io::Result<Vec<Script>> {
        let one = |n| self.complete(target, &format!("c-{parts}-{round}-{n}"), parts);
        Ok(vec![once_each((0..3).map(one).collect::<io::Result<_>>()?)])
    }

    fn copies(&self, target: &Target, round: usize) -> io::Result<Vec<Request>> {
        let source = format!("/{BUCKET}/copy-source");
        if round == 0 {
            let body = Payload::new(self.bytes);
            target.all(vec![target.signed("PUT", &source, &[], Some(&body), 200)], 1)?;
        }
        let path = format!("/{BUCKET}/copy-{round}");
        Ok(vec![target.signed("PUT", &path, &[("x-amz-copy-source", &source)], None, 200)])
    }

    fn part_copies(&self, target: &Target, range: bool, round: usize) -> io::Result<Vec<Request>> {
        let source = format!("/{BUCKET}/part-source");
        let body = Payload::new(self.bytes);
        target.all(vec![target.signed("PUT", &source, &[], Some(&body), 200)], 1)?;
        let path = format!("/{BUCKET}/part-copy-{range}-{round}");
        let create = target.signed("POST", &format!("{path}?uploads="), &[], None, 200);
        let id = target.ask(create, "UploadId")?;
        let bytes = format!("bytes=0-{}", self.bytes - 2);
        let mut headers = vec![("x-amz-copy-source", source.as_str())];
        if range {
            headers.push(("x-amz-copy-source-range", &bytes));
        }
        let part = format!("{path}?partNumber=1&uploadId={id}");
        Ok(vec![target.signed("PUT", &part, &headers, None, 200)])
    }

    fn tail(&self, target: &Target, parts: u64, round: usize) -> io::Result<Vec<Request>> {
        let key = format!("t-{parts}");
        if round == 0 {
            target.all(vec![self.complete(target, &key, parts)?], 1)?;
        }
        let size = parts * self.bytes;
        let range = format!("bytes={}-{}", size - MIB, size - 1);
        let get =
            target.signed("GET", &format!("/{BUCKET}/{key}"), &[("range", &range)], None, 206);
        Ok(vec![Request { answer_bytes: MIB..=MIB, ..get }])
    }

    /// Whole uploads, one after the other on each connection.
    fn uploads(&self, target: &Target, round: usize) -> Vec<Script> {
        let body = Payload::new(PART_BYTES);
        let upload = |connection| {
            let (target, body) = (target.clone(), body.clone());
            let parts = self.bytes.div_ceil(PART_BYTES);
            let path = format!("/{BUCKET}/u-{round}-{connection}");
            let mut upload = Upload::new(target, body, parts, path);
            Box::new(move |answer: Option<&Answer>| Some(upload.next(answer))) as Script
        };
        (0..self.connections).map(upload).collect()
    }

    /// Duration of one round.
    pub fn time(&self, rounds: usize, scale: f64) -> Duration {
        Duration::from_secs_f64(self.seconds as f64 * scale / rounds.max(1) as f64)
    }
}

/// Document that completes an upload of the parts 1, 2, 3 … with these ETags.
fn parts_document<'a>(etags: impl Iterator<Item = &'a str>) -> Payload {
    let part = |(number, etag)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    let list: String = (1..).zip(etags).map(part).collect();
    Payload::of(format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>"))
}

/// State of uploads on one connection.
struct Upload {
    target: Target,
    body: Payload,
    parts: u64,
    path: String,
    count: u64,
    id: String,
    etags: Vec<String>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Create,
    Part(u64),
    Complete,
}

impl Upload {
    /// Initial state, like that after a completed upload.
    fn new(target: Target, body: Payload, parts: u64, path: String) -> Self {
        let (id, etags) = (String::new(), Vec::new());
        Self { target, body, parts, path, count: 0, id, etags, state: State::Complete }
    }

    fn next(&mut self, answer: Option<&Answer>) -> Request {
        let answer = answer.filter(|answer| answer.status == 200);
        self.state = match (&self.state, answer) {
            (State::Create, Some(answer)) => {
                self.id = answer.tag("UploadId").unwrap_or_default().to_owned();
                State::Part(1)
            }
            (State::Part(number), Some(answer)) => {
                self.etags.push(answer.header("etag").unwrap_or_default().to_owned());
                if *number < self.parts { State::Part(number + 1) } else { State::Complete }
            }
            _ => State::Create,
        };
        match self.state {
            State::Create => {
                self.etags.clear();
                self.count = (self.count + 1) % UPLOAD_KEYS;
                let path = format!("{}-{}?uploads=", self.path, self.count);
                Request { ends: false, ..self.target.signed("POST", &path, &[], None, 200) }
            }
            State::Part(number) => {
                let query = format!("partNumber={number}&uploadId={}", self.id);
                let path = format!("{}-{}?{query}", self.path, self.count);
                let body = Some(&self.body);
                Request { ends: false, ..self.target.signed("PUT", &path, &[], body, 200) }
            }
            State::Complete => {
                let document = parts_document(self.etags.iter().map(String::as_str));
                let path = format!("{}-{}?uploadId={}", self.path, self.count, self.id);
                self.target.signed("POST", &path, &[], Some(&document), 200)
            }
        }
    }
}
