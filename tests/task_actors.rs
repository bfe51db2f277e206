//! Actors that are lost, saved and restored while all kinds of things go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use raybatch::batch::{BatchKey, BatchSpec, Reason};
use raybatch::task::{CheckpointPolicy, Ending, Order, Run, Work, WorkKind};
use task_support::{Lab, Made};

fn lab() -> Lab {
    Lab::new(64 << 20, 4)
}

fn increment(lab: &mut Lab, key: BatchKey, actor: u32) -> Made {
    let method = |state: &mut i64, _: &[i64]| {
        *state += 1;
        *state
    };
    lab.call(key, actor, &[], Lab::method(method))
}

/// Runs that are to be interrupted.
fn interrupted(lab: &Lab) -> Vec<Run> {
    let run = |order| match order {
        Order::Interrupt(run) => Some(run),
        _ => None,
    };
    lab.tasks.orders().into_iter().filter_map(run).collect()
}

/// An actor that is just being saved, before the next task of another batch.
fn being_saved(lab: &mut Lab, home: BatchKey) -> (u32, Work) {
    let actor = lab.actor(home, CheckpointPolicy::Transition, 5);
    let other = lab.batch();
    lab.run_all();
    increment(lab, other, actor);
    let work = lab.take().expect("a checkpoint");
    assert_eq!((work.kind, work.run.task.serial), (WorkKind::Save, 0));
    (actor, work)
}

/// An actor that is just being restored, and the task that waits for it.
fn being_restored(lab: &mut Lab, home: BatchKey) -> (u32, Work, Made) {
    let actor = lab.actor(home, CheckpointPolicy::Never, 5);
    lab.checkpoint(home, actor);
    lab.run_all();
    lab.tasks.kill_actor(actor, false, "a test");
    let m = increment(lab, home, actor);
    let work = lab.take().expect("its checkpoint");
    assert_eq!((work.kind, work.run.task.serial), (WorkKind::Restore, 0));
    (actor, work, m)
}

/// Nobody interrupted the user's code that saves or restores, and no grace ended: its thread was never given up.
#[test]
fn a_saving_that_hangs_is_interrupted_when_its_actor_dies() {
    let mut lab = lab();
    let home = lab.batch();
    let (actor, save) = being_saved(&mut lab, home);
    let before = lab.client.status(home).unwrap().objects;
    lab.tasks.orders();
    lab.tasks.kill_actor(actor, true, "a test");
    assert_eq!(interrupted(&lab), [save.run]);
    lab.tasks.abandon(save.run, "a thread");
    assert_eq!(lab.tasks.status(home).unwrap().abandoned, ["a thread"]);
    lab.report(save.run, Ending::Value, 5); // it comes back nevertheless
    assert_eq!(lab.client.status(home).unwrap().objects, before, "nothing was kept of it");
}

#[test]
fn a_saving_that_hangs_is_interrupted_when_its_actors_batch_times_out() {
    let mut lab = lab();
    let home = lab.batch();
    let (actor, save) = being_saved(&mut lab, home);
    lab.tasks.orders();
    lab.client.end_batch(home, true, &[], Reason::TimedOut, "its deadline").unwrap();
    assert!(interrupted(&lab).contains(&save.run));
    assert!(!lab.tasks.actor_lives(actor));
    lab.tasks.abandon(save.run, "a thread");
    assert_eq!(lab.tasks.status(home).expect("a thread is given up").abandoned, ["a thread"]);
}

#[test]
fn a_restoring_that_hangs_is_interrupted_when_its_batch_is_cancelled() {
    let mut lab = lab();
    let outer = lab.batch();
    let home = lab.batch_of(BatchSpec { parent: Some(outer), ..BatchSpec::default() });
    let (actor, restore, _) = being_restored(&mut lab, home);
    lab.submit(home, &[], Lab::function(|_| 1));
    let other = lab.take().expect("a task that takes its time");
    lab.tasks.orders();
    lab.client.cancel_batch(outer, "a test").unwrap();
    assert_eq!(interrupted(&lab), [restore.run, other.run]);
    assert!(lab.tasks.actor_lives(actor), "its batch is not collected while a thread is in a task of it");
    lab.report(restore.run, Ending::ThrewForGood, 0);
    assert_eq!(lab.take(), None, "and it is not restored once more");
    lab.report(other.run, Ending::ThrewForGood, 0);
    assert_eq!(lab.tasks.figures(), (0, 0));
}

#[test]
fn a_restoring_that_hangs_is_interrupted_when_somebody_kills_the_actor_and_the_next_one_starts_anew() {
    let mut lab = lab();
    let home = lab.batch();
    let (actor, restore, m) = being_restored(&mut lab, home);
    lab.tasks.orders();
    lab.tasks.kill_actor(actor, false, "a test");
    assert_eq!(interrupted(&lab), [restore.run]);
    lab.run_all();
    assert_eq!(lab.read(&m.id), Some(6));
    lab.tasks.abandon(restore.run, "a thread");
    assert!(lab.tasks.actor_lives(actor));
    assert_eq!(lab.tasks.status(home).unwrap().abandoned, ["a thread"]);
}

#[test]
fn an_instance_is_lost_with_the_thread_that_was_given_up_saving_it() {
    let mut lab = lab();
    let home = lab.batch();
    let (actor, save) = being_saved(&mut lab, home);
    // outside of its batch's end it is the table's own business; but nobody else may go on with that instance
    lab.tasks.abandon(save.run, "a thread");
    let m = increment(&mut lab, home, actor);
    let work = lab.take().expect("its creation");
    assert!(work.replay && work.kind == WorkKind::Construct && work.instance != save.instance);
    lab.run(&work);
    lab.run_all();
    assert_eq!(lab.read(&m.id), Some(7));
}

#[test]
fn a_job_that_nobody_took_goes_with_its_actor() {
    let mut lab = lab();
    let home = lab.batch();
    let (actor, save) = being_saved(&mut lab, home);
    lab.report(save.run, Ending::NotBegun, 0);
    lab.tasks.orders();
    lab.tasks.kill_actor(actor, true, "a test");
    assert_eq!(interrupted(&lab), [], "nobody is at it");
    assert_eq!(lab.tasks.take(None, 1), (Vec::new(), false));
}

/// Whoever passed it over because it was cancelled was given it again.
#[test]
fn a_cancelled_job_that_is_given_back_is_not_taken_again() {
    let mut lab = lab();
    let home = lab.batch();
    let (actor, save) = being_saved(&mut lab, home);
    lab.tasks.kill_actor(actor, true, "a test");
    lab.report(save.run, Ending::NotBegun, 0);
    assert_eq!(lab.take(), None);
}
