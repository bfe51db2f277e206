//! One spill file: segments are appended, objects read back.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::directory::SpillDirectory;
use super::disk::DiskFile;
use super::format::{self, HEADER, checksum};
use super::image::Image;
use super::tidier::Progress;
use crate::id::BatchId;
use crate::store::apart::Apart;

/// Segments up to this size are written in one go.
const SMALL: usize = 64 << 10;
/// Bytes of a file without a use before they are given back. In a folder that is capped all are, at once.
const UNUSED: u64 = 16 << 20;
/// So many are given back also while somebody reads the file.
const MUCH_UNUSED: u64 = 512 << 20;
/// Until nobody reads a file any more.
const QUIET: Duration = Duration::from_millis(50);
/// Files of so many bytes have room taken for what comes; others may have ended.
const LARGE: u64 = 4 << 20;
/// For so many bytes at once.
const AHEAD: u64 = 16 << 20;
/// Bytes read at once.
const BLOCK: usize = 64 << 10;
/// Bytes written at once.
const WRITE_BLOCK: usize = 256 << 10;
/// After so many bytes written the tidier begins to have them leave the system's cache.
const UNCACHE: u64 = 32 << 20;
/// The tries of the tidier at which it asks for that: the first begins to write them to the disk, a later one finds them there.
const UNCACHE_AT: [u32; 6] = [1, 4, 16, 64, 256, 1024];

/// See the module. Removed when nobody has it any more.
pub(crate) struct SpillFile {
    directory: Arc<SpillDirectory>,
    path: PathBuf,
    batch: BatchId,
    life: u64,
    writer: Mutex<Writer>,
    /// bytes counted to the directory
    charged: AtomicU64,
    unused: Mutex<Unused>,
    reader: Mutex<Reader>,
}

/// What nobody will read any more of a file.
#[derive(Default)]
struct Unused {
    /// from where to where
    parts: Vec<(u64, u64)>,
    bytes: u64,
    /// It is going to be given back.
    left_to_tidier: bool,
}

/// How a file is read.
#[derive(Default)]
struct Reader {
    /// Open while it is among those that were read last: the system reads ahead for who goes on in the same open file.
    file: Option<Arc<dyn DiskFile>>,
    last: Option<Instant>,
}

struct Writer {
    /// Open while segments are being written only: a hundred thousand batches need no file open each.
    file: Option<Box<dyn DiskFile>>,
    /// Where the next segment begins.
    end: u64,
    /// Up to here the tidier sees to it that what was written leaves the system's cache.
    uncached: u64,
    /// Room was taken from the file system up to here; `None`: it does not give any beforehand.
    allocated: Option<u64>,
}

impl Writer {
    /// Takes room for what comes, in large pieces: the system writes much faster where it need not find room for each block.
    fn allocate(&mut self, to: u64) {
        let (Some(file), Some(allocated)) = (&self.file, self.allocated) else { return };
        let from = allocated.max(self.end);
        if self.end >= LARGE && to > from {
            let to = to.max(from + AHEAD);
            self.allocated = file.allocate(from, to - from).is_ok().then_some(to);
            if self.allocated.is_none() {
                // a full disk may have given a part
                let _ = file.set_len(self.end);
            }
        }
    }

    /// Gives back what was taken in vain.
    fn trim(&mut self) -> io::Result<()> {
        if let (Some(file), Some(allocated)) = (&self.file, &mut self.allocated)
            && *allocated > self.end
        {
            *allocated = self.end;
            file.set_len(self.end)?;
        }
        Ok(())
    }
}

/// Where a segment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    /// Its header.
    at: u64,
    /// Bytes of its image.
    pub(crate) len: u64,
    /// Checksums after it.
    sums: u64,
}

impl Segment {
    /// Where its image begins.
    pub(crate) fn image(&self) -> u64 {
        self.at + HEADER as u64
    }

    fn sums_at(&self) -> u64 {
        self.image() + self.len.next_multiple_of(8)
    }

    fn end(&self) -> u64 {
        self.sums_at() + self.sums * 8
    }

    /// True for a position in its image.
    pub(crate) fn holds(&self, position: u64) -> bool {
        (self.image()..self.image() + self.len).contains(&position)
    }
}

/// An object to be read from a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Where it lies in the file, and its bytes with metadata.
    pub(crate) position: u64,
    pub(crate) bytes: u64,
    pub(crate) slot: u64,
    /// The place of its checksum in the segment.
    pub(crate) ordinal: u64,
}

impl SpillFile {
    pub(super) fn create(directory: &Arc<SpillDirectory>, batch: BatchId, life: u64) -> io::Result<Arc<Self>> {
        let path = directory.new_path(batch.0);
        let header = format::file_header(batch.0, life);
        let room = directory.reserve(header.len() as u64)?;
        let file = directory.create(&path)?;
        room.keep();
        let made = Arc::new(SpillFile {
            directory: Arc::clone(directory),
            path,
            batch,
            life,
            writer: Mutex::new(Writer {
                file: None,
                end: header.len() as u64,
                uncached: 0,
                // where each byte counts nothing is taken beforehand
                allocated: (!directory.is_capped()).then_some(0),
            }),
            charged: AtomicU64::new(header.len() as u64),
            unused: Mutex::default(),
            reader: Mutex::default(),
        });
        // if this fails, or the store is closed meanwhile, the file goes with `made`
        if directory.is_closed() {
            return Err(io::Error::other("the store is closed"));
        }
        directory.tidier().with_room(|| write_all(&*file, &header, 0))?;
        made.writer.lock().file = Some(file);
        Ok(made)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a segment. After an error nothing was appended.
    pub(crate) fn append(self: &Arc<Self>, image: &Image<'_>) -> io::Result<Segment> {
        let mut writer = self.writer.lock();
        let segment = Segment { at: writer.end, len: image.len(), sums: image.count as u64 };
        let bytes = segment.end() - segment.at;
        // given back if this fails, or panics
        let room = self.directory.reserve(bytes)?;
        let written = self.directory.tidier().with_room(|| self.write(&mut writer, &segment, image));
        if written.is_err() {
            // what was written of it is written over, or goes with the file
            if let Some(file) = &writer.file {
                let _ = file.set_len(segment.at);
            }
            writer.allocated = writer.allocated.map(|_| segment.at);
            written?;
        }
        room.keep();
        writer.end = segment.end();
        self.charged.fetch_add(bytes, Ordering::Relaxed);
        if writer.end - writer.uncached >= UNCACHE {
            self.uncache_later(&mut writer);
        }
        Ok(segment)
    }

    fn write(&self, writer: &mut Writer, s: &Segment, image: &Image<'_>) -> io::Result<()> {
        if writer.file.is_none() {
            writer.file = Some(self.reopen()?);
        }
        writer.allocate(s.end());
        let Some(file) = &writer.file else { return Err(io::Error::other("the file is closed")) };
        let header = format::segment_header(s.len, s.sums, image.first);
        let mut sums = image.sums(self.life);
        let as_bytes = |sums: Vec<u64>| sums.iter().flat_map(|sum| sum.to_le_bytes()).collect::<Vec<u8>>();
        if image.len() <= SMALL as u64 {
            let mut all = vec![0; (s.sums_at() - s.at) as usize];
            all[..HEADER].copy_from_slice(&header);
            let bytes = &mut all[HEADER..HEADER + s.len as usize];
            image.read(0, bytes);
            sums.pass(0, bytes);
            all.extend_from_slice(&as_bytes(sums.finish()));
            return write_all(&**file, &all, s.at);
        }
        write_all(&**file, &header, s.at)?;
        let mut buffer = vec![0; WRITE_BLOCK.min(s.len as usize)];
        let mut at = 0;
        while at < s.len {
            let block = &mut buffer[..(s.len - at).min(WRITE_BLOCK as u64) as usize];
            image.read(at, block);
            // now, since the processor's caches have it
            sums.pass(at, block);
            write_all(&**file, block, s.image() + at)?;
            at += block.len() as u64;
        }
        write_all(&**file, &as_bytes(sums.finish()), s.sums_at())
    }

    /// Opens it to be written. If somebody removed it, what lay in it is lost, and found to be; what comes has its place in a
    /// new one of that name.
    fn reopen(&self) -> io::Result<Box<dyn DiskFile>> {
        match self.directory.disk().open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !self.directory.is_closed() => {
                let file = self.directory.create(&self.path)?;
                write_all(&*file, &format::file_header(self.batch.0, self.life), 0)?;
                self.close_reader();
                Ok(file)
            }
            opened => opened,
        }
    }

    /// Closes it, until the next segment.
    pub(crate) fn rest(self: &Arc<Self>) {
        let mut writer = self.writer.lock();
        if let Err(e) = writer.trim() {
            log::debug!("spilling: {} keeps room that it does not use: {e}", self.path.display());
        }
        writer.file = None;
        self.uncache_later(&mut writer);
    }

    /// Has the tidier see to it that what was written since leaves the system's cache: nobody who spills waits for that.
    fn uncache_later(self: &Arc<Self>, writer: &mut Writer) {
        let to = writer.end;
        let from = std::mem::replace(&mut writer.uncached, to);
        if from < to {
            let (file, mut tries) = (Arc::downgrade(self), 0);
            self.directory.tidier().later(move |in_haste| uncache(&file, from..to, &mut tries, in_haste));
        }
    }

    /// Gives the room of a segment back that nobody will read any more, where the file system can: with others, for that
    /// is work for each, and when nobody reads the file. Who does would wait; and when it was read from end to end, it goes as
    /// a whole.
    pub(crate) fn discard(self: &Arc<Self>, segment: &Segment) {
        let mut unused = self.unused.lock();
        unused.parts.push((segment.at, segment.end()));
        unused.bytes += segment.end() - segment.at;
        if self.directory.is_capped() {
            return self.take_unused(unused).into_iter().for_each(|holes| holes.make(&Arc::downgrade(self)));
        }
        if unused.bytes >= UNUSED && !std::mem::replace(&mut unused.left_to_tidier, true) {
            drop(unused);
            let file = Arc::downgrade(self);
            self.directory.tidier().later(move |in_haste| tidy(&file, in_haste));
        }
    }

    fn is_quiet(&self) -> bool {
        self.reader.lock().last.is_none_or(|last| last.elapsed() >= QUIET)
    }

    fn take_unused(&self, mut unused: MutexGuard<'_, Unused>) -> Option<Holes> {
        unused.left_to_tidier = false;
        // if it cannot be opened just now, with the next ones
        let file = self.directory.disk().open(&self.path).ok()?;
        let Unused { parts, .. } = std::mem::take(&mut *unused);
        Some(Holes { file, parts: joined(parts) })
    }

    /// Keeps a large file open that is about to be removed: its name goes at once, its room when it is closed.
    fn keep_open(&mut self) -> Option<Arc<dyn DiskFile>> {
        let large = *self.charged.get_mut() >= UNUSED;
        if !large || self.directory.is_capped() || self.directory.is_closed() || !self.directory.begin_closing() {
            return None;
        }
        let open = || self.directory.disk().open(&self.path).ok().map(Arc::from);
        let open = self.reader.get_mut().file.take().or_else(open);
        if open.is_none() {
            self.directory.end_closing();
        }
        open
    }

    fn reader(self: &Arc<Self>) -> io::Result<Arc<dyn DiskFile>> {
        let now = Instant::now();
        {
            let mut reader = self.reader.lock();
            reader.last = Some(now);
            if let Some(file) = &reader.file {
                return Ok(Arc::clone(file));
            }
        }
        let file: Arc<dyn DiskFile> = Arc::from(self.directory.disk().open(&self.path)?);
        self.reader.lock().file = Some(Arc::clone(&file));
        self.directory.was_opened(self);
        Ok(file)
    }

    /// Closes what it is read from, until the next read.
    pub(super) fn close_reader(&self) {
        self.reader.lock().file = None;
    }

    /// Reads one object into memory of its own.
    ///
    /// # Errors
    /// The system's; `InvalidData` when its checksum does not match, `UnexpectedEof` when it is not all there,
    /// `OutOfMemory`.
    pub(crate) fn read(self: &Arc<Self>, segment: &Segment, wanted: &Wanted) -> io::Result<Apart> {
        let file = self.reader()?;
        Apart::filled(wanted.bytes, |bytes| {
            read_all(&*file, bytes, wanted.position)?;
            let mut sum = [0; 8];
            read_all(&*file, &mut sum, segment.sums_at() + wanted.ordinal * 8)?;
            if self.matches(wanted.slot, bytes, u64::from_le_bytes(sum)) { Ok(()) } else { Err(mismatch()) }
        })
    }

    /// Reads a whole segment: its image in blocks, each handed to `block` with its place, then its checksums.
    ///
    /// # Errors
    /// The system's; `UnexpectedEof` when it is not all there.
    pub(crate) fn read_segment(
        self: &Arc<Self>,
        segment: &Segment,
        mut block: impl FnMut(usize, &[u8]),
    ) -> io::Result<Vec<u64>> {
        let file = self.reader()?;
        let mut buffer = vec![0; BLOCK.min(segment.len as usize)];
        let mut at = 0;
        while at < segment.len {
            let part = &mut buffer[..(segment.len - at).min(BLOCK as u64) as usize];
            read_all(&*file, part, segment.image() + at)?;
            block(at as usize, part);
            at += part.len() as u64;
        }
        let mut sums = vec![0; segment.sums as usize * 8];
        read_all(&*file, &mut sums, segment.sums_at())?;
        Ok(sums.as_chunks::<8>().0.iter().map(|sum| u64::from_le_bytes(*sum)).collect())
    }

    /// True when these are the bytes of that slot.
    pub(crate) fn matches(&self, slot: u64, bytes: &[u8], sum: u64) -> bool {
        checksum(self.life, slot, bytes) == sum
    }
}

/// What is to be given back of a file.
struct Holes {
    file: Box<dyn DiskFile>,
    parts: Vec<(u64, u64)>,
}

impl Holes {
    /// Of a file that may go meanwhile, with all that is counted to it.
    fn make(self, of: &Weak<SpillFile>) {
        for (at, end) in self.parts {
            if self.file.punch(at, end - at).is_ok()
                && let Some(file) = of.upgrade()
            {
                file.charged.fetch_sub(end - at, Ordering::Relaxed);
                file.directory.release(end - at);
            }
        }
    }
}

/// Has the system's cache give up what was written, once it is on the disk: there is no telling when that is without
/// waiting for it, so it is asked several times.
fn uncache(file: &Weak<SpillFile>, part: Range<u64>, tries: &mut u32, in_haste: bool) -> Progress {
    *tries += 1;
    if !in_haste && !UNCACHE_AT.contains(tries) {
        return Progress::Later;
    }
    // what was removed is in no cache
    let Some(it) = file.upgrade() else { return Progress::Done };
    let last = in_haste || UNCACHE_AT.last().is_some_and(|last| *tries >= *last);
    match it.directory.disk().uncache(&it.path, part.start, part.end - part.start) {
        Ok(()) if !last => Progress::Later,
        _ => Progress::Done,
    }
}

/// It does not hold the file for long: whoever collects it removes it.
fn tidy(file: &Weak<SpillFile>, in_haste: bool) -> Progress {
    let Some(it) = file.upgrade() else { return Progress::Done };
    let unused = it.unused.lock();
    if !in_haste && unused.bytes < MUCH_UNUSED && !it.is_quiet() {
        return Progress::Later;
    }
    let holes = it.take_unused(unused);
    drop(it);
    if let Some(holes) = holes {
        holes.make(file);
    }
    Progress::Done
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.writer.get_mut().file = None;
        let open = self.keep_open();
        self.reader.get_mut().file = None;
        self.directory.remove(&self.path);
        self.directory.release(*self.charged.get_mut());
        if let Some(open) = open {
            let (mut open, directory) = (Some(open), Arc::clone(&self.directory));
            self.directory.tidier().later(move |_| {
                if open.take().is_some() {
                    directory.end_closing();
                }
                Progress::Done
            });
        }
    }
}

/// Neighbours as one.
fn joined(mut parts: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    parts.sort_unstable();
    let mut all: Vec<(u64, u64)> = Vec::new();
    for (at, end) in parts {
        match all.last_mut() {
            Some(last) if last.1 == at => last.1 = end,
            _ => all.push((at, end)),
        }
    }
    all
}

/// What an object is told whose bytes are not those that were written.
pub(super) fn mismatch() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its checksum does not match, so that the file is damaged")
}

fn write_all(file: &dyn DiskFile, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, at) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::WriteZero, "the file takes no more")),
            Ok(n) => {
                bytes = &bytes[n..];
                at += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn read_all(file: &dyn DiskFile, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.read_at(bytes, at) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is truncated")),
            Ok(n) => {
                bytes = &mut bytes[n..];
                at += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
