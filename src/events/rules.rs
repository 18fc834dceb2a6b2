//! [`NotificationRules`]: the rules of a bucket, which map events to targets.
//!
//! **Invariant:** no two rules of a bucket match the same event, so an event is at most one row of
//! the outbox. AWS has the same condition. [`NotificationRules::new`] checks it.

use serde::{Deserialize, Serialize};

use super::names::{EventName, EventSet, PatternError};

/// Most rules of a bucket, as on S3.
pub const NOTIFICATION_RULES_MAX: usize = 100;
/// Longest id of a rule in bytes, as on S3.
pub const ID_LENGTH_MAX: usize = 255;
/// Longest prefix or suffix in bytes, as on S3.
pub const FILTER_LENGTH_MAX: usize = 1024;

/// Element of the document in which a rule was given. Both work the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // S3's own words.
pub enum RuleKind {
    Queue,
    Topic,
}

/// Rule as the client gave it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NotificationRule {
    /// Id, unique in the bucket.
    pub id: String,
    /// Element of the document.
    pub kind: RuleKind,
    /// ARN of the target as the client wrote it.
    pub arn: String,
    /// Name of the target in the configuration file.
    pub target: String,
    /// Patterns of event names as the client wrote them.
    pub events: Vec<String>,
    /// Prefix that the key must have.
    pub prefix: Option<String>,
    /// Suffix that the key must have.
    pub suffix: Option<String>,
}

/// Reason why rules are refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotificationRuleError {
    /// More than [`NOTIFICATION_RULES_MAX`].
    TooMany,
    /// The id of two rules.
    SameId(String),
    /// A rule has no event.
    NoEvent,
    /// A pattern with an unknown name.
    UnknownEvent(String),
    /// A pattern with an event that this server never emits.
    NotImplemented(String),
    /// Two rules match the same event.
    Overlap,
}

/// Rule with the events that its patterns select.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Compiled {
    rule: NotificationRule,
    selection: EventSet,
}

impl Compiled {
    fn new(rule: NotificationRule) -> Result<Self, NotificationRuleError> {
        let mut selection = EventSet::default();
        for pattern in &rule.events {
            let parsed = EventSet::parse(pattern).map_err(|error| match error {
                PatternError::Unknown => NotificationRuleError::UnknownEvent(pattern.clone()),
                PatternError::NotImplemented => {
                    NotificationRuleError::NotImplemented(pattern.clone())
                }
            })?;
            selection = selection.union(parsed);
        }
        match rule.events.is_empty() {
            true => Err(NotificationRuleError::NoEvent),
            false => Ok(Self { rule, selection }),
        }
    }

    fn matches(&self, event: EventName, key: &str) -> bool {
        let (prefix, suffix) = self.filter();
        self.selection.contains(event) && key.starts_with(prefix) && key.ends_with(suffix)
    }

    fn filter(&self) -> (&str, &str) {
        let NotificationRule { prefix, suffix, .. } = &self.rule;
        (prefix.as_deref().unwrap_or_default(), suffix.as_deref().unwrap_or_default())
    }

    /// True if an event and a key exist that match both rules.
    fn overlaps(&self, other: &Self) -> bool {
        let ((prefix, suffix), (other_prefix, other_suffix)) = (self.filter(), other.filter());
        let begin_alike = prefix.starts_with(other_prefix) || other_prefix.starts_with(prefix);
        let end_alike = suffix.ends_with(other_suffix) || other_suffix.ends_with(suffix);
        self.selection.meets(other.selection) && begin_alike && end_alike
    }
}

/// Valid rules of a bucket.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NotificationRules {
    rules: Vec<Compiled>,
    /// Union of the events of all rules. Most events fail this test alone.
    selection: EventSet,
}

impl NotificationRules {
    /// Rules, if each is valid and no two match the same event.
    ///
    /// # Errors
    /// [`NotificationRuleError`].
    pub fn new(rules: Vec<NotificationRule>) -> Result<Self, NotificationRuleError> {
        if rules.len() > NOTIFICATION_RULES_MAX {
            return Err(NotificationRuleError::TooMany);
        }
        let rules: Vec<Compiled> =
            rules.into_iter().map(Compiled::new).collect::<Result<_, _>>()?;
        for (index, one) in rules.iter().enumerate() {
            for other in &rules[..index] {
                if one.rule.id == other.rule.id {
                    return Err(NotificationRuleError::SameId(one.rule.id.clone()));
                }
                if one.overlaps(other) {
                    return Err(NotificationRuleError::Overlap);
                }
            }
        }
        let selection = rules.iter().fold(EventSet::default(), |all, c| all.union(c.selection));
        Ok(Self { rules, selection })
    }

    /// Rules, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = &NotificationRule> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// True if there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule that matches an event on a key.
    pub fn find(&self, event: EventName, key: &str) -> Option<&NotificationRule> {
        if !self.selection.contains(event) {
            return None;
        }
        let found = self.rules.iter().find(|compiled| compiled.matches(event, key));
        found.map(|compiled| &compiled.rule)
    }

    /// Bytes for the database: JSON.
    pub fn encode(&self) -> Vec<u8> {
        let rules: Vec<&NotificationRule> = self.iter().collect();
        serde_json::to_vec(&rules).expect("rules are texts")
    }

    /// Rules from the bytes of [`Self::encode`]. `None` for other bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::new(serde_json::from_slice(bytes).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, events: &[&str], prefix: &str, suffix: &str) -> NotificationRule {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        NotificationRule {
            id: id.into(),
            kind: RuleKind::Queue,
            arn: "arn:partita:sqs::app:webhook".into(),
            target: "app".into(),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            prefix: text(prefix),
            suffix: text(suffix),
        }
    }

    const PUT: &[&str] = &["s3:ObjectCreated:Put"];
    const CREATED: &[&str] = &["s3:ObjectCreated:*"];
    const REMOVED: &[&str] = &["s3:ObjectRemoved:*"];

    #[test]
    fn a_rule_matches_by_event_prefix_and_suffix() {
        let rules = NotificationRules::new(vec![
            rule("a", CREATED, "images/", ".jpg"),
            rule("b", REMOVED, "", ""),
            rule("c", PUT, "", ".txt"),
        ])
        .unwrap();
        let found = |event, key| rules.find(event, key).map(|rule| rule.id.as_str());
        use EventName as E;
        for (event, key, id) in [
            (E::ObjectCreatedPut, "images/a.jpg", Some("a")),
            (E::ObjectCreatedComplete, "images/a.jpg", Some("a")),
            (E::ObjectCreatedPut, "images/a.JPG", None),
            (E::ObjectCreatedPut, "Images/a.jpg", None),
            (E::ObjectCreatedPut, "a.txt", Some("c")),
            (E::ObjectCreatedPut, ".txt", Some("c")),
            (E::ObjectCreatedCopy, "a.txt", None),
            (E::ObjectRemovedDelete, "x", Some("b")),
            (E::UploadCreated, "images/a.jpg", None),
        ] {
            assert_eq!(found(event, key), id, "{event} {key}");
        }
        let again = NotificationRules::decode(&rules.encode()).unwrap();
        assert_eq!(again, rules);
        assert_eq!(NotificationRules::decode(b"{}"), None);
        assert!(NotificationRules::default().find(E::ObjectCreatedPut, "k").is_none());
    }

    #[test]
    fn rules_must_not_match_the_same_event() {
        for (one, other, overlap) in [
            (rule("a", PUT, "", ""), rule("b", PUT, "", ""), true),
            (rule("a", PUT, "", ""), rule("b", CREATED, "x", "y"), true),
            (rule("a", PUT, "", ""), rule("b", REMOVED, "", ""), false),
            (rule("a", PUT, "images/", ""), rule("b", PUT, "logs/", ""), false),
            (rule("a", PUT, "images/", ""), rule("b", PUT, "images/2", ""), true),
            (rule("a", PUT, "", ".jpg"), rule("b", PUT, "", ".png"), false),
            (rule("a", PUT, "", ".jpg"), rule("b", PUT, "", "g"), true),
            (rule("a", PUT, "images/", ".jpg"), rule("b", PUT, "images/", ".png"), false),
            (rule("a", PUT, "a", ".jpg"), rule("b", PUT, "", ".jpg"), true),
        ] {
            let made = NotificationRules::new(vec![one.clone(), other.clone()]);
            assert_eq!(made == Err(NotificationRuleError::Overlap), overlap, "{one:?} {other:?}");
        }
    }

    #[test]
    fn other_faults_have_their_names() {
        let same = vec![rule("a", PUT, "", ""), rule("a", REMOVED, "", "")];
        assert_eq!(NotificationRules::new(same), Err(NotificationRuleError::SameId("a".into())));
        assert_eq!(
            NotificationRules::new(vec![rule("a", &[], "", "")]),
            Err(NotificationRuleError::NoEvent)
        );
        let unknown = NotificationRules::new(vec![rule("a", &["s3:Nothing"], "", "")]);
        assert_eq!(unknown, Err(NotificationRuleError::UnknownEvent("s3:Nothing".into())));
        let many: Vec<NotificationRule> = (0..=NOTIFICATION_RULES_MAX)
            .map(|n| rule(&n.to_string(), PUT, &format!("{n:04}"), ""))
            .collect();
        assert_eq!(NotificationRules::new(many.clone()), Err(NotificationRuleError::TooMany));
        assert!(NotificationRules::new(many[..NOTIFICATION_RULES_MAX].to_vec()).is_ok());
    }
}
