//! Every operation by the owner, another user, an anonymous client, and root.

use partita::ops::OPERATIONS;
use partita::request::operation::Scope;

use crate::harness::{Form, Gateway, Request, Script, Who};

/// Operation, target, headers, body, and the status of the owner's answer.
type Example =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, u16);

/// A proof without a challenge.
const PROOF: &str = r#"{"nonce":"0000000000000000000000000000000000000000000000000000000000000000",
    "sha256":"0000000000000000000000000000000000000000000000000000000000000000"}"#;

/// An example of each operation on alice's bucket `hers`. `$U` is an open upload of `hers/up` with
/// part 1, whose ETag is `$E`.
#[rustfmt::skip]
const EXAMPLES: &[Example] = &[
    ("ListBuckets", "/", &[], "", 200),
    ("CreateBucket", "/hers", &[], "", 200),
    ("HeadBucket", "/hers", &[], "", 200),
    ("DeleteBucket", "/hers", &[], "", 409),
    ("GetBucketLocation", "/hers?location", &[], "", 200),
    ("ListObjects", "/hers", &[], "", 200),
    ("ListObjectsV2", "/hers?list-type=2", &[], "", 200),
    ("ListObjectVersions", "/hers?versions", &[], "", 200),
    ("DeleteObjects", "/hers?delete", &[],
        "<Delete><Object><Key>doomed</Key></Object></Delete>", 200),
    ("PutObject", "/hers/key", &[], "new bytes", 200),
    // The body depends on the principal.
    ("PostObject", "/hers", &[], "", 204),
    ("GetObject", "/hers/key", &[], "", 200),
    ("HeadObject", "/hers/key", &[], "", 200),
    ("DeleteObject", "/hers/doomed", &[], "", 204),
    ("CopyObject", "/hers/copy", &[("x-amz-copy-source", "hers/key")], "", 200),
    ("CreateMultipartUpload", "/hers/up?uploads", &[], "", 200),
    ("UploadPart", "/hers/up?uploadId=$U&partNumber=2", &[], "bytes", 200),
    ("UploadPartCopy", "/hers/up?uploadId=$U&partNumber=3",
        &[("x-amz-copy-source", "hers/key")], "", 200),
    ("ListParts", "/hers/up?uploadId=$U", &[], "", 200),
    ("ListMultipartUploads", "/hers?uploads", &[], "", 200),
    ("GetUploadBlocks", "/hers/up?uploadId=$U&partita-blocks", &[], "", 200),
    ("CompareUploadBlocks", "/hers/up?uploadId=$U&partita-blocks", &[], "[]", 200),
    ("GetUploadChallenge", "/hers/up?uploadId=$U&partita-proof", &[], "", 400),
    ("ProveUpload", "/hers/up?uploadId=$U&partita-proof", &[], PROOF, 403),
    ("GetUploadState", "/hers/up?uploadId=$U&partita-state", &[], "", 200),
    ("PutUploadState", "/hers/up?uploadId=$U&partita-state", &[], r#"{"status":"pause"}"#, 200),
    ("CompleteMultipartUpload", "/hers/up?uploadId=$U", &[],
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>$E</ETag></Part>\
         </CompleteMultipartUpload>", 200),
    ("AbortMultipartUpload", "/hers/up?uploadId=$U", &[], "", 204),
    ("GetBucketVersioning", "/hers?versioning", &[], "", 200),
    ("GetBucketAcl", "/hers?acl", &[], "", 200),
    ("GetObjectAcl", "/hers/key?acl", &[], "", 200),
    ("GetObjectAttributes", "/hers/key?attributes",
        &[("x-amz-object-attributes", "ETag")], "", 200),
    ("PutBucketAcl", "/hers?acl", &[("x-amz-acl", "private")], "", 200),
    ("PutObjectAcl", "/hers/key?acl", &[("x-amz-acl", "private")], "", 200),
    ("GetObjectTagging", "/hers/key?tagging", &[], "", 200),
    ("GetBucketPolicy", "/hers?policy", &[], "", 404),
    ("GetBucketCors", "/hers?cors", &[], "", 200),
    ("PutBucketCors", "/hers?cors", &[],
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>\
         <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>", 200),
    ("DeleteBucketCors", "/hers?cors", &[], "", 204),
    ("GetBucketLifecycleConfiguration", "/hers?lifecycle", &[], "", 404),
    ("GetBucketTagging", "/hers?tagging", &[], "", 404),
    ("GetBucketEncryption", "/hers?encryption", &[], "", 404),
    ("GetBucketReplication", "/hers?replication", &[], "", 404),
    ("GetBucketWebsite", "/hers?website", &[], "", 404),
    ("GetBucketOwnershipControls", "/hers?ownershipControls", &[], "", 404),
    ("GetPublicAccessBlock", "/hers?publicAccessBlock", &[], "", 404),
    ("GetObjectLockConfiguration", "/hers?object-lock", &[], "", 404),
    ("GetBucketNotificationConfiguration", "/hers?notification", &[], "", 200),
    ("PutBucketNotificationConfiguration", "/hers?notification", &[],
        "<NotificationConfiguration/>", 200),
    ("GetBucketLogging", "/hers?logging", &[], "", 200),
    ("GetBucketRequestPayment", "/hers?requestPayment", &[], "", 200),
    ("GetBucketAccelerateConfiguration", "/hers?accelerate", &[], "", 200),
];

/// The bucket of the examples, in the same state before each of them.
struct Hers {
    gateway: Gateway,
    upload: String,
    tag: String,
}

impl Hers {
    fn start() -> Self {
        let gateway = Gateway::with(&[("part-bytes-min", "1")]);
        Script::new(&gateway).run("alice: PUT /hers => 200");
        let mut hers = Self { gateway, upload: String::new(), tag: String::new() };
        hers.fill();
        hers
    }

    fn fill(&mut self) {
        let mut script = Script::new(&self.gateway);
        script.run(
            r#"
            alice: PUT /hers/key << hers                          => 200
            alice: PUT /hers/doomed << hers                       => 200
            alice: PUT /hers?cors << <CORSConfiguration><CORSRule><AllowedOrigin>http://hers
                </AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>
                                                                  => 200
            alice: POST /hers/up?uploads                          => 200 | UploadId -> U
            alice: PUT /hers/up?uploadId=$U&partNumber=1 << part  => 200 | etag -> E
            "#,
        );
        self.upload = script.get("U").to_owned();
        self.tag = script.get("E").to_owned();
    }

    fn request(&self, name: &str, bucket: &str, who: Who) -> (Request, u16) {
        let example = EXAMPLES.iter().find(|(example, ..)| *example == name);
        let (_, target, headers, body, status) =
            *example.unwrap_or_else(|| panic!("{name} has no example here"));
        let row = OPERATIONS.iter().find(|row| row.name == name).expect("a row");
        let fill = |text: &str| text.replace("$U", &self.upload).replace("$E", &self.tag);
        let target = fill(target).replacen("/hers", bucket, 1);
        let mut request = Request::new(row.method.as_str(), target).body(fill(body));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if name == "PostObject" {
            return (Form::new(&bucket[1..], "posted").by(who).request(), status);
        }
        (request.by(who), status)
    }

    /// Everything that a stranger could have changed.
    fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for target in
            ["/hers?list-type=2", "/hers?uploads", "/hers?cors", "/hers/key", "/hers/doomed"]
        {
            let answer = self.gateway.send(&Request::new("GET", target).by(Who::Alice));
            state.push(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        for word in ["", "&partita-state", "&partita-blocks"] {
            let target = format!("/hers/up?uploadId={}{word}", self.upload);
            let answer = self.gateway.send(&Request::new("GET", target).by(Who::Alice));
            state.push(String::from_utf8_lossy(&answer.body).into_owned());
        }
        state
    }
}

#[test]
fn every_operation_has_an_example() {
    let mut rows: Vec<&str> = OPERATIONS.iter().map(|row| row.name).collect();
    let mut examples: Vec<&str> = EXAMPLES.iter().map(|(name, ..)| *name).collect();
    rows.sort_unstable();
    examples.sort_unstable();
    assert_eq!(rows, examples);
}

#[test]
fn strangers_are_denied_and_change_nothing() {
    let hers = Hers::start();
    let before = hers.state();
    for row in OPERATIONS {
        for who in [Who::Bob, Who::Anonymous] {
            let (request, _) = hers.request(row.name, "/hers", who);
            let (nowhere, _) = hers.request(row.name, "/nobkt", who);
            let answer = hers.gateway.send(&request);
            let case = format!("{} by {who:?}: {answer:?}", row.name);
            match (row.name, who) {
                // Any user may list his own buckets, and try to make one.
                ("ListBuckets", Who::Bob) => {
                    assert_eq!(answer.status, 200, "{case}");
                    assert!(answer.xml().all("Bucket").is_empty(), "{case}");
                }
                ("CreateBucket", Who::Bob) => assert_eq!(answer.status, 409, "{case}"),
                _ => {
                    assert_eq!(answer.status, 403, "{case}");
                    let code = answer.code();
                    assert!(request.method == "HEAD" || code.as_deref() == Some("AccessDenied"));
                }
            }
            if row.scope != Scope::Service && row.name != "CreateBucket" {
                let answer = hers.gateway.send(&nowhere);
                assert_eq!(answer.status, 404, "{} by {who:?}: {answer:?}", row.name);
                let code = answer.code();
                assert!(request.method == "HEAD" || code.as_deref() == Some("NoSuchBucket"));
            }
        }
    }
    assert_eq!(hers.state(), before);
}

#[test]
fn the_owner_and_root_are_served() {
    for who in [Who::Alice, Who::Root] {
        let mut hers = Hers::start();
        for row in OPERATIONS {
            let (request, status) = hers.request(row.name, "/hers", who);
            let answer = hers.gateway.send(&request);
            let status = match (row.name, who) {
                ("CreateBucket", Who::Root) => 409,
                _ => status,
            };
            assert_eq!(answer.status, status, "{} by {who:?}: {answer:?}", row.name);
            hers.fill();
        }
        hers.gateway.assert_sound();
    }
}

#[test]
fn a_disabled_or_deleted_key_is_refused() {
    let gateway = Gateway::start();
    let get = |who| gateway.send(&Request::new("GET", "/").by(who));
    let (id, _) = Who::Alice.key();
    get(Who::Alice).expect(200);
    gateway.store().set_key_enabled(&id, false).wait().unwrap();
    assert_eq!(get(Who::Alice).expect(403).code().as_deref(), Some("InvalidAccessKeyId"));
    gateway.store().set_key_enabled(&id, true).wait().unwrap();
    get(Who::Alice).expect(200);
    gateway.store().delete_key(&id).wait().unwrap();
    assert_eq!(get(Who::Alice).expect(403).code().as_deref(), Some("InvalidAccessKeyId"));
}
