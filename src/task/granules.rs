//! Where the records of task slots lie: found by arithmetic, for each step of a task looks some up.

use std::collections::VecDeque;

/// Records of a page.
pub(super) const PAGE_RECORDS: u64 = 32;
/// Slots that are reserved at once: those of a page of the index.
pub(super) const GRANULE: u64 = 256;

/// The pages of 256 task slots, as the slab numbers them.
#[derive(Default)]
pub(super) struct Granule {
    /// Page + 1 of each 32 records; 0 where there is none yet.
    pages: [u32; (GRANULE / PAGE_RECORDS) as usize],
    /// Pages of what its records have no room for.
    extensions: Vec<u32>,
    /// Records of the last of those that are in use.
    used: u32,
}

impl Granule {
    /// The next extension record, as page and place; `None` when a page is to be added.
    pub(super) fn extension(&mut self) -> Option<(u32, u32)> {
        let page = *self.extensions.last()?;
        (u64::from(self.used) < PAGE_RECORDS).then(|| {
            self.used += 1;
            (page, self.used - 1)
        })
    }

    pub(super) fn add_extensions(&mut self, page: u32) {
        self.extensions.push(page);
        self.used = 0;
    }

    /// All its pages.
    pub(super) fn into_pages(self) -> impl Iterator<Item = u32> {
        self.pages.into_iter().filter_map(|page| page.checked_sub(1)).chain(self.extensions)
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Granules {
    /// the granule that `places` begins with
    first: u64,
    /// granule − first → its place in `all`, + 1; 0 for slots that are no tasks'
    places: VecDeque<u32>,
    all: Vec<Option<Granule>>,
    unused: Vec<u32>,
    /// those that `forgettable` has not passed, as they were begun
    young: VecDeque<u64>,
    /// the others: granule, and the slot that kept it from being forgotten when it was looked at last
    old: VecDeque<(u64, Option<u64>)>,
}

impl Granules {
    /// The page of records in which a slot's is.
    #[inline]
    pub(super) fn page(&self, slot: u64) -> Option<u32> {
        let n = (slot / GRANULE).checked_sub(self.first)?;
        let place = self.places.get(n as usize)?.checked_sub(1)?;
        self.all.get(place as usize)?.as_ref()?.pages[(slot % GRANULE / PAGE_RECORDS) as usize].checked_sub(1)
    }

    /// The number of a slot's page, to be set.
    pub(super) fn page_mut(&mut self, slot: u64) -> &mut u32 {
        &mut self.granule_mut(slot).pages[(slot % GRANULE / PAGE_RECORDS) as usize]
    }

    /// The granule of a slot, made if there is none.
    pub(super) fn granule_mut(&mut self, slot: u64) -> &mut Granule {
        let granule = slot / GRANULE;
        if self.places.is_empty() {
            self.first = granule;
        }
        // of two threads that reserve, the one with the later slots may be here first
        for _ in granule..self.first {
            self.places.push_front(0);
        }
        self.first = self.first.min(granule);
        let n = (granule - self.first) as usize;
        if n >= self.places.len() {
            self.places.resize(n + 1, 0);
        }
        if self.places[n] == 0 {
            let place = self.unused.pop().unwrap_or_else(|| {
                self.all.push(None);
                self.all.len() as u32 - 1
            });
            self.places[n] = place + 1;
            self.young.push_back(granule);
        }
        let place = self.places[n] as usize - 1;
        self.all[place].get_or_insert_with(Granule::default)
    }

    /// The first slots of the granules there are, in order.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> {
        let there = self.places.iter().enumerate().filter(|(_, place)| **place > 0);
        there.map(|(n, _)| (self.first + n as u64) * GRANULE)
    }

    /// Takes one out. That those before and after it stay costs four bytes.
    pub(super) fn take(&mut self, slot: u64) -> Option<Granule> {
        let n = (slot / GRANULE).checked_sub(self.first)?;
        let place = std::mem::take(self.places.get_mut(n as usize)?).checked_sub(1)?;
        while self.places.front() == Some(&0) {
            self.places.pop_front();
            self.first += 1;
        }
        self.unused.push(place);
        self.all[place as usize].take()
    }

    /// The next one that may be old enough to be forgotten: its first slot, and the slot that kept it the last time. All but
    /// the last so many are passed in turn; who cannot be forgotten goes back with `keep`.
    pub(super) fn forgettable(&mut self, most: usize) -> Option<(u64, Option<u64>)> {
        while self.young.len() > most {
            let granule = self.young.pop_front()?;
            self.old.push_back((granule, None));
        }
        let (granule, kept_by) = self.old.pop_front()?;
        Some((granule * GRANULE, kept_by))
    }

    /// One that cannot be forgotten, because of a slot.
    pub(super) fn keep(&mut self, first: u64, because_of: u64) {
        self.old.push_back((first / GRANULE, Some(because_of)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reserved_earlier_and_told_of_later_is_another_one() {
        let mut granules = Granules::default();
        *granules.page_mut(7 * GRANULE) = 1;
        *granules.page_mut(5 * GRANULE) = 2;
        assert_eq!((granules.page(7 * GRANULE), granules.page(5 * GRANULE)), (Some(0), Some(1)));
        assert_eq!(granules.starts().collect::<Vec<_>>(), [5 * GRANULE, 7 * GRANULE]);
    }

    #[test]
    fn granules_are_found_wherever_they_begin_and_can_go_from_anywhere() {
        let mut granules = Granules::default();
        let far = 1_000_000 * GRANULE;
        for n in [0, 1, 5] {
            *granules.page_mut(far + n * GRANULE + 33) = n as u32 + 1;
        }
        assert_eq!(granules.page(far + 40), Some(0));
        assert_eq!(granules.page(far + 5 * GRANULE + 63), Some(5));
        assert_eq!((granules.page(far), granules.page(far + 2 * GRANULE + 33), granules.page(3)), (None, None, None));
        assert_eq!(granules.starts().collect::<Vec<_>>(), [far, far + GRANULE, far + 5 * GRANULE]);
        let pages = |granule: Option<Granule>| granule.map(|g| g.into_pages().collect::<Vec<_>>());
        assert_eq!(pages(granules.take(far + GRANULE)), Some(vec![1]));
        assert_eq!(pages(granules.take(far + GRANULE)), None, "it is gone");
        assert_eq!((granules.page(far + 40), granules.page(far + GRANULE + 40)), (Some(0), None));
        assert_eq!(pages(granules.take(far)), Some(vec![0]));
        assert_eq!(granules.starts().collect::<Vec<_>>(), [far + 5 * GRANULE]);
        *granules.page_mut(far + 6 * GRANULE) = 9;
        assert_eq!(granules.page(far + 6 * GRANULE), Some(8));
        granules.granule_mut(far + 6 * GRANULE).add_extensions(20);
        assert_eq!(granules.granule_mut(far + 6 * GRANULE).extension(), Some((20, 0)));
        assert_eq!(pages(granules.take(far + 6 * GRANULE)), Some(vec![8, 20]));
        assert_eq!(pages(granules.take(far + 5 * GRANULE)), Some(vec![5]));
        assert_eq!(granules.starts().count(), 0);
        *granules.page_mut(far) = 4;
        assert_eq!(granules.page(far), Some(3), "it begins anew");
    }

    #[test]
    fn the_last_ones_are_not_forgotten_and_the_others_are_looked_at_in_turn() {
        let mut granules = Granules::default();
        for n in 0..5 {
            granules.granule_mut(n * GRANULE);
        }
        assert_eq!(granules.forgettable(5), None);
        assert_eq!(granules.forgettable(3), Some((0, None)));
        granules.keep(0, 17);
        assert_eq!(granules.forgettable(3), Some((GRANULE, None)));
        assert_eq!(granules.forgettable(3), Some((0, Some(17))));
        assert_eq!(granules.forgettable(3), None);
        granules.granule_mut(5 * GRANULE);
        assert_eq!(granules.forgettable(3), Some((2 * GRANULE, None)));
    }
}
