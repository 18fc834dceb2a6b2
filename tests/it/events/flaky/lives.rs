//! What the writers do: lives of objects and of uploads, step by step. A step that is answered has
//! told what it tells; with one that is not, the life is left as it is.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::chance;
use crate::harness::base64;
use crate::kill::Server;
use crate::kill::client::{Broken, Client};
use crate::signer::Signer;

const WRITERS: usize = 4;
/// Keys of each writer: few, so that events of one key meet.
const KEYS: u64 = 5;
pub const EXPIRED: &str = "partita:Upload:Expired";

/// One request of a life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Put,
    Delete,
    Create,
    /// Declares a digest that the file does not have.
    CreateWrong,
    Part,
    Pause,
    Resume,
    Complete,
    /// A Complete that finds another digest than was declared.
    Fail,
    Abort,
}

use Step::{Abort, Complete, Create, CreateWrong, Delete, Fail, Part, Pause, Put, Resume};

/// How many lives of a hundred go so.
const LIVES: &[(u64, &[Step])] = &[
    (60, &[Put]),
    (8, &[Put, Delete]),
    (8, &[Create, Part, Complete]),
    (4, &[Create, Pause, Resume, Part, Complete]),
    (7, &[Create, Part, Pause, Resume, Abort]),
    (6, &[CreateWrong, Part, Fail, Abort]),
    // Nobody ends these.
    (4, &[Create, Pause]),
    (3, &[CreateWrong, Part, Fail]),
];

/// The steps of the life that has this number.
pub fn life(number: u64) -> &'static [Step] {
    let mut left = chance(number) % 100;
    for (share, steps) in LIVES {
        match left.checked_sub(*share) {
            Some(less) => left = less,
            None => return steps,
        }
    }
    unreachable!("the shares are a hundred");
}

impl Step {
    /// What is told of it. Of a part nothing is.
    pub fn event(self) -> Option<&'static str> {
        Some(match self {
            Put => "s3:ObjectCreated:Put",
            Delete => "s3:ObjectRemoved:Delete",
            Create | CreateWrong => "partita:Upload:Created",
            Part => return None,
            Pause => "partita:Upload:Paused",
            Resume => "partita:Upload:Resumed",
            Complete => "s3:ObjectCreated:CompleteMultipartUpload",
            Fail => "partita:Upload:Failed",
            Abort => "partita:Upload:Aborted",
        })
    }

    /// Whether an upload is over with it.
    pub fn is_end(self) -> bool {
        matches!(self, Complete | Abort)
    }
}

/// A life as its writer knows it.
struct Alive<'a> {
    client: &'a mut Client,
    number: u64,
    target: String,
    upload: String,
    part: String,
}

impl Alive<'_> {
    /// Takes a step; an answer other than the right one is a defect.
    fn take(&mut self, step: Step) -> Result<(), Broken> {
        let var = base64(format!("{{\"n\":{}}}", self.number).as_bytes());
        let digest = format!("{:064x}", self.number);
        let mut headers = vec![("x-partita-callback-var", var.as_str())];
        if step == CreateWrong {
            headers.push(("x-partita-object-size", "4"));
            headers.push(("x-partita-content-sha256", &digest));
        }
        let target = self.target.clone();
        let id = &self.upload;
        let (state, upload) =
            (format!("{target}?partita-state&uploadId={id}"), format!("{target}?uploadId={id}"));
        let (status, answer) = match step {
            Put => (200, self.client.send("PUT", &target, &headers, b"body")?),
            Delete => (204, self.client.send("DELETE", &target, &[], b"")?),
            Create | CreateWrong => {
                (200, self.client.send("POST", &format!("{target}?uploads"), &headers, b"")?)
            }
            Part => {
                let target = format!("{upload}&partNumber=1");
                (200, self.client.send("PUT", &target, &[], b"part")?)
            }
            Pause => (200, self.client.send("PUT", &state, &[], br#"{"status":"pause"}"#)?),
            Resume => (200, self.client.send("PUT", &state, &[], br#"{"status":"upload"}"#)?),
            Complete => (200, self.client.send("POST", &upload, &[], self.list().as_bytes())?),
            Fail => (400, self.client.send("POST", &upload, &[], self.list().as_bytes())?),
            Abort => (204, self.client.send("DELETE", &upload, &[], b"")?),
        };
        assert_eq!(answer.status, status, "{step:?}: {}", answer.text());
        match step {
            Create | CreateWrong => {
                self.upload = answer.texts("UploadId").pop().expect("an upload has an id");
            }
            Part => self.part = answer.etag(),
            Fail => assert_eq!(answer.texts("Code"), ["BadDigest"]),
            _ => {}
        }
        Ok(())
    }

    fn list(&self) -> String {
        format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
             </CompleteMultipartUpload>",
            self.part
        )
    }
}

/// What all writers have done.
#[derive(Default)]
pub struct Work {
    next: AtomicUsize,
    /// Number of the life, and the event.
    acknowledged: Mutex<Vec<(u64, &'static str)>>,
}

impl Work {
    /// Lives that were begun.
    pub fn begun(&self) -> u64 {
        self.next.load(Ordering::Relaxed) as u64
    }

    pub fn acknowledged(&self) -> Vec<(u64, &'static str)> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Writers work until so many events are acknowledged, and a little longer; then the server is
    /// killed under them.
    pub fn until(&self, goal: usize, server: &mut Server, signer: &Signer, longer_ms: u64) {
        let is_killed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let mut client = Client::new(server.address, signer);
                let is_killed = &is_killed;
                scope.spawn(move || {
                    while !is_killed.load(Ordering::Acquire) {
                        // Broken: what became of the last step nobody knows.
                        let _ = self.live(writer, &mut client);
                    }
                });
            }
            while self.acknowledged.lock().unwrap().len() < goal {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(longer_ms));
            server.kill();
            is_killed.store(true, Ordering::Release);
        });
    }

    fn live(&self, writer: usize, client: &mut Client) -> Result<(), Broken> {
        let number = self.next.fetch_add(1, Ordering::Relaxed) as u64;
        let steps = life(number);
        let target = match steps.contains(&Delete) {
            // The event has no variable; its key tells the number.
            true => format!("/bkt/w{writer}/gone-{number}"),
            false => format!("/bkt/w{writer}/k{}", chance(!number) % KEYS),
        };
        let (upload, part) = (String::new(), String::new());
        let mut alive = Alive { client, number, target, upload, part };
        for step in steps {
            alive.take(*step)?;
            if let Some(event) = step.event() {
                self.acknowledged.lock().unwrap().push((number, event));
            }
            // A repetition is answered the same and tells nobody.
            if matches!(step, Pause | Resume | Complete) {
                alive.take(*step)?;
            }
        }
        Ok(())
    }
}
