//! The types that settings have in [`Config`](super::Config), each made from a checked value.

use std::path::PathBuf;

/// A value that its setting has accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Absent,
    Text(String),
    Integer(u64),
    Switch(bool),
    List(Vec<String>),
}

/// A type that a field of [`Config`](super::Config) may have. The kind of the setting and the type
/// of the field stand in one row; a test builds every row, so a mismatch is a bug, not bad input.
pub(super) trait Field: Sized {
    fn from_value(value: Value) -> Self;
}

fn mismatch(value: &Value) -> ! {
    panic!("the table gives a field the value {value:?} of another kind")
}

impl Field for String {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Text(text) => text,
            other => mismatch(&other),
        }
    }
}

impl Field for PathBuf {
    fn from_value(value: Value) -> Self {
        String::from_value(value).into()
    }
}

impl Field for Option<PathBuf> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Absent => None,
            other => Some(PathBuf::from_value(other)),
        }
    }
}

impl Field for u64 {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Integer(number) => number,
            other => mismatch(&other),
        }
    }
}

impl Field for usize {
    fn from_value(value: Value) -> Self {
        usize::try_from(u64::from_value(value)).expect("ranges of usize settings end below 2^32")
    }
}

impl Field for bool {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Switch(on) => on,
            other => mismatch(&other),
        }
    }
}

impl Field for Vec<String> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::List(list) => list,
            other => mismatch(&other),
        }
    }
}

macro_rules! choice {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The words of the setting.
            pub const NAMES: &'static [&'static str] = &[$($word,)*];

            /// The word of the setting.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl Field for $name {
            fn from_value(value: Value) -> Self {
                match &value {
                    $(Value::Text(text) if text == $word => Self::$variant,)*
                    other => mismatch(other),
                }
            }
        }
    };
}

choice! {
    /// Who owns an object that another account wrote, and whether ACLs count.
    ObjectOwnership {
        /// The bucket's owner owns all; ACLs are off.
        BucketOwnerEnforced = "BucketOwnerEnforced",
        /// The bucket's owner owns what is written with the ACL that says so.
        BucketOwnerPreferred = "BucketOwnerPreferred",
        /// Whoever wrote the object owns it.
        ObjectWriter = "ObjectWriter",
    }
}

choice! {
    /// The form of the log.
    LogFormat {
        /// Lines for people.
        Text = "text",
        /// One JSON object on each line.
        Json = "json",
    }
}

choice! {
    /// The least level that is logged.
    LogLevel {
        /// Damage and failures.
        Error = "error",
        /// Things that an operator should look at.
        Warn = "warn",
        /// Starts, stops and the access log.
        Info = "info",
        /// What helps to find a bug.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}
