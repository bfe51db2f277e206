//! Memory that is really not there: a full file system of memory under the arena.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{Eviction, Found, Kind, Store, StoreConfig, TaskLog};

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

/// A tmpfs of that size, unmounted on drop; `None` where this process may not mount.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(size: &str) -> Option<Tmpfs> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path()).output();
        mounted.is_ok_and(|out| out.status.success()).then_some(Tmpfs(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

fn config(path: &Path, capacity: u64) -> StoreConfig {
    StoreConfig {
        name: "small".into(),
        capacity,
        path: Some(path.join("arena")),
        warm_reserve: capacity,
        pre_touch: false,
        eviction: Eviction::Batch,
    }
}

/// A full `/dev/shm` used to be a SIGBUS at the first touch of a page that could not be had.
#[test]
fn c44_a_full_file_system_is_an_error_at_open_or_put_and_never_a_signal() {
    let Some(fs) = Tmpfs::mount("24m") else {
        eprintln!("skipped: no right to mount a file system here");
        return;
    };
    let e = Store::open(&config(fs.path(), 32 << 20), Arc::new(NoLog)).err().unwrap();
    assert_eq!(e.code(), ErrorCode::StoreOpen, "what cannot fit is refused at open: {e}");

    let store = Store::open(&config(fs.path(), 22 << 20), Arc::new(NoLog)).unwrap();
    // somebody else takes most of what was free at open
    std::fs::write(fs.path().join("other"), vec![1u8; 4 << 20]).unwrap();
    let region = store.create_region(BatchId(1), None).unwrap();
    let mut made = Vec::new();
    let e = loop {
        let bytes = vec![made.len() as u8; 300_000];
        match region.put(Kind::Bytes, &&bytes[..]) {
            Ok(slot) => made.push(ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)),
            Err(e) => break e,
        }
    };
    assert_eq!(e.code(), ErrorCode::StoreFull);
    assert!(e.message().contains("os error 28"), "the system's reason is told: {e}");
    let check = |made: &[ObjectId]| {
        for (n, id) in made.iter().enumerate() {
            let mut out = Vec::new();
            assert!(matches!(region.get(id, &mut out).unwrap(), Found::Here(_)));
            assert!(out.iter().all(|&b| b == n as u8) && out.len() == 300_000);
        }
    };
    check(&made);
    store.audit().unwrap();

    std::fs::remove_file(fs.path().join("other")).unwrap();
    let slot = region.put(Kind::Bytes, &&vec![made.len() as u8; 300_000][..]).expect("there is memory again");
    made.push(ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index));
    check(&made);
    store.drop_region(&region);
    store.audit().unwrap();
}
