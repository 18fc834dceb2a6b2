//! `x-partita-callback-var`: JSON of the client that the events of its object or upload carry.
//!
//! **Invariant:** the JSON is copied byte for byte into `opaqueData`. No other answer shows it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

/// Header of PutObject, CopyObject and CreateMultipartUpload. Its value is JSON in base64.
pub const HEADER: &str = "x-partita-callback-var";
/// Longest JSON in bytes, decoded.
pub const CALLBACK_BYTES_MAX: usize = 4096;

/// JSON text of at most [`CALLBACK_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallbackVar(String);

impl CallbackVar {
    /// JSON from the value of the header.
    ///
    /// # Errors
    /// Sentence for the client that says which values are accepted.
    pub fn parse(header: &str) -> Result<Self, String> {
        let bytes = STANDARD
            .decode(header)
            .map_err(|_| format!("The header {HEADER} must be JSON in base64."))?;
        if bytes.len() > CALLBACK_BYTES_MAX {
            return Err(format!(
                "The JSON of {HEADER} must not exceed {CALLBACK_BYTES_MAX} bytes."
            ));
        }
        let json = String::from_utf8(bytes).ok().filter(|text| is_json(text));
        json.map(Self).ok_or_else(|| format!("The header {HEADER} must be JSON in base64."))
    }

    /// JSON from the bytes that [`Self::as_bytes`] gave. `None` for other bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        String::from_utf8(bytes).ok().filter(|text| is_json(text)).map(Self)
    }

    /// Bytes for the database.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// JSON as a value that serde embeds without a change.
    pub fn raw(&self) -> &RawValue {
        serde_json::from_str(&self.0).expect("it was parsed before")
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_base64_is_kept_as_it_is() {
        for json in ["{\"b\":1, \"a\" :[1.50,null]}", "\"text\"", "1e400", " {} ", "{\"é\":1}"] {
            let var = CallbackVar::parse(&STANDARD.encode(json)).unwrap();
            assert_eq!(var.as_bytes(), json.as_bytes());
            assert_eq!(var.raw().get(), json.trim());
            assert_eq!(CallbackVar::from_bytes(json.into()), Some(var));
        }
        let longest = format!("\"{}\"", "a".repeat(CALLBACK_BYTES_MAX - 2));
        assert!(CallbackVar::parse(&STANDARD.encode(&longest)).is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        let long = STANDARD.encode(format!("\"{}\"", "a".repeat(CALLBACK_BYTES_MAX - 1)));
        let deep = STANDARD.encode("[".repeat(2000));
        for bad in ["", "{}", "e30", "e30 =", "bm90IGpzb24=", "/w==", &long, &deep] {
            assert!(CallbackVar::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(CallbackVar::from_bytes(b"{".to_vec()), None);
    }
}
