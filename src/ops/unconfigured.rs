//! Bucket configurations that cannot be set yet: each is answered as S3 does for a bucket without
//! it.

use crate::request::Call;
use crate::wire::xml::Writer;
use crate::wire::{Error, ErrorCode, Response, Result};

enum Answer {
    /// The error that says that there is none.
    None(ErrorCode),
    /// An empty document with this root.
    Empty(&'static str),
    /// A document with one element.
    One(&'static str, &'static str, &'static str),
}

/// The answers, by S3's name of the operation.
const ANSWERS: &[(&str, Answer)] = &[
    ("GetBucketPolicy", Answer::None(ErrorCode::NoSuchBucketPolicy)),
    ("GetBucketLifecycleConfiguration", Answer::None(ErrorCode::NoSuchLifecycleConfiguration)),
    ("GetBucketTagging", Answer::None(ErrorCode::NoSuchTagSet)),
    (
        "GetBucketEncryption",
        Answer::None(ErrorCode::ServerSideEncryptionConfigurationNotFoundError),
    ),
    ("GetBucketReplication", Answer::None(ErrorCode::ReplicationConfigurationNotFoundError)),
    ("GetBucketWebsite", Answer::None(ErrorCode::NoSuchWebsiteConfiguration)),
    ("GetBucketOwnershipControls", Answer::None(ErrorCode::OwnershipControlsNotFoundError)),
    ("GetPublicAccessBlock", Answer::None(ErrorCode::NoSuchPublicAccessBlockConfiguration)),
    ("GetObjectLockConfiguration", Answer::None(ErrorCode::ObjectLockConfigurationNotFoundError)),
    ("GetBucketLogging", Answer::Empty("BucketLoggingStatus")),
    ("GetBucketAccelerateConfiguration", Answer::Empty("AccelerateConfiguration")),
    ("GetBucketRequestPayment", Answer::One("RequestPaymentConfiguration", "Payer", "BucketOwner")),
];

/// Answers by the row's name.
///
/// # Errors
/// The code that S3 has for "there is none".
pub async fn handle(call: Call) -> Result<Response> {
    let answer = ANSWERS.iter().find(|(name, _)| *name == call.operation.name);
    let (_, answer) = answer.expect("each row that is served here has its answer: a test checks");
    match answer {
        Answer::None(code) => Err(Error::new(*code).field("BucketName", call.bucket().as_str())),
        Answer::Empty(root) => Ok(Response::xml(Writer::document(root).finish())),
        Answer::One(root, name, value) => {
            let mut xml = Writer::document(root);
            xml.text(name, value);
            Ok(Response::xml(xml.finish()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::OPERATIONS;
    use super::ANSWERS;

    #[test]
    fn each_row_has_its_answer_and_each_answer_its_row() {
        let rows: Vec<_> =
            OPERATIONS.iter().filter(|row| row.module == "unconfigured").map(|r| r.name).collect();
        let answers: Vec<_> = ANSWERS.iter().map(|(name, _)| *name).collect();
        let sorted = |mut names: Vec<&'static str>| {
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(rows), sorted(answers));
    }
}
