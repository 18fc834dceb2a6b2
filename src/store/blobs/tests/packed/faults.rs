//! Faults of packing: clients that close the connection, a full queue, short writes, a full disk, a
//! failed sync.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rustix::io::{pwrite, pwritev};

use super::*;

/// Syncs that wait for the lock to be free.
fn waiting_syncs(gate: &Arc<Mutex<()>>) -> Syncs {
    let gate = Arc::clone(gate);
    Syncs {
        file: Box::new(move |_| {
            drop(gate.lock().unwrap());
            Ok(())
        }),
        ..Syncs::default()
    }
}

#[test]
fn a_body_whose_client_hung_up_is_not_written() {
    let gate = Arc::new(Mutex::new(()));
    let packed = Packed::with(waiting_syncs(&gate));
    let begin = |bytes: usize| {
        let bytes = Bytes::from(pattern(bytes));
        packed.packing.pack(origin(false), bytes.clone(), digests(bytes.len() as u64, false))
    };
    let closed = gate.lock().unwrap();
    let first = begin(5_000);
    packed.wait_until_written();
    let (gone, last) = (begin(70_000), begin(5_000));
    drop(gone);
    drop(closed);
    let (first, last) = (location(&first.wait().unwrap()), location(&last.wait().unwrap()));
    let first = first.extent.unwrap();
    assert_eq!(last.extent.unwrap().first_page, first.first_page + first.pages);
}

#[test]
fn bodies_that_wait_hold_a_bounded_number_of_bytes() {
    let gate = Arc::new(Mutex::new(()));
    let packed = Packed::with(waiting_syncs(&gate));
    let closed = gate.lock().unwrap();
    let bytes = Bytes::from(pattern(PACKED_BYTES_MAX as usize));
    let begin = || packed.packing.pack(origin(false), bytes.clone(), digests(256 << 10, false));
    let _first = begin();
    packed.wait_until_written();
    // Nobody waits for any of them.
    (1..256).for_each(|_| drop(begin()));
    // Not waited for: one that was taken would wait for the lock.
    let answer = pin!(begin()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(answer, Poll::Ready(Err(Error::Overloaded))));
    drop(closed);
    // They go, and what they held with them.
    while matches!(begin().wait(), Err(Error::Overloaded)) {
        std::thread::yield_now();
    }
}

#[test]
fn a_write_that_ends_early_is_gone_on_with() {
    let packed = Packed::with(Syncs {
        append: Box::new(|fd, slices, offset| {
            let some = slices.iter().find(|slice| !slice.is_empty()).unwrap();
            pwrite(fd, &some[..some.len().min(1_000)], offset)
        }),
        ..Syncs::default()
    });
    for size in [0, 999, 1_000, 70_000] {
        let bytes = pattern(size);
        let at = packed.store(&bytes, true);
        assert!(packed.read(at, size).unwrap() == bytes);
    }
}

#[test]
fn one_body_without_room_does_not_fail_those_that_came_with_it() {
    let gate = Arc::new(Mutex::new(()));
    // Room for what is small. What there is no room for leaves some of its bytes behind.
    let packed = Packed::with(Syncs {
        append: Box::new(|fd, slices, offset| {
            if slices.iter().map(|slice| slice.len()).sum::<usize>() < 100_000 {
                return pwritev(fd, slices, offset);
            }
            pwrite(fd, &[7; 30_000], offset)?;
            Err(Errno::NOSPC)
        }),
        ..waiting_syncs(&gate)
    });
    let closed = gate.lock().unwrap();
    let begin = |bytes: &[u8]| {
        let digests = digests(bytes.len() as u64, false);
        packed.packing.pack(origin(false), Bytes::copy_from_slice(bytes), digests)
    };
    let bodies: Vec<Vec<u8>> = (0..6).map(|n| vec![n; 30_000]).collect();
    let mut all = vec![begin(&bodies[0])];
    packed.wait_until_written();
    all.extend(bodies[1..4].iter().map(|body| begin(body)));
    let large = begin(&pattern(200_000));
    all.extend(bodies[4..].iter().map(|body| begin(body)));
    drop(closed);
    assert!(matches!(large.wait(), Err(Error::DiskFull)));
    let all: Vec<Location> = all
        .into_iter()
        .map(|body| {
            let staged = body.wait().unwrap();
            let at = location(&staged);
            staged.keep();
            at
        })
        .collect();
    let mut end = 0;
    for (at, body) in all.into_iter().zip(&bodies) {
        let extent = at.extent.unwrap();
        assert_eq!(extent.first_page, end, "its place is taken by the next");
        end += extent.pages;
        assert!(packed.read(at, body.len()).unwrap() == *body);
    }
}

#[test]
fn a_failed_sync_is_final_and_answers_nobody() {
    let fails = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&fails);
    let packed = Packed::with(Syncs {
        file: Box::new(move |fd| match now.load(SeqCst) {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(fs::fdatasync(fd)?),
        }),
        ..Syncs::default()
    });
    let kept = packed.store(b"before", false);
    fails.store(true, SeqCst);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(matches!(packed.pack(b"lost", false), Err(Error::Poisoned))));
        }
    });
    fails.store(false, SeqCst);
    assert!(matches!(packed.pack(b"later", false), Err(Error::Poisoned)));
    assert!(packed.rig.blobs.poison_reason().unwrap().contains("segments/00000003-00000000"));
    assert_eq!(packed.read(kept, 6).unwrap(), b"before");
}

#[test]
fn what_was_synced_when_the_store_was_poisoned_is_not_answered() {
    let blobs = Arc::new(OnceLock::<Arc<Blobs>>::new());
    let poisons = Arc::clone(&blobs);
    let packed = Packed::with(Syncs {
        file: Box::new(move |_| {
            poisons.wait().poison("another sync has failed".to_owned());
            Ok(())
        }),
        ..Syncs::default()
    });
    blobs.set(Arc::clone(&packed.rig.blobs)).unwrap();
    assert!(matches!(packed.pack(b"bytes", false), Err(Error::Poisoned)));
}
