//! Headers of an object as bytes, as every engine stores them.

use crate::store::error::{Result, damaged};
use crate::types::ObjectHeaders;

/// Headers as bytes: for each the length (4 bytes, big-endian) and bytes of name and value.
pub(crate) fn encode_headers(headers: &ObjectHeaders) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in &headers.0 {
        for text in [name.as_bytes(), value] {
            let length = u32::try_from(text.len()).expect("a header is shorter than 4 GiB");
            bytes.extend(length.to_be_bytes());
            bytes.extend(text);
        }
    }
    bytes
}

/// Decodes the output of [`encode_headers`].
pub(crate) fn decode_headers(mut bytes: &[u8]) -> Result<ObjectHeaders> {
    fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        *bytes = rest;
        Some(text)
    }
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let name = take(&mut bytes).and_then(|name| std::str::from_utf8(name).ok());
        let header = name.map(str::to_owned).zip(take(&mut bytes).map(<[u8]>::to_vec));
        headers.push(header.ok_or_else(|| damaged("an object's headers"))?);
    }
    Ok(ObjectHeaders(headers))
}
