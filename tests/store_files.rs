//! The files in which arenas lie: nobody else's, and never pulled from under another process.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod store_support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use raybatch::error::{Error, ErrorCode};
use raybatch::store::{NoFaults, Store, StoreConfig};
use store_support::{NoLog, config};

const CAPACITY: u64 = 4 << 20;

fn open_at(path: &Path) -> Result<Arc<Store>, Error> {
    let config = StoreConfig { path: Some(path.to_owned()), ..config(CAPACITY) };
    Store::open_with(&config, Arc::new(NoLog), Arc::new(NoFaults))
}

/// What a process leaves behind that is killed: an arena's file. Another one may have it mapped still.
fn left_over(path: &Path) -> File {
    let mut file = OpenOptions::new().create_new(true).read(true).write(true).open(path).unwrap();
    file.write_all(b"RAYBATCH").unwrap();
    file.set_len(CAPACITY).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    file
}

#[test]
fn a_file_that_a_crash_left_over_is_replaced_and_never_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("arena");
    let old = left_over(&path);
    let store = open_at(&path).unwrap();
    let (old_meta, new_meta) = (old.metadata().unwrap(), fs::metadata(&path).unwrap());
    assert_ne!(old_meta.ino(), new_meta.ino());
    assert_eq!((old_meta.len(), new_meta.len()), (CAPACITY, CAPACITY));
    assert_eq!(new_meta.permissions().mode() & 0o777, 0o600);
    let mut head = [0; 8];
    old.read_exact_at(&mut head, 0).unwrap();
    assert_eq!(&head, b"RAYBATCH", "whoever has it mapped reads what was there");
    assert_eq!(open_at(&path).err().map(|e| e.code()), Some(ErrorCode::StoreOpen), "it is in use");
    store.close();
    assert!(!path.exists());
}

#[test]
fn of_several_who_open_a_left_over_file_one_gets_it() {
    for round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("arena");
        drop(left_over(&path));
        let opened: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| open_at(&path))).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let stores: Vec<_> = opened.iter().flatten().collect();
        assert!(stores.len() <= 1, "{} in round {round}", stores.len());
        if let [store] = &stores[..] {
            store.close();
        }
        // where each found another one at it: nothing of it is in the way
        open_at(&path).unwrap().close();
        assert!(!path.exists());
    }
}

#[test]
fn memory_without_a_name_is_closed_to_others() {
    let store = Store::open_with(
        &StoreConfig { name: "closed-to-others".into(), ..config(CAPACITY) },
        Arc::new(NoLog),
        Arc::new(NoFaults),
    )
    .unwrap();
    let mut found = 0;
    for fd in fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let name = fs::read_link(fd.path()).unwrap_or_default();
        if name.to_string_lossy().contains("memfd:raybatch-closed-to-others") {
            assert_eq!(fs::metadata(fd.path()).unwrap().permissions().mode() & 0o777, 0o600);
            found += 1;
        }
    }
    assert_eq!(found, 1);
    store.close();
}
