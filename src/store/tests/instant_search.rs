//! Cost of a search for known bytes: the same for absent bytes and for those of another user, and
//! for any number of buckets that others have.

use super::instant::{SIZE, wanted};
use super::*;

/// Instructions of SQLite's machine that a search takes.
fn steps_of(fixture: &Fixture, rights: &Rights, wanted: &Wanted) -> u64 {
    // The statements are prepared before they are counted.
    fixture.store.find_contents(&rights.write("any"), wanted.clone()).run().expect("a search");
    fixture.store.engine.db.count_steps(|| {
        let permit = rights.write("any");
        fixture.store.find_contents(&permit, wanted.clone()).run().expect("a search");
    })
}

#[test]
fn nobody_is_told_apart_by_the_lookups() {
    let fixture = Fixture::new();
    let (mine, theirs) = (fixture.make_bucket("mine"), fixture.make_bucket("theirs"));
    let (known, unknown) = (body(1, SIZE), body(2, SIZE));
    fixture.put_known(&theirs, "a", &known);
    let absent = steps_of(&fixture, &mine, &wanted(&unknown));
    let other_size = Wanted { size: SIZE as u64 + 1, ..wanted(&known) };
    assert_eq!(steps_of(&fixture, &mine, &other_size), absent, "another size is a miss");
    let forbidden = steps_of(&fixture, &mine, &wanted(&known));
    // Some microseconds, beside a transaction and its fsync that all have in common.
    assert!(forbidden < absent + 150, "{forbidden} {absent}");
    assert!(absent > 20, "a miss makes the lookups too: {absent}");
}

#[test]
fn buckets_of_others_neither_hide_what_is_ones_own_nor_cost_steps() {
    const OTHERS: usize = 1_100;
    let fixture = Fixture::new();
    let new = NewUser { name: "alice".to_owned(), ..NewUser::default() };
    let (_, alice) = fixture.store.create_user(new).wait().expect("a user");
    let make = |name: &str| fixture.make_bucket_of(&alice, name);
    let one = body(1, SIZE);
    let first = make("alice-first");
    let theirs = fixture.make_bucket("theirs");
    fixture.put_known(&theirs, "a", &one);
    let steps_of_one = steps_of(&fixture, &first, &wanted(&one));
    for chunk in (0..OTHERS).collect::<Vec<_>>().chunks(500) {
        let name = |n: &usize| BucketName::parse(&format!("theirs-{n}")).expect("a name");
        let made = |n| {
            let permit = create_permit(&fixture.root, name(n));
            fixture.store.create_bucket(&permit, "us-east-1")
        };
        let made: Vec<_> = chunk.iter().map(made).collect();
        made.into_iter().for_each(|made| drop(made.wait().expect("the bucket is made")));
        let put = |n| {
            let bucket = fixture.store.bucket(&name(n)).expect("it was made");
            let (rights, new) = (fixture.rights(&bucket), new_object());
            fixture.store.put_object_instant(
                &rights.write("a"),
                new,
                fixture.readable(&theirs, &one),
            )
        };
        let put: Vec<_> = chunk.iter().map(put).collect();
        put.into_iter().for_each(|put| assert!(put.wait().expect("an answer").is_some()));
    }
    assert_eq!(steps_of(&fixture, &first, &wanted(&one)), steps_of_one, "they are not looked at");
    let last = make("alice-last");
    assert!(fixture.take(&last, "b", fixture.readable(&theirs, &one)));
    let found = fixture.find(&first, &one);
    let found: Vec<_> = found.iter().filter_map(Candidate::object).collect();
    let hers = found.iter().map(|(bucket, key)| (bucket.name.as_str(), key.as_str()));
    assert_eq!(hers.collect::<Vec<_>>(), [("alice-last", "b")]);
    let in_all = OTHERS as u64 * 5;
    assert!(steps_of(&fixture, &first, &wanted(&one)) < steps_of_one + in_all / 10);
}
