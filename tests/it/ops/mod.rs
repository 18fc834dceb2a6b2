//! One file for each module of `src/ops` that serves operations: what it promises, as scripts.

mod abort_multipart_upload;
mod complete_multipart_upload;
mod copy_object;
mod create_bucket;
mod create_multipart_upload;
mod delete_bucket;
mod delete_object;
mod delete_objects;
mod get_bucket_acl;
mod get_bucket_location;
mod get_bucket_versioning;
mod get_object;
mod get_object_acl;
mod get_object_tagging;
mod head_bucket;
mod head_object;
mod list_buckets;
mod list_multipart_uploads;
mod list_object_versions;
mod list_objects;
mod list_objects_v2;
mod list_parts;
mod put_object;
mod unconfigured;
mod upload_part;
mod upload_part_copy;
