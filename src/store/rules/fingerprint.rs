//! Fingerprint of a declared upload, by which a second Create joins it.

use sha2::{Digest as _, Sha256};

use super::headers::encode_headers;
use crate::events::CallbackVar;
use crate::store::records::contents::ContentId;
use crate::store::records::declared::{Declaration, WholeDigests};
use crate::store::records::uploads::NewUpload;
use crate::types::{ObjectHeaders, ObjectKey, UploadId};

/// Fingerprint of all settings of a Create: a second Create with the same one joins the upload.
/// `None` unless a file is declared by size and SHA-256.
pub(crate) fn fingerprint(
    bucket: i64,
    user_id: &str,
    key: &ObjectKey,
    new: &NewUpload,
) -> Option<[u8; 32]> {
    // Destructured, so that a setting added later cannot be forgotten here. An existing content is
    // no setting: each Create checks it again.
    let NewUpload {
        headers: ObjectHeaders(headers),
        checksum,
        declaration,
        callback_var,
        instant: _,
    } = new;
    let Declaration { layout, digests: WholeDigests { md5, sha256 } } = (*declaration)?;
    let (layout, sha256) = layout.zip(sha256)?;
    let mut headers = headers.clone();
    headers.sort();
    let mut hasher = Sha256::new();
    // Each field with its length, so that concatenations are unambiguous.
    let mut add = |field: &[u8]| {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    };
    add(&bucket.to_be_bytes());
    add(key.as_bytes());
    add(user_id.as_bytes());
    add(&layout.size().to_be_bytes());
    add(&layout.part_size().to_be_bytes());
    add(&sha256);
    add(md5.as_ref().map_or(&[], |md5| md5.as_slice()));
    add(&checksum.map_or([0, 0], |(algorithm, kind)| [algorithm.code(), kind.code()]));
    add(&encode_headers(&ObjectHeaders(headers)));
    // The callback variable of a second creator would be lost.
    add(callback_var.as_ref().map_or(&[], CallbackVar::as_bytes));
    Some(hasher.finalize().into())
}

/// Fingerprint of an upload that is created with this content. It differs from that without a
/// content, so that only a Create that may take the content joins the upload.
pub(crate) fn with_content(fingerprint: [u8; 32], content: Option<ContentId>) -> [u8; 32] {
    let Some(content) = content else { return fingerprint };
    let mut hasher = Sha256::new();
    hasher.update(fingerprint);
    hasher.update(content.kind().to_be_bytes());
    hasher.update(content.bytes());
    hasher.finalize().into()
}

/// Fingerprint of an upload that no Create joins any more.
pub(crate) fn set_apart(fingerprint: [u8; 32], id: UploadId) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(fingerprint);
    hasher.update(id.as_bytes());
    hasher.finalize().into()
}
