//! Admission of bodies: the watermark, steps ahead of the bytes, and the shares of users.

use super::*;
use crate::access::User;

const MIB: u64 = 1 << 20;
/// Room above the watermark. Other tests write to the same disk, a few MiB.
const ROOM: u64 = 800 * MIB;

fn fixture() -> (Fixture, Arc<User>) {
    let mut fixture = Fixture::new();
    fixture.options.free_bytes_min = fixture.store.health().free_bytes - ROOM;
    fixture.crash();
    let user = Arc::clone(fixture.make_bucket("bucket").write("key").user());
    (fixture, user)
}

#[test]
fn a_body_that_does_not_fit_is_refused_at_once() {
    let (fixture, user) = fixture();
    let refused = fixture.store.admit(&user, Some(2 * ROOM));
    assert!(matches!(refused, Err(Error::DiskFull)));
    drop(fixture.store.admit(&user, Some(ROOM / 2)).expect("it fits"));
}

#[test]
fn a_body_that_does_not_come_holds_one_step() {
    let (fixture, user) = fixture();
    let admissions: Vec<Admission> =
        (0..4).map(|_| fixture.store.admit(&user, Some(ROOM / 2)).expect("it fits")).collect();
    let covered: Vec<u64> = admissions.iter().map(Admission::covered).collect();
    assert_eq!(covered, [64 * MIB; 4]);
    let origin = BlobOrigin { bucket: 1, key: key("slow"), part: None };
    let before = fixture.store.health().free_bytes;
    let slow = admissions.into_iter().next().expect("there are four");
    let file = fixture.store.begin_blob(origin, slow).run().expect("it begins");
    let taken = before.saturating_sub(fixture.store.health().free_bytes);
    assert!(taken < 80 * MIB, "{taken} bytes are allocated for none that came");
    drop(file);
}

#[test]
fn a_user_leaves_room_to_others() {
    let (fixture, hostile) = fixture();
    let well_behaved = User { id: "another".into(), ..(*hostile).clone() };
    let mut held = Vec::new();
    for _ in 0..40 {
        let admission = fixture.store.admit(&hostile, Some(ROOM / 4));
        held.extend(admission.ok());
    }
    let ahead: u64 = held.iter().map(Admission::covered).sum();
    assert!(ahead <= ROOM / 2 + 40 * MIB, "{} MiB", ahead / MIB);
    let mut other = fixture.store.admit(&well_behaved, Some(ROOM / 4)).expect("there is room");
    while other.covered() < ROOM / 4 {
        let covered = other.covered();
        other.extend(covered + 1).expect("there is room for all of it");
    }
    // His own bodies go on in small steps.
    let own = held.last_mut().expect("he holds some");
    let covered = own.covered();
    own.extend(covered + 1).expect("there is room");
    assert_eq!(own.covered(), covered + MIB);
    // What was held comes back.
    drop(held);
    let again = fixture.store.admit(&hostile, Some(ROOM / 4)).expect("there is room");
    assert_eq!(again.covered(), 64 * MIB);
}
