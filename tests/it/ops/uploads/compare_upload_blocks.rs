//! CompareUploadBlocks.

use serde_json::{Value, json};

use crate::harness::{Gateway, Payload, Request, bytes_of, check, checksum, valid_json};

/// An upload of 35 bytes in parts of 10, of which 1, 2 and 4 are there.
struct Upload {
    gateway: Gateway,
    target: String,
}

impl Upload {
    fn begin() -> Self {
        let gateway = Gateway::with(&[("part-bytes-min", "1")]);
        let create = Request::new("POST", "/bkt/k?uploads")
            .header("x-partita-object-size", "35")
            .header("x-partita-part-size", "10");
        let upload = gateway.send(&create).expect(200).text("UploadId");
        // The SHA-256 of the first part is signed, and so known; those of the others are not.
        for (number, payload) in
            [(1, Payload::Sha256), (2, Payload::Unsigned), (4, Payload::Unsigned)]
        {
            let target = format!("/bkt/k?uploadId={upload}&partNumber={number}");
            let request = Request::new("PUT", target).payload(payload).body(part(number));
            gateway.send(&request).expect(200);
        }
        let target = format!("/bkt/k?uploadId={upload}&partita-blocks");
        Self { gateway, target }
    }

    /// Numbers of the missing parts.
    fn missing(&self, claims: &Value) -> Vec<u64> {
        valid_json("parts", claims.to_string().as_bytes());
        let request = Request::new("POST", self.target.as_str()).body(claims.to_string());
        let answer = self.gateway.send(&request).expect(200);
        let blocks = valid_json("blocks", &answer.body);
        let runs = blocks["expectBlocks"].as_array().unwrap().iter().flat_map(|block| {
            let number = |name: &str| block[name].as_u64().unwrap();
            assert_eq!(number("startByte"), (number("firstPart") - 1) * 10);
            number("firstPart")..=number("lastPart")
        });
        runs.collect()
    }
}

fn part(number: usize) -> Vec<u8> {
    bytes_of(if number == 4 { 5 } else { 10 }, number as u64)
}

fn claim(number: usize, algorithm: &str, bytes: &[u8]) -> Value {
    let digest = hex::encode(checksum(algorithm, bytes).unwrap());
    json!({"partNumber": number, "size": bytes.len(), algorithm: digest})
}

#[test]
fn what_differs_counts_as_missing() {
    let upload = Upload::begin();
    assert_eq!(upload.missing(&json!([])), [3]);
    for algorithm in ["md5", "crc64nvme"] {
        let same: Vec<Value> = (1..=4).map(|n| claim(n, algorithm, &part(n))).collect();
        assert_eq!(upload.missing(&json!(same)), [3], "{algorithm}");
        let changed = [claim(1, algorithm, &part(9)), claim(2, algorithm, &part(2))];
        assert_eq!(upload.missing(&json!(changed)), [1, 3], "{algorithm}");
    }
    // The size and each known digest must be equal too.
    let mut longer = claim(2, "md5", &part(2));
    longer["size"] = json!(11);
    assert_eq!(upload.missing(&json!([longer])), [2, 3]);
    let mut half = claim(2, "md5", &part(2));
    half["crc64nvme"] = claim(2, "crc64nvme", &part(9))["crc64nvme"].clone();
    assert_eq!(upload.missing(&json!([half])), [2, 3]);
    upload.gateway.assert_sound();
}

#[test]
fn a_digest_that_is_not_known_proves_nothing() {
    let upload = Upload::begin();
    let sha256 = [claim(1, "sha256", &part(1)), claim(2, "sha256", &part(2))];
    assert_eq!(upload.missing(&json!(sha256)), [2, 3], "only that of part 1 was signed");
    assert_eq!(upload.missing(&json!([claim(1, "sha256", &part(2))])), [1, 3]);
    // Beside a known digest it does not matter.
    let mut both = claim(2, "md5", &part(2));
    both["sha256"] = claim(2, "sha256", &part(2))["sha256"].clone();
    assert_eq!(upload.missing(&json!([both])), [3]);
}

#[test]
fn other_documents_are_refused() {
    let refused = [
        "",
        "{}",
        "[{}]",
        r#"[{"partNumber":1}]"#,
        r#"[{"partNumber":0,"md5":"00000000000000000000000000000000"}]"#,
        r#"[{"partNumber":5,"md5":"00000000000000000000000000000000"}]"#,
        r#"[{"partNumber":1,"md5":"00"}]"#,
        r#"[{"partNumber":1,"sha256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]"#,
        r#"[{"partNumber":1,"etag":"00000000000000000000000000000000"}]"#,
        r#"[{"partNumber":1,"md5":"00000000000000000000000000000000"},
            {"partNumber":1,"md5":"00000000000000000000000000000000"}]"#,
    ];
    let upload = Upload::begin();
    for body in refused {
        let answer = upload.gateway.send(&Request::new("POST", upload.target.as_str()).body(body));
        assert_eq!(answer.code().as_deref(), Some("InvalidRequest"), "{body}: {answer:?}");
    }
    check(
        r#"
        POST /bkt/k?uploads => 200 | UploadId -> U
        POST /bkt/other?uploadId=$U&partita-blocks << []    => 404 NoSuchUpload
        POST /bkt/k?uploadId=$U&partita-blocks << @4194305  => 400 MaxMessageLengthExceeded
        POST /bkt/k?partita-blocks << []                    => 400 InvalidRequest
        "#,
    );
}
