//! What the table has done on its own account: the saving of an actor's state, for a policy's, a boundary's or a beginning's
//! sake, and its restoring. A worker takes it as any work, as a run of serial 0 whose slot is the job's number.

use super::core::{Core, Effects, Todo, Urgent};
use super::types::{Ending, Order, Run, TaskRef, Work, WorkKind};
use crate::batch::BatchKey;
use crate::id::ObjectId;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Job {
    /// Save the state, for a batch's boundary or its beginning.
    Save { actor: u32, instance: u32 },
    /// Restore it from a checkpoint.
    Restore { actor: u32, instance: u32, checkpoint: ObjectId },
}

impl Job {
    /// The actor's number, and which of its instances.
    fn of(&self) -> (u32, u32) {
        match *self {
            Job::Save { actor, instance } | Job::Restore { actor, instance, .. } => (actor, instance),
        }
    }
}

/// How far it is.
pub(super) struct JobRun {
    job: Job,
    /// A worker has it.
    taken: bool,
    /// Nobody waits for it, but its thread has not come back.
    cancelled: bool,
    /// The batch that owned the actor when it began.
    owner: BatchKey,
}

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct JobEnd {
    pub(super) ending: Ending,
    /// The checkpoint that was stored.
    pub(super) stored: Option<ObjectId>,
    pub(super) nanos: u64,
    /// It was cancelled before.
    pub(super) cancelled: bool,
}

impl JobEnd {
    pub(super) fn ok(&self) -> bool {
        matches!(self.ending, Ending::Value | Ending::Stored)
    }
}

/// One that came to nothing.
const GIVEN_UP: JobEnd = JobEnd { ending: Ending::ThrewForGood, stored: None, nanos: 0, cancelled: true };

fn run_of(number: u64) -> Run {
    Run { task: TaskRef { serial: 0, slot: number }, attempt: 0 }
}

impl Core {
    pub(super) fn add_job(&mut self, fx: &mut Effects, job: Job) {
        let owner = self.actors.get(&job.of().0).and_then(|actor| self.table(actor.owner)).map(|t| t.key);
        self.last_job += 1;
        let run = JobRun { job, taken: false, cancelled: false, owner: owner.unwrap_or(BatchKey::NORMAL) };
        self.jobs.insert(self.last_job, run);
        self.urgent.push_back(Urgent::Job(self.last_job));
        fx.ready += 1;
    }

    /// A worker takes it.
    pub(super) fn take_job(&mut self, number: u64) -> Option<Work> {
        let run = self.jobs.get_mut(&number)?;
        run.taken = true;
        let kind = match run.job {
            Job::Save { .. } => WorkKind::Save,
            Job::Restore { .. } => WorkKind::Restore,
        };
        let (actor, instance) = run.job.of();
        Some(Work { run: run_of(number), kind, actor, instance, aliased: false, replay: false })
    }

    /// The batch in which a job's checkpoint is to lie, and its actor; `None` for one that makes none, or is not listened to any more.
    pub(super) fn job_saves(&self, number: u64) -> Option<(u32, u32)> {
        match self.jobs.get(&number).filter(|run| !run.cancelled)?.job {
            Job::Save { actor, .. } => Some((self.actors.get(&actor)?.owner, actor)),
            Job::Restore { .. } => None,
        }
    }

    /// What a job is to restore.
    pub(super) fn job_checkpoint(&self, number: u64) -> Option<ObjectId> {
        match self.jobs.get(&number)?.job {
            Job::Restore { checkpoint, .. } => Some(checkpoint),
            Job::Save { .. } => None,
        }
    }

    /// Nobody waits for an actor's jobs, or for those on one of its instances. Whoever is at one is interrupted; if the code of
    /// the user that it runs does not end then, its thread is given up as any.
    pub(super) fn cancel_jobs(&mut self, fx: &mut Effects, actor: u32, instance: Option<u32>) {
        let meant = |run: &JobRun| {
            let (its, on) = run.job.of();
            its == actor && instance.is_none_or(|instance| instance == on) && !run.cancelled
        };
        let numbers: Vec<u64> = self.jobs.iter().filter(|(_, run)| meant(run)).map(|(number, _)| *number).collect();
        for number in numbers {
            let Some(run) = self.jobs.get_mut(&number) else { continue };
            if run.taken {
                run.cancelled = true;
                fx.orders.push(Order::Interrupt(run_of(number)));
            } else {
                self.urgent.retain(|urgent| *urgent != Urgent::Job(number));
                self.job_over(fx, number, GIVEN_UP);
            }
        }
    }

    /// The same for all actors of a batch.
    pub(super) fn cancel_jobs_of(&mut self, fx: &mut Effects, owner: u32) {
        let owned = self.table(owner).map(|t| t.owned_actors.clone()).unwrap_or_default();
        for actor in owned {
            self.cancel_jobs(fx, actor, None);
        }
    }

    /// A worker is done with a job, or did not begin it.
    pub(super) fn job_reported(&mut self, fx: &mut Effects, number: u64, mut end: JobEnd) {
        let Some(run) = self.jobs.get_mut(&number) else {
            // one that was given up and comes back has been counted
            return fx.frees.extend(end.stored);
        };
        self.running = self.running.saturating_sub(1);
        if end.ending == Ending::NotBegun && !run.cancelled {
            run.taken = false;
            fx.ready += 1;
            return self.urgent.push_front(Urgent::Job(number));
        }
        end.cancelled = run.cancelled;
        self.job_over(fx, number, end);
    }

    /// A job's thread does not come back.
    pub(super) fn abandon_job(&mut self, fx: &mut Effects, number: u64, thread: &str) {
        let Some(JobRun { job, owner, .. }) = self.jobs.get(&number) else { return };
        let (job, owner) = (*job, *owner);
        self.running = self.running.saturating_sub(1);
        self.job_over(fx, number, GIVEN_UP);
        if let Job::Save { actor, instance } = job
            && self.actors.get(&actor).is_some_and(|a| a.main == super::actor::Main::Alive(instance))
        {
            // the thread may still be in it
            self.lose(fx, actor, "a thread that saved it was given up");
        }
        self.note_abandoned(owner, thread);
    }

    fn job_over(&mut self, fx: &mut Effects, number: u64, end: JobEnd) {
        match self.jobs.remove(&number).map(|run| run.job) {
            Some(Job::Save { actor, .. }) => {
                let Some(save) = self.actors.get_mut(&actor).and_then(|a| a.saving.take()) else {
                    return fx.frees.extend(end.stored); // it died meanwhile
                };
                match end.stored.filter(|_| end.ok()) {
                    Some(checkpoint) => self.begin_segment(fx, actor, checkpoint, save, end.nanos),
                    None => {
                        if let Some(unlogged) = self.unsaved.admit() {
                            log::warn!("actor {actor} could not be saved; its chain goes on{unlogged}");
                        }
                    }
                }
                self.saved(save);
                self.todo.push_back(Todo::Advance(actor));
            }
            Some(job) => self.restored(fx, job, &end),
            None => fx.frees.extend(end.stored),
        }
    }

    /// It turned out that an actor cannot be saved: nobody tries again.
    pub(super) fn cannot_be_saved(&mut self, run: Run) {
        let number = match (run.task.serial, self.jobs.get(&run.task.slot).map(|run| run.job)) {
            (0, Some(Job::Save { actor, .. })) => actor,
            (0, _) => return,
            _ => self.record(run.task).map_or(0, |r| r.actor()),
        };
        if let Some(actor) = self.actors.get_mut(&number) {
            actor.checkpointable = false;
        }
    }
}
