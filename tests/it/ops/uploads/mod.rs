//! One file for each operation beyond S3, as in `src/ops/uploads`.

mod compare_upload_blocks;
mod get_upload_blocks;
mod get_upload_challenge;
mod get_upload_state;
mod prove_upload;
mod put_upload_state;
