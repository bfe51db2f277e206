//! Arenas of processes that ended without closing their store.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::layout::MAGIC;

/// True unless another file has that name by now.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    match (rustix::fs::fstat(file), rustix::fs::lstat(path)) {
        (Ok(ours), Ok(there)) => (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino),
        _ => false,
    }
}

/// Removes the arenas that dead processes have left in the folder of a store's file: whole files of this user's alone that begin as an
/// arena does, and that nobody has locked, as each store has its file for as long as it is open.
pub(super) fn remove(own: &Path) {
    let folder = own.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.file_name() != own.file_name() && is_leftover(&path) {
            log::info!("removing {}, an arena of a process that has ended", path.display());
            if let Err(e) = std::fs::remove_file(&path) {
                log::warn!("{} cannot be removed: {e}", path.display());
            }
        }
    }
}

/// Whether that is what a dead process has left.
fn is_leftover(path: &Path) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    let own_file =
        |m: &std::fs::Metadata| m.is_file() && m.uid() == ours && m.mode() & 0o777 == 0o600 && m.nlink() == 1;
    if !std::fs::symlink_metadata(path).is_ok_and(|m| own_file(&m)) {
        return false;
    }
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(fd) = rustix::fs::open(path, flags, Mode::empty()) else { return false };
    let file = File::from(fd);
    let mut head = [0u8; 8];
    file.metadata().is_ok_and(|m| own_file(&m))
        && file.read_exact_at(&mut head, 0).is_ok()
        && u64::from_le_bytes(head) == MAGIC
        && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && is_at(&file, path)
}
