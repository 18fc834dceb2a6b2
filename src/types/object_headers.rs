//! [`ObjectHeaders`]: the headers that are stored with an object.

/// Headers stored with an object: standard headers (`content-type`, `cache-control`, …) and
/// `x-amz-meta-*`. Names are in lower case, in the order received; values are as received.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectHeaders(pub Vec<(String, Vec<u8>)>);

impl ObjectHeaders {
    /// Value of a stored header; `name` is in lower case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }
}
