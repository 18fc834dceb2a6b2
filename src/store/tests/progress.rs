//! Pages of open uploads, and the verb that ends an upload only if it is idle.

use super::*;
use crate::clock;

fn page(fixture: &Fixture, rights: &Rights, after: Option<(&str, UploadId)>) -> ProgressPage {
    let after = after.map(|(key, id)| (key.to_owned(), id));
    let query = ProgressQuery { prefix: String::new(), after, max: 100 };
    fixture.store.upload_progress(&rights.list_uploads(), query).run().expect("a page")
}

#[test]
fn a_page_ends_when_it_has_counted_enough_parts() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let other = fixture.make_bucket("other");
    fixture.create_upload(&other, "key0");
    let ids = ["key1", "key2", "key3"].map(|name| {
        let id = fixture.create_upload(&rights, name);
        for number in 1..=3 {
            fixture.put_part(&rights, name, id, number, &body(1, 10)).expect("a part");
        }
        id
    });
    // Five rows of parts are the most in tests: after two uploads with three each it is enough.
    let first = page(&fixture, &rights, None);
    let found: Vec<_> = first.uploads.iter().map(|of| of.upload.id).collect();
    assert_eq!((found, first.truncated), (ids[..2].to_vec(), true));
    assert_eq!((first.uploads[1].parts, first.uploads[1].received_bytes), (3, 30));
    let rest = page(&fixture, &rights, Some(("key2", ids[1])));
    assert_eq!((rest.uploads.len(), rest.truncated), (1, false));
    assert_eq!(rest.uploads[0].upload.id, ids[2]);
    let (bucket, name) = fixture.store.locate_upload(ids[2]).wait().expect("a look").expect("open");
    assert_eq!((bucket.as_str(), name), ("bucket", key("key3")));
    assert!(fixture.store.locate_upload(UploadId::new()).wait().expect("a look").is_none());
}

#[test]
fn what_was_active_meanwhile_is_not_idle() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let id = fixture.create_upload(&rights, "key");
    let looked = clock::now();
    std::thread::sleep(std::time::Duration::from_millis(5));
    fixture.put_part(&rights, "key", id, 1, &body(1, 10)).expect("a part");
    let drop_idle = |since| {
        fixture.store.drop_idle_upload(&rights.ending("key", id), since).wait().expect("a verb")
    };
    assert!(!drop_idle(looked), "a part came after the look");
    assert!(fixture.store.upload(&rights.upload("key", id)).wait().is_ok());
    assert!(drop_idle(clock::now()));
    assert!(!drop_idle(clock::now()), "it is gone");
    fixture.check();
}
