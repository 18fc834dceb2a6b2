//! Scripts: requests and their expected answers, as data. [`super`] describes the language.

use std::collections::BTreeMap;

use super::digest::{base64, bytes_of, checksum, md5_hex};
use super::gateway::{Gateway, Who};
use super::http::{Answer, Framing, Payload, Request};
use super::xml::Element;

/// Plays a script against a fresh gateway with default settings.
#[track_caller]
pub fn check(script: &str) {
    check_with(&[], script);
}

/// Plays a script against a fresh gateway with these settings, and checks the store afterwards.
#[track_caller]
pub fn check_with(settings: &[(&'static str, &str)], script: &str) {
    let gateway = Gateway::with(settings);
    Script::new(&gateway).run(script);
    gateway.assert_sound();
}

/// A running script, with its variables.
pub struct Script<'a> {
    gateway: &'a Gateway,
    variables: BTreeMap<String, String>,
}

impl<'a> Script<'a> {
    /// A script against this gateway; `$HOST` is its address.
    pub fn new(gateway: &'a Gateway) -> Self {
        let mut script = Self { gateway, variables: BTreeMap::new() };
        script.set("HOST", gateway.host());
        script
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.into(), value.into());
    }

    /// Value of a variable.
    pub fn get(&self, name: &str) -> &str {
        &self.variables[name]
    }

    /// Plays lines.
    #[track_caller]
    pub fn run(&mut self, script: &str) {
        let mut lines: Vec<String> = Vec::new();
        for line in script.lines().map(str::trim) {
            match lines.last_mut() {
                _ if line.is_empty() || line.starts_with('#') => {}
                Some(last) if !begins_request(line) => {
                    last.push_str(if line.starts_with('&') { "" } else { " " });
                    last.push_str(line);
                }
                _ => lines.push(line.to_owned()),
            }
        }
        for line in lines {
            self.play(&line);
        }
    }

    #[track_caller]
    fn play(&mut self, line: &str) {
        let (left, right) = line.split_once(" => ").unwrap_or_else(|| panic!("no => in {line}"));
        let request = self.request(left);
        let answer = self.gateway.send(&request);
        let fail = |why: String| panic!("\n  {line}\n{why}\nanswer: {answer:?}\n");
        let (expected, body) = split_body(right);
        let expected = self.fill(expected, &request.body);
        let mut expected = expected.split(" | ").map(str::trim);
        let mut status = expected.next().unwrap_or_default().split(' ');
        if status.next() != Some(answer.status.to_string().as_str()) {
            fail("the status differs".into());
        }
        if let Some(code) = status.next()
            && answer.code().as_deref() != Some(code)
        {
            fail("the code differs".into());
        }
        for one in expected {
            if let Err(why) = self.expect(one, &answer) {
                fail(why);
            }
        }
        if let Some(body) = body
            && answer.body != literal(&self.fill(body, &request.body))
        {
            fail("the body differs".into());
        }
    }

    /// The request on the left of a line.
    fn request(&self, left: &str) -> Request {
        let (head, body) = split_body(left);
        let body = body.map(|body| literal(&self.fill(body, b""))).unwrap_or_default();
        let head = self.fill(head, &body);
        let mut fields = head.split(" | ").map(str::trim);
        let line = fields.next().unwrap_or_default();
        let (who, line) = match line.split_once(": ") {
            Some((who, line)) => (Who::parse(who).expect("a user of the tests"), line),
            None => (Who::Root, line),
        };
        let (method, target) = line.split_once(' ').expect("a method and a target");
        let mut request = Request::new(method, target.trim()).by(who).body(body);
        if !request.body.is_empty() {
            request.framing = Framing::Length;
        }
        for field in fields {
            let (name, value) = field.split_once(':').expect("a header has a colon");
            match name {
                "x-amz-content-sha256" if value.trim() == "UNSIGNED-PAYLOAD" => {
                    request.payload = Payload::Unsigned;
                }
                "x-amz-content-sha256" => {
                    request.payload = Payload::Literal(value.trim().to_owned());
                }
                _ => request.headers.push((name.into(), value.trim().into())),
            }
        }
        request
    }

    /// Checks one expectation, or sets a variable.
    fn expect(&mut self, expected: &str, answer: &Answer) -> Result<(), String> {
        let root = Element::parse(&answer.body).unwrap_or_default();
        let compare = |what: &str, got: Option<String>, expected: &str| match got {
            Some(got) if matches(&got, expected) => Ok(()),
            got => Err(format!("{what} is {got:?}, expected {expected:?}")),
        };
        if let Some((name, variable)) = expected.split_once(" -> ") {
            let found = root.text_of(name).or_else(|| answer.header(name));
            let value = found.ok_or_else(|| format!("no {name} to take"))?;
            self.variables.insert(variable.to_owned(), value);
            return Ok(());
        }
        if let Some(path) = expected.strip_prefix('!') {
            let found = root.texts(path);
            return if found.is_empty() { Ok(()) } else { Err(format!("{path} is {found:?}")) };
        }
        if let Some(name) = expected.strip_prefix('-') {
            let found = answer.header(name);
            return if found.is_none() { Ok(()) } else { Err(format!("{name} is {found:?}")) };
        }
        let equals = expected.find(" =").unwrap_or(usize::MAX);
        match expected.find(':') {
            Some(colon) if colon < equals => {
                let (name, value) = expected.split_at(colon);
                compare(name, answer.header(name), value[1..].trim())
            }
            _ => {
                let (path, text) =
                    expected.split_once(" =").ok_or_else(|| format!("what is {expected}?"))?;
                let found = root.all(path);
                let texts: Vec<_> = found.iter().map(|element| element.text.as_str()).collect();
                let got = (!found.is_empty()).then(|| texts.join(" "));
                compare(path, got, text.trim())
            }
        }
    }

    /// Inserts variables and digests of the body.
    fn fill(&self, text: &str, body: &[u8]) -> String {
        let mut text = text.to_owned();
        for (name, value) in self.variables.iter().rev() {
            text = text.replace(&format!("${name}"), value);
        }
        let names = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256", "sha512", "md5"];
        for name in names.iter().chain(&["xxhash64", "xxhash3", "xxhash128"]) {
            let mark = format!("{{{name}}}");
            if text.contains(&mark) {
                let value = checksum(name, body).expect("a known algorithm");
                text = text.replace(&mark, &base64(&value));
            }
        }
        text.replace("{md5hex}", &md5_hex(body))
    }
}

fn begins_request(whole: &str) -> bool {
    let line = whole.split_once(": ").filter(|(who, _)| Who::parse(who).is_some());
    let line = line.map_or(whole, |(_, line)| line);
    ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]
        .iter()
        .any(|method| line.strip_prefix(method).is_some_and(|rest| rest.starts_with(' ')))
}

fn split_body(text: &str) -> (&str, Option<&str>) {
    match text.split_once("<<") {
        Some((head, body)) => (head, Some(body.trim())),
        None => (text, None),
    }
}

/// Bytes of a body in a script.
fn literal(text: &str) -> Vec<u8> {
    if !text.starts_with('@') {
        return text.replace("\\r", "\r").replace("\\n", "\n").into_bytes();
    }
    let mut bytes = Vec::new();
    for term in text.split(" + ") {
        let term = term.trim().strip_prefix('@').expect("every term begins with @");
        let (term, slice) = match term.split_once('[') {
            Some((term, slice)) => (term, slice.strip_suffix(']')),
            None => (term, None),
        };
        let (length, seed) = term.split_once(':').unwrap_or((term, "0"));
        let number = |text: &str| text.parse::<usize>().expect("a number");
        let whole = bytes_of(number(length), number(seed) as u64);
        match slice.and_then(|slice| slice.split_once("..")) {
            Some((from, to)) => bytes.extend_from_slice(&whole[number(from)..number(to)]),
            None => bytes.extend(whole),
        }
    }
    bytes
}

/// True if a text equals the expected one, in which `*` stands for anything.
fn matches(text: &str, expected: &str) -> bool {
    let mut pieces = expected.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn the_language_of_scripts() {
    assert!(matches("abc", "abc") && matches("abc", "a*c") && matches("abc", "*"));
    assert!(matches("", "") && matches("", "*") && matches("a/b/c", "a*/c"));
    assert!(!matches("abc", "ab") && !matches("abc", "b*") && !matches("abc", "*b"));
    assert_eq!(literal("a\\r\\nb"), b"a\r\nb");
    assert_eq!(literal("@10[2..4] + @3:7").len(), 5);
    assert_ne!(literal("@10"), literal("@10:1"));
}
