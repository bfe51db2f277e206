//! For whom the records of tasks are held: what a report and a refusal say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use super::tasks::Tasks;
use crate::batch::{Records, RecordsFor};

/// So many actors and so many batches are named.
const NAMED: usize = 8;
/// So many tables are looked at under one hold of the lock.
const AT_ONCE: usize = 64;
/// An answer that need not be exact is as old as that at most.
const FRESH: Duration = Duration::from_secs(1);

/// name and bytes of each
#[derive(Default)]
struct Sums {
    actors: BTreeMap<u32, (String, u64)>,
    batches: BTreeMap<i64, u64>,
}

impl Tasks {
    /// For whom records are held.
    pub(super) fn records_held(&self, exact: bool) -> Arc<Records> {
        if !exact {
            let mut held = self.held.lock();
            let known = held.clone();
            if let Some((_, records)) = known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
                return Arc::clone(records);
            }
            // others, and what follows from a look at the table, do not look meanwhile
            *held = Some((Instant::now(), known.map(|(_, records)| records).unwrap_or_default()));
        }
        let mut sums = Sums::default();
        let serials: Vec<u32> = self.look(exact, |core| core.tables.keys().copied().collect()).unwrap_or_default();
        for some in serials.chunks(AT_ONCE) {
            let _ = self.look(exact, |core| some.iter().for_each(|serial| core.add_held(*serial, &mut sums)));
        }
        let actors = sums.actors.into_iter();
        let actors = actors.map(|(number, (name, bytes))| RecordsFor { number: number.into(), name, bytes });
        let batch = |(number, bytes)| RecordsFor {
            number,
            name: if number == 0 { "normal mode".to_owned() } else { format!("batch {number}") },
            bytes,
        };
        let records =
            Records { actors: most(actors.collect()), batches: most(sums.batches.into_iter().map(batch).collect()) };
        let records = Arc::new(records);
        *self.held.lock() = Some((Instant::now(), Arc::clone(&records)));
        records
    }

    /// Looks at the table. Who is refused may be anybody: one that need not be exact does not wait for the lock, but asks for it a few
    /// times.
    fn look<R>(&self, exact: bool, at: impl FnOnce(&mut Core) -> R) -> Option<R> {
        const ASKS: u32 = 100;
        if exact {
            return Some(self.tell(|core, _| at(core)));
        }
        for _ in 0..ASKS {
            if let Some(mut core) = self.try_core() {
                let seen = at(&mut core);
                drop(core);
                self.see_to_happenings();
                return Some(seen);
            }
            std::thread::yield_now();
        }
        None
    }
}

fn most(mut all: Vec<RecordsFor>) -> Vec<RecordsFor> {
    all.sort_by_key(|it| std::cmp::Reverse(it.bytes));
    all.truncate(NAMED);
    all
}

impl Core {
    /// Adds what one batch's records take to the sum of whoever they are held for: the batch, while it is not collected; else the
    /// first actor through which, or the first batch that depends on it.
    fn add_held(&self, serial: u32, sums: &mut Sums) {
        let Some(table) = self.table(serial).filter(|table| table.bytes() > 0) else { return };
        if !table.is_collected() {
            *sums.batches.entry(table.key.id.0).or_default() += table.bytes();
            return;
        }
        let held = self.held_by(serial);
        match held.iter().find(|by| by.actor != 0) {
            Some(by) => sums.actors.entry(by.actor).or_insert_with(|| (by.actor_name.clone(), 0)).1 += table.bytes(),
            // what nobody depends on has tasks that are not over
            None => {
                let by = held.first().map_or(table.key.id.0, |by| by.batch);
                *sums.batches.entry(by).or_default() += table.bytes();
            }
        }
    }
}
