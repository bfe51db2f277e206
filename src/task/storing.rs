//! What runs make: where it is stored, and what it is when the store does not take it.

use super::core::{Core, Effects};
use super::failure;
use super::granules::GRANULE;
use super::outcome::{Report, Target};
use super::table::LEAST_PUTS;
use super::tasks::{Flags, Tasks};
use super::types::{Ending, Outcome, Run};
use crate::error::{Error, ErrorCode, Result};
use crate::gcs::TaskRecord;
use crate::id::ObjectId;
use crate::store::{Kind, Source};

impl Tasks {
    /// Stores one of a run's results. False when nobody wants it: it is there, or the run is not listened to any more.
    ///
    /// # Errors
    /// `StoreFull`, `BatchLimit`; what the source says.
    pub fn put_result(&self, run: Run, index: u32, kind: Kind, source: &dyn Source) -> Result<bool> {
        let (first, target) = self.tell(|core, _| (core.note_returned(run), core.target(run, Ending::Stored, index)));
        let stored = self.store(target, kind, source);
        if stored.is_err() && first {
            self.tell(|core, _| core.note_refused(run));
        }
        stored.map(|stored| stored.is_some())
    }

    /// Stores what a run puts, under the nth id of one of its blocks.
    ///
    /// # Errors
    /// `TaskCancelled` when the run is not listened to any more; `StoreFull`, `BatchLimit`; what the source says.
    pub fn put_in_run(&self, run: Run, first: u64, index: u32, kind: Kind, source: &dyn Source) -> Result<()> {
        let look = |core: &mut Core, _: &mut Effects| {
            let table = core.table(run.task.serial).filter(|_| core.goes_on(run));
            let key = table.ok_or_else(|| core.run_is_over(run))?.key;
            let id = ObjectId::new(key.id, key.life.wrapping_add(first), index);
            Ok::<_, Error>((id, core.put_target(run, &id), core.maker(&id) == Some(run.task)))
        };
        let (id, target, own) = self.tell(look)?;
        if !own {
            let text = format!("object {id} is in no block of ids that the task in slot {} received", run.task.slot);
            return Err(Error::new(ErrorCode::InvalidArgument, text).object(id));
        }
        self.store(target, kind, source).map(|_| ())
    }

    /// Stores where the table says. `Some` with the id that it got if that is not the object's own.
    fn store(&self, target: Target, kind: Kind, source: &dyn Source) -> Result<Option<ObjectId>> {
        match target {
            Target::Nowhere => Ok(None),
            Target::Result(id) => self.engine.put_result(&id, kind, source).map(|new| new.then_some(id)),
            Target::Internal(by, id) => {
                let alias = self.store_in(by, kind, source)?;
                self.ask(|core, fx| core.add_internal(fx, by, id, alias));
                Ok(Some(alias))
            }
            // those are stored on a way of their own
            Target::Checkpoint(..) => Ok(None),
        }
    }

    /// Stores an actor's state: in the place of an older one that nobody needs, if there is one.
    fn store_state(&self, owner: u32, actor: u32, o: &Outcome<'_>) -> Result<ObjectId> {
        if let Some(id) = self.tell(|core, _| core.spare_checkpoint(owner, actor)) {
            match self.engine.put_result(&id, o.kind, &o.bytes) {
                Ok(true) => return Ok(id),
                // it is held still
                Ok(false) => _ = self.engine.delete(&[id]),
                Err(e) => {
                    self.tell(|core, _| core.add_spare(actor, id));
                    return Err(e);
                }
            }
        }
        self.store_in(owner, o.kind, &o.bytes)
    }

    /// Stores an object of the table's own in a batch.
    fn store_in(&self, serial: u32, kind: Kind, source: &dyn Source) -> Result<ObjectId> {
        loop {
            let own = self.tell(|core, _| {
                let table = core.known(serial)?;
                Ok::<_, Error>((table.own_id(), table.key, table.batch.clone()))
            });
            let (id, key, batch) = own?;
            if let Some(id) = id {
                self.engine.gcs().append(id.batch, TaskRecord { task: id.task, count: 1 });
                return match self.engine.put_result(&id, kind, source)? {
                    true => Ok(id),
                    false => Err(self.engine.gone(key)),
                };
            }
            let batch = batch.ok_or_else(|| self.engine.gone(key))?;
            let first = self.engine.reserve_slots(&batch, GRANULE + LEAST_PUTS)?.next_multiple_of(LEAST_PUTS);
            self.ask(|core, _| core.known(serial).map(|t| t.puts.refill(first))).0?;
        }
    }

    /// Reports how runs ended.
    pub fn complete(&self, outcomes: &[Outcome<'_>]) -> Flags {
        let target = |core: &mut Core, o: &Outcome<'_>| {
            let target = core.target(o.run, o.ending, 0);
            if target != Target::Nowhere {
                core.note_returned(o.run);
            }
            target
        };
        let (targets, before): (Vec<_>, _) = self.ask(|core, _| outcomes.iter().map(|o| target(core, o)).collect());
        let reports: Vec<_> = outcomes.iter().zip(targets).map(|(o, target)| self.store_outcome(o, target)).collect();
        let ((), after) = self.ask(|core, fx| reports.iter().for_each(|report| core.report(fx, report)));
        Flags { ready: before.ready + after.ready, orders: before.orders || after.orders }
    }

    fn store_outcome(&self, o: &Outcome<'_>, target: Target) -> Report {
        let mut report = Report { run: o.run, ending: o.ending, nanos: o.nanos, stored: None };
        if matches!(o.ending, Ending::Stored | Ending::NotBegun | Ending::LostArgument) {
            return report;
        }
        if let Target::Checkpoint(owner, actor) = target {
            return self.store_checkpoint(o, owner, actor, report);
        }
        if let Err(e) = self.store(target, o.kind, &o.bytes) {
            report.ending = Ending::ThrewForGood;
            self.seal_refusal(target, o.bytes.len(), &e);
        }
        if o.ending != Ending::Value {
            self.seal_others(o, target);
        }
        report
    }

    /// An actor's state. The table hears of it before the task that asked for it is seen to be over: whoever sees that may
    /// rely on the checkpoint.
    fn store_checkpoint(&self, o: &Outcome<'_>, owner: u32, actor: u32, mut report: Report) -> Report {
        let stored = self.store_state(owner, actor, o);
        if o.run.task.serial == 0 {
            report.stored = stored.ok();
            return report;
        }
        let target = self.tell(|core, _| core.target(o.run, Ending::Stored, 0));
        match stored {
            Ok(checkpoint) => {
                self.tell(|core, fx| core.checkpoint_stored(fx, o.run, checkpoint, o.nanos));
                let none: &[u8] = &[];
                let _ = self.store(target, Kind::Null, &none);
            }
            Err(e) => {
                report.ending = Ending::ThrewForGood;
                self.seal_refusal(target, o.bytes.len(), &e);
            }
        }
        report
    }

    fn seal_refusal(&self, target: Target, len: usize, e: &Error) {
        if let Target::Result(id) = target {
            self.seal_bytes(&id, &failure::not_stored(&format!("its value of {len} bytes could not be stored: {e}")));
        }
    }

    fn seal_bytes(&self, id: &ObjectId, bytes: &[u8]) {
        if self.engine.put_result(id, Kind::Failure, &bytes).is_err() {
            let none: &[u8] = &[];
            let _ = self.engine.put_result(id, Kind::Failure, &none);
        }
    }

    /// A task of several results failed: they all say so.
    fn seal_others(&self, o: &Outcome<'_>, first: Target) {
        if !matches!(first, Target::Result(_)) {
            return;
        }
        for index in 1.. {
            match self.tell(|core, _| core.target(o.run, Ending::ThrewForGood, index)) {
                Target::Result(id) => self.seal_bytes(&id, o.bytes),
                _ => return,
            }
        }
    }
}
