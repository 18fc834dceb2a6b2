//! Writers of the test. A scenario is a sequence of requests for one object or upload. Each
//! acknowledged step emits its event. After a step without an answer the scenario is abandoned.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::mix;
use crate::harness::base64;
use crate::kill::Server;
use crate::kill::client::{Broken, Client};
use crate::signer::Signer;

const WRITERS: usize = 4;
/// Keys of each writer: few, so that one key has many events.
const KEYS: u64 = 5;
pub const EXPIRED: &str = "partita:Upload:Expired";

/// One request of a scenario.
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
    /// A Complete that fails: the digest is not the declared one.
    Fail,
    Abort,
}

use Step::{Abort, Complete, Create, CreateWrong, Delete, Fail, Part, Pause, Put, Resume};

/// Scenarios, each with its share in percent.
const SCENARIOS: &[(u64, &[Step])] = &[
    (60, &[Put]),
    (8, &[Put, Delete]),
    (8, &[Create, Part, Complete]),
    (4, &[Create, Pause, Resume, Part, Complete]),
    (7, &[Create, Part, Pause, Resume, Abort]),
    (6, &[CreateWrong, Part, Fail, Abort]),
    // Scenarios that end with an open upload.
    (4, &[Create, Pause]),
    (3, &[CreateWrong, Part, Fail]),
];

/// Steps of the scenario with this number.
pub fn scenario(number: u64) -> &'static [Step] {
    let mut left = mix(number) % 100;
    for (share, steps) in SCENARIOS {
        match left.checked_sub(*share) {
            Some(less) => left = less,
            None => return steps,
        }
    }
    unreachable!("the shares are a hundred");
}

impl Step {
    /// Event of the step. Parts have none.
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

    /// True if the step ends the upload.
    pub fn is_end(self) -> bool {
        matches!(self, Complete | Abort)
    }
}

/// A scenario in progress.
struct Run<'a> {
    client: &'a mut Client,
    number: u64,
    target: String,
    upload: String,
    part: String,
}

impl Run<'_> {
    /// Sends a step; an answer other than the expected one is a defect.
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

/// Work of all writers.
#[derive(Default)]
pub struct Work {
    next: AtomicUsize,
    /// Number of the scenario, and its event.
    acknowledged: Mutex<Vec<(u64, &'static str)>>,
}

impl Work {
    /// Number of scenarios that were begun.
    pub fn begun(&self) -> u64 {
        self.next.load(Ordering::Relaxed) as u64
    }

    pub fn acknowledged(&self) -> Vec<(u64, &'static str)> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Runs the writers until so many events are acknowledged, and a little longer; then kills the
    /// server under them.
    pub fn until(&self, goal: usize, server: &mut Server, signer: &Signer, longer_ms: u64) {
        let is_killed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let mut client = Client::new(server.address, signer);
                let is_killed = &is_killed;
                scope.spawn(move || {
                    while !is_killed.load(Ordering::Acquire) {
                        // Broken: the outcome of the last step is unknown.
                        let _ = self.run_next(writer, &mut client);
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

    fn run_next(&self, writer: usize, client: &mut Client) -> Result<(), Broken> {
        let number = self.next.fetch_add(1, Ordering::Relaxed) as u64;
        let steps = scenario(number);
        let target = match steps.contains(&Delete) {
            // The event has no variable; the key contains the number.
            true => format!("/bkt/w{writer}/gone-{number}"),
            false => format!("/bkt/w{writer}/k{}", mix(!number) % KEYS),
        };
        let (upload, part) = (String::new(), String::new());
        let mut run = Run { client, number, target, upload, part };
        for step in steps {
            run.take(*step)?;
            if let Some(event) = step.event() {
                self.acknowledged.lock().unwrap().push((number, event));
            }
            // A repetition has the same answer and emits no event.
            if matches!(step, Pause | Resume | Complete) {
                run.take(*step)?;
            }
        }
        Ok(())
    }
}
