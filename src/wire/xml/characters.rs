//! Classes of characters in XML 1.0.

/// True if XML 1.0 allows the character as it is (section 2.2, `Char`). The others are written as
/// numeric references, see [`super::Writer`].
pub(super) fn is_legal(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// True for a control character other than tab, line feed and carriage return. XML 1.0 forbids
/// such a character or discourages it (U+007F to U+009F), and many parsers refuse both.
pub fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}
