//! Proof of possession: a client that has a file, but may not find it, proves it with some of its
//! bytes.
//!
//! The deputy of these tests is root: an application with a key to the whole bucket, which narrows
//! what each of its users may find to the keys of that user.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::attacks::comparable;
use super::create::{body_of, complete, parts, put_in_parts};
use super::{create, created, file, put};
use crate::grants::ask;
use crate::harness::{Answer, Gateway, Request, Who, bytes_of, valid_json};
use crate::signer;

const PREFIX: &str = "x-partita-instant-prefix";
const PROOF_PREFIX: &str = "x-partita-proof-prefix";
/// Limits of challenges: of one upload, and of a user without a right answer.
const OF_UPLOAD_MAX: usize = 4;
const OF_USER_MAX: usize = 100;

/// Two buckets that accept proofs, one of them `hers` of alice, and `other` that does not.
fn gateway() -> Gateway {
    let gateway = Gateway::with(&[
        ("part-bytes-min", "1"),
        ("inline-bytes-max", "1000"),
        ("proof-buckets", "bkt,hers"),
    ]);
    for (who, bucket) in [(Who::Alice, "/hers"), (Who::Root, "/other")] {
        gateway.send(&Request::new("PUT", bucket).by(who)).expect(200);
    }
    gateway
}

/// A Create for a user who may find nothing, but prove everything.
fn claim(target: &str, body: &[u8]) -> Request {
    create(target, body).header(PREFIX, "user2/").header(PROOF_PREFIX, "*")
}

/// Creates an upload that may be proven; returns its target.
#[track_caller]
fn challenged(gateway: &Gateway, key: &str, body: &[u8]) -> String {
    let (how, id) = created(gateway, &claim(&format!("{key}?uploads"), body));
    assert_eq!(how, "challenge", "{key}");
    format!("{key}?uploadId={id}")
}

fn ask_for(target: &str) -> Request {
    Request::new("GET", format!("{target}&partita-proof"))
}

#[track_caller]
fn challenge(gateway: &Gateway, target: &str) -> Value {
    valid_json("challenge", &gateway.send(&ask_for(target)).expect(200).body)
}

/// Right answer of a client that has these bytes as the file.
fn proof(challenge: &Value, bytes: &[u8]) -> Value {
    let mut hasher = Sha256::new();
    hasher.update(hex::decode(challenge["nonce"].as_str().unwrap()).unwrap());
    for range in challenge["ranges"].as_array().unwrap() {
        let end = |name: &str| range[name].as_u64().unwrap() as usize;
        hasher.update(&bytes[end("startByte")..=end("endByte")]);
    }
    let proof = json!({ "nonce": challenge["nonce"], "sha256": hex::encode(hasher.finalize()) });
    valid_json("proof", proof.to_string().as_bytes())
}

fn answer(target: &str, proof: &Value) -> Request {
    Request::new("POST", format!("{target}&partita-proof")).body(proof.to_string())
}

#[track_caller]
fn denied(answer: Answer) {
    let answer = answer.expect(403);
    assert_eq!(answer.code().as_deref(), Some("AccessDenied"), "{answer:?}");
}

/// Completes the upload with parts, like any other.
#[track_caller]
fn finish_by_parts(gateway: &Gateway, target: &str, body: &[u8]) {
    assert_eq!(parts(gateway, target), [], "nothing was given");
    put(gateway, Who::Root, &format!("{target}&partNumber=1"), body);
    complete(gateway, target, &parts(gateway, target)).expect(200);
    gateway.assert_sound();
}

#[test]
fn a_client_that_has_the_file_need_not_send_it() {
    let mut gateway = gateway();
    let (one, two) = (file(1), file(2));
    let whole = [&one[..], &two].concat();
    put(&gateway, Who::Root, "/bkt/user1/single", &one);
    put_in_parts(&gateway, "user1/parts", [&one, &two]);
    for (key, source, body) in
        [("/bkt/user2/a", "/bkt/user1/single", &one), ("/bkt/user2/b", "/bkt/user1/parts", &whole)]
    {
        let target = challenged(&gateway, key, body);
        assert_eq!(parts(&gateway, &target), []);
        let asked = challenge(&gateway, &target);
        assert_eq!(asked["key"], key.strip_prefix("/bkt/").unwrap());
        let answer = gateway.send(&answer(&target, &proof(&asked, body))).expect(200);
        assert_eq!(answer.header("x-partita-upload").as_deref(), Some("instant"));
        let blocks = valid_json("blocks", &answer.body);
        assert_eq!(blocks["expectBlocks"], json!([]));
        assert_eq!(blocks["receivedBytes"], body.len());
        gateway.assert_sound();
        // The upload is complete from here on: its source may go, and the server restart.
        gateway.send(&Request::new("DELETE", source)).expect(204);
        gateway.restart();
        complete(&gateway, &target, &parts(&gateway, &target)).expect(200);
        assert_eq!(&body_of(&gateway, key), body);
        gateway.assert_sound();
    }
}

#[test]
fn a_part_of_the_file_proves_nothing() {
    let gateway = gateway();
    let size = 1 << 20;
    let whole = bytes_of(size, 3);
    put(&gateway, Who::Root, "/bkt/user1/f", &whole);
    // All but one sixteenth, at any place; the head, as in a preview; and a guess.
    let lacks = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0);
        bytes
    };
    let sixteenth = size / 16;
    for (n, has) in [
        lacks(size - sixteenth, size),
        lacks(0, sixteenth),
        lacks(7 * sixteenth, 8 * sixteenth),
        lacks(sixteenth, size),
        vec![0; size],
    ]
    .iter()
    .enumerate()
    {
        let target = challenged(&gateway, &format!("/bkt/other{n}/f"), &whole);
        let asked = challenge(&gateway, &target);
        denied(gateway.send(&answer(&target, &proof(&asked, has))));
        finish_by_parts(&gateway, &target, &whole);
    }
}

#[test]
fn a_file_of_64_kib_is_asked_for_whole_and_a_smaller_one_never() {
    let gateway = gateway();
    let (smallest, smaller) = (bytes_of(65_536, 4), bytes_of(65_535, 4));
    put(&gateway, Who::Root, "/bkt/user1/f", &smallest);
    put(&gateway, Who::Root, "/bkt/user1/g", &smaller);
    let target = challenged(&gateway, "/bkt/user2/f", &smallest);
    for at in [0, 40_000, 65_535] {
        let mut other = smallest.clone();
        other[at] ^= 1;
        denied(gateway.send(&answer(&target, &proof(&challenge(&gateway, &target), &other))));
    }
    let asked = challenge(&gateway, &target);
    gateway.send(&answer(&target, &proof(&asked, &smallest))).expect(200);
    assert_eq!(created(&gateway, &claim("/bkt/user2/g?uploads", &smaller)).0, "created");
}

#[test]
fn a_replayed_nonce_is_refused() {
    let gateway = gateway();
    let body = file(5);
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let target = challenged(&gateway, "/bkt/user2/f", &body);
    let first = challenge(&gateway, &target);
    // A wrong answer uses up the nonce.
    denied(gateway.send(&answer(&target, &proof(&first, &file(6)))));
    denied(gateway.send(&answer(&target, &proof(&first, &body))));
    // A new challenge replaces it by another one.
    let (second, third) = (challenge(&gateway, &target), challenge(&gateway, &target));
    assert_ne!(second["nonce"], third["nonce"]);
    assert_ne!(second["ranges"], third["ranges"]);
    denied(gateway.send(&answer(&target, &proof(&second, &body))));
    let last = challenge(&gateway, &target);
    // The right answer to one nonce is wrong for another.
    let right = proof(&last, &body);
    gateway.send(&answer(&target, &right)).expect(200);
    denied(gateway.send(&answer(&target, &right)));
    gateway.assert_sound();
}

#[test]
fn a_nonce_of_another_upload_is_refused() {
    let gateway = gateway();
    let body = file(7);
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let one = challenged(&gateway, "/bkt/user2/f", &body);
    let other = challenged(&gateway, "/bkt/user2/g", &body);
    let (asked, of_other) = (challenge(&gateway, &one), challenge(&gateway, &other));
    denied(gateway.send(&answer(&other, &proof(&asked, &body))));
    denied(gateway.send(&answer(&other, &proof(&of_other, &body))));
    gateway.send(&answer(&one, &proof(&asked, &body))).expect(200);
    finish_by_parts(&gateway, &other, &body);
}

#[test]
fn a_nonce_of_another_principal_is_refused() {
    let gateway = gateway();
    let body = file(8);
    put(&gateway, Who::Alice, "/hers/user1/f", &body);
    let (how, id) = created(&gateway, &claim("/hers/user2/f?uploads", &body).by(Who::Alice));
    assert_eq!(how, "challenge");
    let target = format!("/hers/user2/f?uploadId={id}");
    let asked = gateway.send(&ask_for(&target).by(Who::Alice)).expect(200);
    let right = proof(&valid_json("challenge", &asked.body), &body);
    // Root may write to this upload, but was not challenged.
    denied(gateway.send(&answer(&target, &right)));
    gateway.send(&ask_for(&target)).expect(400);
    denied(gateway.send(&answer(&target, &right).by(Who::Bob)));
    gateway.send(&answer(&target, &right).by(Who::Alice)).expect(200);
    gateway.assert_sound();
}

#[test]
fn content_deleted_after_the_challenge_is_not_given() {
    let gateway = gateway();
    let body = file(9);
    let delete = |key: &str| drop(gateway.send(&Request::new("DELETE", key)).expect(204));
    for replaced in [false, true] {
        put(&gateway, Who::Root, "/bkt/user1/f", &body);
        // The content lives on, but in no object of this bucket.
        let copy = Request::new("PUT", "/other/f").header("x-amz-copy-source", "bkt/user1/f");
        gateway.send(&copy).expect(200);
        let target = challenged(&gateway, "/bkt/user2/f", &body);
        let right = proof(&challenge(&gateway, &target), &body);
        match replaced {
            true => drop(put(&gateway, Who::Root, "/bkt/user1/f", &file(10))),
            false => delete("/bkt/user1/f"),
        }
        denied(gateway.send(&answer(&target, &right)));
        finish_by_parts(&gateway, &target, &body);
        delete("/bkt/user2/f");
    }
    // Deleted before the challenge.
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let target = challenged(&gateway, "/bkt/user2/g", &body);
    put(&gateway, Who::Root, "/bkt/user1/f", &file(10));
    gateway.send(&ask_for(&target)).expect(400);
    delete("/bkt/user1/f");
    gateway.send(&ask_for(&target)).expect(400);
    // With two objects, the other one suffices.
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let copy = Request::new("PUT", "/bkt/user3/f").header("x-amz-copy-source", "bkt/user1/f");
    gateway.send(&copy).expect(200);
    let target = challenged(&gateway, "/bkt/user2/h", &body);
    let right = proof(&challenge(&gateway, &target), &body);
    delete("/bkt/user1/f");
    gateway.send(&answer(&target, &right)).expect(200);
    gateway.assert_sound();
}

#[test]
fn guesses_are_few_for_each_upload_and_each_user() {
    let gateway = gateway();
    let body = file(11);
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    put(&gateway, Who::Alice, "/hers/user1/f", &body);
    for n in 0..OF_USER_MAX / OF_UPLOAD_MAX {
        let key = format!("/bkt/user2/{n}");
        let target = challenged(&gateway, &key, &body);
        for _ in 0..OF_UPLOAD_MAX {
            challenge(&gateway, &target);
        }
        // Another Create gives no new guesses.
        assert_eq!(challenged(&gateway, &key, &body), target);
        denied(gateway.send(&ask_for(&target)));
    }
    let target = challenged(&gateway, "/bkt/user2/last", &body);
    let slow = gateway.send(&ask_for(&target)).expect(503);
    assert_eq!(slow.code().as_deref(), Some("SlowDown"));
    assert_eq!(slow.header("retry-after").as_deref(), Some("60"));
    finish_by_parts(&gateway, &target, &body);
    // Other users are not affected.
    let (_, id) = created(&gateway, &claim("/hers/user2/f?uploads", &body).by(Who::Alice));
    let target = format!("/hers/user2/f?uploadId={id}");
    gateway.send(&ask_for(&target).by(Who::Alice)).expect(200);
}

#[test]
fn a_presigned_url_proves_nothing() {
    let gateway = gateway();
    let body = file(12);
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let host = gateway.host();
    let presign = |method: &str, target: &str, headers: &[(&str, &str)]| {
        let signer = Who::Root.signer().expect("root signs");
        let url = signer.presign_v4(signer::now(), 900, method, &host, target, headers);
        let request = Request::new(method, url).by(Who::Anonymous);
        headers.iter().fold(request, |request, (name, value)| request.header(name, *value))
    };
    let target = challenged(&gateway, "/bkt/user2/f", &body);
    let asked = format!("{target}&partita-proof");
    denied(gateway.send(&presign("GET", &asked, &[])));
    denied(gateway.send(&ask_for(&target).by(Who::Anonymous)));
    let right = proof(&challenge(&gateway, &target), &body);
    denied(gateway.send(&presign("POST", &asked, &[]).body(right.to_string())));
    denied(gateway.send(&answer(&target, &right).by(Who::Anonymous)));
    // The challenge is still open: it was not answered.
    gateway.send(&answer(&target, &right)).expect(200);
    // A presigned Create gets no challenge.
    let claim = claim("/bkt/user2/g?uploads", &body);
    let headers: Vec<(&str, &str)> =
        claim.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = gateway.send(&presign("POST", "/bkt/user2/g?uploads", &headers)).expect(200);
    assert_eq!(answer.header("x-partita-upload").as_deref(), Some("created"));
    gateway.assert_sound();
}

/// Buckets without the setting, and content that is only in other buckets.
#[test]
fn a_bucket_without_the_setting_tells_nothing() {
    let gateway = gateway();
    let (known, absent) = (file(13), file(14));
    put(&gateway, Who::Root, "/other/user1/f", &known);
    for bucket in ["/other", "/bkt"] {
        let answers: Vec<_> = [&known, &absent]
            .map(|body| {
                let answer = gateway.send(&claim(&format!("{bucket}/user2/f?uploads"), body));
                let id = answer.text("UploadId");
                let target = format!("{bucket}/user2/f?uploadId={id}");
                let asked = gateway.send(&ask_for(&target));
                assert_eq!((answer.status, asked.status), (200, 400));
                (comparable(&answer, &id), comparable(&asked, &id).1, asked.code())
            })
            .into();
        assert_eq!(answers[0], answers[1], "{bucket}");
        assert!(answers[0].0.1.contains(&("x-partita-upload".into(), "created".into())));
    }
}

#[test]
fn a_deputy_narrows_what_may_be_proven() {
    let gateway = gateway();
    let theirs = file(15);
    put(&gateway, Who::Root, "/bkt/user1/f", &theirs);
    for (n, (prefix, proof_prefix, how)) in [
        // One header narrows both, unless the second one is given.
        ("user2/", None, "created"),
        ("user2/", Some("user2/"), "created"),
        ("user2/", Some("user1/"), "challenge"),
        ("user2/", Some("user3/, user%31/"), "challenge"),
        ("user2/", Some("user"), "challenge"),
        ("user2/", Some("*"), "challenge"),
        ("user2/", Some("%2A"), "created"),
        ("user1/", Some("user2/"), "instant"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = create(&format!("/bkt/user2/{n}?uploads"), &theirs).header(PREFIX, prefix);
        let request = match proof_prefix {
            Some(proof_prefix) => request.header(PROOF_PREFIX, proof_prefix),
            None => request,
        };
        assert_eq!(created(&gateway, &request).0, how, "{prefix} {proof_prefix:?}");
    }
    for list in ["", ",", "user1/,", "*,", "%", &["a"; 17].join(","), &["*"; 17].join(",")] {
        for bucket in ["bkt", "other"] {
            let request = create(&format!("/{bucket}/k?uploads"), &theirs);
            let answer = gateway.send(&request.header(PROOF_PREFIX, list)).expect(400);
            assert_eq!(answer.code().as_deref(), Some("InvalidArgument"), "{list}");
        }
    }
}

/// Otherwise the hash would suffice for the next client that names it under the same key.
#[test]
fn a_proven_upload_is_found_by_no_create() {
    let gateway = gateway();
    let body = file(16);
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let first = challenged(&gateway, "/bkt/user2/f", &body);
    gateway.send(&answer(&first, &proof(&challenge(&gateway, &first), &body))).expect(200);
    let second = challenged(&gateway, "/bkt/user2/f", &body);
    assert_ne!(first, second);
    assert_eq!(parts(&gateway, &second), []);
    complete(&gateway, &first, &parts(&gateway, &first)).expect(200);
    gateway.assert_sound();
}

#[test]
fn an_upload_with_parts_is_not_proven_any_more() {
    let gateway = gateway();
    let body = [file(17), file(18)].concat();
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let claim = claim("/bkt/user2/f?uploads", &body).header("x-partita-part-size", "70000");
    let (how, id) = created(&gateway, &claim);
    assert_eq!(how, "challenge");
    let target = format!("/bkt/user2/f?uploadId={id}");
    let right = proof(&challenge(&gateway, &target), &body);
    put(&gateway, Who::Root, &format!("{target}&partNumber=2"), &body[70_000..]);
    let refused = gateway.send(&answer(&target, &right)).expect(400);
    assert_eq!(refused.code().as_deref(), Some("InvalidRequest"));
    assert_eq!(created(&gateway, &claim), ("resumed".into(), id), "it is not offered again");
    gateway.send(&ask_for(&target)).expect(400);
    put(&gateway, Who::Root, &format!("{target}&partNumber=1"), &body[..70_000]);
    complete(&gateway, &target, &parts(&gateway, &target)).expect(200);
    gateway.assert_sound();
}

#[test]
fn a_restart_forgets_challenges_and_a_create_finds_them_again() {
    let mut gateway = gateway();
    let body = file(19);
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let target = challenged(&gateway, "/bkt/user2/f", &body);
    let right = proof(&challenge(&gateway, &target), &body);
    gateway.restart();
    denied(gateway.send(&answer(&target, &right)));
    gateway.send(&ask_for(&target)).expect(400);
    assert_eq!(challenged(&gateway, "/bkt/user2/f", &body), target, "the same upload");
    gateway.send(&answer(&target, &proof(&challenge(&gateway, &target), &body))).expect(200);
    gateway.assert_sound();
}

#[test]
fn corrupt_bytes_are_never_challenged() {
    let gateway = gateway();
    let body = file(20);
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let target = challenged(&gateway, "/bkt/user2/f", &body);
    let mut folders = vec![gateway.folder().to_owned()];
    let mut rotten = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file()
                && let mut bytes = std::fs::read(&path).unwrap()
                && bytes.starts_with(&body)
            {
                bytes[1] ^= 1;
                std::fs::write(&path, bytes).unwrap();
                rotten += 1;
            }
        }
    }
    assert_eq!(rotten, 1);
    let answer = gateway.send(&ask_for(&target)).expect(500);
    assert_eq!(answer.code().as_deref(), Some("InternalError"));
}

/// An application gets a grant and a challenge, asks the browser, and signs the answer itself.
#[test]
fn a_grant_names_where_a_proof_is_asked_for() {
    let gateway = gateway();
    let body = file(21);
    put(&gateway, Who::Root, "/bkt/user1/f", &body);
    let grant = |n: usize, instant: Value, proof: Value| {
        let asked = json!({ "bucket": "bkt", "key": format!("user2/{n}"), "size": body.len(),
            "sha256": super::sha256(&body), "expiresIn": 60,
            "instantPrefixes": instant, "proofPrefixes": proof });
        let answer = ask(&gateway, Who::Root, "POST grants", &asked).expect(200);
        valid_json("grant", &answer.body)
    };
    for (n, (instant, proof, how)) in [
        (json!(null), json!(null), "created"),
        (json!([]), json!([]), "created"),
        (json!(["user2/"]), json!(null), "created"),
        (json!([]), json!(["user1/"]), "challenge"),
        (json!([]), json!(["user2/"]), "created"),
        (json!(["user2/"]), json!(["*"]), "challenge"),
        (json!(["user1/"]), json!(["*"]), "instant"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(grant(n, instant, proof)["upload"], how, "{n}");
    }
    let grant = grant(9, json!([]), json!(["*"]));
    let target = format!("/bkt/user2/9?uploadId={}", grant["uploadId"].as_str().unwrap());
    gateway.send(&answer(&target, &proof(&challenge(&gateway, &target), &body))).expect(200);
    let url = grant["completeUrl"].as_str().unwrap();
    let url = url.strip_prefix(&format!("http://{}", gateway.host())).unwrap();
    let list = crate::declared::document(&parts(&gateway, &target));
    gateway.send(&Request::new("POST", url).by(Who::Anonymous).body(list)).expect(200);
    assert_eq!(body_of(&gateway, "/bkt/user2/9"), body);
    gateway.assert_sound();
}
