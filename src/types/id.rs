//! Ids: 128 bits, ordered by time, unguessable.

use std::fmt;

/// 128 bits, ordered by the time of their making (UUIDv7), unguessable in their random part.
macro_rules! id_128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        #[allow(clippy::new_without_default)] // A default that differs each time would mislead.
        impl $name {
            /// A new id, greater than every id made before by this process.
            pub fn new() -> Self {
                Self(*uuid::Uuid::now_v7().as_bytes())
            }
            /// From the 16 bytes that [`Self::as_bytes`] gave.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
            /// The 16 bytes, in the order that sorts by time.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
            /// From 32 lower-case hexadecimal digits.
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
    /// Names one multipart upload; the order of ids is the order of initiation. The manifest that
    /// Complete publishes keeps its upload's id.
    UploadId
}
id_128! {
    /// Names one event on its way to one target: the receiver's key for "seen before".
    MessageId
}
id_128! {
    /// Names one blob: the immutable bytes of one PutObject or of one part.
    BlobId
}
