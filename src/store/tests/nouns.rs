//! Accounts, buckets, headers, references: the promises of each noun.

use super::*;
use crate::store::db::sqlite::inspector::Fault;
use crate::types::ByteRange;

#[test]
fn accounts_are_unique_survive_a_restart_and_owners_of_buckets_stay() {
    let mut fixture = Fixture::new();
    let new = NewUser {
        id: Some("ab".repeat(32)),
        name: "ann".to_owned(),
        display_name: Some("Ann".to_owned()),
        email: Some("ann@example.org".to_owned()),
        key: Some(("ANNKEY".to_owned(), "secret".to_owned())),
        ..NewUser::default()
    };
    let (ann, key) = fixture.store.create_user(new.clone()).wait().expect("a user");
    assert_eq!((key.access_key_id.as_str(), key.enabled), ("ANNKEY", true));
    let free = NewUser { name: "x".to_owned(), ..NewUser::default() };
    for taken in [
        NewUser { id: new.id.clone(), ..free.clone() },
        NewUser { name: "ann".to_owned(), ..free.clone() },
        NewUser { email: new.email.clone(), ..free.clone() },
        NewUser { key: new.key.clone(), ..free.clone() },
    ] {
        let result = fixture.store.create_user(taken).wait();
        assert!(matches!(result, Err(Error::Exists { .. })));
    }
    assert!(fixture.store.user("x").is_none(), "a refused user leaves nothing");

    let second = fixture.store.create_key("ann", None).wait().expect("a key");
    let id = second.access_key_id.as_str();
    assert_eq!((id.len(), second.secret_access_key.len()), (20, 40));
    fixture.store.set_key_enabled(id, false).wait().expect("disabled");
    assert!(!fixture.store.credential(id).expect("still known").enabled);
    assert_eq!(fixture.store.keys(Some("ann")).len(), 2);

    let name = BucketName::parse("anns-bucket").expect("a name");
    let create = |credential, region| {
        fixture.store.create_bucket(&create_permit(credential, name.clone()), region).wait()
    };
    let made = create(&key, "eu-west-1");
    assert!(matches!(made, Ok(CreatedBucket::Created(_))));
    let again = create(&fixture.root, "x");
    let Ok(CreatedBucket::Exists(there)) = again else { panic!("the name is taken") };
    assert_eq!((there.owner.id.as_str(), there.region.as_str()), (ann.id.as_str(), "eu-west-1"));
    assert!(matches!(fixture.store.delete_user("ann").wait(), Err(Error::Refused(_))));
    assert!(matches!(fixture.store.delete_user("root").wait(), Err(Error::Refused(_))));

    fixture.crash();
    assert_eq!(fixture.store.user("ann").as_deref(), Some(&*ann));
    assert!(!fixture.store.credential(id).expect("still known").enabled);
    let bucket = fixture.store.bucket(&name).expect("still there");
    let rights = fixture.rights(&bucket);
    fixture.store.delete_bucket(&rights.delete_bucket()).wait().expect("empty");
    fixture.store.delete_user("ann").wait().expect("owns nothing");
    assert!(fixture.store.credential("ANNKEY").is_none() && fixture.store.credential(id).is_none());
    assert_eq!(fixture.store.owner(&ann.id).display_name, "");
    assert!(matches!(fixture.store.delete_key(id).wait(), Err(Error::NotFound { .. })));
    let gone = fixture.store.create_bucket(&create_permit(&key, name), "us-east-1").wait();
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    fixture.check();
}

#[test]
fn a_bucket_goes_with_its_uploads_and_its_name_comes_back_as_another_bucket() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", b"x").expect("put");
    assert!(matches!(
        fixture.store.delete_bucket(&rights.delete_bucket()).wait(),
        Err(Error::BucketNotEmpty)
    ));
    fixture.delete(&rights, "key").expect("delete");
    let uploads: Vec<UploadId> = (0..150)
        .map(|i| {
            let name = format!("upload-{i}");
            let upload = fixture.create_upload(&rights, &name);
            if i % 10 == 0 {
                fixture.put_part(&rights, &name, upload, 1, &body(i, 2_000)).expect("a part");
            }
            upload
        })
        .collect();
    fixture
        .store
        .delete_bucket(&rights.delete_bucket())
        .wait()
        .expect("open uploads do not keep it");

    let name = key("upload-0");
    let late = fixture.stage(&rights, b"late", None);
    let late = fixture
        .store
        .put_part(&rights.upload(name.as_str(), uploads[0]), part_number(2), late)
        .wait();
    assert!(matches!(late, Err(Error::NoSuchBucket)));
    assert!(matches!(fixture.put(&rights, "key", b"x"), Err(Error::NoSuchBucket)));
    assert!(matches!(fixture.head(&rights, name.as_str()), Err(Error::NoSuchBucket)));
    assert!(matches!(
        fixture.store.upload(&rights.upload(name.as_str(), uploads[0])).wait(),
        Err(Error::NoSuchBucket)
    ));

    let again = fixture.make_bucket("bucket");
    assert_ne!(again.bucket().id, rights.bucket().id);
    assert!(matches!(
        fixture.store.upload(&again.upload(name.as_str(), uploads[0])).wait(),
        Err(Error::NoSuchUpload)
    ));
    let query = UploadsQuery { max: 10, ..UploadsQuery::default() };
    assert!(
        fixture
            .store
            .list_uploads(&again.list_uploads(), query)
            .run()
            .expect("a list")
            .entries
            .is_empty()
    );
    fixture.check();
    assert_eq!((fixture.count_rows("uploads"), fixture.count_files()), (0, 0));
}

#[test]
fn configuration_of_a_bucket_is_kept_by_kind_and_goes_with_the_bucket() {
    use BucketConfigurationKind::{Cors, Notification};
    let mut fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let other = fixture.make_bucket("other");
    let name = rights.bucket().name.clone();
    let put = |fixture: &Fixture, rights: &Rights, kind, document: &str| {
        let (store, document) = (&fixture.store, document.as_bytes().to_vec());
        match kind {
            Cors => store.put_bucket_configuration(&rights.write_cors(), document),
            Notification => store.put_bucket_configuration(&rights.write_notification(), document),
        }
        .wait()
    };
    let text = |fixture: &Fixture, rights: &Rights, kind| {
        let found = match kind {
            Cors => fixture.store.bucket_configuration(&rights.read_cors()),
            Notification => fixture.store.bucket_configuration(&rights.read_notification()),
        };
        let found = found.expect("the bucket is there");
        found.map(|found| String::from_utf8_lossy(found.bytes()).into_owned())
    };
    assert_eq!(text(&fixture, &rights, Cors), None);
    assert!(fixture.store.cors_rules(&name).is_none());
    put(&fixture, &rights, Cors, "first").expect("put");
    put(&fixture, &rights, Notification, "[]").expect("put");
    put(&fixture, &other, Cors, "other").expect("put");
    let first = fixture.store.cors_rules(&name).expect("there");
    let length = |bytes: &[u8]| bytes.len();
    assert_eq!(first.meaning(length), Some(&5));
    assert_eq!(first.meaning(|_| unreachable!("it was read before")), Some(&5_usize));
    put(&fixture, &rights, Cors, "second").expect("put again");
    let second = fixture.store.cors_rules(&name).expect("there");
    assert_eq!((second.meaning(length), first.meaning(length)), (Some(&6), Some(&5)));

    fixture.crash();
    let rights = fixture.rights(rights.bucket());
    assert_eq!(text(&fixture, &rights, Cors).as_deref(), Some("second"));
    assert_eq!(text(&fixture, &rights, Notification).as_deref(), Some("[]"));
    for _ in 0..2 {
        fixture.store.delete_bucket_configuration(&rights.write_cors()).wait().expect("deleted");
        assert_eq!(text(&fixture, &rights, Cors), None);
    }
    assert_eq!(text(&fixture, &rights, Notification).as_deref(), Some("[]"));
    fixture.check();

    fixture.store.delete_bucket(&rights.delete_bucket()).wait().expect("empty");
    assert_eq!(fixture.count_rows("bucket_configurations"), 1, "that of the other bucket");
    assert!(matches!(put(&fixture, &rights, Cors, "late"), Err(Error::NoSuchBucket)));
    let late = fixture.store.delete_bucket_configuration(&rights.write_cors()).wait();
    assert!(matches!(late, Err(Error::NoSuchBucket)));
    let late = fixture.store.bucket_configuration(&rights.read_notification());
    assert!(matches!(late, Err(Error::NoSuchBucket)));
    let again = fixture.make_bucket("bucket");
    assert_eq!(text(&fixture, &again, Notification), None);
    assert_eq!(text(&fixture, &other, Cors).as_deref(), Some("other"));
    fixture.check();
}

#[test]
fn headers_and_checksums_come_back_and_go_with_the_object() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let headers = ObjectHeaders(vec![
        ("content-type".to_owned(), b"text/plain".to_vec()),
        ("x-amz-meta-bytes".to_owned(), vec![0xff, 0, b'a']),
        ("x-amz-meta-empty".to_owned(), Vec::new()),
    ]);
    let sent = body(1, 100);
    let checksum = digests(&sent, Some(ChecksumAlgorithm::Sha1)).checksum;
    let checksum = checksum.map(crate::digest::ObjectChecksum::full);
    let new = NewObject { headers: headers.clone(), checksum: checksum.clone(), ..new_object() };
    let staged = fixture.stage(&rights, &sent, None);
    fixture.store.put_object(&rights.write("k"), new, staged).wait().expect("put");
    let record = fixture.head(&rights, "k").expect("head");
    assert_eq!((&record.headers, &record.checksum), (&headers, &checksum));
    assert_eq!(record.owner.id, fixture.root.user.id);

    let upload = NewUpload { headers: headers.clone(), ..NewUpload::default() };
    let upload = fixture.store.create_upload(&rights.write("m"), upload).wait();
    let upload = upload.expect("create").upload.id;
    fixture.put_part(&rights, "m", upload, 1, &sent).expect("a part");
    fixture.complete(&rights, "m", upload, &[(1, &sent)]).expect("complete");
    assert_eq!(fixture.head(&rights, "m").expect("head").headers, headers);

    fixture.put(&rights, "k", b"without").expect("overwrite");
    assert_eq!(fixture.head(&rights, "k").expect("head").headers.0, []);
    fixture.delete(&rights, "m").expect("delete");
    assert_eq!(fixture.count_rows("object_headers"), 0);
    fixture.check();
}

#[test]
fn a_part_is_copied_by_reference_and_outlives_its_source() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let (one, two) = (body(1, 3_000), body(2, 400));
    let first = fixture.create_upload(&rights, "source");
    fixture.put_part(&rights, "source", first, 1, &one).expect("a part");
    fixture.put_part(&rights, "source", first, 2, &two).expect("a part");
    fixture.complete(&rights, "source", first, &[(1, &one), (2, &two)]).expect("complete");
    let source = fixture.open(&rights, "source").expect("open");
    assert!(source.whole_blob(None).run().expect("a look").is_none(), "two blobs");
    for (range, is_whole) in [((0, 2_999), true), ((3_000, 3_399), true), ((1, 2_999), false)] {
        let range = ByteRange { first: range.0, last: range.1 };
        assert_eq!(source.whole_blob(Some(range)).run().expect("a look").is_some(), is_whole);
    }

    let second = fixture.create_upload(&rights, "copy");
    for (number, range) in [(1, (3_000, 3_399)), (2, (0, 2_999))] {
        let range = ByteRange { first: range.0, last: range.1 };
        let blob = source.whole_blob(Some(range)).run().expect("a look").expect("a whole blob");
        let (to, number) = (key("copy"), part_number(number));
        let copied =
            fixture.store.copy_part(&rights.upload(to.as_str(), second), number, blob, None);
        copied.wait().expect("copied");
    }
    assert_eq!(fixture.count_rows("blobs"), 2, "nothing was written twice");
    fixture.delete(&rights, "source").expect("delete");
    drop(source);
    fixture.store.collect_garbage().run().expect("gc");
    fixture.complete(&rights, "copy", second, &[(1, &two), (2, &one)]).expect("complete");
    assert_eq!(fixture.read(&rights, "copy").expect("read"), [two, one].concat());
    fixture.check();
}

#[test]
fn idle_uploads_expire_and_active_ones_do_not() {
    let fixture = Fixture::with(|options| options.upload_idle_ms_max = 60_000);
    let rights = fixture.make_bucket("bucket");
    let old = fixture.create_upload(&rights, "old");
    fixture.put_part(&rights, "old", old, 1, &body(1, 2_000)).expect("a part");
    let now = crate::clock::now();
    assert_eq!(fixture.store.expire_uploads(now.plus_millis(30_000)).run().expect("expire"), 0);
    assert_eq!(fixture.store.expire_uploads(now.plus_millis(120_000)).run().expect("expire"), 1);
    assert!(matches!(
        fixture.store.upload(&rights.upload("old", old)).wait(),
        Err(Error::NoSuchUpload)
    ));
    fixture.check();
    assert_eq!((fixture.count_rows("parts"), fixture.count_files()), (0, 0));
}

#[test]
fn check_names_what_is_broken() {
    let damages: [(Fault, &str); 14] = [
        (Fault::RefsOfBlobsRaised, "references, there are"),
        (Fault::SizeOfObjects(1), "another size"),
        (Fault::InlineBytesLost, "inline bytes are not there"),
        (Fault::InlineBytesWithoutBlob, "no blob has them"),
        (Fault::InlineBytesRotten, "do not verify"),
        (Fault::PartLost, "part 2 has no row"),
        (Fault::SizeOfManifests, "but its row says"),
        (Fault::RunsOfManifestsLost, "0 parts of 0 bytes"),
        (Fault::UploadsLost, "neither upload nor manifest"),
        (Fault::GarbageOfLiveBlobs, "does not name a dead blob"),
        (Fault::ConfigurationOfNoBucket, "bucket 9: no such bucket"),
        (Fault::ConfigurationChanged, "memory and table differ"),
        (Fault::ConfigurationsLost, "1 configurations of buckets, the table 0"),
        (Fault::HeadersOfNoObject, "there is no such object"),
    ];
    for (damage, wanted) in damages {
        let fixture = Fixture::new();
        let rights = fixture.make_bucket("bucket");
        fixture.put(&rights, "small", b"small").expect("put");
        let put = fixture.store.put_bucket_configuration(&rights.write_cors(), b"<x/>".to_vec());
        put.wait().expect("configured");
        let upload = fixture.create_upload(&rights, "parts");
        let (one, two) = (body(1, 2_000), body(2, 3_000));
        fixture.put_part(&rights, "parts", upload, 1, &one).expect("a part");
        fixture.put_part(&rights, "parts", upload, 2, &two).expect("a part");
        fixture.complete(&rights, "parts", upload, &[(1, &one), (2, &two)]).expect("complete");
        let open = fixture.create_upload(&rights, "open");
        fixture.put_part(&rights, "open", open, 1, &body(3, 2_000)).expect("a part");
        assert_eq!(fixture.store.check_blocks().run().expect("check"), Vec::<String>::new());
        fixture.store.engine.db.plant(damage);
        let found = fixture.store.check_blocks().run().expect("check");
        assert!(found.iter().any(|line| line.contains(wanted)), "{damage:?}: {found:#?}");
    }
}

#[test]
fn check_and_reads_notice_a_rotten_file_and_a_missing_one() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", &body(1, 70_000)).expect("put");
    let folders = std::fs::read_dir(fixture.options.data.join("blobs")).expect("the folder");
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.expect("one").path()));
    let file = files.flatten().next().expect("one file").expect("an entry").path();
    let mut bytes = std::fs::read(&file).expect("the file");
    bytes[66_000] ^= 1;
    std::fs::write(&file, &bytes).expect("rot");
    assert_eq!(
        fixture.store.check().run().expect("check"),
        Vec::<String>::new(),
        "the trailer is fine"
    );
    assert_eq!(fixture.store.check_blocks().run().expect("check").len(), 1);
    assert_eq!(fixture.store.health().damaged, Vec::<String>::new());
    assert!(matches!(fixture.read(&rights, "key"), Err(Error::Damaged { .. })));
    let damaged = fixture.store.health().damaged;
    assert!(damaged.len() == 1, "{damaged:?}");
    assert!(
        damaged[0].starts_with("object \"key\" of bucket bucket is damaged: blob "),
        "{damaged:?}"
    );
    std::fs::remove_file(&file).expect("loss");
    let found = fixture.store.check().run().expect("check");
    assert!(found.len() == 1 && found[0].contains("no such file"), "{found:?}");
    assert!(matches!(fixture.read(&rights, "key"), Err(Error::Damaged { .. })));
}
