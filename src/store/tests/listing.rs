//! Pages of keys, uploads, parts and buckets.

use super::rights::list_buckets_permit;
use super::*;
use crate::store::db::sqlite::listing::objects_counted;

fn names(page: &Page<ListedObject>) -> Vec<String> {
    page.entries
        .iter()
        .map(|entry| match entry {
            Listed::Item(object) => object.key.clone(),
            Listed::Prefix(prefix) => format!("{prefix}*"),
        })
        .collect()
}

#[test]
fn a_list_over_folders_touches_as_many_rows_as_it_returns() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let mut answers = Vec::new();
    for folder in 0..20 {
        for file in 0..100 {
            let staged = fixture.stage(&rights, b"x", None);
            let name = format!("folder-{folder:02}/file-{file:03}");
            let new = new_object();
            answers.push(fixture.store.put_object(&rights.write(&name), new, staged));
        }
        answers.drain(..).for_each(|answer| {
            answer.wait().expect("put");
        });
    }
    let query = ListQuery { delimiter: Some("/".to_owned()), max: 1000, ..ListQuery::default() };
    let (page, touched) =
        objects_counted(&fixture.store.engine.db, rights.bucket(), &query).expect("a list");
    assert_eq!(page.entries.len(), 20);
    assert!(touched <= 21, "{touched} rows touched for 20 folders of 100 keys");

    // Page by page, through a folder as a marker, every folder comes once.
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let query = ListQuery { after: after.take(), max: 3, ..query.clone() };
        let (page, touched) =
            objects_counted(&fixture.store.engine.db, rights.bucket(), &query).expect("one");
        assert!(touched <= 4, "{touched} rows touched for a page of 3");
        seen.extend(names(&page));
        if !page.truncated {
            break;
        }
        after = seen.last().map(|name| name.trim_end_matches('*').to_owned());
    }
    let wanted: Vec<String> = (0..20).map(|folder| format!("folder-{folder:02}/*")).collect();
    assert_eq!(seen, wanted);
}

#[test]
fn keys_between_common_prefixes_are_found_with_a_row_more_for_each() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let mut wanted = Vec::new();
    for n in 0..10 {
        for key in [format!("{n}-a/1"), format!("{n}-a/2"), format!("{n}-b")] {
            let staged = fixture.stage(&rights, b"x", None);
            fixture
                .store
                .put_object(&rights.write(&key), new_object(), staged)
                .wait()
                .expect("put");
        }
        wanted.extend([format!("{n}-a/*"), format!("{n}-b")]);
    }
    let query = ListQuery { delimiter: Some("/".to_owned()), max: 1000, ..ListQuery::default() };
    let (page, touched) =
        objects_counted(&fixture.store.engine.db, rights.bucket(), &query).expect("a list");
    assert_eq!(names(&page), wanted);
    assert_eq!(touched, 30, "a prefix is one row, a key behind it two");
}

#[test]
fn uploads_come_by_key_then_by_initiation_and_the_markers_hold() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let keys = ["b", "a", "b", "b", "c/1", "c/2"];
    let ids: Vec<UploadId> = keys.iter().map(|name| fixture.create_upload(&rights, name)).collect();
    let list = |query: UploadsQuery| {
        let page = fixture.store.list_uploads(&rights.list_uploads(), query).run().expect("a list");
        let entries: Vec<String> = page
            .entries
            .iter()
            .map(|entry| match entry {
                Listed::Item(upload) => {
                    format!("{}", ids.iter().position(|id| *id == upload.id).expect("known"))
                }
                Listed::Prefix(prefix) => prefix.clone(),
            })
            .collect();
        (entries.join(" "), page.truncated)
    };
    let all = UploadsQuery { max: 10, ..UploadsQuery::default() };
    let marker = |key: &str, id: Option<usize>| UploadsQuery {
        key_marker: Some(key.to_owned()),
        upload_id_marker: id.map(|id| ids[id]),
        ..all.clone()
    };
    let folded = UploadsQuery { delimiter: Some("/".to_owned()), ..all.clone() };
    for (query, wanted) in [
        (all.clone(), ("1 0 2 3 4 5", false)),
        (UploadsQuery { max: 3, ..all.clone() }, ("1 0 2", true)),
        (UploadsQuery { max: 0, ..all.clone() }, ("", false)),
        (marker("b", None), ("4 5", false)),
        (marker("b", Some(0)), ("2 3 4 5", false)),
        (marker("b", Some(3)), ("4 5", false)),
        (marker("", None), ("1 0 2 3 4 5", false)),
        (UploadsQuery { upload_id_marker: Some(ids[3]), ..all.clone() }, ("1 0 2 3 4 5", false)),
        (UploadsQuery { prefix: "c/1".to_owned(), ..all.clone() }, ("4", false)),
        (folded.clone(), ("1 0 2 3 c/", false)),
        (UploadsQuery { max: 4, ..folded.clone() }, ("1 0 2 3", true)),
        (UploadsQuery { key_marker: Some("c/".to_owned()), ..folded.clone() }, ("", false)),
        (UploadsQuery { key_marker: Some("c/1".to_owned()), ..folded }, ("", false)),
    ] {
        assert_eq!(list(query.clone()), (wanted.0.to_owned(), wanted.1), "{query:?}");
    }
}

#[test]
fn parts_come_in_order_and_the_last_page_says_so() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    for number in [10_000, 3, 1, 7] {
        fixture.put_part(&rights, "key", upload, number, &body(number.into(), 50)).expect("part");
    }
    for (after, max, wanted, truncated) in [
        (0, 10, &[1, 3, 7, 10_000][..], false),
        (0, 4, &[1, 3, 7, 10_000], false),
        (0, 3, &[1, 3, 7], true),
        (3, 1, &[7], true),
        (7, 1, &[10_000], false),
        (10_000, 5, &[], false),
        (0, 0, &[], false),
    ] {
        let page = fixture
            .store
            .list_parts(&rights.upload("key", upload), after, max)
            .run()
            .expect("page");
        let numbers: Vec<u16> = page.parts.iter().map(|part| part.number.get()).collect();
        assert_eq!((numbers.as_slice(), page.truncated), (wanted, truncated), "{after} {max}");
    }
    let other = fixture.store.list_parts(&rights.upload("other", upload), 0, 10).run();
    assert!(matches!(other, Err(Error::NoSuchUpload)));
}

#[test]
fn buckets_come_by_owner_and_name() {
    let fixture = Fixture::new();
    for name in ["b-2", "b-1", "abc", "zzz"] {
        let name = format!("{name}-x");
        fixture.make_bucket(&name);
    }
    let new = NewUser { name: "other".to_owned(), ..NewUser::default() };
    let (_, credential) = fixture.store.create_user(new).wait().expect("a user");
    fixture.make_bucket_of(&credential, "b-3-x");
    let owner = list_buckets_permit(&fixture.root);
    for (prefix, after, max, wanted, truncated) in [
        ("", None, 10, "abc-x b-1-x b-2-x zzz-x", false),
        ("b-", None, 10, "b-1-x b-2-x", false),
        ("b-", None, 1, "b-1-x", true),
        ("b-", Some("b-1-x"), 1, "b-2-x", false),
        ("", Some("b-2-x"), 10, "zzz-x", false),
        ("b-", Some("zzz"), 10, "", false),
        ("", None, 0, "", false),
    ] {
        let (page, more) = fixture.store.buckets(&owner, prefix, after, max);
        let names: Vec<&str> = page.iter().map(|bucket| bucket.name.as_str()).collect();
        assert_eq!((names.join(" ").as_str(), more), (wanted, truncated), "{prefix} {after:?}");
    }
    assert_eq!(fixture.store.buckets(&list_buckets_permit(&credential), "", None, 10).0.len(), 1);
}
