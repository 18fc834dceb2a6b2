//! Watches of uploads: for requests that a pause delays, and for streams of progress.
//!
//! **Invariant:** a change that is committed after [`Watchers::watch`] wakes the watch. So a caller
//! that watches, then reads, then waits, misses nothing.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::types::UploadId;

/// Watched uploads; a change of any other costs one lookup in an empty table.
#[derive(Default)]
pub(crate) struct Watchers {
    uploads: Mutex<HashMap<UploadId, watch::Sender<()>>>,
}

/// Sees the changes of one upload.
pub struct UploadWatch {
    watchers: Arc<Watchers>,
    id: UploadId,
    changes: Option<watch::Receiver<()>>,
}

impl Watchers {
    pub(crate) fn watch(self: &Arc<Self>, id: UploadId) -> UploadWatch {
        let changes = self.lock().entry(id).or_insert_with(|| watch::Sender::new(())).subscribe();
        UploadWatch { watchers: Arc::clone(self), id, changes: Some(changes) }
    }

    /// Wakes every watch of this upload.
    pub(crate) fn notify(&self, id: UploadId) {
        if let Some(watched) = self.lock().get(&id) {
            watched.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, watch::Sender<()>>> {
        self.uploads.lock()
    }
}

impl UploadWatch {
    /// Ends when the upload has changed since the last time, or since this watch was made.
    pub async fn changed(&mut self) {
        let changes = self.changes.as_mut().expect("taken out only on drop");
        changes.changed().await.expect("the sender lives as long as one of its receivers");
    }
}

impl Drop for UploadWatch {
    fn drop(&mut self) {
        let mut uploads = self.watchers.lock();
        self.changes = None;
        if uploads.get(&self.id).is_some_and(|watched| watched.receiver_count() == 0) {
            uploads.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_wakes_all_who_watch_and_nothing_is_left() {
        let watchers = Arc::new(Watchers::default());
        let (id, other) = (UploadId::new(), UploadId::new());
        let mut watching: Vec<UploadWatch> = (0..50).map(|_| watchers.watch(id)).collect();
        let mut apart = watchers.watch(other);
        watchers.notify(id);
        for watch in &mut watching {
            watch.changed().await;
        }
        let waited = tokio::time::timeout(std::time::Duration::from_millis(10), apart.changed());
        assert!(waited.await.is_err(), "another upload changed");
        watching.truncate(1);
        watchers.notify(id);
        watching[0].changed().await;
        drop((watching, apart));
        assert!(watchers.lock().is_empty());
        watchers.notify(id);
    }
}
