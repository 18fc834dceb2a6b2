//! XML document NotificationConfiguration, which [`NotificationRules`] represents.
//!
//! An ARN names a target: `arn:partita:sqs:<region>:<name>:webhook`. `minio` in place of `partita`
//! is accepted, so that MinIO's tools work. Rules for queues and for topics work the same.

use crate::events::rules::{FILTER_LENGTH_MAX, ID_LENGTH_MAX};
use crate::events::{NotificationRule, NotificationRuleError, NotificationRules, RuleKind};
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Error, ErrorCode, Head, Result};

/// Root element of the document.
pub const ROOT: &str = "NotificationConfiguration";

/// Elements of rules, each with the element of its ARN.
const ELEMENTS: [(RuleKind, &str, &str); 2] = [
    (RuleKind::Queue, "QueueConfiguration", "Queue"),
    (RuleKind::Topic, "TopicConfiguration", "Topic"),
];
/// Elements of S3 that this server does not implement.
const NOT_IMPLEMENTED: [&str; 3] =
    ["CloudFunctionConfiguration", "LambdaFunctionConfiguration", "EventBridgeConfiguration"];

/// Targets that a rule can name.
pub struct NotificationTargets<'a> {
    /// Region of this server.
    pub region: &'a str,
    /// Refuse an ARN of another region.
    pub region_strict: bool,
    /// Names of the targets in the configuration file.
    pub names: Vec<&'a str>,
}

/// Rules from a document. A rule without an Id gets one of `random` and its position.
///
/// # Errors
/// MalformedXML; NotImplemented for functions, EventBridge and events that this server never emits;
/// InvalidArgument for unknown targets and events, invalid filters and rules that overlap.
pub fn read(
    document: &[u8],
    targets: &NotificationTargets<'_>,
    random: [u8; 16],
) -> Result<NotificationRules> {
    let root = xml::parse(document, ROOT)?;
    let mut rules = Vec::new();
    for element in &root.children {
        if NOT_IMPLEMENTED.contains(&element.name.as_str()) {
            let message = format!("{} is not implemented: use a webhook.", element.name);
            return Err(Error::because(ErrorCode::NotImplemented, message));
        }
        let known = ELEMENTS.iter().find(|(_, name, _)| *name == element.name);
        let (kind, _, target) = known.ok_or(ErrorCode::MalformedXML)?;
        // Each rule takes the next of the numbers that start with the random one.
        let number = u128::from_be_bytes(random).wrapping_add(rules.len() as u128);
        let own_id = uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid().to_string();
        rules.push(read_rule(element, *kind, target, targets, own_id)?);
    }
    NotificationRules::new(rules).map_err(refused)
}

fn read_rule(
    element: &Element,
    kind: RuleKind,
    target: &str,
    targets: &NotificationTargets<'_>,
    own_id: String,
) -> Result<NotificationRule> {
    let arn = element.child(target).ok_or(ErrorCode::MalformedXML)?.trimmed();
    let id = match element.child("Id").map(|id| id.text.as_str()).unwrap_or_default() {
        "" => own_id,
        id if id.len() > ID_LENGTH_MAX => {
            let message = format!("The Id must not exceed {ID_LENGTH_MAX} characters.");
            return Err(Error::argument("Id", id, message));
        }
        id => id.to_owned(),
    };
    let events = element.children("Event").map(|event| event.trimmed().to_owned()).collect();
    let (prefix, suffix) = match element.child("Filter") {
        Some(filter) => read_filter(filter)?,
        None => (None, None),
    };
    Ok(NotificationRule {
        id,
        kind,
        arn: arn.to_owned(),
        target: target_of(arn, targets)?,
        events,
        prefix,
        suffix,
    })
}

type KeyFilter = (Option<String>, Option<String>);

fn read_filter(filter: &Element) -> Result<KeyFilter> {
    let (mut prefix, mut suffix) = (None, None);
    let rules = filter.children("S3Key").flat_map(|key| key.children("FilterRule"));
    for rule in rules {
        let name = rule.child("Name").ok_or(ErrorCode::MalformedXML)?.trimmed();
        let value = rule.child("Value").ok_or(ErrorCode::MalformedXML)?.text.clone();
        let place = match name.to_ascii_lowercase().as_str() {
            "prefix" => &mut prefix,
            "suffix" => &mut suffix,
            _ => {
                let message = "filter rule name must be either prefix or suffix";
                return Err(Error::argument("FilterRule.Name", name, message));
            }
        };
        if place.is_some() {
            let message = format!("Cannot specify more than one {name} rule in a filter.");
            return Err(Error::argument("FilterRule.Name", name, message));
        }
        if value.len() > FILTER_LENGTH_MAX {
            let message = format!(
                "Size of filter rule value cannot exceed {FILTER_LENGTH_MAX} bytes in UTF-8 \
                 representation"
            );
            return Err(Error::argument("FilterRule.Value", &value, message));
        }
        *place = Some(value);
    }
    Ok((prefix, suffix))
}

/// Name of the target in the configuration file.
fn target_of(arn: &str, targets: &NotificationTargets<'_>) -> Result<String> {
    let parts: Vec<&str> = arn.split(':').collect();
    let (region, name) = match parts[..] {
        ["arn", "partita" | "minio", "sqs" | "sns", region, name, "webhook"] => (region, name),
        _ => return Err(Error::argument("ARN", arn, "The ARN is not well formed")),
    };
    let ours = region.is_empty() || region == targets.region || !targets.region_strict;
    if ours && targets.names.contains(&name) {
        return Ok(name.to_owned());
    }
    let message = "Unable to validate the following destination configurations";
    Err(Error::argument(arn, "The destination does not exist", message))
}

fn refused(error: NotificationRuleError) -> Error {
    match error {
        NotificationRuleError::TooMany => Error::because(
            ErrorCode::InvalidArgument,
            "The notification configuration has more than 100 rules.",
        ),
        NotificationRuleError::SameId(id) => {
            let message = "Same ID used for multiple configurations. IDs must be unique";
            Error::argument("Id", &id, message)
        }
        NotificationRuleError::NoEvent => ErrorCode::MalformedXML.into(),
        NotificationRuleError::UnknownEvent(event) => {
            Error::argument("Event", &event, "The event is not supported for notifications")
        }
        NotificationRuleError::NotImplemented(event) => Error::because(
            ErrorCode::NotImplemented,
            format!("The event {event} is not implemented: this server never sends it."),
        ),
        NotificationRuleError::Overlap => Error::because(
            ErrorCode::InvalidArgument,
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules \
             if the prefixes are overlapping for the same event type.",
        ),
    }
}

/// Document of an answer.
pub fn write(rules: &NotificationRules) -> Vec<u8> {
    let mut xml = Writer::document(ROOT);
    for rule in rules.iter() {
        let known = ELEMENTS.iter().find(|(kind, ..)| *kind == rule.kind);
        let (_, element, target) = known.expect("each kind has its element");
        xml.element(element, |xml| {
            xml.text("Id", &rule.id);
            xml.text(target, &rule.arn);
            for event in &rule.events {
                xml.text("Event", event);
            }
            write_filter(xml, rule);
        });
    }
    xml.finish()
}

fn write_filter(xml: &mut Writer, rule: &NotificationRule) {
    let filters = [("prefix", &rule.prefix), ("suffix", &rule.suffix)];
    if filters.iter().all(|(_, value)| value.is_none()) {
        return;
    }
    xml.element("Filter", |xml| {
        xml.element("S3Key", |xml| {
            for (name, value) in filters {
                let Some(value) = value else { continue };
                xml.element("FilterRule", |xml| {
                    xml.text("Name", name);
                    xml.text("Value", value);
                });
            }
        });
    });
}

/// True if the request asks for no test event.
pub fn skips_test(head: &Head) -> Result<bool> {
    let header = head.header_or_query("x-amz-skip-destination-validation")?;
    Ok(header.is_some_and(|value| value.eq_ignore_ascii_case("true")))
}
