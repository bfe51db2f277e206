//! Segments that were read of late: whoever reads the objects of a file one after the other, while memory is too short to
//! take them back, reads each segment once.
//!
//! The first read of a segment reads the one object; the second one, if it comes soon and goes on where the first ended or
//! not far from there, the whole segment. So who reads here and there does not read a mebibyte for each object.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::file::{Segment, SpillFile, Wanted, mismatch};
use crate::store::apart::Apart;

/// Segments that are remembered, with bytes or without.
const MOST: usize = 16;
/// Who reads at most so many bytes further on reads in order.
const NEAR: u64 = 64 << 10;
/// Bytes of all of them; larger segments are read object by object.
const MOST_BYTES: u64 = 8 << 20;

/// A segment's bytes.
struct Image {
    bytes: Vec<u8>,
    sums: Vec<u64>,
}

struct Recent {
    file: Weak<SpillFile>,
    segment: Segment,
    /// Where the last object lay that was read by itself.
    last: u64,
    /// `None` while its objects are read one by one.
    image: Option<Arc<Image>>,
}

impl Recent {
    fn is(&self, file: &Arc<SpillFile>, segment: &Segment) -> bool {
        std::ptr::eq(self.file.as_ptr(), Arc::as_ptr(file)) && self.segment == *segment
    }

    fn bytes(&self) -> u64 {
        self.image.as_ref().map_or(0, |image| self.segment.len + 8 * image.sums.len() as u64)
    }
}

/// What is remembered of a segment.
enum Known {
    Little,
    ReadInOrder,
    All(Arc<Image>),
}

/// See the module. The latest come first.
#[derive(Default)]
pub(super) struct Ahead {
    recent: Mutex<VecDeque<Recent>>,
}

impl Ahead {
    /// Reads one object into memory of its own.
    ///
    /// # Errors
    /// As for [`SpillFile::read`].
    pub(super) fn read(&self, file: &Arc<SpillFile>, segment: &Segment, wanted: &Wanted) -> io::Result<Apart> {
        let image = match self.look(file, segment, wanted.position) {
            Known::All(image) => image,
            Known::ReadInOrder if segment.len <= MOST_BYTES => match load(file, segment) {
                Ok(image) => {
                    self.keep(file, segment, &image);
                    image
                }
                // whoever asks for the one object is told what is wrong with that
                Err(_) => return file.read(segment, wanted),
            },
            _ => return file.read(segment, wanted),
        };
        cut(file, segment, wanted, &image).or_else(|_| file.read(segment, wanted))
    }

    /// What is known of a segment, which comes first from now on, and of which the object at `position` is read.
    fn look(&self, file: &Arc<SpillFile>, segment: &Segment, position: u64) -> Known {
        let mut recent = self.recent.lock();
        let found = recent.iter().position(|r| r.is(file, segment)).and_then(|n| recent.remove(n));
        let known = match &found {
            Some(Recent { image: Some(image), .. }) => Known::All(Arc::clone(image)),
            Some(r) if (1..=NEAR).contains(&position.wrapping_sub(r.last)) => Known::ReadInOrder,
            _ => Known::Little,
        };
        let new = || Recent { file: Arc::downgrade(file), segment: *segment, last: position, image: None };
        recent.push_front(Recent { last: position, ..found.unwrap_or_else(new) });
        recent.truncate(MOST);
        known
    }

    fn keep(&self, file: &Arc<SpillFile>, segment: &Segment, image: &Arc<Image>) {
        let mut recent = self.recent.lock();
        // what is gone with its batch goes first
        recent.retain(|r| r.file.strong_count() > 0);
        if let Some(r) = recent.iter_mut().find(|r| r.is(file, segment)) {
            r.image = Some(Arc::clone(image));
        }
        while recent.iter().map(Recent::bytes).sum::<u64>() > MOST_BYTES {
            recent.pop_back();
        }
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.recent.lock().clear();
    }
}

fn load(file: &Arc<SpillFile>, segment: &Segment) -> io::Result<Arc<Image>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(segment.len as usize).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let sums = file.read_segment(segment, |_, block| bytes.extend_from_slice(block))?;
    Ok(Arc::new(Image { bytes, sums }))
}

/// One object of a segment, if it is whole.
fn cut(file: &SpillFile, segment: &Segment, wanted: &Wanted, image: &Image) -> io::Result<Apart> {
    let at = wanted.position.saturating_sub(segment.image()) as usize;
    let bytes = image.bytes.get(at..at + wanted.bytes as usize).ok_or_else(mismatch)?;
    let sum = image.sums.get(wanted.ordinal as usize).copied().ok_or_else(mismatch)?;
    if !file.matches(wanted.slot, bytes, sum) {
        return Err(mismatch());
    }
    Apart::filled(wanted.bytes, |into| {
        into.copy_from_slice(bytes);
        Ok(())
    })
}
