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
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::error::{Error, ErrorCode, Result};
pub use file::File;
use headers::Disposition;

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

/// What follows a delimiter: `--` after the last part, a line end after others.
const END_BYTES: usize = 2;

/// Where a delimiter stands in some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// There is none, and none begins in the last bytes.
    No,
    /// From here on there may be one, once more bytes are there.
    Perhaps(usize),
    /// Here.
    At(usize),
}

/// The first whole delimiter in `data`.
fn find(finder: &memmem::Finder<'_>, data: &[u8]) -> Found {
    let delimiter = finder.needle();
    let mut from = 0;
    while let Some(at) = finder.find(&data[from..]).map(|at| from + at) {
        let end = at + delimiter.len();
        match &data[end..data.len().min(end + END_BYTES)] {
            b"--" | b"\r\n" => return Found::At(at),
            b"" | b"-" | b"\r" => return Found::Perhaps(at),
            _ => from = at + 1,
        }
    }
    // A delimiter has one carriage return, its first byte: so the last one there is decides.
    let tail = data.len().saturating_sub(delimiter.len() - 1).max(from);
    match memchr::memrchr(b'\r', &data[tail..]).map(|at| tail + at) {
        Some(at) if delimiter.starts_with(&data[at..]) => Found::Perhaps(at),
        _ => Found::No,
    }
}

/// The first delimiter has no line end before it in the body; held, it is like all others.
const FIRST_LINE_END: &[u8] = b"\r\n";

/// A form up to the first byte of its file.
#[derive(Debug)]
pub struct Opening {
    finder: memmem::Finder<'static>,
    /// What came and is not understood yet; begins with a delimiter.
    held: BytesMut,
    /// Bytes of what was understood.
    taken: usize,
    fields: Fields,
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
        Self { finder, held, taken: 0, fields: Fields::default() }
    }

    /// Takes what comes; gives the form once its file begins.
    ///
    /// # Errors
    /// MalformedPOSTRequest; InvalidArgument for a repeated field and for a form without a file;
    /// MaxPostPreDataLengthExceededError.
    pub fn push(&mut self, data: &[u8]) -> Result<Option<Opened>> {
        self.held.extend_from_slice(data);
        while let Some(part) = self.part()? {
            if self.bytes(part.content) > FIELDS_BYTES_MAX {
                return Err(too_long());
            }
            if part.disposition.name.eq_ignore_ascii_case("file") {
                return self.opened(part).map(Some);
            }
            match find(&self.finder, &self.held[part.content..]) {
                Found::At(length) => {
                    let end = part.content + length;
                    let content = self.held.split_to(end).split_off(part.content);
                    self.taken += end;
                    self.fields.add(&part.disposition.name, &content)?;
                }
                Found::No | Found::Perhaps(_) => break,
            }
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

    /// The part that begins with what is held, once its headers are all there.
    fn part(&mut self) -> Result<Option<Part>> {
        let delimiter = self.finder.needle();
        if self.taken == 0 && b"\r\n\r\n".starts_with(&self.held) {
            return Ok(None);
        }
        if self.taken == 0 && self.held.starts_with(b"\r\n\r\n") {
            // One line end before the first line is what some clients send.
            let _ = self.held.split_to(FIRST_LINE_END.len());
            self.taken = FIRST_LINE_END.len();
        }
        let known = delimiter.len().min(self.held.len());
        if self.held[..known] != delimiter[..known] {
            return Err(malformed());
        }
        let Some(rest) = self.held.get(delimiter.len()..) else { return Ok(None) };
        match rest.get(..END_BYTES) {
            None => return Ok(None),
            Some(b"--") => return Err(one_file()),
            Some(b"\r\n") => {}
            Some(_) => return Err(malformed()),
        }
        let Some(length) = memmem::find(rest, b"\r\n\r\n") else { return Ok(None) };
        let lines = rest.get(END_BYTES..length).ok_or_else(malformed)?;
        let disposition = headers::disposition(lines).ok_or_else(malformed)?;
        let content = delimiter.len() + length + b"\r\n\r\n".len();
        Ok(Some(Part { disposition, content }))
    }

    fn opened(&mut self, part: Part) -> Result<Opened> {
        let begun = self.held.split_off(part.content).freeze();
        let mut fields = std::mem::take(&mut self.fields);
        let name = part.disposition.file_name.unwrap_or_default();
        // A client that sends a whole path means its last name.
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        fields.put_file_name(name)?;
        Ok(Opened { fields, file: File::new(self.finder.clone()), begun })
    }
}

/// A part whose headers are there.
struct Part {
    disposition: Disposition,
    /// Where its content begins in what is held.
    content: usize,
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
