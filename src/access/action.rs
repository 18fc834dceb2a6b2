//! Actions in the words of IAM.

/// An action in the words of IAM (`s3:` is left out): what a policy would allow or deny.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)] // Each but GetBucketConfiguration is AWS's own word.
pub enum Action {
    ListAllMyBuckets,
    CreateBucket,
    DeleteBucket,
    ListBucket,
    ListBucketVersions,
    ListBucketMultipartUploads,
    GetBucketLocation,
    GetBucketCORS,
    /// Reading a bucket configuration that has no action of its own yet: ACL, versioning, policy …
    GetBucketConfiguration,
    GetObject,
    GetObjectAcl,
    GetObjectAttributes,
    GetObjectTagging,
    GetBucketNotification,
    PutBucketAcl,
    PutBucketCORS,
    PutBucketNotification,
    PutObject,
    PutObjectAcl,
    DeleteObject,
    AbortMultipartUpload,
    ListMultipartUploadParts,
}
