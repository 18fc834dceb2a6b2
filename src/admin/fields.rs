//! The fields of a request's JSON object and the parameters of its query: each by its name, so that
//! what is wrong is named too.
//!
//! **Invariant:** a field or a parameter that nobody asked for is refused, never overlooked.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{AdminCall, Failure};
use crate::types::decimal;
use crate::wire::Error;

/// The fields of an object that were not taken yet.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// The object in a body; no body is an empty one.
    pub(super) fn of(call: &AdminCall) -> Result<Self, Failure> {
        call.json().map(Self)
    }

    /// A field that must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Failure> {
        self.optional(name)?.ok_or_else(|| invalid(name, "", "It is required."))
    }

    /// A field that may be absent, or null.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, Failure> {
        let value = self.0.remove(name).unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|error| invalid(name, "", error.to_string()))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Failure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(invalid(name, "", "There is no such field.")),
        }
    }
}

/// InvalidArgument, naming it.
pub(super) fn invalid(name: &str, value: &str, message: impl Into<String>) -> Failure {
    Error::argument(name, value, message).into()
}

impl AdminCall {
    /// Refuses every parameter but these.
    pub(super) fn parameters(&self, known: &[&str]) -> Result<(), Failure> {
        let names = self.query.pairs().iter().map(|(name, _)| name.as_str());
        if let Some(name) = self.query.repeated() {
            return Err(invalid(name, "", "It stands there twice."));
        }
        match names.into_iter().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(invalid(name, "", "There is no such parameter.")),
        }
    }

    /// A number from `min` to `max`; `default` when the parameter is absent or empty.
    pub(super) fn number(
        &self,
        name: &str,
        default: u64,
        (min, max): (u64, u64),
    ) -> Result<u64, Failure> {
        let Some(text) = self.query.non_empty(name) else { return Ok(default) };
        decimal::parse(text)
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| invalid(name, text, format!("It must be a number from {min} to {max}.")))
    }
}
