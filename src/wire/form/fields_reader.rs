//! [`FieldsReader`]: incremental parser of a form up to the first byte of its file.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use super::delimiter::Delimiter;
use super::errors::{FIELDS_BYTES_MAX, malformed, one_file, too_long};
use super::fields::FormFields;
use super::file_reader::FileReader;
use super::headers::{self, Disposition};
use super::search::{END_BYTES, Search, continues, find, look};
use crate::wire::error::{Error, Result};

/// Line end put before the body, because the first delimiter of a body has none.
const FIRST_LINE_END: &[u8] = b"\r\n";
/// End of the headers of a part.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Form up to the first byte of its file.
#[derive(Debug)]
pub struct FieldsReader {
    finder: memmem::Finder<'static>,
    /// Bytes received and not parsed yet.
    held: BytesMut,
    /// Bytes parsed.
    taken: usize,
    awaited: Awaited,
    fields: FormFields,
}

/// Element of the form that comes next. `searched` is the number of buffered bytes that need no
/// second search.
#[derive(Debug)]
enum Awaited {
    Delimiter,
    /// Line end after a delimiter, and the header lines of a part.
    Head {
        searched: usize,
    },
    /// Value of a field, up to the next delimiter.
    Value {
        name: String,
        searched: usize,
    },
}

/// Form whose fields are complete.
#[derive(Debug)]
pub struct ParsedForm {
    /// Fields, with the file name inserted.
    pub fields: FormFields,
    /// Parser of the file.
    pub file: FileReader,
    /// Bytes of the file that were received with the fields.
    pub buffered: Bytes,
}

impl FieldsReader {
    /// Reader before the first byte of the body.
    pub fn new(delimiter: &Delimiter) -> Self {
        let held = BytesMut::from(FIRST_LINE_END);
        let finder = memmem::Finder::new(&delimiter.0).into_owned();
        Self { finder, held, taken: 0, awaited: Awaited::Delimiter, fields: FormFields::default() }
    }

    /// Parses the next bytes of the body. Gives the form at the first byte of its file.
    ///
    /// # Errors
    /// MalformedPOSTRequest; InvalidArgument for a repeated field and for a form without a file;
    /// MaxPostPreDataLengthExceededError.
    pub fn push(&mut self, data: &[u8]) -> Result<Option<ParsedForm>> {
        let decides = match self.awaited {
            Awaited::Value { searched, .. } => {
                !continues(&self.finder, self.held.len() - searched, data)
            }
            Awaited::Delimiter | Awaited::Head { .. } => true,
        };
        self.held.extend_from_slice(data);
        let mut more = decides;
        while more {
            more = match &self.awaited {
                Awaited::Delimiter => self.delimiter()?,
                Awaited::Head { searched } => match self.head(*searched)? {
                    Some(part) if part.name.eq_ignore_ascii_case("file") => {
                        return self.opened(part.file_name).map(Some);
                    }
                    Some(part) => {
                        self.awaited = Awaited::Value { name: part.name, searched: 0 };
                        true
                    }
                    None => false,
                },
                Awaited::Value { .. } => self.value()?,
            };
        }
        match self.bytes(self.held.len()) > FIELDS_BYTES_MAX {
            true => Err(too_long()),
            false => Ok(None),
        }
    }

    /// Bytes of the body up to `held` bytes of the buffer.
    fn bytes(&self, held: usize) -> usize {
        self.taken + held - FIRST_LINE_END.len()
    }

    /// Error for a body that ended before the file.
    pub fn ended(self) -> Error {
        malformed()
    }

    fn take(&mut self, bytes: usize) {
        self.held.advance(bytes);
        self.taken += bytes;
    }

    /// Takes a delimiter. True if it was complete.
    fn delimiter(&mut self) -> Result<bool> {
        if self.taken == 0 && HEAD_END.starts_with(&self.held) {
            return Ok(false);
        }
        if self.taken == 0 && self.held.starts_with(b"\r\n\r\n") {
            // Some clients send a line end before the first delimiter.
            self.take(FIRST_LINE_END.len());
        }
        let delimiter = self.finder.needle();
        let known = delimiter.len().min(self.held.len());
        if look(&self.held[..known]) != &delimiter[..known] {
            return Err(malformed());
        }
        match self.held[known..].get(..END_BYTES) {
            None => Ok(false),
            Some(b"--") => Err(one_file()),
            Some(b"\r\n") => {
                self.take(known);
                self.awaited = Awaited::Head { searched: 0 };
                Ok(true)
            }
            Some(_) => Err(malformed()),
        }
    }

    /// Takes the headers of a part, if they are complete.
    fn head(&mut self, searched: usize) -> Result<Option<Disposition>> {
        let Some(at) = memmem::find(look(&self.held[searched..]), HEAD_END) else {
            let searched = searched.max(self.held.len().saturating_sub(HEAD_END.len() - 1));
            self.awaited = Awaited::Head { searched };
            return Ok(None);
        };
        let length = searched + at;
        if self.bytes(length + HEAD_END.len()) > FIELDS_BYTES_MAX {
            return Err(too_long());
        }
        let lines = self.held.get(END_BYTES..length).ok_or_else(malformed)?;
        let part = headers::disposition(look(lines)).ok_or_else(malformed)?;
        self.take(length + HEAD_END.len());
        Ok(Some(part))
    }

    /// Takes the value of a field. True if it was complete.
    fn value(&mut self) -> Result<bool> {
        let Awaited::Value { name, searched } = &mut self.awaited else { return Ok(true) };
        match find(&self.finder, &self.held[*searched..]) {
            Search::Match(at) => {
                let length = *searched + at;
                self.fields.add(name, &self.held[..length])?;
                self.take(length);
                self.awaited = Awaited::Delimiter;
                return Ok(true);
            }
            Search::Undecided(at) => *searched += at,
            Search::None => *searched = self.held.len(),
        }
        Ok(false)
    }

    fn opened(&mut self, file_name: Option<String>) -> Result<ParsedForm> {
        let buffered = std::mem::take(&mut self.held).freeze();
        let mut fields = std::mem::take(&mut self.fields);
        let name = file_name.unwrap_or_default();
        // A client that sends a path means the last component.
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        fields.put_file_name(name)?;
        Ok(ParsedForm { fields, file: FileReader::new(self.finder.clone()), buffered })
    }
}
