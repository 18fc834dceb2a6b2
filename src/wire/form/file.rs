//! The file of a form: its bytes up to the delimiter, whatever pieces they come in.
//!
//! What is held back between two pieces is the beginning of a delimiter at most.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::search::{END_BYTES, Found, find, goes_on};
use super::{FIELDS_BYTES_MAX, malformed};
use crate::wire::error::Result;

/// The file of a form, under way.
#[derive(Clone, Debug)]
pub struct File {
    finder: memmem::Finder<'static>,
    held: BytesMut,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Content,
    /// The file has ended; so many bytes followed, which do not count.
    Ended {
        bytes: usize,
    },
}

impl File {
    pub(super) fn new(finder: memmem::Finder<'static>) -> Self {
        Self { finder, held: BytesMut::new(), state: State::Content }
    }

    /// The fewest bytes after the content of the file.
    pub fn end_bytes(&self) -> u64 {
        (self.finder.needle().len() + END_BYTES) as u64
    }

    /// Takes what comes; gives what of it is content.
    ///
    /// # Errors
    /// MalformedPOSTRequest when very much follows the file.
    pub fn push(&mut self, data: Bytes) -> Result<Bytes> {
        if let State::Ended { bytes } = self.state {
            self.pass_over(bytes + data.len())?;
            return Ok(Bytes::new());
        }
        if goes_on(&self.finder, self.held.len(), &data) {
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
            Found::No => Ok(data),
            Found::Perhaps(at) => {
                self.held = BytesMut::from(&data[at..]);
                data.truncate(at);
                Ok(data)
            }
            Found::At(at) => {
                let content = data.split_to(at);
                // After the last delimiter anything may follow, after another one a part.
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

    /// The body has ended.
    ///
    /// # Errors
    /// MalformedPOSTRequest when the file has not.
    pub fn finish(&self) -> Result<()> {
        match self.state {
            State::Ended { .. } => Ok(()),
            State::Content => Err(malformed()),
        }
    }
}
