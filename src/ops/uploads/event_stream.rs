//! Server-sent events with the missing parts of an upload, one for each change.
//!
//! **Invariants**
//! - At most [`EVENT_STREAMS_MAX`] streams are open at once, with a lower limit for one user and
//!   for one upload. A stream ends after [`STREAM_MAX`]; a browser then opens the next one.
//! - All changes within [`GATHER`] cost one query of the database. Without a change there is none.
//! - Before each event and each comment the access key and the expiry of the URL are checked. The
//!   stream ends if one of them is not valid any more.
//! - The watch begins before the first query, so no change is missed. A closed connection ends the
//!   stream at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::limits::quota::Slot;
use crate::limits::{
    EVENT_STREAMS_MAX, EVENT_STREAMS_OF_UPLOAD, EVENT_STREAMS_OF_USER, RETRY_LATER_SECONDS,
};
use crate::ops::uploads::missing_parts;
use crate::request::Context;
use crate::store::{Blocking, Blocks, Store};
use crate::types::UploadId;
use crate::wire::response::BodyError;
use crate::wire::{Body, Error, Response, Result};

/// Media type in `Accept` that asks for events.
pub const MEDIA_TYPE: &str = "text/event-stream";
/// Time that changes gather before the next event.
const GATHER: Duration = Duration::from_millis(250);
/// Interval of the comments that keep the stream alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest life of a stream.
const STREAM_MAX: Duration = Duration::from_secs(600);

/// Answers with a stream of events `blocks`, and `end` when the upload is over. `recheck` says
/// whether the request is still good.
///
/// # Errors
/// NoSuchUpload; SlowDown when too many watch.
pub async fn stream<F>(
    context: Context,
    user: &str,
    id: UploadId,
    look: F,
    recheck: impl Fn() -> Result<()> + Send + Sync + 'static,
) -> Result<Response>
where
    F: Fn(&Store) -> Blocking<Blocks> + Send + Sync + 'static,
{
    let limits = Arc::clone(&context.limits);
    let slot = limits
        .event_streams
        .take(user, EVENT_STREAMS_OF_USER, EVENT_STREAMS_MAX)
        .ok_or_else(busy)?;
    let look = Arc::new(look);
    let watch = context.store.watch_upload(id);
    let first = read(&context, &look).await?;
    // Not before it is known that the user may see this upload.
    let of_upload = &limits.event_streams_of_upload;
    let of_upload = of_upload.take(&id.to_string(), EVENT_STREAMS_OF_UPLOAD, EVENT_STREAMS_MAX);
    let slots = [slot, of_upload.ok_or_else(busy)?];
    let (events, body) = mpsc::channel(1);
    let recheck = Box::new(recheck);
    let watching = Stream { context, watch, look, recheck, events, _slots: slots };
    tokio::spawn(watching.run(first, Instant::now() + STREAM_MAX));
    let response = Response::ok().header("content-type", MEDIA_TYPE);
    let response = response.header("cache-control", "no-store");
    Ok(response.with_body(body_of(body)))
}

fn busy() -> Error {
    let message = "Too many uploads are watched, or this one by too many. Please try again.";
    Error::slow_down(message, RETRY_LATER_SECONDS)
}

async fn read<F>(context: &Context, look: &Arc<F>) -> Result<String>
where
    F: Fn(&Store) -> Blocking<Blocks> + Send + Sync + 'static,
{
    let blocks = context.run(look(&context.store)).await?;
    Ok(missing_parts::document(&blocks))
}

struct Stream<F> {
    context: Context,
    watch: crate::store::UploadWatch,
    look: Arc<F>,
    recheck: Box<dyn Fn() -> Result<()> + Send + Sync>,
    events: mpsc::Sender<Bytes>,
    _slots: [Slot; 2],
}

impl<F> Stream<F>
where
    F: Fn(&Store) -> Blocking<Blocks> + Send + Sync + 'static,
{
    /// Sends events until then, and no longer: also when the client does not read.
    async fn run(self, first: String, until: Instant) {
        let _ = timeout_at(until, self.send(first)).await;
    }

    async fn send(mut self, first: String) {
        let mut known = first;
        let mut event = Some(event_of(&known));
        loop {
            if let Some(event) = event.take()
                && ((self.recheck)().is_err() || self.events.send(event.into()).await.is_err())
            {
                return;
            }
            tokio::select! {
                () = self.events.closed() => return,
                () = sleep(KEEP_ALIVE) => event = Some(": still watching\n\n".to_owned()),
                () = self.watch.changed() => {
                    sleep(GATHER).await;
                    let Ok(document) = read(&self.context, &self.look).await else {
                        // It is over, or the store is closed.
                        let _ = self.events.send("event: end\ndata: {}\n\n".into()).await;
                        return;
                    };
                    if document != known {
                        event = Some(event_of(&document));
                        known = document;
                    }
                }
            }
        }
    }
}

fn event_of(document: &str) -> String {
    format!("event: blocks\ndata: {document}\n\n")
}

/// Body of the answer: the events that the task sends.
fn body_of(mut events: mpsc::Receiver<Bytes>) -> Body {
    let events = stream::poll_fn(move |cx| events.poll_recv(cx));
    let frames = events.map(|event| Ok::<_, BodyError>(Frame::data(event)));
    Body::Stream(BodyExt::boxed(StreamBody::new(frames)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::limits::quota::Quota;

    #[tokio::test]
    async fn a_client_that_does_not_read_keeps_no_place_beyond_its_time() {
        let quota = Quota::default();
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config { data: folder.path().join("data"), ..Config::default() };
        let store = Store::open(config.store_options()).expect("a new store opens");
        let watch = store.watch_upload(UploadId::new());
        let context = Context::new(Arc::new(config), store);
        let (events, _unread) = mpsc::channel(1);
        events.try_send(Bytes::new()).expect("there is room for one");
        let look = Arc::new(|_: &Store| -> Blocking<Blocks> { panic!("nothing changes") });
        let slots = ["alice", "upload"].map(|who| quota.take(who, 1, 2).expect("a slot"));
        let recheck = Box::new(|| Ok(()));
        let watching = Stream { context, watch, look, recheck, events, _slots: slots };
        let run = watching.run("{}".into(), Instant::now() + Duration::from_millis(50));
        let ended = tokio::time::timeout(Duration::from_secs(10), run).await;
        assert!(ended.is_ok(), "it waits for who does not read");
        assert!(quota.take("alice", 1, 1).is_some(), "its slots are free");
    }
}
