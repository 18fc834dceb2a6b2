//! Bucket configuration that cannot be set: each GET has S3's answer for a bucket without it.

use partita::ops::OPERATIONS;

use crate::harness::{Gateway, Script};

/// Word of each row, and its answer.
const ANSWERS: &[(&str, &str)] = &[
    ("policy", "404 NoSuchBucketPolicy | BucketName = bkt"),
    ("lifecycle", "404 NoSuchLifecycleConfiguration"),
    ("tagging", "404 NoSuchTagSet"),
    ("encryption", "404 ServerSideEncryptionConfigurationNotFoundError"),
    ("replication", "404 ReplicationConfigurationNotFoundError"),
    ("website", "404 NoSuchWebsiteConfiguration"),
    ("ownershipControls", "404 OwnershipControlsNotFoundError"),
    ("publicAccessBlock", "404 NoSuchPublicAccessBlockConfiguration"),
    ("object-lock", "404 ObjectLockConfigurationNotFoundError"),
    ("logging", "200 | BucketLoggingStatus ="),
    ("accelerate", "200 | AccelerateConfiguration ="),
    ("requestPayment", "200 | RequestPaymentConfiguration/Payer = BucketOwner"),
];

#[test]
fn each_configuration_has_its_answer() {
    let gateway = Gateway::start();
    let mut script = Script::new(&gateway);
    for (word, answer) in ANSWERS {
        script.run(&format!("GET /bkt?{word} => {answer}"));
        script.run(&format!("GET /bkt/?{word}= => {answer}"));
        script.run(&format!("PUT /bkt?{word} << x => 501 NotImplemented"));
        script.run(&format!("DELETE /bkt?{word} => 501 NotImplemented"));
        script.run(&format!("alice: GET /bkt?{word} => 403 AccessDenied"));
        script.run(&format!("anon: GET /bkt?{word} => 403 AccessDenied"));
        script.run(&format!("anon: GET /nobkt?{word} => 404 NoSuchBucket"));
    }
    script.run("HEAD /bkt => 200");
}

#[test]
fn each_row_is_tested_here() {
    let mut rows: Vec<&str> = OPERATIONS
        .iter()
        .filter(|row| row.module == "unconfigured")
        .map(|row| row.selectors[0].word())
        .collect();
    let mut tested: Vec<&str> = ANSWERS.iter().map(|(word, _)| *word).collect();
    rows.sort_unstable();
    tested.sort_unstable();
    assert_eq!(rows, tested);
}
