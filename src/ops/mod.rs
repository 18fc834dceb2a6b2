//! The operations of S3: one row in [`OPERATIONS`], one file, one test file for each.
//!
//! The table drives everything: routing, authorization, how long a document may be, which headers
//! of our own are legal, the README. To add an operation, write its file, its test file and its
//! row. Beside this file, [`routing`], `errors` and `listing` there are operations only; those
//! beyond S3 are in [`uploads`].
//!
//! **Invariant:** every selecting word of a request is consumed by the row that wins ([`route`]),
//! so `PUT /b/k?uploadId=U` without a part number can never overwrite the object.

mod abort_multipart_upload;
mod complete_multipart_upload;
mod copy_object;
mod create_bucket;
mod create_multipart_upload;
mod delete_bucket;
mod delete_bucket_cors;
mod delete_object;
mod delete_objects;
pub(crate) mod errors;
mod get_bucket_acl;
mod get_bucket_cors;
mod get_bucket_location;
mod get_bucket_notification_configuration;
mod get_bucket_versioning;
mod get_object;
mod get_object_acl;
mod get_object_attributes;
mod get_object_tagging;
mod head_bucket;
mod head_object;
mod list_buckets;
mod list_multipart_uploads;
mod list_object_versions;
mod list_objects;
mod list_objects_v2;
mod list_parts;
pub(crate) mod listing;
mod post_object;
mod put_bucket_acl;
mod put_bucket_cors;
mod put_bucket_notification_configuration;
mod put_object;
mod put_object_acl;
pub mod routing;
mod unconfigured;
mod upload_part;
mod upload_part_copy;
pub mod uploads;

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use http::Method;

use self::uploads::{
    compare_upload_blocks, get_upload_blocks, get_upload_challenge, get_upload_state, prove_upload,
    put_upload_state,
};
use crate::access::Action;
use crate::events::callback;
use crate::request::Call;
use crate::request::operation::{Accepts, Demands, Operation, Scope, Selector};
use crate::wire::own_headers::{
    CONTENT_MD5, CONTENT_SHA256, INSTANT_PREFIX, MAX_BYTES, OBJECT_SIZE, PART_SIZE, PROOF_PREFIX,
};
use crate::wire::{Head, Response, Result};

/// A row of the table: an operation and its handler.
pub struct Row {
    operation: Operation,
    handle: fn(Call) -> Answer,
}

/// The answer of a handler.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

impl Row {
    /// Runs the handler.
    pub fn handle(&self, call: Call) -> Answer {
        (self.handle)(call)
    }
}

impl Deref for Row {
    type Target = Operation;

    fn deref(&self) -> &Operation {
        &self.operation
    }
}

/// The row that serves a request.
///
/// # Errors
/// Those of [`routing::route`].
pub fn route(head: &Head) -> Result<&'static Row> {
    routing::route(OPERATIONS, head)
}

/// The selecting words of a request, in no particular order.
pub fn words(head: &Head) -> Vec<String> {
    routing::words(OPERATIONS, head)
}

/// Largest CompleteMultipartUpload document: 10,000 parts with checksums are about 2.5 MB.
pub const COMPLETE_BYTES_MAX: usize = 8 << 20;
/// Largest DeleteObjects document: 1,000 keys of 1 KiB, escaped.
pub const DELETE_BYTES_MAX: usize = 2 << 20;
/// Largest list of parts to compare: 10,000 parts with all their digests are about 2.5 MB.
pub const PARTS_BYTES_MAX: usize = 4 << 20;
/// Largest of all other documents.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 10;

macro_rules! operations {
    ($($name:literal $module:ident $method:ident $scope:ident [$($selector:expr),*]
       [$($parameter:literal),*] $accepts:expr, $demands:expr $(, own [$($header:expr),*])?;)*) => {
        &[$(Row {
            operation: Operation {
                name: $name,
                module: stringify!($module),
                method: Method::$method,
                scope: Scope::$scope,
                selectors: &[$($selector),*],
                parameters: &[$($parameter),*],
                accepts: $accepts,
                own_headers: &[$($($header),*)?],
                demands: $demands,
            },
            handle: |call| Box::pin($module::handle(call)),
        },)*]
    };
}

use Accepts::{Content, Document, Form, Nothing};
use Action as A;
use Demands::{Copy, Service, Target};
use Selector::{Header, Query, QueryValue};

/// Every operation. A row matches if the request has all of its selectors. Of several
/// rows that match, the one with most selectors wins.
#[rustfmt::skip]
pub static OPERATIONS: &[Row] = operations! {
    // name                     module                    method scope   selectors
    // also consumes               body                          demands
    "ListBuckets"               list_buckets              GET    Service []                                               []                          Nothing,                      Service(A::ListAllMyBuckets);

    "CreateBucket"              create_bucket             PUT    Bucket  []                                               []                          Document(DOCUMENT_BYTES_MAX), Target(A::CreateBucket);
    "HeadBucket"                head_bucket               HEAD   Bucket  []                                               []                          Nothing,                      Target(A::ListBucket);
    "DeleteBucket"              delete_bucket             DELETE Bucket  []                                               []                          Nothing,                      Target(A::DeleteBucket);
    "GetBucketLocation"         get_bucket_location       GET    Bucket  [Query("location")]                              []                          Nothing,                      Target(A::GetBucketLocation);
    "ListObjects"               list_objects              GET    Bucket  []                                               []                          Nothing,                      Target(A::ListBucket);
    "ListObjectsV2"             list_objects_v2           GET    Bucket  [QueryValue("list-type", "2")]                   []                          Nothing,                      Target(A::ListBucket);
    "ListObjectVersions"        list_object_versions      GET    Bucket  [Query("versions")]                              []                          Nothing,                      Target(A::ListBucketVersions);
    "DeleteObjects"             delete_objects            POST   Bucket  [Query("delete")]                                []                          Document(DELETE_BYTES_MAX),   Target(A::DeleteObject);

    "PutObject"                 put_object                PUT    Object  []                                               []                          Content,                      Target(A::PutObject), own [MAX_BYTES, INSTANT_PREFIX, callback::HEADER];
    "PostObject"                post_object               POST   Bucket  []                                               []                          Form,                         Target(A::PutObject), own [MAX_BYTES, callback::HEADER];
    "GetObject"                 get_object                GET    Object  []                                               ["versionId", "partNumber"] Nothing,                      Target(A::GetObject);
    "HeadObject"                head_object               HEAD   Object  []                                               ["versionId", "partNumber"] Nothing,                      Target(A::GetObject);
    "DeleteObject"              delete_object             DELETE Object  []                                               ["versionId"]               Nothing,                      Target(A::DeleteObject);
    "GetObjectAttributes"       get_object_attributes     GET    Object  [Query("attributes")]                            ["versionId"]               Nothing,                      Target(A::GetObjectAttributes);
    "CopyObject"                copy_object               PUT    Object  [Header("x-amz-copy-source")]                    []                          Nothing,                      Copy(A::PutObject)          , own [callback::HEADER];

    "CreateMultipartUpload"     create_multipart_upload   POST   Object  [Query("uploads")]                               []                          Nothing,                      Target(A::PutObject), own [OBJECT_SIZE, PART_SIZE, CONTENT_SHA256, CONTENT_MD5, INSTANT_PREFIX, PROOF_PREFIX, callback::HEADER];
    "UploadPart"                upload_part               PUT    Object  [Query("uploadId"), Query("partNumber")]         []                          Content,                      Target(A::PutObject), own [MAX_BYTES, INSTANT_PREFIX];
    "UploadPartCopy"            upload_part_copy          PUT    Object  [Query("uploadId"), Query("partNumber"), Header("x-amz-copy-source")] []     Nothing,                      Copy(A::PutObject)          ;
    "ListParts"                 list_parts                GET    Object  [Query("uploadId")]                              []                          Nothing,                      Target(A::ListMultipartUploadParts);
    "ListMultipartUploads"      list_multipart_uploads    GET    Bucket  [Query("uploads")]                               []                          Nothing,                      Target(A::ListBucketMultipartUploads);
    "CompleteMultipartUpload"   complete_multipart_upload POST   Object  [Query("uploadId")]                              []                          Document(COMPLETE_BYTES_MAX), Target(A::PutObject), own [OBJECT_SIZE, CONTENT_SHA256, CONTENT_MD5];
    "GetUploadBlocks"           get_upload_blocks         GET    Object  [Query("uploadId"), Query("partita-blocks")]     ["partita-limit", "partita-start-part"] Nothing,     Target(A::ListMultipartUploadParts);
    "CompareUploadBlocks"       compare_upload_blocks     POST   Object  [Query("uploadId"), Query("partita-blocks")]     []                          Document(PARTS_BYTES_MAX),    Target(A::PutObject), own [INSTANT_PREFIX];
    "GetUploadChallenge"        get_upload_challenge      GET    Object  [Query("uploadId"), Query("partita-proof")]      []                          Nothing,                      Target(A::PutObject);
    "ProveUpload"               prove_upload              POST   Object  [Query("uploadId"), Query("partita-proof")]      []                          Document(DOCUMENT_BYTES_MAX), Target(A::PutObject);
    "GetUploadState"            get_upload_state          GET    Object  [Query("uploadId"), Query("partita-state")]      []                          Nothing,                      Target(A::ListMultipartUploadParts);
    "PutUploadState"            put_upload_state          PUT    Object  [Query("uploadId"), Query("partita-state")]      []                          Document(DOCUMENT_BYTES_MAX), Target(A::PutObject);
    "AbortMultipartUpload"      abort_multipart_upload    DELETE Object  [Query("uploadId")]                              []                          Nothing,                      Target(A::AbortMultipartUpload);

    "GetBucketCors"             get_bucket_cors           GET    Bucket  [Query("cors")]                                  []                          Nothing,                      Target(A::GetBucketCORS);
    "PutBucketCors"             put_bucket_cors           PUT    Bucket  [Query("cors")]                                  []                          Document(DOCUMENT_BYTES_MAX), Target(A::PutBucketCORS);
    "DeleteBucketCors"          delete_bucket_cors        DELETE Bucket  [Query("cors")]                                  []                          Nothing,                      Target(A::PutBucketCORS);
    "GetBucketNotificationConfiguration" get_bucket_notification_configuration GET Bucket [Query("notification")]            []                          Nothing,                      Target(A::GetBucketNotification);
    "PutBucketNotificationConfiguration" put_bucket_notification_configuration PUT Bucket [Query("notification")]            []                          Document(DOCUMENT_BYTES_MAX), Target(A::PutBucketNotification);

    // Configuration that cannot be set yet: the truth about a bucket that has none of it.
    "GetBucketVersioning"       get_bucket_versioning     GET    Bucket  [Query("versioning")]                            []                          Nothing,                      Target(A::GetBucketVersioning);
    "GetBucketAcl"              get_bucket_acl            GET    Bucket  [Query("acl")]                                   []                          Nothing,                      Target(A::GetBucketAcl);
    "GetObjectAcl"              get_object_acl            GET    Object  [Query("acl")]                                   ["versionId"]               Nothing,                      Target(A::GetObjectAcl);
    "PutBucketAcl"              put_bucket_acl            PUT    Bucket  [Query("acl")]                                   []                          Document(DOCUMENT_BYTES_MAX), Target(A::PutBucketAcl);
    "PutObjectAcl"              put_object_acl            PUT    Object  [Query("acl")]                                   ["versionId"]               Document(DOCUMENT_BYTES_MAX), Target(A::PutObjectAcl);
    "GetObjectTagging"          get_object_tagging        GET    Object  [Query("tagging")]                               ["versionId"]               Nothing,                      Target(A::GetObjectTagging);
    "GetBucketPolicy"           unconfigured              GET    Bucket  [Query("policy")]                                []                          Nothing,                      Target(A::GetBucketPolicy);
    "GetBucketLifecycleConfiguration" unconfigured        GET    Bucket  [Query("lifecycle")]                             []                          Nothing,                      Target(A::GetLifecycleConfiguration);
    "GetBucketTagging"          unconfigured              GET    Bucket  [Query("tagging")]                               []                          Nothing,                      Target(A::GetBucketTagging);
    "GetBucketEncryption"       unconfigured              GET    Bucket  [Query("encryption")]                            []                          Nothing,                      Target(A::GetEncryptionConfiguration);
    "GetBucketReplication"      unconfigured              GET    Bucket  [Query("replication")]                           []                          Nothing,                      Target(A::GetReplicationConfiguration);
    "GetBucketWebsite"          unconfigured              GET    Bucket  [Query("website")]                               []                          Nothing,                      Target(A::GetBucketWebsite);
    "GetBucketOwnershipControls" unconfigured             GET    Bucket  [Query("ownershipControls")]                     []                          Nothing,                      Target(A::GetBucketOwnershipControls);
    "GetPublicAccessBlock"      unconfigured              GET    Bucket  [Query("publicAccessBlock")]                     []                          Nothing,                      Target(A::GetBucketPublicAccessBlock);
    "GetObjectLockConfiguration" unconfigured             GET    Bucket  [Query("object-lock")]                           []                          Nothing,                      Target(A::GetBucketObjectLockConfiguration);
    "GetBucketLogging"          unconfigured              GET    Bucket  [Query("logging")]                               []                          Nothing,                      Target(A::GetBucketLogging);
    "GetBucketRequestPayment"   unconfigured              GET    Bucket  [Query("requestPayment")]                        []                          Nothing,                      Target(A::GetBucketRequestPayment);
    "GetBucketAccelerateConfiguration" unconfigured       GET    Bucket  [Query("accelerate")]                            []                          Nothing,                      Target(A::GetAccelerateConfiguration);
};
