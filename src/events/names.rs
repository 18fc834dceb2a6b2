//! Names of events: one row for each, with its number in the database.

use std::fmt;

macro_rules! event_names {
    ($($(#[$doc:meta])* $code:literal $name:ident $text:literal;)*) => {
        /// Name of an event: S3's, or Partita's for events that S3 does not have.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum EventName { $($(#[$doc])* $name = $code,)* }

        impl EventName {
            /// All names, in the order of the table.
            pub const ALL: &'static [EventName] = &[$(EventName::$name,)*];

            /// Name in rules and in the field `EventName`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

event_names! {
    /// PutObject.
    1 ObjectCreatedPut "s3:ObjectCreated:Put";
    /// PostObject.
    2 ObjectCreatedPost "s3:ObjectCreated:Post";
    /// CopyObject.
    3 ObjectCreatedCopy "s3:ObjectCreated:Copy";
    /// CompleteMultipartUpload.
    4 ObjectCreatedComplete "s3:ObjectCreated:CompleteMultipartUpload";
    /// DeleteObject, and each existing key of DeleteObjects.
    5 ObjectRemovedDelete "s3:ObjectRemoved:Delete";
    /// Delete in a bucket with versions: a delete marker is stored.
    6 ObjectRemovedMarker "s3:ObjectRemoved:DeleteMarkerCreated";
    /// CreateMultipartUpload.
    8 UploadCreated "partita:Upload:Created";
    /// Pause of an upload.
    9 UploadPaused "partita:Upload:Paused";
    /// Continuation of a paused upload.
    10 UploadResumed "partita:Upload:Resumed";
    /// AbortMultipartUpload.
    11 UploadAborted "partita:Upload:Aborted";
    /// Abort of an upload that was idle or paused for too long.
    12 UploadExpired "partita:Upload:Expired";
    /// Complete of an upload whose content does not match its declaration.
    13 UploadFailed "partita:Upload:Failed";
    /// Test event, sent to each target of a new configuration and on demand.
    20 TestEvent "s3:TestEvent";
    /// Count of events that were dropped because a backlog was full.
    21 Gap "partita:Events:Gap";
}

impl EventName {
    /// Number in the database.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Name by its number in the database.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.code() == code)
    }

    /// True if a rule may name the event. The others are sent without a rule.
    pub fn may_be_subscribed(self) -> bool {
        !matches!(self, Self::TestEvent | Self::Gap)
    }

    /// Name in the field `eventName` of a record: AWS omits the prefix `s3:` there.
    pub fn in_record(self) -> &'static str {
        let text = self.as_str();
        text.strip_prefix("s3:").unwrap_or(text)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Prefixes of S3's events that this server never emits. A rule that names one is refused, so
/// that no client waits for deliveries that never come.
const NOT_IMPLEMENTED: &[&str] = &[
    "s3:IntelligentTiering",
    "s3:LifecycleExpiration:",
    "s3:LifecycleTransition",
    "s3:ObjectAccessed:",
    "s3:ObjectAcl:Put",
    "s3:ObjectRestore:",
    "s3:ObjectTagging:",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:",
];

/// Reason why a pattern of events is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatternError {
    /// Event of S3 that this server never emits.
    NotImplemented,
    /// Unknown name.
    Unknown,
}

/// Set of event names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EventSet(u32);

impl EventSet {
    /// Names that a pattern selects: one name, or all names of a kind (`…:*`).
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        let stem = pattern.strip_suffix(":*").filter(|stem| stem.contains(':'));
        let wanted = |name: &&EventName| match stem {
            None => name.as_str() == pattern,
            Some(stem) => name.as_str().rsplit_once(':').is_some_and(|(head, _)| head == stem),
        };
        let names = EventName::ALL.iter().filter(|name| name.may_be_subscribed()).filter(wanted);
        let selection = names.fold(Self::default(), |all, name| all.with(*name));
        if selection != Self::default() {
            return Ok(selection);
        }
        match NOT_IMPLEMENTED.iter().any(|known| pattern.starts_with(known)) {
            true => Err(PatternError::NotImplemented),
            false => Err(PatternError::Unknown),
        }
    }

    const fn with(self, name: EventName) -> Self {
        Self(self.0 | 1 << name.code())
    }

    /// Union of both sets.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True if the name is in the set.
    pub const fn contains(self, name: EventName) -> bool {
        self.0 & 1 << name.code() != 0
    }

    /// True if the sets have a name in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<&'static str> {
        let selection = EventSet::parse(pattern).unwrap();
        let all = EventName::ALL.iter().filter(|name| selection.contains(**name));
        all.map(|name| name.as_str()).collect()
    }

    #[test]
    fn patterns_stand_for_names() {
        assert_eq!(
            names("s3:ObjectCreated:*"),
            [
                "s3:ObjectCreated:Put",
                "s3:ObjectCreated:Post",
                "s3:ObjectCreated:Copy",
                "s3:ObjectCreated:CompleteMultipartUpload"
            ]
        );
        assert_eq!(names("s3:ObjectCreated:Put"), ["s3:ObjectCreated:Put"]);
        assert_eq!(names("s3:ObjectRemoved:*").len(), 2);
        assert_eq!(names("partita:Upload:*").len(), 6);
        for name in EventName::ALL.iter().filter(|name| name.may_be_subscribed()) {
            assert_eq!(names(name.as_str()), [name.as_str()]);
        }
    }

    #[test]
    fn other_patterns_are_refused() {
        use PatternError::{NotImplemented, Unknown};
        for (pattern, error) in [
            ("s3:ObjectAccessed:*", NotImplemented),
            ("s3:ObjectAccessed:Get", NotImplemented),
            ("s3:ObjectRestore:Post", NotImplemented),
            ("s3:ReducedRedundancyLostObject", NotImplemented),
            ("s3:TestEvent", Unknown),
            ("partita:Events:Gap", Unknown),
            ("partita:Events:*", Unknown),
            ("s3:*", Unknown),
            ("*", Unknown),
            (":*", Unknown),
            ("", Unknown),
            ("s3:objectcreated:put", Unknown),
            ("s3:ObjectCreated", Unknown),
            ("s3:ObjectCreated:", Unknown),
            ("s3:ObjectCreated:Pu*", Unknown),
        ] {
            assert_eq!(EventSet::parse(pattern), Err(error), "{pattern}");
        }
    }

    #[test]
    fn a_number_names_one_event_and_fits_the_set() {
        for name in EventName::ALL {
            assert_eq!(EventName::from_code(name.code()), Some(*name));
            assert!(name.code() < 32);
        }
        assert_eq!(EventName::from_code(0), None);
        assert_eq!(EventName::ObjectCreatedPut.in_record(), "ObjectCreated:Put");
        assert_eq!(EventName::UploadPaused.in_record(), "partita:Upload:Paused");
    }
}
