//! Files from creation to removal, and the order of their syncs.

#[path = "../../../../tests/it/harness/skip.rs"]
mod skip;

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use self::skip::skip;
use super::*;

#[test]
fn dropping_unlinks_and_keeping_keeps() {
    let rig = Rig::new();
    let mut writer = rig.blobs.create(origin(false), None).unwrap();
    writer.write(&pattern(100_000)).unwrap();
    assert_eq!(rig.found().len(), 1, "it is made under its final name");
    drop(writer);
    assert_eq!(rig.found(), [], "an unfinished blob goes");

    let staged = rig.blobs.create(origin(false), None).unwrap().finish(digests(0, false)).unwrap();
    assert_eq!(rig.found().len(), 1);
    drop(staged);
    assert_eq!(rig.found(), [], "a blob without a row goes");

    let name = rig.store(b"kept", false);
    let bytes = trailer::file_bytes(4, &origin(false).key);
    assert_eq!(rig.found(), [FolderEntry::Blob(name, bytes)]);
    let mode = std::fs::metadata(rig.file(name)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);

    let mut open = rig.blobs.open_blob(name, 4, Wait::Disk).unwrap();
    rig.blobs.unlink(name).unwrap();
    rig.blobs.unlink(name).unwrap();
    assert_eq!(rig.found(), []);
    assert_eq!(open.read(ByteRange { first: 0, last: 3 }, Wait::Disk).unwrap(), "kept");
}

#[test]
fn inline_bytes_touch_no_file() {
    let rig = Rig::new();
    let staged = StagedBlob::inline(BlobId::new(), Bytes::from_static(b"abc"), digests(3, true));
    assert_eq!(staged.home(), Home::Inline(&Bytes::from_static(b"abc")));
    assert_eq!(staged.digests(), &digests(3, true));
    staged.keep();
    assert_eq!(rig.found(), []);
}

#[test]
#[should_panic(expected = "digests of other bytes")]
fn digests_of_other_bytes_are_a_broken_invariant() {
    let mut writer = Rig::new().blobs.create(origin(false), None).unwrap();
    writer.write(b"abc").unwrap();
    let _ = writer.finish(digests(4, false));
}

#[test]
fn more_than_the_limit_is_refused_before_it_is_written() {
    let rig = Rig::new();
    let error = rig.blobs.create(origin(false), Some(PUT_BYTES_MAX + 1)).unwrap_err();
    assert!(matches!(error, Error::EntityTooLarge), "{error}");
    assert_eq!(rig.found(), []);
}

#[test]
fn folders_are_ours_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("above/data");
    drop(Blobs::open(&data, 1, Sources::default()).unwrap());
    drop(Blobs::open(&data, 2, Sources::default()).unwrap());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(std::fs::read_dir(data.join("blobs")).unwrap().count(), 256);
    for path in ["", "blobs", "blobs/00", "blobs/ff", "segments", "quarantine"] {
        assert_eq!(mode(&data.join(path)), 0o700, "{path}");
    }
    for (open_to, refused) in [(0o755, false), (0o770, true), (0o702, true), (0o700, false)] {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(open_to)).unwrap();
        let outcome = Blobs::open(&data, 3, Sources::default());
        assert_eq!(matches!(outcome, Err(Error::Refused(_))), refused, "{open_to:o}");
        assert_eq!(outcome.is_ok(), !refused, "{open_to:o}");
    }
}

#[test]
fn scan_tells_blobs_from_foreign_files() {
    let rig = Rig::new();
    let name = rig.store(b"a blob", false);
    let id = BlobId::from_bytes([0xcd; 16]);
    let misplaced = format!("blobs/ab/{}", BlobName { run: 1, id });
    let link = format!("blobs/cd/{}", BlobName { run: 1, id });
    let top = rig.dir.path();
    let unlike = "segments/00000001-0000000G";
    for path in ["blobs/notes.txt", "blobs/AB", "blobs/07/core", &misplaced, unlike] {
        std::fs::write(top.join(path), b"").unwrap();
    }
    let segment = SegmentName { run: 1, number: 0x2a };
    std::fs::write(top.join(format!("segments/{segment}")), b"").unwrap();
    std::fs::create_dir(top.join("segments/00000001-00000000")).unwrap();
    std::fs::create_dir(top.join("blobs/100")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", top.join(&link)).unwrap();

    let mut foreign = Vec::new();
    let (mut blobs, mut segments) = (Vec::new(), Vec::new());
    for found in rig.found() {
        match found {
            FolderEntry::Blob(name, _) => blobs.push(name),
            FolderEntry::Segment(name) => segments.push(name),
            FolderEntry::Foreign(path) => foreign.push(path.to_str().unwrap().to_owned()),
        }
    }
    foreign.sort();
    let mut expected = [
        "blobs/notes.txt",
        "blobs/AB",
        "blobs/07/core",
        "blobs/100",
        &misplaced,
        &link,
        unlike,
        "segments/00000001-00000000",
    ];
    expected.sort();
    assert_eq!(blobs, [name]);
    assert_eq!(segments, [segment]);
    assert_eq!(foreign, expected);

    let stopped = rig.blobs.scan(|_| Err(Error::Closed));
    assert!(matches!(stopped, Err(Error::Closed)));
}

#[test]
fn quarantine_keeps_a_file_until_it_is_old() {
    let rig = Rig::new();
    let name = rig.store(b"suspect", false);
    // As old as the file may be, its time in quarantine begins now.
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let file = std::fs::OpenOptions::new().write(true).open(rig.file(name)).unwrap();
    file.set_modified(long_ago).unwrap();
    let before = crate::clock::now().minus_millis(2000);
    rig.blobs.quarantine(name).unwrap();
    rig.blobs.quarantine(name).unwrap();
    assert_eq!(rig.found(), []);
    assert_eq!(rig.blobs.empty_quarantine(before).unwrap(), 0);
    let path = rig.dir.path().join("quarantine").join(name.to_string());
    assert!(path.exists());
    let after = crate::clock::now().plus_millis(2000);
    assert_eq!(rig.blobs.empty_quarantine(after).unwrap(), 1);
    assert!(!path.exists());
}

#[test]
fn free_bytes_are_those_of_the_disk() {
    assert!(Rig::new().blobs.free_bytes().unwrap() > 0);
}

/// A clock that ticks once for each event.
static TICKS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// When the file of this thread's blob was synced.
    static FILE_SYNCED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[test]
fn sixteen_blobs_of_one_folder_share_syncs_that_begin_after_their_own() {
    // When each fsync of the folder began and ended.
    let spans = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&spans);
    let rig = Rig::with(Syncs {
        file: Box::new(|fd| {
            fs::fdatasync(fd)?;
            FILE_SYNCED.set(TICKS.fetch_add(1, SeqCst));
            Ok(())
        }),
        folder: Box::new(move |fd| {
            let begun = TICKS.fetch_add(1, SeqCst);
            thread::sleep(Duration::from_millis(10));
            fs::fsync(fd)?;
            noted.lock().unwrap().push((begun, TICKS.fetch_add(1, SeqCst)));
            Ok(())
        }),
        ..Syncs::default()
    });
    let barrier = Barrier::new(16);
    thread::scope(|scope| {
        for n in 0..16_u8 {
            let (rig, barrier, spans) = (&rig, &barrier, &spans);
            scope.spawn(move || {
                let name = BlobName {
                    run: 3,
                    id: BlobId::from_bytes([n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 77]),
                };
                let mut writer = rig.blobs.create_as(name, origin(false), Some(3)).unwrap();
                writer.write(b"abc").unwrap();
                barrier.wait();
                writer.finish(digests(3, false)).unwrap().keep();
                let (synced, now) = (FILE_SYNCED.get(), TICKS.fetch_add(1, SeqCst));
                // A copy: a failing assertion must not poison the lock under the others.
                let spans = spans.lock().unwrap().clone();
                let covered = spans.iter().any(|&(begun, ended)| synced < begun && ended < now);
                assert!(synced > 0 && covered, "{n}: {synced} to {now}, not in {spans:?}");
            });
        }
    });
    let count = spans.lock().unwrap().len();
    assert!(count < 16, "{count} fsyncs for 16 blobs");
    assert_eq!(rig.found().len(), 16);
}

#[test]
fn a_failed_sync_is_final() {
    for folder_fails in [false, true] {
        let calls = Arc::new(AtomicU64::new(0));
        let fail = |fails: bool| {
            let calls = Arc::clone(&calls);
            Box::new(move |_: BorrowedFd<'_>| match fails {
                // It fails once: a second try would succeed, and lie.
                true if calls.fetch_add(1, SeqCst) == 0 => Err(io::Error::other("no disk")),
                _ => Ok(()),
            })
        };
        let (file, folder) = (fail(!folder_fails), fail(folder_fails));
        let rig = Rig::with(Syncs { file, folder, ..Syncs::default() });
        let other = rig.blobs.create(origin(false), None).unwrap();
        let writer = rig.blobs.create(origin(false), None).unwrap();
        assert_eq!(rig.blobs.poison_reason(), None);
        let error = writer.finish(digests(0, false)).unwrap_err();
        assert!(matches!(error, Error::Poisoned), "{error}");
        let reason = rig.blobs.poison_reason().unwrap();
        assert!(reason.contains("no disk") && reason.contains("blobs/"), "{reason}");
        assert_eq!(calls.load(SeqCst), 1);
        // Nothing more is promised, and the first reason is kept.
        assert!(matches!(other.finish(digests(0, false)), Err(Error::Poisoned)));
        assert!(matches!(rig.blobs.create(origin(false), None), Err(Error::Poisoned)));
        rig.blobs.poison("later".to_owned());
        assert_eq!(rig.blobs.poison_reason().unwrap(), reason);
        assert_eq!(rig.found(), []);
    }
}

/// A small file system in memory, gone at the end.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> std::result::Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs"])
            .arg(dir.path())
            .output()
            .map_err(|e| e.to_string())?;
        match mounted.status.success() {
            true => Ok(Self(dir)),
            false => Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_told_before_or_while_writing_and_nothing_is_left() {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(why) => return skip(&format!("no small file system can be mounted: {why}")),
    };
    let blobs = Blobs::open(disk.0.path(), 1, Sources::default()).unwrap();
    let free = blobs.free_bytes().unwrap();
    let mut declared = blobs.create(origin(false), Some(1 << 20)).unwrap();
    let allocated = declared.allocate(1 << 20);
    assert!(matches!(allocated, Err(Error::DiskFull)), "{allocated:?}");
    drop(declared);
    assert_eq!(blobs.free_bytes().unwrap(), free);

    let mut writer = blobs.create(origin(false), None).unwrap();
    let written = writer.write(&pattern(1 << 20));
    assert!(matches!(written, Err(Error::DiskFull)), "{written:?}");
    assert!(blobs.free_bytes().unwrap() < free);
    drop(writer);
    assert_eq!(blobs.free_bytes().unwrap(), free);
    assert_eq!(blobs.poison_reason(), None, "a full disk is no reason to stop");

    let mut writer = blobs.create(origin(false), Some(100_000)).unwrap();
    writer.write(&pattern(100_000)).unwrap();
    let staged = writer.finish(digests(100_000, false)).unwrap();
    let Home::Disk(Location { name, extent: None }) = staged.home() else {
        panic!("it is in a file of its own")
    };
    blobs.verify(name, 100_000, || Ok(())).unwrap();
}
