//! The rules of a bucket: which events go to which target.
//!
//! **Invariant:** no two rules of [`Rules`] match the same event, so an event is one row of the
//! outbox at most. It is AWS's own condition, checked in [`Rules::new`].

use serde::{Deserialize, Serialize};

use super::names::{EventName, PatternError, Selection};

/// Most rules of one bucket (S3: 100).
pub const RULES_MAX: usize = 100;
/// Longest id of a rule (S3: 255).
pub const ID_LENGTH_MAX: usize = 255;
/// Longest prefix or suffix (S3: 1,024).
pub const FILTER_LENGTH_MAX: usize = 1024;

/// Which element of the document a rule stood in. Both are served alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // S3's own words.
pub enum Kind {
    Queue,
    Topic,
}

/// One rule, as it was put.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// Unique in the bucket.
    pub id: String,
    /// Its element.
    pub kind: Kind,
    /// The target as the client spelt it.
    pub arn: String,
    /// The target's name in the configuration.
    pub target: String,
    /// The patterns of events, as they were put.
    pub events: Vec<String>,
    /// What the key must begin with.
    pub prefix: Option<String>,
    /// What the key must end with.
    pub suffix: Option<String>,
}

/// Why rules are refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RuleError {
    /// More than [`RULES_MAX`].
    TooMany,
    /// Two rules have this id.
    SameId(String),
    /// A rule without an event.
    NoEvent,
    /// The pattern names nothing that is known.
    UnknownEvent(String),
    /// The pattern names events that never happen here.
    NotImplemented(String),
    /// Two rules match the same event.
    Overlap,
}

/// A rule, and what its patterns stand for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Compiled {
    rule: Rule,
    selection: Selection,
}

impl Compiled {
    fn new(rule: Rule) -> Result<Self, RuleError> {
        let mut selection = Selection::default();
        for pattern in &rule.events {
            let parsed = Selection::parse(pattern).map_err(|error| match error {
                PatternError::Unknown => RuleError::UnknownEvent(pattern.clone()),
                PatternError::NotImplemented => RuleError::NotImplemented(pattern.clone()),
            })?;
            selection = selection.union(parsed);
        }
        match rule.events.is_empty() {
            true => Err(RuleError::NoEvent),
            false => Ok(Self { rule, selection }),
        }
    }

    fn matches(&self, event: EventName, key: &str) -> bool {
        let (prefix, suffix) = self.filter();
        self.selection.contains(event) && key.starts_with(prefix) && key.ends_with(suffix)
    }

    fn filter(&self) -> (&str, &str) {
        let Rule { prefix, suffix, .. } = &self.rule;
        (prefix.as_deref().unwrap_or_default(), suffix.as_deref().unwrap_or_default())
    }

    /// Whether some event on some key could match both.
    fn overlaps(&self, other: &Self) -> bool {
        let ((prefix, suffix), (other_prefix, other_suffix)) = (self.filter(), other.filter());
        let begin_alike = prefix.starts_with(other_prefix) || other_prefix.starts_with(prefix);
        let end_alike = suffix.ends_with(other_suffix) || other_suffix.ends_with(suffix);
        self.selection.meets(other.selection) && begin_alike && end_alike
    }
}

/// All rules of a bucket, checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    rules: Vec<Compiled>,
    /// The events that any rule wants: most are refused by this alone.
    selection: Selection,
}

impl Rules {
    /// Checks that each rule is one, and that no two match the same event.
    pub fn new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        if rules.len() > RULES_MAX {
            return Err(RuleError::TooMany);
        }
        let rules: Vec<Compiled> =
            rules.into_iter().map(Compiled::new).collect::<Result<_, _>>()?;
        for (index, one) in rules.iter().enumerate() {
            for other in &rules[..index] {
                if one.rule.id == other.rule.id {
                    return Err(RuleError::SameId(one.rule.id.clone()));
                }
                if one.overlaps(other) {
                    return Err(RuleError::Overlap);
                }
            }
        }
        let selection = rules.iter().fold(Selection::default(), |all, c| all.union(c.selection));
        Ok(Self { rules, selection })
    }

    /// The rules, in the order in which they were put.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule that matches.
    pub fn find(&self, event: EventName, key: &str) -> Option<&Rule> {
        if !self.selection.contains(event) {
            return None;
        }
        let found = self.rules.iter().find(|compiled| compiled.matches(event, key));
        found.map(|compiled| &compiled.rule)
    }

    /// The bytes that the store keeps.
    pub fn encode(&self) -> Vec<u8> {
        let rules: Vec<&Rule> = self.iter().collect();
        serde_json::to_vec(&rules).expect("rules are texts")
    }

    /// What [`Self::encode`] wrote; `None` when it is something else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::new(serde_json::from_slice(bytes).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, events: &[&str], prefix: &str, suffix: &str) -> Rule {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Rule {
            id: id.into(),
            kind: Kind::Queue,
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
        let rules = Rules::new(vec![
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
        let again = Rules::decode(&rules.encode()).unwrap();
        assert_eq!(again, rules);
        assert_eq!(Rules::decode(b"{}"), None);
        assert!(Rules::default().find(E::ObjectCreatedPut, "k").is_none());
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
            let made = Rules::new(vec![one.clone(), other.clone()]);
            assert_eq!(made == Err(RuleError::Overlap), overlap, "{one:?} {other:?}");
        }
    }

    #[test]
    fn other_faults_have_their_names() {
        let same = vec![rule("a", PUT, "", ""), rule("a", REMOVED, "", "")];
        assert_eq!(Rules::new(same), Err(RuleError::SameId("a".into())));
        assert_eq!(Rules::new(vec![rule("a", &[], "", "")]), Err(RuleError::NoEvent));
        let unknown = Rules::new(vec![rule("a", &["s3:Nothing"], "", "")]);
        assert_eq!(unknown, Err(RuleError::UnknownEvent("s3:Nothing".into())));
        let many: Vec<Rule> =
            (0..=RULES_MAX).map(|n| rule(&n.to_string(), PUT, &format!("{n:04}"), "")).collect();
        assert_eq!(Rules::new(many.clone()), Err(RuleError::TooMany));
        assert!(Rules::new(many[..RULES_MAX].to_vec()).is_ok());
    }
}
