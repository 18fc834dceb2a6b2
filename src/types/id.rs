//! Ids of uploads, blobs and messages: UUIDv7 (RFC 9562), 128 bits.
//!
//! **Invariants**
//! - Ids of one process ascend in the order in which they were made.
//! - The random part of an id cannot be guessed from another id.

use std::fmt;

/// Defines an id type of 128 bits: UUIDv7, ordered by creation time, with an unguessable random
/// part.
macro_rules! id_128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        #[allow(clippy::new_without_default)] // A default that differs each time would mislead.
        impl $name {
            /// New id, greater than every id that this process made before.
            pub fn new() -> Self {
                Self(*uuid::Uuid::now_v7().as_bytes())
            }
            /// Id from the 16 bytes that [`Self::as_bytes`] gave.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
            /// The 16 bytes, in an order that sorts by creation time.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
            /// Id from 32 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                let lower = text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
                if !lower { return None; }
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id_128! {
    /// Id of a multipart upload. The order of ids is the order of initiation. The manifest that
    /// Complete publishes keeps the id of its upload.
    UploadId
}
id_128! {
    /// Id of one event for one target. Receivers use it to recognize a repeated delivery.
    MessageId
}
id_128! {
    /// Id of a blob: the immutable bytes of one PutObject or of one part.
    BlobId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_read_back() {
        let ids: Vec<_> = (0..10_000).map(|_| UploadId::new()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b && a.to_string() < b.to_string()));
        let id = ids[0];
        assert_eq!(UploadId::parse(&id.to_string()), Some(id));
        assert_eq!(UploadId::from_bytes(*id.as_bytes()), id);
        let upper = id.to_string().replace(|c: char| c.is_ascii_lowercase(), "A");
        let short = &id.to_string()[1..];
        for bad in ["", "x", short, &format!("0{id}"), &upper, &"é".repeat(16)] {
            assert_eq!(UploadId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_id_does_not_predict_the_next() {
        let ids: Vec<_> = (0..10_000).map(|_| UploadId::new()).collect();
        // The last 32 bits are random, also for ids of the same millisecond.
        let low = |id: &UploadId| u32::from_be_bytes(id.as_bytes()[12..].try_into().unwrap());
        for bit in 0..32 {
            let ones = ids.iter().filter(|id| low(id) >> bit & 1 == 1).count();
            assert!((4_500..5_500).contains(&ones), "bit {bit} is set {ones} times");
        }
        let steps = ids.windows(2).map(|pair| low(&pair[1]).wrapping_sub(low(&pair[0])));
        let steps: std::collections::HashSet<u32> = steps.collect();
        assert!(steps.len() > 9_900, "steps repeat: {}", steps.len());
    }
}
