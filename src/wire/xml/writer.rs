//! [`Writer`]: an XML document, written element by element into one buffer.

use std::fmt::{self, Display, Write as _};

/// Namespace of S3's documents.
pub const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// XML declaration of every document. A deferred answer sends it before the rest.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Document in progress. Names of elements and attributes are constants of the program. Every value
/// is escaped.
pub struct Writer {
    buffer: String,
    root: String,
}

impl Writer {
    /// Document whose root has S3's namespace.
    pub fn document(root: &str) -> Self {
        let mut this = Self { buffer: DECLARATION.to_owned(), root: root.to_owned() };
        this.open(root, &[("xmlns", NAMESPACE)]);
        this
    }
    /// Document without a namespace, for errors.
    pub fn bare(root: &str) -> Self {
        let mut this = Self { buffer: DECLARATION.to_owned(), root: root.to_owned() };
        this.open(root, &[]);
        this
    }
    /// Adds an element with a text.
    pub fn text(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        self.element(name, |w| {
            w.content(value);
        })
    }
    /// Adds an element with a value that is not a string: a number, an id, a tag.
    pub fn display(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.element(name, |w| {
            write!(EscapedContent(w), "{value}").expect("there is always room in a buffer");
        })
    }
    /// Adds an element with a value that needs no escaping: a constant, a date, a number. Debug
    /// builds assert it. A listing has thousands of them.
    pub fn word(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name, &[]);
        self.plain(value);
        self.close(name);
        self
    }
    /// Same as [`Self::word`], in quotation marks: an entity tag.
    pub fn quoted(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name, &[]);
        self.buffer.push_str("&quot;");
        self.plain(value);
        self.buffer.push_str("&quot;");
        self.close(name);
        self
    }
    /// Same as [`Self::text`], if there is a text.
    pub fn optional(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }
    /// Adds an element with the content that `write` adds.
    pub fn element(&mut self, name: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.element_with(name, &[], write)
    }
    /// Adds an element with attributes and the content that `write` adds.
    pub fn element_with(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        write: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.open(name, attributes);
        write(self);
        self.close(name);
        self
    }
    /// Adds text to the open element: `<LocationConstraint>eu-west-1</LocationConstraint>`.
    pub fn content(&mut self, value: impl AsRef<str>) -> &mut Self {
        self.escape(value.as_ref(), false);
        self
    }
    /// The complete document.
    pub fn finish(mut self) -> Vec<u8> {
        let root = std::mem::take(&mut self.root);
        self.close(&root);
        self.buffer.into_bytes()
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.buffer.push('<');
        self.buffer.push_str(name);
        for (name, value) in attributes {
            self.buffer.push(' ');
            self.buffer.push_str(name);
            self.buffer.push_str("=\"");
            self.escape(value, true);
            self.buffer.push('"');
        }
        self.buffer.push('>');
    }

    fn close(&mut self, name: &str) {
        self.buffer.push_str("</");
        self.buffer.push_str(name);
        self.buffer.push('>');
    }

    fn plain(&mut self, value: impl Display) {
        let start = self.buffer.len();
        write!(self.buffer, "{value}").expect("there is always room in a buffer");
        debug_assert_eq!(position_of_reference(&self.buffer.as_bytes()[start..]), None);
    }

    /// Appends a value, escaped. Parsers normalize white space in attributes and line ends in
    /// texts, so these become references.
    fn escape(&mut self, mut value: &str, attribute: bool) {
        // Nearly all bytes need no escaping, so whole stretches are copied.
        while let Some(at) = position_of_reference(value.as_bytes()) {
            let (plain, rest) = value.split_at(at);
            self.buffer.push_str(plain);
            let mut rest = rest.chars();
            if let Some(c) = rest.next() {
                self.escape_char(c, attribute);
            }
            value = rest.as_str();
        }
        self.buffer.push_str(value);
    }

    fn escape_char(&mut self, c: char, attribute: bool) {
        match c {
            '&' => self.buffer.push_str("&amp;"),
            '<' => self.buffer.push_str("&lt;"),
            '>' => self.buffer.push_str("&gt;"),
            '"' => self.buffer.push_str("&quot;"),
            '\'' if attribute => self.buffer.push_str("&apos;"),
            '\t' | '\n' if !attribute => self.buffer.push(c),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                self.buffer.push_str(&format!("&#x{:x};", u32::from(c)));
            }
            c => self.buffer.push(c),
        }
    }
}

/// Adapter that escapes the output of `Display`.
struct EscapedContent<'a>(&'a mut Writer);

impl fmt::Write for EscapedContent<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.content(text);
        Ok(())
    }
}

/// Offset of the first byte that may need a reference.
fn position_of_reference(bytes: &[u8]) -> Option<usize> {
    // A table look-up without a branch for each byte takes less than half the time of comparisons.
    const BLOCK: usize = 16;
    let needs = |byte: &u8| MAY_NEED_REFERENCE[usize::from(*byte)];
    let is_plain = |block: &&[u8; BLOCK]| !block.iter().fold(false, |any, byte| any | needs(byte));
    let (blocks, _) = bytes.as_chunks();
    let plain = blocks.iter().take_while(is_plain).count() * BLOCK;
    let at = bytes[plain..].iter().position(needs)?;
    Some(plain + at)
}

/// True for a byte whose character may need a reference. 0xEF begins U+FFFE and U+FFFF, which XML
/// does not allow.
const MAY_NEED_REFERENCE: [bool; 256] = {
    let mut table = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = true;
        control += 1;
    }
    let mut special: &[u8] = b"&<>\"'\xef";
    while let [first, rest @ ..] = special {
        table[*first as usize] = true;
        special = rest;
    }
    table
};
