//! Actors that are lost, saved and restored while all kinds of things go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use std::collections::BTreeSet;

use raybatch::batch::{BatchKey, BatchSpec, Reason};
use raybatch::id::ObjectId;
use raybatch::store::Kind;
use raybatch::task::{CheckpointPolicy, Ending, Order, Remade, Run, Work, WorkKind};
use task_support::{Lab, Made, increment};

fn lab() -> Lab {
    Lab::new(64 << 20, 4)
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

/// The kill was remembered for the end of what runs, and the end of a checkpoint forgot it: the next task ran on the instance
/// that had been killed.
#[test]
fn who_sees_a_checkpoint_and_kills_the_actor_then_has_it_rebuilt() {
    let mut lab = lab();
    let home = lab.batch();
    let actor = lab.actor(home, CheckpointPolicy::Never, 5);
    lab.run_all();
    let taken = lab.checkpoint(home, actor);
    let work = lab.take().expect("the checkpoint");
    let none: &[u8] = &[];
    assert!(lab.tasks.put_result(work.run, 0, Kind::Null, &none).unwrap());
    assert!(lab.client.contains(&taken.id).unwrap(), "it is seen before the worker has reported");
    lab.tasks.kill_actor(actor, false, "a test");
    lab.report(work.run, Ending::Stored, 0);
    let m = increment(&mut lab, home, actor);
    let next = lab.take().expect("its creation");
    assert!(next.kind == WorkKind::Construct && next.instance != work.instance, "{next:?} after {work:?}");
    lab.run(&next);
    lab.run_all();
    assert_eq!(lab.read(&m.id), Some(6));
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

/// Has an actor saved. Returns the checkpoint's id.
fn checkpoint(lab: &mut Lab, key: BatchKey, actor: u32) -> ObjectId {
    let ids = |lab: &Lab| lab.client.list(None).unwrap().iter().map(|o| o.id).collect::<BTreeSet<_>>();
    lab.run_all();
    let before = ids(lab);
    let saved = lab.checkpoint(key, actor);
    lab.run_all();
    let new: Vec<ObjectId> = ids(lab).difference(&before).copied().filter(|id| *id != saved.id).collect();
    assert_eq!(new.len(), 1, "one checkpoint");
    new[0]
}

fn kinds(lab: &mut Lab) -> Vec<WorkKind> {
    let mut kinds = Vec::new();
    while let Some(work) = lab.take() {
        kinds.push(work.kind);
        lab.run(&work);
    }
    kinds
}

/// It died, although all that led to the checkpoint was remembered.
#[test]
fn an_actor_whose_checkpoint_is_freed_is_rebuilt_from_what_led_to_it() {
    let mut lab = lab();
    let home = lab.batch();
    let actor = lab.actor(home, CheckpointPolicy::Never, 10);
    let first = increment(&mut lab, home, actor);
    let saved = checkpoint(&mut lab, home, actor);
    let second = increment(&mut lab, home, actor);
    lab.run_all();
    lab.client.delete(&[saved]).unwrap();
    lab.tasks.kill_actor(actor, false, "a test");
    let third = increment(&mut lab, home, actor);
    assert_eq!(kinds(&mut lab), [WorkKind::Construct, WorkKind::Method, WorkKind::Method, WorkKind::Method]);
    assert_eq!(lab.read(&third.id), Some(13));
    // what came before the checkpoint, and after it, is found where it is now
    lab.client.free(&[first.id, second.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[first.id, second.id]).0, [Remade::Coming, Remade::Coming]);
    lab.run_all();
    assert_eq!((lab.read(&first.id), lab.read(&second.id)), (Some(11), Some(12)));
    lab.close(home);
    assert_eq!(lab.tasks.figures(), (0, 0));
    lab.client.audit().unwrap();
}

#[test]
fn an_actor_that_cannot_take_its_checkpoint_over_is_rebuilt_from_an_older_one() {
    let mut lab = lab();
    let home = lab.batch();
    let actor = lab.actor(home, CheckpointPolicy::Never, 10);
    increment(&mut lab, home, actor);
    let older = checkpoint(&mut lab, home, actor);
    increment(&mut lab, home, actor);
    let newer = checkpoint(&mut lab, home, actor);
    let between = increment(&mut lab, home, actor);
    lab.run_all();
    lab.tasks.kill_actor(actor, false, "a test");
    // beside the live instance, one for a result of the past is on its way from the same checkpoint
    lab.client.free(&[between.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[between.id]).0, [Remade::Coming]);
    let scratch = lab.take().expect("the newer one, for the result");
    let last = increment(&mut lab, home, actor);
    let main = lab.take().expect("the newer one, for the task");
    assert_eq!((lab.tasks.arguments(scratch.run), lab.tasks.arguments(main.run)), (vec![newer], vec![newer]));
    lab.throw(main.run, "it was written by another version");
    let again = lab.take().expect("the older one");
    assert_eq!((again.kind, lab.tasks.arguments(again.run)), (WorkKind::Restore, vec![older]));
    lab.run(&again);
    lab.throw(scratch.run, "it was written by another version");
    lab.run_all();
    assert_eq!((lab.read(&last.id), lab.read(&between.id)), (Some(14), Some(13)));
    assert_eq!(lab.instances.len(), lab.instances.keys().map(|(_, n)| n).collect::<BTreeSet<_>>().len());
    lab.close(home);
    assert_eq!(lab.tasks.figures(), (0, 0));
    lab.client.audit().unwrap();
}

#[test]
fn a_restored_scratch_instance_goes_on_where_it_is_when_its_checkpoint_turns_out_to_be_bad_for_another() {
    let mut lab = lab();
    let home = lab.batch();
    let actor = lab.actor(home, CheckpointPolicy::Never, 10);
    increment(&mut lab, home, actor);
    checkpoint(&mut lab, home, actor);
    let after = increment(&mut lab, home, actor);
    lab.run_all();
    lab.tasks.kill_actor(actor, false, "a test");
    lab.client.free(&[after.id]).unwrap();
    lab.tasks.remake(&[after.id]);
    let scratch = lab.take().expect("the checkpoint, for the result");
    let last = increment(&mut lab, home, actor);
    let main = lab.take().expect("the checkpoint, for the task");
    lab.throw(main.run, "no memory");
    // the other one has read it before
    lab.instances.insert((scratch.actor, scratch.instance), 11);
    lab.report(scratch.run, Ending::Value, 0);
    lab.run_all();
    assert_eq!((lab.read(&after.id), lab.read(&last.id)), (Some(12), Some(13)));
    lab.close(home);
    assert_eq!(lab.tasks.figures(), (0, 0));
}

#[test]
fn an_actor_dies_and_says_why_when_neither_its_checkpoint_nor_what_led_to_it_is_left() {
    let mut lab = lab();
    let (home, inner) = (lab.batch(), lab.batch());
    let actor = lab.actor(home, CheckpointPolicy::Never, 10);
    increment(&mut lab, inner, actor);
    let saved = checkpoint(&mut lab, home, actor);
    lab.close(inner);
    assert!(lab.tasks.status(inner).is_none(), "the checkpoint let it go");
    lab.client.delete(&[saved]).unwrap();
    lab.tasks.kill_actor(actor, false, "a test");
    let last = increment(&mut lab, home, actor);
    lab.run_all();
    let (tag, why) = lab.failure(&last.id).expect("a failure");
    assert_eq!(tag, 3);
    assert!(why.contains(&format!("its checkpoint {saved} is lost")) && why.contains("led to it"), "{why}");
}

/// Whoever constructs it anew needs them; it died.
#[test]
fn arguments_of_a_creation_that_were_freed_are_made_again_before_a_checkpoint_is_restored() {
    let mut lab = lab();
    let home = lab.batch();
    let x = lab.submit(home, &[], Lab::function(|_| 3));
    let y = lab.submit(home, &[x.id], Lab::function(|a| a[0] + 1));
    lab.run_all();
    let actor = lab.actor_with(home, CheckpointPolicy::Never, 10, &[x.id, y.id]);
    checkpoint(&mut lab, home, actor);
    lab.client.free(&[x.id, y.id]).unwrap();
    lab.tasks.kill_actor(actor, false, "a test");
    let m = increment(&mut lab, home, actor);
    assert_eq!(kinds(&mut lab), [WorkKind::Run, WorkKind::Run, WorkKind::Restore, WorkKind::Method]);
    assert_eq!((lab.read(&x.id), lab.read(&y.id), lab.read(&m.id)), (Some(3), Some(4), Some(11)));
}

#[test]
fn an_argument_of_a_creation_that_is_lost_again_and_again_is_not_tried_for_ever() {
    let mut lab = lab();
    let home = lab.batch();
    let x = lab.submit(home, &[], Lab::function(|_| 3));
    lab.run_all();
    let actor = lab.actor_with(home, CheckpointPolicy::Never, 10, &[x.id]);
    checkpoint(&mut lab, home, actor);
    lab.tasks.kill_actor(actor, false, "a test");
    let m = increment(&mut lab, home, actor);
    for restores in 0.. {
        let work = lab.take().expect("it goes on");
        if work.kind == WorkKind::Construct {
            lab.run(&work); // what led to the checkpoint
            break;
        }
        assert!(restores < 20);
        lab.report(work.run, Ending::LostArgument, 0);
    }
    lab.run_all();
    assert_eq!(lab.read(&m.id), Some(11));
}

#[test]
fn a_checkpoint_that_finds_no_room_leaves_the_actor_its_older_chain() {
    let mut lab = lab();
    let home = lab.batch_of(BatchSpec { max_bytes: Some(4096), ..BatchSpec::default() });
    let other = lab.batch();
    let actor = lab.actor(home, CheckpointPolicy::Transition, 10);
    increment(&mut lab, home, actor);
    lab.run_all();
    let filling = [0; 4096];
    for power in (0..=12).rev() {
        // whatever fits
        let _ = lab.client.put(home, Kind::Bytes, &&filling[..1 << power]);
    }
    let second = increment(&mut lab, other, actor);
    let save = lab.take().expect("a checkpoint, for the other batch's first task");
    assert_eq!(save.kind, WorkKind::Save);
    lab.run(&save);
    lab.run_all();
    assert_eq!(lab.read(&second.id), Some(12), "it goes on without");
    lab.tasks.kill_actor(actor, false, "a test");
    let third = increment(&mut lab, other, actor);
    assert_eq!(kinds(&mut lab)[0], WorkKind::Construct, "from the beginning");
    assert_eq!(lab.read(&third.id), Some(13));
}

/// It lay there until the actor was saved once more.
#[test]
fn a_checkpoint_of_a_batchs_beginning_goes_with_the_batch_although_its_task_was_cancelled() {
    let mut lab = lab();
    let home = lab.batch();
    let actor = lab.actor(home, CheckpointPolicy::Never, 10);
    lab.run_all();
    let before = lab.client.status(home).unwrap().objects;
    let other = lab.batch_of(BatchSpec { checkpoint_actors: true, ..BatchSpec::default() });
    let m = increment(&mut lab, other, actor);
    let save = lab.take().expect("a checkpoint of its beginning");
    assert!(lab.tasks.cancel(&m.id, "a test").0);
    lab.run(&save);
    checkpoint(&mut lab, home, actor);
    assert_eq!(
        lab.client.status(home).unwrap().objects,
        before + 3,
        "two checkpoints, and what the second one returned"
    );
    lab.close(other);
    assert_eq!(lab.client.status(home).unwrap().objects, before + 2);
}

/// The simulation found this one: whoever waited for the result waited for ever.
#[test]
fn a_checkpoint_that_cannot_be_restored_for_a_result_whose_chain_is_forgotten_meanwhile_loses_that() {
    let mut lab = lab();
    let home = lab.batch();
    let normal = BatchKey::NORMAL;
    let actor = lab.actor(home, CheckpointPolicy::Never, 10);
    checkpoint(&mut lab, home, actor);
    let m = increment(&mut lab, normal, actor);
    lab.run_all();
    lab.client.delete(&[m.id]).unwrap();
    let waits = lab.submit(normal, &[m.id], Lab::function(|a| a[0]));
    lab.tasks.remake(&[m.id]);
    let restore = lab.take().expect("the checkpoint before it");
    assert_eq!(restore.kind, WorkKind::Restore);
    lab.checkpoint(home, actor);
    let save = lab.take().expect("a later one");
    lab.run(&save);
    lab.throw(restore.run, "it was written by another version");
    lab.run_all();
    assert_eq!(lab.tasks.active(&[waits.task.serial.cast_signed()]), [0]);
    assert!(lab.tasks.actor_lives(actor));
}
