//! The operations of S3: one row in [`OPERATIONS`], one file, one test file for each.
//!
//! The table drives everything: routing, authorization, which payloads are legal, the README. To
//! add an operation, write its file, its test file and its row. Beside this file and
//! [`routing`] there are operations only; what they share is in [`shared`].
//!
//! **Invariant:** every selecting word of a request is consumed by the row that wins ([`route`]),
//! so `PUT /b/k?uploadId=U` without a part number can never overwrite the object.

mod abort_multipart_upload;
mod compare_upload_blocks;
mod complete_multipart_upload;
mod copy_object;
mod create_bucket;
mod create_multipart_upload;
mod delete_bucket;
mod delete_bucket_cors;
mod delete_object;
mod delete_objects;
mod get_bucket_acl;
mod get_bucket_cors;
mod get_bucket_location;
mod get_bucket_notification_configuration;
mod get_bucket_versioning;
mod get_object;
mod get_object_acl;
mod get_object_attributes;
mod get_object_tagging;
mod get_upload_blocks;
mod get_upload_challenge;
mod get_upload_state;
mod head_bucket;
mod head_object;
mod list_buckets;
mod list_multipart_uploads;
mod list_object_versions;
mod list_objects;
mod list_objects_v2;
mod list_parts;
mod post_object;
mod prove_upload;
mod put_bucket_acl;
mod put_bucket_cors;
mod put_bucket_notification_configuration;
mod put_object;
mod put_object_acl;
mod put_upload_state;
pub mod routing;
pub mod shared;
mod unconfigured;
mod upload_part;
mod upload_part_copy;

use std::future::Future;
use std::pin::Pin;

use http::Method;

use self::shared::context;
use crate::access::Action;
use crate::types::{BucketName, ObjectKey};
use crate::wire::{Head, Response, Result};

pub use routing::route;
pub use shared::send::refuse_overrides;
pub use shared::{Call, Caller, Context};

/// What an operation is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The service: `/`.
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

/// A word that selects a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selector {
    /// A query parameter, whatever its value.
    Query(&'static str),
    /// A query parameter with this value.
    QueryValue(&'static str, &'static str),
    /// A header; a presigned request may carry it in its query.
    Header(&'static str),
}

impl Selector {
    /// The word: the name of the parameter or header.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Query(word) | Self::QueryValue(word, _) | Self::Header(word) => word,
        }
    }
}

/// The body that an operation takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepts {
    /// None that matters; whatever comes is ignored.
    Nothing,
    /// A document of at most so many bytes, read whole.
    Document(usize),
    /// The bytes of an object or a part; the only place where aws-chunked is legal.
    Content,
    /// A form, whose fields say who sends it and what it is about; they are read before both are
    /// decided, and the file after.
    Form,
}

/// One thing that must be allowed before an operation begins.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The action.
    pub action: Action,
    /// The bucket that it is about; `None` for the service.
    pub bucket: Option<BucketName>,
    /// The key, for actions on objects.
    pub key: Option<ObjectKey>,
}

/// How a row declares its demands.
#[derive(Clone, Copy)]
pub enum Demands {
    /// One action on the service.
    Service(Action),
    /// One action on what the request addresses; on what the `key` of a form does.
    Target(Action),
    /// Several, read from the head: a copy demands its source too.
    Several(fn(&Head) -> Result<Vec<Demand>>),
}

/// What a handler gives back.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// One row: everything that the pipeline knows about an operation.
pub struct Operation {
    /// S3's name.
    pub name: &'static str,
    /// Its file in `src/ops` and in `tests/it/ops`.
    pub module: &'static str,
    /// The method.
    pub method: Method,
    /// What it is about.
    pub scope: Scope,
    /// The words that must all be there.
    pub selectors: &'static [Selector],
    /// Further selecting words that it understands, and consumes, when they are there.
    pub parameters: &'static [&'static str],
    /// The body it takes.
    pub accepts: Accepts,
    /// What must be allowed.
    pub demands: Demands,
    /// The handler.
    pub handle: fn(Call) -> Answer,
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
       [$($parameter:literal),*] $accepts:expr, $demands:expr;)*) => {
        &[$(Operation {
            name: $name,
            module: stringify!($module),
            method: Method::$method,
            scope: Scope::$scope,
            selectors: &[$($selector),*],
            parameters: &[$($parameter),*],
            accepts: $accepts,
            demands: $demands,
            handle: |call| Box::pin($module::handle(call)),
        },)*]
    };
}

use Accepts::{Content, Document, Form, Nothing};
use Action as A;
use Demands::{Service, Several, Target};
use Selector::{Header, Query, QueryValue};

/// Every operation. A word is tried with all the words of its row; the row with most words wins.
#[rustfmt::skip]
pub static OPERATIONS: &[Operation] = operations! {
    // name                     module                    method scope   selectors                                        also consumes               body                          demands
    "ListBuckets"               list_buckets              GET    Service []                                               []                          Nothing,                      Service(A::ListAllMyBuckets);

    "CreateBucket"              create_bucket             PUT    Bucket  []                                               []                          Document(DOCUMENT_BYTES_MAX), Service(A::CreateBucket);
    "HeadBucket"                head_bucket               HEAD   Bucket  []                                               []                          Nothing,                      Target(A::ListBucket);
    "DeleteBucket"              delete_bucket             DELETE Bucket  []                                               []                          Nothing,                      Target(A::DeleteBucket);
    "GetBucketLocation"         get_bucket_location       GET    Bucket  [Query("location")]                              []                          Nothing,                      Target(A::GetBucketLocation);
    "ListObjects"               list_objects              GET    Bucket  []                                               []                          Nothing,                      Target(A::ListBucket);
    "ListObjectsV2"             list_objects_v2           GET    Bucket  [QueryValue("list-type", "2")]                   []                          Nothing,                      Target(A::ListBucket);
    "ListObjectVersions"        list_object_versions      GET    Bucket  [Query("versions")]                              []                          Nothing,                      Target(A::ListBucketVersions);
    "DeleteObjects"             delete_objects            POST   Bucket  [Query("delete")]                                []                          Document(DELETE_BYTES_MAX),   Target(A::DeleteObject);

    "PutObject"                 put_object                PUT    Object  []                                               []                          Content,                      Target(A::PutObject);
    "PostObject"                post_object               POST   Bucket  []                                               []                          Form,                         Target(A::PutObject);
    "GetObject"                 get_object                GET    Object  []                                               ["versionId", "partNumber"] Nothing,                      Target(A::GetObject);
    "HeadObject"                head_object               HEAD   Object  []                                               ["versionId", "partNumber"] Nothing,                      Target(A::GetObject);
    "DeleteObject"              delete_object             DELETE Object  []                                               ["versionId"]               Nothing,                      Target(A::DeleteObject);
    "GetObjectAttributes"       get_object_attributes     GET    Object  [Query("attributes")]                            ["versionId"]               Nothing,                      Target(A::GetObjectAttributes);
    "CopyObject"                copy_object               PUT    Object  [Header("x-amz-copy-source")]                    []                          Nothing,                      Several(context::copy_demands);

    "CreateMultipartUpload"     create_multipart_upload   POST   Object  [Query("uploads")]                               []                          Nothing,                      Target(A::PutObject);
    "UploadPart"                upload_part               PUT    Object  [Query("uploadId"), Query("partNumber")]         []                          Content,                      Target(A::PutObject);
    "UploadPartCopy"            upload_part_copy          PUT    Object  [Query("uploadId"), Query("partNumber"), Header("x-amz-copy-source")] []     Nothing,                      Several(context::copy_demands);
    "ListParts"                 list_parts                GET    Object  [Query("uploadId")]                              []                          Nothing,                      Target(A::ListMultipartUploadParts);
    "ListMultipartUploads"      list_multipart_uploads    GET    Bucket  [Query("uploads")]                               []                          Nothing,                      Target(A::ListBucketMultipartUploads);
    "CompleteMultipartUpload"   complete_multipart_upload POST   Object  [Query("uploadId")]                              []                          Document(COMPLETE_BYTES_MAX), Target(A::PutObject);
    "GetUploadBlocks"           get_upload_blocks         GET    Object  [Query("uploadId"), Query("partita-blocks")]     ["partita-limit", "partita-start-part"] Nothing,     Target(A::ListMultipartUploadParts);
    "CompareUploadBlocks"       compare_upload_blocks     POST   Object  [Query("uploadId"), Query("partita-blocks")]     []                          Document(PARTS_BYTES_MAX),    Target(A::PutObject);
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
    "GetBucketVersioning"       get_bucket_versioning     GET    Bucket  [Query("versioning")]                            []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketAcl"              get_bucket_acl            GET    Bucket  [Query("acl")]                                   []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetObjectAcl"              get_object_acl            GET    Object  [Query("acl")]                                   ["versionId"]               Nothing,                      Target(A::GetObjectAcl);
    "PutBucketAcl"              put_bucket_acl            PUT    Bucket  [Query("acl")]                                   []                          Document(DOCUMENT_BYTES_MAX), Target(A::PutBucketAcl);
    "PutObjectAcl"              put_object_acl            PUT    Object  [Query("acl")]                                   ["versionId"]               Document(DOCUMENT_BYTES_MAX), Target(A::PutObjectAcl);
    "GetObjectTagging"          get_object_tagging        GET    Object  [Query("tagging")]                               ["versionId"]               Nothing,                      Target(A::GetObjectTagging);
    "GetBucketPolicy"           unconfigured              GET    Bucket  [Query("policy")]                                []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketLifecycleConfiguration" unconfigured        GET    Bucket  [Query("lifecycle")]                             []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketTagging"          unconfigured              GET    Bucket  [Query("tagging")]                               []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketEncryption"       unconfigured              GET    Bucket  [Query("encryption")]                            []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketReplication"      unconfigured              GET    Bucket  [Query("replication")]                           []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketWebsite"          unconfigured              GET    Bucket  [Query("website")]                               []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketOwnershipControls" unconfigured             GET    Bucket  [Query("ownershipControls")]                     []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetPublicAccessBlock"      unconfigured              GET    Bucket  [Query("publicAccessBlock")]                     []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetObjectLockConfiguration" unconfigured             GET    Bucket  [Query("object-lock")]                           []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketLogging"          unconfigured              GET    Bucket  [Query("logging")]                               []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketRequestPayment"   unconfigured              GET    Bucket  [Query("requestPayment")]                        []                          Nothing,                      Target(A::GetBucketConfiguration);
    "GetBucketAccelerateConfiguration" unconfigured       GET    Bucket  [Query("accelerate")]                            []                          Nothing,                      Target(A::GetBucketConfiguration);
};
