//! XML document `CORSConfiguration`: a strict parser and a canonical writer.

use http::header::HeaderName;

use super::configuration::{CorsConfiguration, CorsRule, METHODS};
use crate::types::decimal;
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Error, ErrorCode, Result};

/// Most rules of a bucket, as on S3.
const CORS_RULES_MAX: usize = 100;
/// Longest id of a rule in characters, as on S3.
const ID_CHARS_MAX: usize = 255;

/// Configuration from a document.
///
/// # Errors
/// MalformedXML for what the schema of S3 forbids; InvalidRequest for what only S3 itself forbids.
pub fn parse(document: &[u8]) -> Result<CorsConfiguration> {
    let root = xml::parse(document, "CORSConfiguration")?;
    if root.children.is_empty() || root.children.iter().any(|child| child.name != "CORSRule") {
        return Err(ErrorCode::MalformedXML.into());
    }
    if root.children.len() > CORS_RULES_MAX {
        let message = "The number of CORS rules should not exceed allowed limit of 100 rules.";
        return Err(refused(message));
    }
    let rules = root.children.iter().map(rule).collect::<Result<_>>()?;
    Ok(CorsConfiguration { rules })
}

fn rule(element: &Element) -> Result<CorsRule> {
    let mut rule = CorsRule {
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
    let seconds = decimal::parse::<i32>(text).map(i32::unsigned_abs);
    seconds.ok_or_else(|| ErrorCode::MalformedXML.into())
}

fn check(rule: &CorsRule) -> Result<()> {
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
        // Names are sent in a header.
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(refused(format!("ExposeHeader \"{name}\" contains invalid character.")));
        }
    }
    Ok(())
}

fn refused(message: impl Into<String>) -> Error {
    Error::because(ErrorCode::InvalidRequest, message)
}

impl CorsConfiguration {
    /// Canonical document, which is stored and which GetBucketCors answers.
    pub fn document(&self) -> Vec<u8> {
        let mut xml = Writer::document("CORSConfiguration");
        for rule in &self.rules {
            xml.element("CORSRule", |xml| write(rule, xml));
        }
        xml.finish()
    }
}

fn write(rule: &CorsRule, xml: &mut Writer) {
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
