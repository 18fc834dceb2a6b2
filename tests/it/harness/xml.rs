//! A reader of XML documents, independent of the gateway's code.

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Name, without attributes.
    pub name: String,
    /// Text between its tags, if it has no children.
    pub text: String,
    /// Elements directly within it.
    pub children: Vec<Element>,
}

impl Element {
    /// The root of a document; `None` if it is not well-formed.
    pub fn parse(document: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(document).ok()?;
        let text = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        let (root, rest) = element(text.trim_start())?;
        rest.trim().is_empty().then_some(root)
    }

    /// The texts of all elements that end in this path, in order: `Part/ETag`, or `ETag`.
    pub fn texts(&self, path: &str) -> Vec<String> {
        self.all(path).into_iter().map(|element| element.text.clone()).collect()
    }

    /// All elements that end in this path, in order.
    pub fn all(&self, path: &str) -> Vec<&Self> {
        let wanted: Vec<&str> = path.split('/').collect();
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), &wanted, &mut found);
        found
    }

    /// The text of the first element that ends in this path.
    pub fn text_of(&self, path: &str) -> Option<String> {
        self.texts(path).into_iter().next()
    }

    fn walk<'a>(&'a self, open: &mut Vec<&'a str>, wanted: &[&str], found: &mut Vec<&'a Self>) {
        open.push(&self.name);
        if open.ends_with(wanted) {
            found.push(self);
        }
        for child in &self.children {
            child.walk(open, wanted, found);
        }
        open.pop();
    }
}

fn element(text: &str) -> Option<(Element, &str)> {
    let (tag, mut rest) = text.strip_prefix('<')?.split_once('>')?;
    let empty = tag.ends_with('/');
    let name = tag.trim_end_matches('/').split(' ').next()?.to_owned();
    let mut element_ = Element { name, ..Element::default() };
    if empty {
        return Some((element_, rest));
    }
    loop {
        let (before, _) = rest.split_once('<')?;
        element_.text.push_str(&unescape(before)?);
        rest = &rest[before.len()..];
        if let Some(end) = rest.strip_prefix("</") {
            let (name, rest) = end.split_once('>')?;
            return (name == element_.name).then_some((element_, rest));
        }
        let (child, after) = element(rest)?;
        element_.children.push(child);
        rest = after;
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut pieces = text.split('&');
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once(';')?;
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix("#x")?;
                char::from_u32(u32::from_str_radix(number, 16).ok()?)?
            }
        });
        out.push_str(rest);
    }
    Some(out)
}
