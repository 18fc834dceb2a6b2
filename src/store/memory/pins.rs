//! Pins of contents that are being read, so that garbage collection skips them.
//!
//! **The protocol.** A reader reads the object's row, pins its content, and reads the row again in
//! a newer snapshot: if the row still has the content, it was alive after the pin was set. GC tests
//! the pin under the same lock, after the death of the content was committed. So either GC finds
//! the pin, or the reader's second read finds another row. A content that is dead and not pinned
//! can never be pinned with success again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::store::records::contents::ContentId;

/// The table of pins: content → number of readers.
#[derive(Default)]
pub(crate) struct Pins {
    readers: Mutex<HashMap<ContentId, usize>>,
}

/// Keeps one content from being freed until it is dropped.
pub(crate) struct Pin {
    pins: Arc<Pins>,
    content: ContentId,
}

impl Pins {
    /// Sets one more pin on `content`.
    pub(crate) fn pin(self: &Arc<Self>, content: ContentId) -> Pin {
        *self.lock().entry(content).or_default() += 1;
        Pin { pins: Arc::clone(self), content }
    }

    /// True if a reader has pinned `content`.
    pub(crate) fn is_pinned(&self, content: ContentId) -> bool {
        self.lock().contains_key(&content)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ContentId, usize>> {
        self.readers.lock()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut readers = self.pins.lock();
        let count = readers.get_mut(&self.content).expect("a pin is counted until it is dropped");
        *count -= 1;
        if *count == 0 {
            readers.remove(&self.content);
        }
    }
}
