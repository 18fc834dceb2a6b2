//! Reads a request's document into a tree, within limits.

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::QName;

use crate::wire::error::{Error, ErrorCode, Result};

/// Elements inside elements, the root counted.
const DEPTH_MAX: usize = 16;
/// Elements of a document. 10,000 parts with all their checksums stay below it.
const ELEMENTS_MAX: usize = 100_000;
/// Bytes of an element's name, prefix included.
const NAME_BYTES_MAX: usize = 1 << 10;
/// Attributes of one element: they are compared each with each.
const ATTRIBUTES_MAX: usize = 32;

/// An element: either a leaf with a text, or one with children.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Element {
    /// The local name, without a prefix.
    pub name: String,
    /// The text of a leaf, verbatim: keys may begin or end with white space. Empty for others.
    pub text: String,
    /// The elements inside, in order.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children(name).next()
    }
    /// The children of that name, in order.
    pub fn children<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
    /// The text of the first child of that name, verbatim.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
    /// The text without the white space around it: for numbers, tags and names.
    pub fn trimmed(&self) -> &str {
        self.text.trim()
    }
}

/// Reads a document whose root has this local name, in any namespace or none. Anything else, and
/// anything that is not well-formed or exceeds a limit, is MalformedXML.
pub fn parse(document: &[u8], root: &str) -> Result<Element> {
    let text = std::str::from_utf8(document).map_err(malformed)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let element = Tree::default().read(text)?;
    if element.name != root {
        return Err(malformed("another root element is expected"));
    }
    Ok(element)
}

fn malformed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorCode::MalformedXML).caused_by(why)
}

/// The tree as it grows: the open elements, the outermost first.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    begun: bool,
}

impl Tree {
    fn read(mut self, text: &str) -> Result<Element> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().enable_all_checks(true);
        loop {
            match reader.read_event().map_err(malformed)? {
                Event::Start(tag) => self.start(&tag)?,
                Event::End(_) => self.end()?,
                Event::Empty(tag) => {
                    self.start(&tag)?;
                    self.end()?;
                }
                Event::Text(text) => self.text(&text.xml10_content(), true)?,
                Event::CData(text) => {
                    if self.open.is_empty() {
                        return Err(malformed("CDATA outside of the root"));
                    }
                    self.text(&text.xml10_content(), false)?;
                }
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::Decl(declaration) => self.declaration(&declaration)?,
                Event::Comment(_) => {}
                Event::PI(instruction) => check_name(instruction.target())?,
                Event::DocType(_) => return Err(malformed("a DOCTYPE is not allowed")),
                Event::Eof => break,
            }
            self.begun = true;
        }
        match self.root {
            Some(root) if self.open.is_empty() => Ok(root),
            _ => Err(malformed("the document ends too early")),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<()> {
        self.elements += 1;
        if self.root.is_some() {
            return Err(malformed("a second root"));
        }
        if self.elements > ELEMENTS_MAX || self.open.len() >= DEPTH_MAX {
            return Err(malformed("too many elements"));
        }
        check_attributes(tag)?;
        let name = local_name(tag.name())?.to_owned();
        if let Some(parent) = self.open.last_mut() {
            forget_blank(parent)?;
        }
        self.open.push(Element { name, ..Element::default() });
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let element = self.open.pop().ok_or_else(|| malformed("an end without a start"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    /// Text as it stands in the document. `markup` is false inside CDATA.
    fn text(&mut self, text: &str, markup: bool) -> Result<()> {
        if markup && text.contains("]]>") {
            return Err(malformed("]]> in a text"));
        }
        if !text.chars().all(is_legal) {
            return Err(malformed("a character that XML does not allow"));
        }
        self.append(text)
    }

    /// Text once it is resolved.
    fn append(&mut self, text: &str) -> Result<()> {
        match self.open.last_mut() {
            Some(element) => {
                element.text.push_str(text);
                if element.children.is_empty() { Ok(()) } else { forget_blank(element) }
            }
            None if is_blank(text) => Ok(()),
            None => Err(malformed("text outside of the root")),
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<()> {
        if self.open.is_empty() {
            return Err(malformed("a reference outside of the root"));
        }
        let name: &str = reference;
        let c = resolve(name).ok_or_else(|| malformed("an unknown reference"))?;
        self.append(c.encode_utf8(&mut [0; 4]))
    }

    fn declaration(&mut self, declaration: &BytesDecl<'_>) -> Result<()> {
        // White space before it is not allowed either.
        if self.begun {
            return Err(malformed("the declaration is not at the beginning"));
        }
        let version = declaration.version().map_err(malformed)?;
        if !["1.0", "1.1"].contains(&version.as_ref()) {
            return Err(malformed("an unknown version of XML"));
        }
        if let Some(encoding) = declaration.encoding() {
            let encoding = encoding.map_err(malformed)?;
            if !["utf-8", "us-ascii"].iter().any(|e| encoding.eq_ignore_ascii_case(e)) {
                return Err(malformed("the encoding is not UTF-8"));
            }
        }
        Ok(())
    }
}

/// The white space between children is dropped; any other text beside children is refused.
fn forget_blank(element: &mut Element) -> Result<()> {
    if !is_blank(&element.text) {
        return Err(malformed("text beside elements"));
    }
    element.text.clear();
    Ok(())
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|c| matches!(c, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The characters of XML 1.0 that need no reference.
fn is_legal(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// The character that a reference stands for. A number may name what XML 1.0 has no room for:
/// clients echo the keys of our own listings.
fn resolve(name: &str) -> Option<char> {
    let number = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)
}

fn local_name<'a>(name: QName<'a>) -> Result<&'a str> {
    let name: &'a str = name.0;
    if name.len() > NAME_BYTES_MAX {
        return Err(malformed("a name is too long"));
    }
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    };
    if let Some(prefix) = prefix {
        check_name(prefix)?;
    }
    check_name(local)?;
    Ok(local)
}

/// A name without a colon. Beyond ASCII every letter will do: nothing of S3 is named so.
fn check_name(name: &str) -> Result<()> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    let further = |c: char| first(c) || c.is_ascii_digit() || c == '-' || c == '.';
    if name.starts_with(first) && name.chars().all(further) {
        return Ok(());
    }
    Err(malformed("not a name"))
}

/// Attributes mean nothing to S3 (but `xsi:type`, which the grantee's children tell as well), yet
/// they must be well-formed.
fn check_attributes(tag: &BytesStart<'_>) -> Result<()> {
    for (n, attribute) in tag.attributes().enumerate() {
        let attribute = attribute.map_err(malformed)?;
        if n >= ATTRIBUTES_MAX {
            return Err(malformed("too many attributes"));
        }
        local_name(attribute.key)?;
        let value = attribute.value.as_ref();
        if value.contains('<') || !value.chars().all(is_legal) {
            return Err(malformed("a value of an attribute is not allowed"));
        }
        for reference in value.split('&').skip(1) {
            let name = reference.split_once(';').map(|(name, _)| name);
            name.and_then(resolve).ok_or_else(|| malformed("an unknown reference"))?;
        }
    }
    Ok(())
}
