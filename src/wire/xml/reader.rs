//! [`parse`]: a request's document as a tree of [`Element`].

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::QName;

use super::characters::is_legal;
use crate::wire::error::{Error, ErrorCode, Result};

/// Deepest nesting of elements, with the root.
const DEPTH_MAX: usize = 16;
/// Most elements of a document. 10,000 parts with all their checksums have fewer.
const ELEMENTS_MAX: usize = 100_000;
/// Longest name of an element in bytes, with its prefix.
const NAME_BYTES_MAX: usize = 1 << 10;
/// Most attributes of one element. Each is compared with each.
const ATTRIBUTES_MAX: usize = 32;

/// Element: a leaf with a text, or a parent with children.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Element {
    /// Local name, without a prefix.
    pub name: String,
    /// Text of a leaf, verbatim: a key may begin or end with white space. Empty for a parent.
    pub text: String,
    /// Children, in order.
    pub children: Vec<Element>,
}

impl Element {
    /// First child with this name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children(name).next()
    }
    /// Children with this name, in order.
    pub fn children<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
    /// Text of the first child with this name, verbatim.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
    /// Text without white space around it, for numbers, tags and names.
    pub fn trimmed(&self) -> &str {
        self.text.trim()
    }
}

/// Root element of a document. `root` is its expected local name, in any namespace.
///
/// # Errors
/// MalformedXML for another root, for a document that is not well-formed, and beyond a limit.
pub fn parse(document: &[u8], root: &str) -> Result<Element> {
    let text = std::str::from_utf8(document).map_err(malformed)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let element = TreeBuilder::default().read(text)?;
    if element.name != root {
        return Err(malformed("another root element is expected"));
    }
    Ok(element)
}

fn malformed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorCode::MalformedXML).caused_by(why)
}

/// TreeBuilder under construction: the open elements, the outermost first.
#[derive(Default)]
struct TreeBuilder {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    begun: bool,
}

impl TreeBuilder {
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
            drop_blank_text(parent)?;
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

    /// Adds text as it is in the document. `markup` is false inside CDATA.
    fn text(&mut self, text: &str, markup: bool) -> Result<()> {
        if markup && text.contains("]]>") {
            return Err(malformed("]]> in a text"));
        }
        if !text.chars().all(is_legal) {
            return Err(malformed("a character that XML does not allow"));
        }
        self.append(text)
    }

    /// Adds text whose references are resolved.
    fn append(&mut self, text: &str) -> Result<()> {
        match self.open.last_mut() {
            Some(element) => {
                element.text.push_str(text);
                if element.children.is_empty() { Ok(()) } else { drop_blank_text(element) }
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
        // White space before the declaration is not allowed either.
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

/// Drops white space between children. Other text beside children is refused.
fn drop_blank_text(element: &mut Element) -> Result<()> {
    if !is_blank(&element.text) {
        return Err(malformed("text beside elements"));
    }
    element.text.clear();
    Ok(())
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|c| matches!(c, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Character of a reference. A number may name a character that XML 1.0 does not allow: clients
/// send keys back as the listings have them.
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
    // `from_str_radix` accepts a sign.
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

/// Checks a name without a colon. All letters beyond ASCII are accepted: no name of S3 has any.
fn check_name(name: &str) -> Result<()> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    let further = |c: char| first(c) || c.is_ascii_digit() || c == '-' || c == '.';
    if name.starts_with(first) && name.chars().all(further) {
        return Ok(());
    }
    Err(malformed("not a name"))
}

/// Checks that attributes are well-formed. Their values are ignored: S3 needs only `xsi:type`,
/// which the children of a grantee imply.
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
