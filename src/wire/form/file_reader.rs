//! [`FileReader`]: passes on the bytes of a form's file, up to the delimiter.
//!
//! **Invariant:** between two pieces it buffers at most the beginning of a delimiter.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::errors::{FIELDS_BYTES_MAX, malformed};
use super::search::{END_BYTES, Search, continues, find};
use crate::wire::error::Result;

/// Incremental parser of the file of a form.
#[derive(Clone, Debug)]
pub struct FileReader {
    finder: memmem::Finder<'static>,
    held: BytesMut,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Content,
    /// The file has ended. `bytes` followed it and are ignored.
    Ended {
        bytes: usize,
    },
}

impl FileReader {
    pub(super) fn new(finder: memmem::Finder<'static>) -> Self {
        Self { finder, held: BytesMut::new(), state: State::Content }
    }

    /// Fewest bytes that follow the content of the file.
    pub fn end_bytes(&self) -> u64 {
        (self.finder.needle().len() + END_BYTES) as u64
    }

    /// Parses the next bytes of the body, and gives those that are content of the file.
    ///
    /// # Errors
    /// MalformedPOSTRequest if more than [`FIELDS_BYTES_MAX`] follow the file.
    pub fn push(&mut self, data: Bytes) -> Result<Bytes> {
        if let State::Ended { bytes } = self.state {
            self.pass_over(bytes + data.len())?;
            return Ok(Bytes::new());
        }
        if continues(&self.finder, self.held.len(), &data) {
            self.held.extend_from_slice(&data);
            return Ok(Bytes::new());
        }
        let mut data = match self.held.is_empty() {
            true => data,
            false => {
                let mut joined = std::mem::take(&mut self.held);
                joined.extend_from_slice(&data);
                joined.freeze()
            }
        };
        match find(&self.finder, &data) {
            Search::None => Ok(data),
            Search::Undecided(at) => {
                self.held = BytesMut::from(&data[at..]);
                data.truncate(at);
                Ok(data)
            }
            Search::Match(at) => {
                let content = data.split_to(at);
                // An epilogue follows the last delimiter, and a further part any other one. Both
                // are ignored.
                self.pass_over(data.len() - self.finder.needle().len())?;
                Ok(content)
            }
        }
    }

    fn pass_over(&mut self, bytes: usize) -> Result<()> {
        self.state = State::Ended { bytes };
        match bytes > FIELDS_BYTES_MAX {
            true => Err(malformed()),
            false => Ok(()),
        }
    }

    /// Ends the body.
    ///
    /// # Errors
    /// MalformedPOSTRequest if the file has not ended.
    pub fn finish(&self) -> Result<()> {
        match self.state {
            State::Ended { .. } => Ok(()),
            State::Content => Err(malformed()),
        }
    }
}
