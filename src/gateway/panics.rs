//! Panics of handlers, as errors.

use std::any::Any;

/// Error of a handler that panicked. The client gets 500 InternalError; the text goes to the log.
#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
pub(super) struct Panicked(String);

impl From<Box<dyn Any + Send>> for Panicked {
    fn from(payload: Box<dyn Any + Send>) -> Self {
        Self(text(payload.as_ref()).to_owned())
    }
}

/// Message of a panic payload; empty if it is not text.
fn text(payload: &(dyn Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_text_are_read() {
        assert_eq!(text(&"literal"), "literal");
        assert_eq!(text(&"formatted".to_owned()), "formatted");
        assert_eq!(text(&7), "");
    }
}
