//! Fields of a request's JSON object and parameters of its query. Errors name the field.
//!
//! **Invariant:** an unknown field or parameter is refused, never ignored.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::call::AdminCall;
use super::failure::Failure;
use crate::types::decimal;
use crate::wire::Error;

/// Fields of an object that were not read yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// The object in the body of a request. An empty body is an empty object.
    pub(super) fn of(call: &AdminCall) -> Result<Self, Failure> {
        call.json().map(Self)
    }

    /// Reads a required field.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Failure> {
        self.optional(name)?.ok_or_else(|| invalid(name, "", "It is required."))
    }

    /// Reads a field that may be absent or null.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, Failure> {
        let value = self.0.remove(name).unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|error| invalid(name, "", error.to_string()))
    }

    /// Refuses fields that were not read.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(invalid(name, "", "There is no such field.")),
        }
    }
}

/// InvalidArgument that names a field or parameter.
pub(super) fn invalid(name: &str, value: &str, message: impl Into<String>) -> Failure {
    Error::argument(name, value, message).into()
}

impl AdminCall {
    /// Checks that the query has only known parameters, each once.
    pub(super) fn check_parameters(&self, known: &[&str]) -> Result<(), Failure> {
        let names = self.query.pairs().iter().map(|(name, _)| name.as_str());
        if let Some(name) = self.query.repeated() {
            return Err(invalid(name, "", "It was given more than once."));
        }
        match names.into_iter().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(invalid(name, "", "There is no such parameter.")),
        }
    }

    /// A parameter from `min` to `max`; `default` if it is absent or empty.
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
