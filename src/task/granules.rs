//! Where the records of task slots lie: found by arithmetic, for each step of a task looks some up.

use std::collections::VecDeque;

use super::table::{GRANULE, PAGE_RECORDS};

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
        }
        let place = self.places[n] as usize - 1;
        self.all[place].get_or_insert_with(Granule::default)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.unused.len()
    }

    /// The first slots of the granules there are, in order.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> {
        let there = self.places.iter().enumerate().filter(|(_, place)| **place > 0);
        there.map(|(n, _)| (self.first + n as u64) * GRANULE)
    }

    /// Takes the oldest one out.
    pub(super) fn pop_first(&mut self) -> Option<Granule> {
        loop {
            let place = self.places.pop_front()?;
            self.first += 1;
            if let Some(place) = place.checked_sub(1) {
                self.unused.push(place);
                return self.all[place as usize].take();
            }
        }
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
    fn granules_are_found_wherever_they_begin_and_forgotten_from_the_front() {
        let mut granules = Granules::default();
        let far = 1_000_000 * GRANULE;
        for n in [0, 1, 5] {
            *granules.page_mut(far + n * GRANULE + 33) = n as u32 + 1;
        }
        assert_eq!(granules.len(), 3);
        assert_eq!(granules.page(far + 40), Some(0));
        assert_eq!(granules.page(far + 5 * GRANULE + 63), Some(5));
        assert_eq!((granules.page(far), granules.page(far + 2 * GRANULE + 33), granules.page(3)), (None, None, None));
        assert_eq!(granules.starts().collect::<Vec<_>>(), [far, far + GRANULE, far + 5 * GRANULE]);
        let pages = |granule: Option<Granule>| granule.map(|g| g.into_pages().collect::<Vec<_>>());
        assert_eq!(pages(granules.pop_first()), Some(vec![0]));
        assert_eq!(granules.page(far + 40), None);
        *granules.page_mut(far + 6 * GRANULE) = 9;
        assert_eq!((granules.len(), granules.page(far + 6 * GRANULE)), (3, Some(8)));
        granules.granule_mut(far + 6 * GRANULE).add_extensions(20);
        assert_eq!(granules.granule_mut(far + 6 * GRANULE).extension(), Some((20, 0)));
        assert_eq!(pages(granules.pop_first()), Some(vec![1]));
        assert_eq!(pages(granules.pop_first()), Some(vec![5]));
        assert_eq!(pages(granules.pop_first()), Some(vec![8, 20]));
        assert!(granules.pop_first().is_none());
    }
}
