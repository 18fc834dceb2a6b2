//! [`Value`]: an accepted value of a setting, and the conversion into the type of its field.

use std::path::PathBuf;

/// Value that its setting accepts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Absent,
    Text(String),
    Integer(u64),
    Switch(bool),
    List(Vec<String>),
}

/// Type that a field of [`Config`](super::table::Config) may have. The kind of a setting and the
/// type of its field are in one row. A test builds every row, so a mismatch is a bug and not bad
/// input.
pub(super) trait FromValue: Sized {
    fn from_value(value: Value) -> Self;
}

pub(super) fn mismatch(value: &Value) -> ! {
    panic!("the table gives a field the value {value:?} of another kind")
}

impl FromValue for String {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Text(text) => text,
            other => mismatch(&other),
        }
    }
}

impl FromValue for PathBuf {
    fn from_value(value: Value) -> Self {
        String::from_value(value).into()
    }
}

impl FromValue for Option<PathBuf> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Absent => None,
            other => Some(PathBuf::from_value(other)),
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Integer(number) => number,
            other => mismatch(&other),
        }
    }
}

impl FromValue for usize {
    fn from_value(value: Value) -> Self {
        usize::try_from(u64::from_value(value)).expect("ranges of usize settings end below 2^32")
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Switch(on) => on,
            other => mismatch(&other),
        }
    }
}

impl FromValue for Vec<String> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::List(list) => list,
            other => mismatch(&other),
        }
    }
}
