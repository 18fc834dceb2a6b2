//! Operations and rules beyond S3: declared uploads, missing parts, pause, instant upload.

pub(crate) mod challenge;
pub(crate) mod compare_upload_blocks;
pub mod create;
pub mod declared;
pub(crate) mod delta;
pub(crate) mod event_stream;
pub(crate) mod expiry;
pub(crate) mod get_upload_blocks;
pub(crate) mod get_upload_challenge;
pub(crate) mod get_upload_state;
pub mod instant;
pub mod missing_parts;
pub(crate) mod pause;
pub(crate) mod prove_upload;
pub(crate) mod put_upload_state;
pub(crate) mod state;
