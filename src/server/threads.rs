//! The threads that serve connections: each with a runtime of its own, and a connection stays on
//! the thread that it was given to.
//!
//! So a request never wakes another thread only to be carried on there, which on two cores costs as
//! much as a lookup (measured: a GET of 4 KiB takes a fifth less of the processor than on a runtime
//! whose threads steal tasks). What takes long goes to the blocking pool of each runtime.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Time for what hangs on a blocking call when all else has ended.
const END_MS_MAX: u64 = 2_000;

/// Fewest threads for what blocks, of each: one long copy must not hold up all its connections.
const BLOCKING_MIN: usize = 4;

/// All of them.
pub(crate) struct Threads {
    workers: Vec<Worker>,
    stop: watch::Sender<bool>,
}

struct Worker {
    handle: Handle,
    /// Connections that it serves now.
    connections: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// Counts a connection for as long as it is served.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Threads {
    /// Starts `count` threads, which share `blocking_max` threads for what blocks,
    /// as long as each has a few.
    pub(crate) fn start(count: usize, blocking_max: usize) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let blocking = (blocking_max / count).max(BLOCKING_MIN.min(blocking_max));
        let start = |number| Worker::start(number, blocking, stopped.clone());
        let workers = (0..count).map(start).collect::<io::Result<_>>()?;
        Ok(Self { workers, stop })
    }

    /// Has the worker with the fewest connections serve one more.
    pub(crate) fn serve<F>(
        &self,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let busy = |worker: &&Worker| worker.connections.load(Ordering::Relaxed);
        let worker = self.workers.iter().min_by_key(busy).expect("there is at least one worker");
        worker.connections.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(&worker.connections));
        // It belongs to the poll of this thread's runtime and must come to that of the worker's.
        let stream = stream.into_std()?;
        worker.handle.spawn(async move {
            let _counted = counted;
            match TcpStream::from_std(stream) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::warn!(%error, "cannot serve a connection"),
            }
        });
        Ok(())
    }

    /// Ends the threads; what still runs on them is dropped. Blocking.
    pub(crate) fn end(self) {
        self.stop.send_replace(true);
        for worker in self.workers {
            if worker.thread.join().is_err() {
                tracing::error!("a thread that served connections panicked");
            }
        }
    }
}

impl Worker {
    fn start(
        number: usize,
        blocking_max: usize,
        mut stopped: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(blocking_max)
            .thread_name("partita-blocking")
            .build()?;
        let handle = runtime.handle().clone();
        let thread =
            std::thread::Builder::new().name(format!("partita-{number}")).spawn(move || {
                // Ends when it is told to, or when the server is gone.
                let _ = runtime.block_on(stopped.wait_for(|stopped| *stopped));
                runtime.shutdown_timeout(Duration::from_millis(END_MS_MAX));
            })?;
        Ok(Self { handle, connections: Arc::default(), thread })
    }
}
