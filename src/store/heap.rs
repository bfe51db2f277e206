//! A size-class allocator on runs: slabs of equal cells, given back when their last cell is; large pieces as they are.

use std::sync::Arc;

use super::arena::{Arena, NoRoom};
use super::layout::PAGE;
use super::run::{Held, Run};

/// Sixteen classes to a doubling: no cell is more than 1/16 larger than what it is for, or 8 bytes.
const STEPS: u64 = 16;
/// The largest cell; larger pieces have a run of their own.
pub(crate) const LARGEST_CELL: u64 = 64 << 10;
/// A slab has at least this many cells, if that takes no more than `LARGEST_SLAB`.
const CELLS: u64 = 64;
const LARGEST_SLAB: u64 = 128;

/// One cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    slab: u32,
    cell: u32,
}

struct Slab {
    run: Run,
    class: usize,
    free: Vec<u32>,
    cells: u32,
    /// its place among the class's slabs with free cells
    place: Option<usize>,
}

#[derive(Default)]
struct Class {
    /// slabs with free cells
    open: Vec<u32>,
}

/// See the module. Under the side table's lock.
pub(crate) struct Heap {
    classes: Vec<Class>,
    slabs: Vec<Option<Slab>>,
    unused: Vec<u32>,
}

/// The class for so many bytes, and the bytes of its cells.
fn class_of(bytes: u64) -> (usize, u64) {
    let words = bytes.max(8).div_ceil(8);
    if words <= STEPS {
        return (words as usize - 1, words * 8);
    }
    // cells of (STEPS + step) << shift words: steps 1..=STEPS in each doubling
    let shift = u64::from((words - 1).ilog2()) - u64::from(STEPS.ilog2());
    let step = words.div_ceil(1 << shift) - STEPS;
    let class = STEPS + shift * STEPS + step - 1;
    (class as usize, ((STEPS + step) << shift) * 8)
}

/// Pages of a slab for cells of that size: enough of them, and little left over.
fn slab_pages(cell: u64) -> u64 {
    let wanted = (cell * CELLS).div_ceil(PAGE).min(LARGEST_SLAB);
    let waste = |pages: u64| (pages * PAGE % cell) as f64 / (pages * PAGE) as f64;
    (wanted..=wanted * 2).find(|&p| p * PAGE >= cell && waste(p) <= 0.02).unwrap_or(wanted)
}

impl Heap {
    pub(crate) fn new() -> Self {
        let classes = class_of(LARGEST_CELL).0 + 1;
        Heap { classes: (0..classes).map(|_| Class::default()).collect(), slabs: Vec::new(), unused: Vec::new() }
    }

    /// A cell of at least so many bytes, at most `LARGEST_CELL`, and its offset.
    /// `None` where no slab has one: see `add`.
    pub(crate) fn take(&mut self, bytes: u64) -> Option<(Cell, u64)> {
        let (class, size) = class_of(bytes);
        let slab = *self.classes[class].open.last()?;
        let Some(s) = self.slabs[slab as usize].as_mut() else { unreachable!("an open slab exists") };
        let cell = match s.free.pop() {
            Some(cell) => cell,
            None => unreachable!("an open slab has a free cell"),
        };
        let offset = s.run.offset() + u64::from(cell) * size;
        if s.free.is_empty() {
            self.close(slab);
        }
        Some((Cell { slab, cell }, offset))
    }

    /// Takes a cell back. Returns the slab's run when it was the last one.
    pub(crate) fn give(&mut self, cell: Cell) -> Option<Run> {
        let s = self.slabs.get_mut(cell.slab as usize)?.as_mut()?;
        s.free.push(cell.cell);
        if s.free.len() == s.cells as usize {
            self.close(cell.slab);
            self.unused.push(cell.slab);
            return self.slabs[cell.slab as usize].take().map(|s| s.run);
        }
        if s.place.is_none() {
            let open = &mut self.classes[s.class].open;
            s.place = Some(open.len());
            open.push(cell.slab);
        }
        None
    }

    /// Borrows a run for a slab of cells for so many bytes: with no lock held, since the system may have to allocate it.
    ///
    /// # Errors
    /// No memory.
    pub(crate) fn lend(arena: &Arc<Arena>, held: &Arc<Held>, bytes: u64) -> Result<Run, NoRoom> {
        let (_, size) = class_of(bytes);
        let least = size.div_ceil(PAGE);
        let mut pages = slab_pages(size);
        loop {
            match Run::lend(arena, held, pages) {
                Err(_) if pages > least => pages = (pages / 2).max(least),
                lent => return lent,
            }
        }
    }

    /// Makes a run a slab of cells for so many bytes. Returns it if there is one with free cells by now.
    pub(crate) fn add(&mut self, run: Run, bytes: u64) -> Option<Run> {
        let (class, size) = class_of(bytes);
        if !self.classes[class].open.is_empty() {
            return Some(run);
        }
        let cells = (run.len() / size) as u32;
        let open = &mut self.classes[class].open;
        let slab = Slab { run, class, free: (0..cells).rev().collect(), cells, place: Some(open.len()) };
        let number = match self.unused.pop() {
            Some(n) => {
                self.slabs[n as usize] = Some(slab);
                n
            }
            None => {
                self.slabs.push(Some(slab));
                (self.slabs.len() - 1) as u32
            }
        };
        self.classes[class].open.push(number);
        None
    }

    /// Takes a slab out of the open ones of its class.
    fn close(&mut self, slab: u32) {
        let Some(s) = self.slabs[slab as usize].as_mut() else { return };
        let Some(place) = s.place.take() else { return };
        let open = &mut self.classes[s.class].open;
        open.swap_remove(place);
        if let Some(&moved) = open.get(place)
            && let Some(m) = self.slabs[moved as usize].as_mut()
        {
            m.place = Some(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::faults::NoFaults;

    #[test]
    fn classes_are_tight_and_ordered() {
        let mut last = (0, 8);
        for bytes in 1..=LARGEST_CELL {
            let (class, size) = class_of(bytes);
            assert!(size >= bytes && size - bytes <= (bytes / 16).max(8), "{bytes} in {size}");
            assert!(
                (class, size) >= last && (class == last.0) == (size == last.1),
                "{bytes}: {class} {size} after {last:?}"
            );
            last = (class, size);
        }
    }

    #[test]
    fn slabs_waste_little() {
        for bytes in (8..=LARGEST_CELL).step_by(8) {
            let (_, size) = class_of(bytes);
            let whole = slab_pages(size) * PAGE;
            assert!(whole >= size && (whole % size) as f64 <= 0.06 * whole as f64, "{size} in {whole}");
        }
    }

    #[test]
    fn cells_do_not_overlap_and_slabs_go_when_empty() {
        let arena = Arena::open(4 << 20, None, "heap", Arc::new(NoFaults)).expect("open");
        let before = arena.used();
        let held = Arc::new(Held::default());
        let mut heap = Heap::new();
        let mut taken = Vec::new();
        for n in 0..3000u64 {
            let bytes = 1 + n * 7 % 900;
            let cell = heap.take(bytes).or_else(|| {
                let run = Heap::lend(&arena, &held, bytes).expect("room");
                assert!(heap.add(run, bytes).is_none());
                heap.take(bytes)
            });
            taken.push((cell.expect("a cell"), bytes));
        }
        let mut ranges: Vec<_> = taken.iter().map(|((_, at), n)| (*at, at + n)).collect();
        ranges.sort_unstable();
        assert!(ranges.windows(2).all(|w| w[0].1 <= w[1].0));
        let second = Heap::lend(&arena, &held, 1).expect("room");
        assert!(heap.add(second, 1).is_some(), "there is one with free cells");
        for ((cell, _), _) in taken {
            drop(heap.give(cell));
        }
        assert_eq!((held.bytes(), arena.used()), (0, before));
    }
}
