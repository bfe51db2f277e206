//! Memory under the arena's pages: strides that the system allocates, and that go back to it.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::fs::FallocateFlags;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::{Arena, NoRoom, retry};
use crate::store::extents::Extents;
use crate::store::faults::FaultPoint;
use crate::store::layout::{PAGE, STRIDE, WINDOW_PAGES};

/// Strides asked for at once beyond what is needed.
const AHEAD: u64 = 8;

impl Arena {
    /// Takes pages that have memory, where the system gives no more. Few extents are looked at: it is asked often then.
    pub(super) fn take_backed(&self, extents: &mut Extents, pages: u64) -> Option<u64> {
        const LOOKED_AT: usize = 32;
        let stride_of = |page: u64| page * PAGE / STRIDE;
        let fits = |(start, len): (u64, u64)| {
            let mut at = start;
            while at + pages <= start + len {
                match (stride_of(at)..=stride_of(at + pages - 1)).rev().find(|&stride| !self.is_backed(stride)) {
                    Some(stride) => at = (stride + 1) * (STRIDE / PAGE),
                    None if pages > WINDOW_PAGES || at / WINDOW_PAGES == (at + pages - 1) / WINDOW_PAGES => {
                        return Some(at);
                    }
                    None => at = at.next_multiple_of(WINDOW_PAGES),
                }
            }
            None
        };
        // A stride whose pages are free is not on its way back to the system: those were taken first.
        let at = extents.largest_first(pages).take(LOOKED_AT).find_map(fits)?;
        extents.take_at(at, pages).then_some(at)
    }

    pub(super) fn is_backed(&self, stride: u64) -> bool {
        self.backed[(stride / 64) as usize].load(Ordering::Acquire) & (1 << (stride % 64)) != 0
    }

    /// Has memory allocated and mapped under these pages, and some strides ahead.
    pub(super) fn back(&self, page: u64, pages: u64) -> Result<(), NoRoom> {
        let first = page * PAGE / STRIDE;
        let last = ((page + pages) * PAGE - 1) / STRIDE;
        if (first..=last).all(|s| self.is_backed(s)) {
            return Ok(());
        }
        let remap = self.remap.lock();
        if remap.closed {
            return Err(NoRoom { pages, cause: None, closed: true, too_much: None });
        }
        let end = self.len.div_ceil(STRIDE);
        let mut stride = first;
        while stride <= last {
            if self.is_backed(stride) {
                stride += 1;
                continue;
            }
            let unbacked = |to: u64| (stride..to).find(|&s| self.is_backed(s)).unwrap_or(to);
            let ahead = unbacked((last + 1 + AHEAD).min(self.kept_stride).max(last + 1).min(end));
            let needed = unbacked(last + 1);
            stride = match self.commit(stride, ahead) {
                Ok(()) => ahead,
                Err(_) if ahead > needed && self.commit(stride, needed).is_ok() => needed,
                Err(e) => return Err(NoRoom { pages, cause: Some(e), closed: false, too_much: None }),
            };
        }
        Ok(())
    }

    /// Allocates and maps strides `from..to`. Called with `remap` held.
    ///
    /// Memory without a file is mapped first and then populated, which allocates it for real, in huge pages where the
    /// system grants them, and leaves no page to be faulted in later. A file is allocated first: on a disk, populating
    /// could find out too late that there is no room.
    fn commit(&self, from: u64, to: u64) -> io::Result<()> {
        let offset = from * STRIDE;
        let len = (to * STRIDE).min(self.len) - offset;
        self.faults.check(FaultPoint::Commit)?;
        if let Some(system) = &self.system {
            system
                .check(len, || self.faults.available(len))
                .map_err(|e| io::Error::new(io::ErrorKind::OutOfMemory, e))?;
        }
        if self.path.is_some() {
            retry(|| rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset, len))?;
        }
        self.faults.check(FaultPoint::Map)?;
        // SAFETY: the range lies in our own reservation. The zero pages there are replaced in one step by the file's
        // pages; nobody was lent them, and a stray reader validates.
        unsafe {
            rustix::mm::mmap(
                self.at(offset).cast(),
                len as usize,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED,
                self.file.as_fd(),
                offset,
            )
        }?;
        if self.path.is_none()
            && let Err(e) = self.populate(offset, len)
        {
            if let Err(e) = self.map_zero_pages(offset, len) {
                log::warn!("memory that could not be allocated could not be unmapped either: {e}");
            }
            let _ = self.punch(offset, len);
            return Err(e);
        }
        for s in from..to {
            self.backed[(s / 64) as usize].fetch_or(1 << (s % 64), Ordering::Release);
        }
        self.backed_strides.fetch_add(to - from, Ordering::Relaxed);
        Ok(())
    }

    /// Has the system allocate memory that is mapped to a file without a name.
    fn populate(&self, offset: u64, len: u64) -> io::Result<()> {
        let advise = |advice| {
            // SAFETY: the range lies in our own reservation, and neither advice changes what is read there.
            retry(|| unsafe { rustix::mm::madvise(self.at(offset).cast(), len as usize, advice) })
        };
        // where the system has none, small pages do
        let _ = advise(Advice::LinuxHugepage);
        match advise(Advice::LinuxPopulateWrite) {
            // Linux before 5.14
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
                retry(|| rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset, len))
            }
            other => other,
        }
    }

    pub(super) fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        retry(|| rustix::fs::fallocate(&self.file, hole, offset, len))
    }

    /// Has so many bytes from the low end on allocated, as far as the system has them: to be used first, and fast.
    pub(crate) fn warm(&self, bytes: u64) {
        let strides = bytes.min(self.len).div_ceil(STRIDE);
        let remap = self.remap.lock();
        for stride in (0..strides).filter(|_| !remap.closed) {
            if !self.is_backed(stride)
                && let Err(e) = self.commit(stride, stride + 1)
            {
                log::warn!("only {} of {bytes} bytes could be touched beforehand: {e}", stride * STRIDE);
                return;
            }
        }
    }

    /// Gives strides that are wholly free back to the system, from the highest address down, until no more than
    /// `reserve` bytes of free memory stay warm. Returns the bytes given back.
    pub(crate) fn trim(&self, reserve: u64) -> u64 {
        // A thread that needs memory mapped waits for one group at most; each costs every running thread an interrupt or two.
        const GROUP: u64 = 2;
        const PAUSE: Duration = Duration::from_millis(1);
        let mut given = 0;
        let mut stride = self.len / STRIDE;
        while stride > 0 {
            let remap = self.remap.lock();
            if remap.closed {
                break;
            }
            let excess = self.backed().saturating_sub(self.taken()).saturating_sub(reserve) / STRIDE;
            if excess == 0 {
                break;
            }
            let to = stride;
            let pages = STRIDE / PAGE;
            // a group of neighbours costs one remapping
            while to - stride < excess.min(GROUP)
                && stride > 0
                && self.is_backed(stride - 1)
                && self.extents.lock().take_at((stride - 1) * pages, pages)
            {
                stride -= 1;
            }
            if stride == to {
                stride -= 1;
                continue;
            }
            match self.decommit(stride, to) {
                Ok(()) => given += (to - stride) * STRIDE,
                Err(e) => log::warn!("memory could not be given back to the system and stays with the store: {e}"),
            }
            self.extents.lock().give(stride * pages, (to - stride) * pages);
            drop(remap);
            std::thread::sleep(PAUSE);
        }
        given
    }

    /// Unmaps and frees strides `from..to`, all of them whole. Called with `remap` held, the pages taken.
    fn decommit(&self, from: u64, to: u64) -> io::Result<()> {
        let offset = from * STRIDE;
        let len = (to - from) * STRIDE;
        self.faults.check(FaultPoint::Decommit)?;
        for s in from..to {
            self.backed[(s / 64) as usize].fetch_and(!(1 << (s % 64)), Ordering::Release);
        }
        self.backed_strides.fetch_sub(to - from, Ordering::Relaxed);
        self.map_zero_pages(offset, len)?;
        self.punch(offset, len)
    }

    pub(super) fn map_zero_pages(&self, offset: u64, len: u64) -> io::Result<()> {
        // SAFETY: the range lies in our own reservation; addresses stay valid, and read as zero from here on.
        unsafe {
            rustix::mm::mmap_anonymous(
                self.at(offset).cast(),
                len as usize,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            )
        }?;
        Ok(())
    }
}
