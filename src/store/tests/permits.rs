//! Contracts of permits: decisions that depend on a stored object, and writes that were decided on
//! another version.

use super::instant::SIZE;
use super::rights::question;
use super::*;
use crate::access::{
    Action, Decision, DeleteObject, Denied, ObjectFacts, ObjectPath, Permit, Question, ReadAccess,
    ReadObject, ReadObjectAcl, Resource, Right, Rules, WriteObject, decide,
};
use crate::store::db::sqlite::objects;

/// A bucket of Alice, who is no root, with the object "a".
struct Shared {
    fixture: Fixture,
    alice: Arc<Credential>,
    rights: Rights,
}

impl Shared {
    fn new() -> Self {
        Self::in_store(Fixture::new())
    }

    fn in_store(fixture: Fixture) -> Self {
        let new = NewUser { name: "alice".to_owned(), ..NewUser::default() };
        let (_, alice) = fixture.store.create_user(new).wait().expect("a user");
        let rights = fixture.make_bucket_of(&alice, "bucket");
        fixture.put(&rights, "a", b"first").expect("put");
        Self { fixture, alice, rights }
    }

    /// The question under the rule that the owner of the stored object decides.
    fn question(&self, who: &Arc<Credential>, action: Action, path: ObjectPath) -> Question {
        let rules = Rules::ObjectOwner;
        Question { rules, ..question(who, action, Resource::Object(path)) }
    }

    fn access(&self, who: &Arc<Credential>, name: &str) -> ReadAccess<ReadObject> {
        let question = self.question(who, Action::GetObject, self.rights.path(name));
        decide(question).read_access().expect("it is not denied yet")
    }

    /// Facts of the stored object.
    fn facts(&self, name: &str) -> ObjectFacts {
        let path = self.rights.path(name);
        let (record, seq) = objects::record(&self.fixture.store.engine.db, &path).expect("there");
        ObjectFacts { path, seq, owner_id: record.owner.id }
    }

    /// Alice's permit that was decided with the facts of the stored object.
    fn decided<R: Right>(&self, action: Action, name: &str) -> Permit<R> {
        let object = Some(self.facts(name));
        let question = self.question(&self.alice, action, self.rights.path(name));
        let allowed =
            decide(Question { object, ..question }).allowed().cloned().expect("she owns it");
        allowed.permit::<R>().expect("the action gives the right")
    }

    fn read(&self) -> Vec<u8> {
        self.fixture.read(&self.rights, "a").expect("the object is there")
    }
}

#[test]
fn a_decision_that_depends_on_the_object_is_made_with_what_the_read_found() {
    let shared = Shared::new();
    let question = shared.question(&shared.alice, Action::GetObject, shared.rights.path("a"));
    let decision = decide(question);
    assert!(matches!(decision, Decision::NeedsObject(_)), "{decision:?}");
    assert_eq!(decision.allowed().err(), Some(Denied), "without the object there is no proof");

    let store = &shared.fixture.store;
    let hers = shared.access(&shared.alice, "a");
    let opened = store.open_object(&hers).wait().expect("found").open(&hers).expect("she owns it");
    assert_eq!(read_all(&opened).expect("read"), b"first");
    let head = store.object(&hers).wait().expect("found").open(&hers).expect("she owns it");
    assert_eq!(head.owner.id, shared.alice.user.id);

    let roots = shared.access(&shared.fixture.root, "a");
    assert_eq!(store.open_object(&roots).wait().expect("found").open(&roots).err(), Some(Denied));
    assert_eq!(store.object(&roots).wait().expect("found").open(&roots).err(), Some(Denied));
}

#[test]
fn a_sealed_value_opens_for_its_own_key_and_version() {
    let shared = Shared::new();
    shared.fixture.put(&shared.rights, "b", b"other").expect("put");
    let store = &shared.fixture.store;
    let (a, b) = (shared.rights.access("a"), shared.rights.access("b"));
    assert!(store.object(&a).wait().expect("found").open(&a).is_ok());
    assert_eq!(store.object(&a).wait().expect("found").open(&b).err(), Some(Denied));
    let undecided = shared.access(&shared.alice, "b");
    assert_eq!(store.object(&a).wait().expect("found").open(&undecided).err(), Some(Denied));

    let decided = ReadAccess::Allowed(shared.decided::<ReadObject>(Action::GetObject, "a"));
    let old = store.object(&decided).wait().expect("found");
    shared.fixture.put(&shared.rights, "a", b"second").expect("put");
    let new = store.object(&decided).wait().expect("found");
    assert_eq!(new.open(&decided).err(), Some(Denied), "another version was decided on");
    assert!(old.open(&decided).is_ok(), "the version that was decided on");
}

#[test]
fn a_write_that_was_decided_on_another_version_changes_nothing() {
    let shared = Shared::new();
    let store = &shared.fixture.store;
    let delete = shared.decided::<DeleteObject>(Action::DeleteObject, "a");
    let write = shared.decided::<WriteObject>(Action::PutObject, "a");
    assert_eq!(delete.decided_on(), Some(shared.facts("a").seq));
    let condition = WriteCondition::default;
    let put = |permit, body: &[u8]| {
        let staged = shared.fixture.stage(&shared.rights, body, None);
        store.put_object(permit, new_object(), staged).wait()
    };

    shared.fixture.put(&shared.rights, "a", b"second").expect("put");
    let deleted = store.delete_object(&delete, condition()).wait();
    assert!(matches!(deleted, Err(Error::ObjectChanged)), "{deleted:?}");
    let large = body(1, 5_000);
    assert!(matches!(put(&write, &large), Err(Error::ObjectChanged)));
    assert!(matches!(put(&write, b"small"), Err(Error::ObjectChanged)));
    assert_eq!(shared.read(), b"second");
    shared.fixture.check();
    assert_eq!(shared.fixture.count_files(), 0, "the file of the refused body is removed");

    let upload = shared.fixture.create_upload(&shared.rights, "a");
    shared.fixture.put_part(&shared.rights, "a", upload, 1, b"part").expect("a part");
    let request = || complete_request(&[(1, b"part")]);
    let completed = store.complete_upload(&write.clone().upload(upload), request()).run();
    assert!(matches!(completed, Err(Error::ObjectChanged)), "{completed:?}");
    assert_eq!(shared.read(), b"second");

    let write = shared.decided::<WriteObject>(Action::PutObject, "a");
    put(&write, b"third").expect("decided on the current version");
    assert_eq!(shared.read(), b"third");
    let delete = shared.decided::<DeleteObject>(Action::DeleteObject, "a");
    shared.fixture.delete(&shared.rights, "a").expect("deleted");
    let deleted = store.delete_object(&delete, condition()).wait();
    assert!(matches!(deleted, Err(Error::ObjectChanged)), "it is gone: {deleted:?}");
    shared.fixture.check();
}

#[test]
fn a_write_that_depends_on_the_object_is_decided_with_its_facts() {
    let shared = Shared::new();
    let store = &shared.fixture.store;
    let ask = |who: &Arc<Credential>, name: &str| {
        let question = shared.question(who, Action::DeleteObject, shared.rights.path(name));
        match decide(question) {
            Decision::NeedsObject(undecided) => undecided,
            other => panic!("{other:?}"),
        }
    };
    let hers = ask(&shared.alice, "a");
    let facts = store.object_facts(&hers).wait().expect("it is there");
    let permit = hers.decide(&facts).expect("she owns it").permit::<DeleteObject>();
    assert_eq!(permit.expect("the action gives it").decided_on(), Some(facts.seq));
    assert!(ask(&shared.fixture.root, "a").decide(&facts).is_err(), "root does not own it");
    assert!(ask(&shared.alice, "b").decide(&facts).is_err(), "the facts of another object");
    let absent = store.object_facts(&ask(&shared.alice, "b")).wait();
    assert!(matches!(absent, Err(Error::NoSuchKey)), "{absent:?}");
}

#[test]
fn of_many_keys_only_the_changed_one_is_not_deleted() {
    let shared = Shared::new();
    let store = &shared.fixture.store;
    for name in ["b", "c"] {
        shared.fixture.put(&shared.rights, name, b"first").expect("put");
    }
    let permits: Vec<Permit<DeleteObject>> =
        ["a", "b", "c"].map(|name| shared.decided(Action::DeleteObject, name)).into();
    shared.fixture.put(&shared.rights, "b", b"second").expect("put");
    shared.fixture.delete(&shared.rights, "c").expect("deleted");
    let outcomes = store.delete_objects(&permits).wait().expect("each key has an outcome");
    let wanted = [DeleteOutcome::Deleted, DeleteOutcome::Changed, DeleteOutcome::Changed];
    assert_eq!(outcomes, wanted);
    assert_eq!(shared.fixture.read(&shared.rights, "b").expect("it is there"), b"second");
    shared.fixture.check();
}

#[test]
fn an_action_gives_its_own_rights_and_no_other() {
    let shared = Shared::new();
    let object = Resource::Object(shared.rights.path("a"));
    let allowed = |action, resource: &Resource| {
        let question = question(&shared.alice, action, resource.clone());
        decide(question).allowed().cloned().expect("she owns the bucket")
    };
    let put = allowed(Action::PutObject, &object);
    assert!(put.permit::<WriteObject>().is_ok());
    assert_eq!(put.permit::<DeleteObject>().err(), Some(Denied));
    assert_eq!(put.permit::<ReadObject>().err(), Some(Denied));
    let get = allowed(Action::GetObject, &object);
    assert_eq!(get.permit::<WriteObject>().err(), Some(Denied));
    assert_eq!(get.permit::<ReadObjectAcl>().err(), Some(Denied));
    let get_acl = allowed(Action::GetObjectAcl, &object);
    assert!(get_acl.permit::<ReadObjectAcl>().is_ok());
    assert_eq!(get_acl.permit::<ReadObject>().err(), Some(Denied));
    // The right action on another kind of resource.
    let bucket = Resource::Bucket(Arc::clone(shared.rights.bucket()));
    assert_eq!(allowed(Action::PutObject, &bucket).permit::<WriteObject>().err(), Some(Denied));
}

#[test]
fn a_content_found_is_taken_only_in_the_version_that_was_decided_on() {
    let shared = Shared::in_store(Fixture::once());
    let (fixture, rights, one) = (&shared.fixture, &shared.rights, body(1, SIZE));
    fixture.put_known(rights, "a", &one);
    let granted = || {
        let permit = shared.decided::<ReadObject>(Action::GetObject, "a");
        let found = fixture.find(rights, &one).remove(0).granted(Some(&permit));
        vec![found.expect("she owns the object")]
    };
    assert!(fixture.take(rights, "b", granted()));
    fixture.delete(rights, "b").expect("deleted");
    let before = granted();
    // The same bytes once more are another version, here even of the same blob.
    fixture.put_known(rights, "a", &one);
    assert!(!fixture.take(rights, "b", before));
    assert!(fixture.take(rights, "b", granted()));
    fixture.check();
}
