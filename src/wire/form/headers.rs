//! Headers of a part of a form: `Content-Disposition` and its parameters (RFC 7578, section 4.2).

/// `Content-Disposition` of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Disposition {
    /// Name of the field.
    pub(super) name: String,
    /// Name of the file.
    pub(super) file_name: Option<String>,
}

/// Transfer encodings that leave the bytes unchanged. Browsers send no encoding. With another one
/// the stored bytes would not be the content that was meant.
const PLAIN_CODINGS: [&str; 3] = ["7bit", "8bit", "binary"];

/// Most header lines of a part. Browsers send two.
const LINES_MAX: usize = 8;
/// Most parameters of a header. Browsers send two. Each is compared with those before it.
const PARAMETERS_MAX: usize = 8;

/// `Content-Disposition` in the header lines of a part. `None` if the headers are not valid for a
/// form.
pub(super) fn disposition(lines: &[u8]) -> Option<Disposition> {
    let text = std::str::from_utf8(lines).ok()?;
    let mut found = None;
    for (index, line) in text.split("\r\n").enumerate() {
        if index == LINES_MAX {
            return None;
        }
        let (name, rest) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-disposition") {
            let (kind, parameters) = value(rest)?;
            if !kind.eq_ignore_ascii_case("form-data") || found.is_some() {
                return None;
            }
            let parameter = |name: &str| {
                parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
            };
            let name = parameter("name").filter(|name| !name.is_empty())?;
            found = Some(Disposition { name, file_name: parameter("filename") });
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            let coding = rest.trim();
            PLAIN_CODINGS.iter().find(|plain| coding.eq_ignore_ascii_case(plain))?;
        }
    }
    found
}

/// Value of a header and its parameters, with lower-case names. `None` if it is malformed, repeats
/// a parameter or has too many.
pub(super) fn value(text: &str) -> Option<(&str, Vec<(String, String)>)> {
    let end = text.find(';').unwrap_or(text.len());
    let (kind, mut rest) = text.split_at(end);
    let mut parameters: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some((kind.trim(), parameters));
        }
        rest = rest.strip_prefix(';')?.trim_start();
        if rest.is_empty() {
            continue;
        }
        if parameters.len() == PARAMETERS_MAX {
            return None;
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let token = |c: u8| c.is_ascii_alphanumeric() || b"-_*.".contains(&c);
        if !name.bytes().all(token) || parameters.iter().any(|(n, _)| *n == name) {
            return None;
        }
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim_end().to_owned(), &after[end..])
            }
        };
        parameters.push((name, value));
        rest = left;
    }
}

/// Content of a quoted string, and the text after it. A backslash escapes only a quote and itself,
/// because browsers on Windows send paths with backslashes.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => {
                let quoted = chars.next_if(|(_, next)| matches!(next, '"' | '\\'));
                value.push(quoted.map_or('\\', |(_, next)| next));
            }
            _ => value.push(c),
        }
    }
    None
}
