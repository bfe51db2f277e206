//! What the simulation and the models found in the table of tasks: each test tells what went wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use std::sync::Arc;

use raybatch::batch::{BatchKey, BatchSpec};
use raybatch::error::ErrorCode;
use raybatch::id::ObjectId;
use raybatch::store::Kind;
use raybatch::task::{
    ActorSpec, CheckpointPolicy, Ending, Remade, Run, Submission, Submitted, TaskKind, TaskRef, WorkKind,
};
use task_support::{Lab, Made};

const MIB: u64 = 1 << 20;

fn lab() -> Lab {
    Lab::new(16 * MIB, 2)
}

fn add(lab: &mut Lab, key: BatchKey, arguments: &[Made], more: i64) -> Made {
    let ids: Vec<_> = arguments.iter().map(|made| made.id).collect();
    lab.submit(key, &ids, Lab::function(move |a| a.iter().sum::<i64>() + more))
}

fn count(lab: &mut Lab, key: BatchKey, actor: u32, arguments: &[Made]) -> Made {
    let ids: Vec<_> = arguments.iter().map(|made| made.id).collect();
    let method = |state: &mut i64, a: &[i64]| {
        *state += 1 + a.iter().sum::<i64>();
        *state
    };
    lab.call(key, actor, &ids, Lab::method(method))
}

/// A task as a run submits it, without a function: it is not run here.
fn inner(task: TaskRef, cpus: u16, arguments: &[ObjectId], parent: Option<Run>) -> Submission<'_> {
    Submission {
        task,
        kind: TaskKind::Plain,
        returns: 1,
        retries: 0,
        cpus,
        priority: None,
        actor: 0,
        caller: 1,
        arguments,
        parent,
    }
}

/// Submits a task of the block that a thread asks for.
fn submit_wide(lab: &Lab, key: BatchKey, cpus: u16) -> TaskRef {
    let block = lab.tasks.block(&lab.client, key, 1).unwrap();
    let task = TaskRef { serial: block.serial, slot: block.first };
    assert_eq!(lab.tasks.submit(&inner(task, cpus, &[], None)).unwrap().0, Submitted::Accepted);
    task
}

/// The table took a method that had lost an argument for one that has all, ran it again, and so on: it never waited.
#[test]
fn a_method_that_lost_an_argument_waits_until_it_is_made_again() {
    let mut lab = lab();
    let b = lab.batch();
    let x = add(&mut lab, b, &[], 5);
    lab.run_all();
    let counter = lab.actor(b, CheckpointPolicy::Never, 0);
    let c = count(&mut lab, b, counter, &[x]);
    let creation = lab.take().unwrap();
    lab.run(&creation);
    let method = lab.take().unwrap();
    lab.client.free(&[x.id]).unwrap();
    lab.run(&method);
    let again = lab.take().unwrap();
    assert_eq!(again.run.task, x.task, "first the argument");
    lab.run(&again);
    lab.run_all();
    assert_eq!((lab.read(&c.id), lab.runs[&c.task]), (Some(6), 2));
    lab.close(b);
}

/// What a collected batch made for another collected one had no place to lie in: the rerun ran a thousand times and failed.
#[test]
fn a_value_is_made_again_through_two_collected_batches() {
    let mut lab = lab();
    let (a, b, c) = (lab.batch(), lab.batch(), lab.batch());
    let w = add(&mut lab, a, &[], 1);
    let x = add(&mut lab, b, &[w], 10);
    let y = add(&mut lab, b, &[x, w], 100);
    let z = add(&mut lab, c, &[y, y, x], 1000);
    lab.run_all();
    lab.close(a);
    lab.close(b);
    lab.client.free(&[z.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[z.id]).0, [Remade::Coming]);
    lab.run_all();
    assert_eq!(lab.read(&z.id), Some(1000 + 2 * 112 + 11));
    for made in [w, x, y, z] {
        assert_eq!(lab.runs[&made.task], 2, "once for all who want it");
    }
    // a task that took the same one twice was counted twice, and let go of it once
    assert_eq!(lab.client.status(c).unwrap().objects, 1, "what stood for the others is gone");
    lab.close(c);
    assert!(lab.tasks.status(a).is_none() && lab.tasks.status(b).is_none());
    lab.client.audit().unwrap();
}

/// A failure that was freed was taken for one that is just being sealed, and waited for for ever.
#[test]
fn a_freed_failure_is_not_waited_for() {
    let mut lab = lab();
    let b = lab.batch();
    let x = lab.submit(b, &[], Arc::new(|_, _| Err("no luck".into())));
    lab.run_all();
    lab.client.free(&[x.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[x.id]).0, [Remade::Never]);
    let y = add(&mut lab, b, &[x], 1);
    assert_eq!(lab.failure(&y.id).map(|f| f.0), Some(5));
    lab.close(b);
    assert!(lab.client.batch_over(b).unwrap().is_some());
}

/// An object that was deleted had its task run a thousand times for whoever took it.
#[test]
fn a_deleted_argument_fails_at_once() {
    let mut lab = lab();
    let b = lab.batch();
    let x = add(&mut lab, b, &[], 1);
    lab.run_all();
    lab.client.delete(&[x.id]).unwrap();
    let y = add(&mut lab, b, &[x], 1);
    assert_eq!((lab.failure(&y.id).map(|f| f.0), lab.runs[&x.task]), (Some(5), 1));
    lab.close(b);
}

/// Whoever asked for a lost put of a task that ran was told to wait, and nobody ran it again after that.
#[test]
fn a_put_that_is_freed_while_its_task_runs_is_made_again_after() {
    let mut lab = lab();
    let b = lab.batch();
    let x = add(&mut lab, b, &[], 1);
    let work = lab.take().unwrap();
    let (first, _) = lab.tasks.block_of(&lab.client, work.run, 0, 8, true).unwrap();
    let put = ObjectId::new(b.id, b.life.wrapping_add(first), 0);
    let bytes = 7i64.to_le_bytes();
    lab.tasks.put_in_run(work.run, first, 0, Kind::Bytes, &bytes.as_slice()).unwrap();
    lab.client.free(&[put]).unwrap();
    assert_eq!(lab.tasks.remake(&[put]).0, [Remade::Coming]);
    lab.report(work.run, Ending::Value, 1);
    let again = lab.take().expect("it runs once more");
    assert_eq!(again.run.task, x.task);
    assert_eq!(lab.tasks.block_of(&lab.client, again.run, 0, 8, true).unwrap().0, first, "the same ids");
    lab.tasks.put_in_run(again.run, first, 0, Kind::Bytes, &bytes.as_slice()).unwrap();
    lab.report(again.run, Ending::Value, 1);
    assert_eq!(lab.read(&put), Some(7));
    lab.close(b);
}

/// A result is seen before the table hears of the run's end. Whoever freed it and asked for it again in between, twice, was
/// told that its task does not make it.
#[test]
fn a_result_that_is_freed_before_its_run_is_over_is_made_again_however_often() {
    let mut lab = lab();
    let b = lab.batch();
    let x = add(&mut lab, b, &[], 7);
    lab.run_all();
    let bytes = 7i64.to_le_bytes();
    lab.client.free(&[x.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[x.id]).0, [Remade::Coming]);
    for _ in 0..4 {
        let work = lab.take().expect("it runs once more");
        lab.tasks.put_result(work.run, 0, Kind::Bytes, &bytes.as_slice()).unwrap();
        assert_eq!(lab.read(&x.id), Some(7));
        lab.client.free(&[x.id]).unwrap();
        assert_eq!(lab.tasks.remake(&[x.id]).0, [Remade::Coming]);
        lab.report(work.run, Ending::Stored, 0);
        assert_eq!(lab.failure(&x.id), None);
    }
    lab.run_all();
    assert_eq!(lab.read(&x.id), Some(7));
    lab.close(b);
}

/// A task that takes a put of the one that waits for it waited for that one's end: both for ever.
#[test]
fn a_put_made_again_is_there_before_its_task_is_over() {
    let mut lab = lab();
    let b = lab.batch();
    add(&mut lab, b, &[], 1);
    let outer = lab.take().unwrap();
    let (first, _) = lab.tasks.block_of(&lab.client, outer.run, 0, 8, true).unwrap();
    let put = ObjectId::new(b.id, b.life.wrapping_add(first), 0);
    let bytes = 7i64.to_le_bytes();
    lab.tasks.put_in_run(outer.run, first, 0, Kind::Bytes, &bytes.as_slice()).unwrap();
    let sub = lab.submit(b, &[put], Lab::function(|a| a[0] + 1));
    let work = lab.take().unwrap();
    lab.run(&work);
    lab.report(outer.run, Ending::Value, 1);
    lab.client.free(&[put, sub.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[sub.id]).0, [Remade::Coming]);
    let again = lab.take().unwrap();
    assert_eq!(again.run.task, outer.run.task);
    lab.tasks.put_in_run(again.run, first, 0, Kind::Bytes, &bytes.as_slice()).unwrap();
    // it waits for the other one's result
    lab.tasks.blocked(again.run, true);
    let work = lab.take().expect("what it takes is there");
    lab.run(&work);
    assert_eq!(lab.read(&sub.id), Some(8));
    lab.tasks.blocked(again.run, false);
    lab.report(again.run, Ending::Value, 1);
    lab.close(b);
    assert!(lab.client.batch_over(b).unwrap().is_some());
}

/// A batch with a limit of one task could not have one that waits for another of the same batch.
#[test]
fn a_task_that_waits_does_not_count_to_its_batchs_limit() {
    let mut lab = lab();
    let b = lab.batch_of(BatchSpec { max_tasks: Some(1), ..BatchSpec::default() });
    add(&mut lab, b, &[], 1);
    add(&mut lab, b, &[], 2);
    let first = lab.take().unwrap();
    assert!(lab.take().is_none(), "its limit");
    lab.tasks.blocked(first.run, true);
    let second = lab.take().expect("the first one waits");
    lab.run(&second);
    lab.tasks.blocked(first.run, false);
    lab.report(first.run, Ending::Value, 1);
    lab.close(b);
}

/// A run that was given up while it waited counted as one that waits for ever: wide tasks then ran beside too many others.
#[test]
fn one_that_is_given_up_while_it_waits_waits_no_more() {
    let lab = lab();
    let b = lab.batch();
    submit_wide(&lab, b, 1);
    let waits = lab.take().unwrap();
    lab.tasks.blocked(waits.run, true);
    lab.tasks.abandon(waits.run, "a thread");
    // it comes back nevertheless
    lab.tasks.blocked(waits.run, false);
    submit_wide(&lab, b, 1);
    submit_wide(&lab, b, 2);
    let narrow = lab.take().unwrap();
    assert!(lab.take().is_none(), "two slots are too few for both");
    lab.report(narrow.run, Ending::Value, 1);
    let wide = lab.take().expect("all slots are free");
    lab.report(wide.run, Ending::Value, 1);
    lab.close(b);
}

/// Two tasks that submitted others to a full table waited for each other: each saw that the other one ran.
#[test]
fn of_two_tasks_that_wait_for_room_one_is_told_that_there_will_be_none() {
    let lab = Lab::with_pending(16 * MIB, 2, 3);
    let b = lab.batch();
    let tasks: Vec<_> = (0..3).map(|_| submit_wide(&lab, b, 1)).collect();
    let runs = [lab.take().unwrap().run, lab.take().unwrap().run];
    assert_eq!(runs.map(|run| run.task), [tasks[0], tasks[1]]);
    let full = runs.map(|run| {
        let (slot, _) = lab.tasks.block_of(&lab.client, run, 0, 1, false).unwrap();
        lab.tasks.submit(&inner(TaskRef { slot, ..run.task }, 1, &[], Some(run))).unwrap().0
    });
    assert_eq!(full, [Submitted::Full { stuck: false }, Submitted::Full { stuck: true }]);
    runs.iter().for_each(|run| lab.report(*run, Ending::Value, 1));
    let last = lab.take().unwrap();
    lab.report(last.run, Ending::Value, 1);
    lab.close(b);
}

/// A recursive free looked at tasks of the argument's own batch only, and took what others were to read.
#[test]
fn a_recursive_free_leaves_what_tasks_of_other_batches_take() {
    let mut lab = lab();
    let (a, b) = (lab.batch(), lab.batch());
    let slot = lab.client.put(a, Kind::Bytes, &5i64.to_le_bytes().as_slice()).unwrap();
    let put = ObjectId::from_slot(a.id, a.life, slot.slot, slot.index);
    let x = lab.submit(a, &[put], Lab::function(|a| a[0]));
    let work = lab.take().unwrap();
    lab.run(&work);
    let y = lab.submit(b, &[put], Lab::function(|a| a[0] + 1));
    lab.tasks.free_recursive(&lab.client, &[x.id]).unwrap();
    lab.run_all();
    assert_eq!((lab.read(&x.id), lab.read(&y.id)), (None, Some(6)));
    lab.close(b);
    lab.close(a);
}

/// A thread that did not come back from a replay was taken for one that had replayed: the actor went on without that task.
#[test]
fn a_replay_that_is_given_up_is_begun_anew_with_all_before_it() {
    let mut lab = lab();
    let b = lab.batch();
    let counter = lab.actor(b, CheckpointPolicy::Never, 0);
    for _ in 0..2 {
        count(&mut lab, b, counter, &[]);
    }
    lab.run_all();
    lab.tasks.kill_actor(counter, false, "a test");
    let last = count(&mut lab, b, counter, &[]);
    let creation = lab.take().unwrap();
    lab.run(&creation);
    let replay = lab.take().unwrap();
    assert!(replay.replay && replay.kind == WorkKind::Method);
    lab.tasks.abandon(replay.run, "a thread");
    lab.run_all();
    assert_eq!(lab.read(&last.id), Some(3));
    lab.close(b);
}

/// An actor that was killed while it was rebuilt lost the result that somebody wanted of the task just replayed.
#[test]
fn a_wanted_result_survives_a_kill_while_its_task_is_replayed() {
    let mut lab = lab();
    let b = lab.batch();
    let counter = lab.actor(b, CheckpointPolicy::Never, 0);
    let first = count(&mut lab, b, counter, &[]);
    lab.run_all();
    lab.tasks.kill_actor(counter, false, "a test");
    let next = count(&mut lab, b, counter, &[]);
    let creation = lab.take().unwrap();
    lab.run(&creation);
    let replay = lab.take().unwrap();
    assert_eq!(replay.run.task, first.task);
    lab.client.free(&[first.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[first.id]).0, [Remade::Coming]);
    lab.tasks.kill_actor(counter, false, "a test");
    lab.run(&replay);
    assert_eq!(lab.read(&first.id), Some(1));
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(2));
    lab.close(b);
}

/// The state of an actor that is not fault tolerant stayed as it was, and the rollback said that it succeeded.
#[test]
fn what_is_not_fault_tolerant_is_not_rolled_back() {
    let mut lab = lab();
    let b = lab.batch_of(BatchSpec { checkpoint_actors: true, ..BatchSpec::default() });
    let home = lab.batch();
    let spec = |creation| ActorSpec {
        creation,
        name: "frail".into(),
        restarts: None,
        fault_tolerant: Some(false),
        checkpointable: true,
        policy: CheckpointPolicy::Never,
    };
    let counter = lab.actor_of(home, spec, 0);
    count(&mut lab, b, counter, &[]);
    lab.run_all();
    assert_eq!(lab.tasks.rollback(b).unwrap_err().code(), ErrorCode::RollbackRefused);
    lab.close(b);
    lab.close(home);
}

/// One that waited for room was counted twice, as blocked and as waiting: another was told that there would be none, though a
/// third one ran and would have made some.
#[test]
fn while_another_task_runs_there_may_be_room() {
    let lab = Lab::with_pending(16 * MIB, 2, 3);
    let b = lab.batch();
    let _tasks: Vec<_> = (0..3).map(|_| submit_wide(&lab, b, 1)).collect();
    let (a, computes) = (lab.take().unwrap().run, lab.take().unwrap().run);
    let submit = |run: Run| {
        let (slot, _) = lab.tasks.block_of(&lab.client, run, 0, 1, false).unwrap();
        lab.tasks.submit(&inner(TaskRef { slot, ..run.task }, 1, &[], Some(run))).unwrap().0
    };
    assert_eq!(submit(a), Submitted::Full { stuck: false });
    lab.tasks.blocked(a, true);
    let c = lab.take().expect("a slot is free").run;
    assert_eq!(submit(c), Submitted::Full { stuck: false }, "one computes, and will end");
    lab.tasks.blocked(c, true);
    lab.report(computes, Ending::Value, 1);
    lab.tasks.blocked(a, false);
    assert_eq!(submit(a), Submitted::Accepted);
    lab.tasks.blocked(c, false);
    assert_eq!(submit(c), Submitted::Full { stuck: false }, "the other one goes on");
    for run in [a, c] {
        lab.report(run, Ending::Value, 1);
    }
    let last = lab.take().unwrap();
    lab.report(last.run, Ending::Value, 1);
    lab.close(b);
}

/// A result that found no room made its task deaf to cancels while it waited for some, and it ran again in a cancelled batch.
#[test]
fn a_task_whose_result_waits_for_room_can_be_cancelled() {
    let lab = lab();
    let b = lab.batch_of(BatchSpec { max_bytes: Some(10), ..BatchSpec::default() });
    let task = submit_wide(&lab, b, 1);
    let run = lab.take().unwrap().run;
    let refused = lab.tasks.put_result(run, 0, Kind::Bytes, &[0u8; 100].as_slice()).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::BatchLimit);
    let id = ObjectId::new(b.id, b.life.wrapping_add(task.slot), 0);
    assert!(lab.tasks.cancel(&id, "a test").0, "nobody has seen anything of it");
    lab.report(run, Ending::Threw, 1);
    assert!(lab.take().is_none());
    lab.close(b);
}
