//! [`FormFields`]: the text fields of a form.

use super::errors::{FIELDS_BYTES_MAX, too_long};
use crate::wire::error::{Error, Result};

/// Variable in a field that is replaced by the file name.
const FILE_NAME: &str = "${filename}";

/// Fields before the file. Names are in lower case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// Value of a field; `name` is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Fields, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn add(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let name = name.to_ascii_lowercase();
        let value = std::str::from_utf8(value)
            .map_err(|_| Error::argument(&name, "", "The value of a field must be UTF-8."))?;
        if self.get(&name).is_some() {
            return Err(Error::argument(&name, value, "The field was given more than once."));
        }
        self.0.push((name, value.to_owned()));
        Ok(())
    }

    /// Replaces the variable `${filename}` in all values.
    pub(super) fn put_file_name(&mut self, file_name: &str) -> Result<()> {
        let mut bytes = 0;
        for (name, value) in &self.0 {
            // Checked before the replacement: a short form could expand to a very long one.
            bytes += name.len() + value.len() + value.matches(FILE_NAME).count() * file_name.len();
        }
        if bytes > FIELDS_BYTES_MAX {
            return Err(too_long());
        }
        for (_, value) in self.0.iter_mut().filter(|(_, value)| value.contains(FILE_NAME)) {
            *value = value.replace(FILE_NAME, file_name);
        }
        Ok(())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for FormFields {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.to_lowercase(), (*value).into())).collect())
    }
}
