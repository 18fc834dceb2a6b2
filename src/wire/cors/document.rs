//! `CORSConfiguration`: read once, strictly, and written in one canonical form.

use http::header::HeaderName;

use super::{Configuration, METHODS, Rule};
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Error, ErrorCode, Result};

/// Rules of one configuration.
const RULES_MAX: usize = 100;
/// Characters of a rule's name.
const ID_CHARS_MAX: usize = 255;

/// Reads a document.
///
/// # Errors
/// MalformedXML for what S3's schema does not allow, InvalidRequest for what it allows and S3 does
/// not.
pub fn parse(document: &[u8]) -> Result<Configuration> {
    let root = xml::parse(document, "CORSConfiguration")?;
    if root.children.is_empty() || root.children.iter().any(|child| child.name != "CORSRule") {
        return Err(ErrorCode::MalformedXML.into());
    }
    if root.children.len() > RULES_MAX {
        let message = "The number of CORS rules should not exceed allowed limit of 100 rules.";
        return Err(refused(message));
    }
    let rules = root.children.iter().map(rule).collect::<Result<_>>()?;
    Ok(Configuration { rules })
}

fn rule(element: &Element) -> Result<Rule> {
    let mut rule = Rule {
        id: None,
        headers: Vec::new(),
        methods: Vec::new(),
        origins: Vec::new(),
        expose: Vec::new(),
        max_age_seconds: None,
    };
    for child in &element.children {
        let text = child.trimmed().to_owned();
        if !child.children.is_empty() {
            return Err(ErrorCode::MalformedXML.into());
        }
        match child.name.as_str() {
            "ID" if rule.id.is_none() => rule.id = Some(text),
            "AllowedHeader" => rule.headers.push(text),
            "AllowedMethod" => rule.methods.push(text),
            "AllowedOrigin" => rule.origins.push(text),
            "ExposeHeader" => rule.expose.push(text),
            "MaxAgeSeconds" if rule.max_age_seconds.is_none() => {
                rule.max_age_seconds = Some(seconds(&text)?);
            }
            _ => return Err(ErrorCode::MalformedXML.into()),
        }
    }
    check(&rule)?;
    Ok(rule)
}

fn seconds(text: &str) -> Result<u32> {
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    let seconds = digits.then(|| text.parse::<i32>().ok()).flatten();
    seconds.map(i32::unsigned_abs).ok_or_else(|| ErrorCode::MalformedXML.into())
}

fn check(rule: &Rule) -> Result<()> {
    if rule.methods.is_empty() || rule.origins.is_empty() {
        return Err(ErrorCode::MalformedXML.into());
    }
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > ID_CHARS_MAX) {
        return Err(refused(format!("ID must be no longer than {ID_CHARS_MAX} characters.")));
    }
    if let Some(method) = rule.methods.iter().find(|one| !METHODS.contains(&one.as_str())) {
        return Err(refused(format!(
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        )));
    }
    for (name, patterns) in [("AllowedOrigin", &rule.origins), ("AllowedHeader", &rule.headers)] {
        if let Some(one) = patterns.iter().find(|one| one.matches('*').count() > 1) {
            return Err(refused(format!("{name} \"{one}\" can not have more than one wildcard.")));
        }
    }
    for name in &rule.expose {
        if name.contains('*') {
            return Err(refused(format!(
                "ExposeHeader \"{name}\" contains wildcard. We currently do not support wildcard \
                 for ExposeHeader."
            )));
        }
        // It is sent in a header.
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(refused(format!("ExposeHeader \"{name}\" contains invalid character.")));
        }
    }
    Ok(())
}

fn refused(message: impl Into<String>) -> Error {
    Error::because(ErrorCode::InvalidRequest, message)
}

impl Configuration {
    /// The canonical document: the one form that is kept and that GetBucketCors answers.
    pub fn document(&self) -> Vec<u8> {
        let mut xml = Writer::document("CORSConfiguration");
        for rule in &self.rules {
            xml.element("CORSRule", |xml| write(rule, xml));
        }
        xml.finish()
    }
}

fn write(rule: &Rule, xml: &mut Writer) {
    xml.optional("ID", rule.id.as_ref());
    for (name, texts) in [
        ("AllowedHeader", &rule.headers),
        ("AllowedMethod", &rule.methods),
        ("AllowedOrigin", &rule.origins),
        ("ExposeHeader", &rule.expose),
    ] {
        for text in texts {
            xml.text(name, text);
        }
    }
    xml.optional("MaxAgeSeconds", rule.max_age_seconds.map(|seconds| seconds.to_string()));
}
