//! `multipart/form-data` as S3's POST takes it: fields, then one file, whose bytes stream. Pure.
//!
//! [`Opening`] reads up to the first byte of the file and [`File`] finds its end. It is our own
//! because the crate that others use for it (multer 3) takes whatever its stream has ready before
//! it looks at any of it, so its memory has no bound; and because a form of S3 needs less: nothing
//! after the file counts, and everything before it fits into [`FIELDS_BYTES_MAX`].
//!
//! **Invariants**
//! - A field has one value: a name that stands there twice is refused.
//! - A line of the file ends it only if it is wholly a delimiter: a boundary that goes on
//!   (`--boundaryX`) is content.

mod file;
mod headers;
mod search;
#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use super::error::{Error, ErrorCode, Result};
pub use file::File;
use headers::Disposition;
use search::{END_BYTES, Found, find, goes_on, look};

/// The most bytes before the content of the file, boundaries and headers included; and the most
/// that fields may have once the name of the file is put into them.
pub const FIELDS_BYTES_MAX: usize = 20 << 10;
/// Longest boundary of RFC 2046.
const BOUNDARY_BYTES_MAX: usize = 70;
/// What stands in a field for the name of the file.
const FILE_NAME: &str = "${filename}";

/// The fields before the file, by their names in lower case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field; `name` is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All fields, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn add(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let name = name.to_ascii_lowercase();
        let value = std::str::from_utf8(value)
            .map_err(|_| Error::argument(&name, "", "The value of a field must be UTF-8."))?;
        if self.get(&name).is_some() {
            return Err(Error::argument(&name, value, "A field of the form stands there twice."));
        }
        self.0.push((name, value.to_owned()));
        Ok(())
    }

    /// Puts the name of the file into the values that ask for it.
    fn put_file_name(&mut self, file_name: &str) -> Result<()> {
        let mut bytes = 0;
        for (name, value) in &self.0 {
            // Counted before it is made: a short form could ask for very much.
            bytes += name.len() + value.len() + value.matches(FILE_NAME).count() * file_name.len();
        }
        if bytes > FIELDS_BYTES_MAX {
            return Err(too_long());
        }
        for (_, value) in self.0.iter_mut().filter(|(_, value)| value.contains(FILE_NAME)) {
            *value = value.replace(FILE_NAME, file_name);
        }
        Ok(())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Fields {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.to_lowercase(), (*value).into())).collect())
    }
}

/// What begins a line that ends a part: the line end before it, `--` and the boundary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delimiter(Vec<u8>);

impl Delimiter {
    /// The delimiter that a Content-Type announces.
    ///
    /// # Errors
    /// PreconditionFailed for another type, as S3 has it; MalformedPOSTRequest without a boundary.
    pub fn of(content_type: &str) -> Result<Self> {
        let (kind, parameters) = headers::value(content_type).ok_or_else(malformed)?;
        if !kind.eq_ignore_ascii_case("multipart/form-data") {
            let condition = "Bucket POST must be of the enclosure-type multipart/form-data";
            return Err(Error::new(ErrorCode::PreconditionFailed).field("Condition", condition));
        }
        let boundary = parameters.into_iter().find(|(name, _)| name == "boundary");
        let boundary = boundary.map(|(_, value)| value).unwrap_or_default();
        let legal = |c: u8| c.is_ascii_graphic() || c == b' ';
        let lengths = 1..=BOUNDARY_BYTES_MAX;
        if !lengths.contains(&boundary.len()) || !boundary.bytes().all(legal) {
            return Err(malformed());
        }
        Ok(Self([b"\r\n--", boundary.as_bytes()].concat()))
    }
}

/// The first delimiter has no line end before it in the body; held, it is like all others.
const FIRST_LINE_END: &[u8] = b"\r\n";
/// What ends the head of a part.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A form up to the first byte of its file.
#[derive(Debug)]
pub struct Opening {
    finder: memmem::Finder<'static>,
    /// What came and is not understood yet; begins with what is awaited.
    held: BytesMut,
    /// Bytes of what was understood.
    taken: usize,
    awaited: Awaited,
    fields: Fields,
}

/// What comes next of a form, and how many bytes of it need not be searched again.
#[derive(Debug)]
enum Awaited {
    Delimiter,
    /// The line end after a delimiter, and the header lines of a part.
    Head {
        searched: usize,
    },
    /// The value of a field, up to the next delimiter.
    Value {
        name: String,
        searched: usize,
    },
}

/// A form whose fields are all there.
#[derive(Debug)]
pub struct Opened {
    /// The fields, the name of the file put in.
    pub fields: Fields,
    /// Reads the file.
    pub file: File,
    /// What came of the file already.
    pub begun: Bytes,
}

impl Opening {
    /// Nothing read yet.
    pub fn new(delimiter: &Delimiter) -> Self {
        let held = BytesMut::from(FIRST_LINE_END);
        let finder = memmem::Finder::new(&delimiter.0).into_owned();
        Self { finder, held, taken: 0, awaited: Awaited::Delimiter, fields: Fields::default() }
    }

    /// Takes what comes; gives the form once its file begins.
    ///
    /// # Errors
    /// MalformedPOSTRequest; InvalidArgument for a repeated field and for a form without a file;
    /// MaxPostPreDataLengthExceededError.
    pub fn push(&mut self, data: &[u8]) -> Result<Option<Opened>> {
        let decides = match self.awaited {
            Awaited::Value { searched, .. } => {
                !goes_on(&self.finder, self.held.len() - searched, data)
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

    /// Bytes of the body, when so many of what is held count.
    fn bytes(&self, held: usize) -> usize {
        self.taken + held - FIRST_LINE_END.len()
    }

    /// The body ended before there was a file.
    pub fn ended(self) -> Error {
        malformed()
    }

    fn take(&mut self, bytes: usize) {
        self.held.advance(bytes);
        self.taken += bytes;
    }

    /// Takes a delimiter; whether it is there.
    fn delimiter(&mut self) -> Result<bool> {
        if self.taken == 0 && HEAD_END.starts_with(&self.held) {
            return Ok(false);
        }
        if self.taken == 0 && self.held.starts_with(b"\r\n\r\n") {
            // One line end before the first line is what some clients send.
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

    /// Takes the head of a part, once its headers are all there.
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

    /// Takes the value of a field; whether it is all there.
    fn value(&mut self) -> Result<bool> {
        let Awaited::Value { name, searched } = &mut self.awaited else { return Ok(true) };
        match find(&self.finder, &self.held[*searched..]) {
            Found::At(at) => {
                let length = *searched + at;
                self.fields.add(name, &self.held[..length])?;
                self.take(length);
                self.awaited = Awaited::Delimiter;
                return Ok(true);
            }
            Found::Perhaps(at) => *searched += at,
            Found::No => *searched = self.held.len(),
        }
        Ok(false)
    }

    fn opened(&mut self, file_name: Option<String>) -> Result<Opened> {
        let begun = std::mem::take(&mut self.held).freeze();
        let mut fields = std::mem::take(&mut self.fields);
        let name = file_name.unwrap_or_default();
        // A client that sends a whole path means its last name.
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        fields.put_file_name(name)?;
        Ok(Opened { fields, file: File::new(self.finder.clone()), begun })
    }
}

fn malformed() -> Error {
    ErrorCode::MalformedPOSTRequest.into()
}

fn too_long() -> Error {
    Error::new(ErrorCode::MaxPostPreDataLengthExceededError)
        .field("MaxSizeAllowed", FIELDS_BYTES_MAX.to_string())
}

fn one_file() -> Error {
    let message = "POST requires exactly one file upload per request.";
    Error::argument("file", "0", message)
}
