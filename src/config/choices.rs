//! Types of the settings that accept one of several words.

use super::value::{FromValue, Value, mismatch};

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
            /// Words that the setting accepts.
            pub const NAMES: &'static [&'static str] = &[$($word,)*];

            /// Word in the configuration.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl FromValue for $name {
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
    /// Ownership of objects that another account wrote, and the effect of ACLs.
    ObjectOwnership {
        /// The owner of the bucket owns all objects. ACLs are disabled.
        BucketOwnerEnforced = "BucketOwnerEnforced",
        /// The owner of the bucket owns objects written with the ACL `bucket-owner-full-control`.
        BucketOwnerPreferred = "BucketOwnerPreferred",
        /// The writer of an object owns it.
        ObjectWriter = "ObjectWriter",
    }
}

choice! {
    /// Format of the log.
    LogFormat {
        /// Lines of text.
        Text = "text",
        /// One JSON object on each line.
        Json = "json",
    }
}

choice! {
    /// Lowest severity that is logged.
    LogLevel {
        /// Damage and failures.
        Error = "error",
        /// Conditions that an operator should look at.
        Warn = "warn",
        /// Starts, stops and the access log.
        Info = "info",
        /// Details for finding a bug.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }
}
