//! Tasks in unlikely orders: arguments lost twice, threads given up, failures freed, callers who are late.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use raybatch::batch::{BatchKey, BatchSpec, Reason};
use raybatch::id::ObjectId;
use raybatch::store::{Kind, Slot};
use raybatch::task::{ActorSpec, CheckpointPolicy, Ending, Remade, Submission, Submitted, TaskKind, TaskRef, WorkKind};
use task_support::{Lab, Made, increment, plain, sum};

fn lab() -> Lab {
    Lab::new(64 << 20, 4)
}

fn id_of(key: BatchKey, slot: Slot) -> ObjectId {
    ObjectId::new(key.id, key.life.wrapping_add(slot.slot).wrapping_sub(slot.index.into()), slot.index)
}

fn constant(lab: &mut Lab, key: BatchKey, value: i64) -> Made {
    lab.submit(key, &[], Lab::function(move |_| value))
}

#[test]
fn a_method_whose_argument_was_lost_waits_until_it_is_made_again() {
    let mut lab = lab();
    let key = lab.batch();
    let actor = lab.actor(key, CheckpointPolicy::Never, 10);
    let x = constant(&mut lab, key, 5);
    lab.run_all();
    let m = lab.call(
        key,
        actor,
        &[x.id],
        Lab::method(|state, a| {
            *state += a[0];
            *state
        }),
    );
    let work = lab.take().expect("the method");
    lab.client.free(&[x.id]).unwrap();
    lab.run(&work); // it finds nothing to read
    lab.run_all();
    assert_eq!(lab.read(&m.id), Some(15));
    assert_eq!((lab.runs[&x.task], lab.runs[&m.task]), (2, 2));
}

#[test]
fn a_failure_that_was_freed_is_lost_and_not_waited_for_in_vain() {
    let mut lab = lab();
    let key = lab.batch();
    let failed = lab.try_submit(key, TaskKind::Plain, 0, &[], Arc::new(|_, _| Err("no".to_owned()))).unwrap();
    let cancelled = constant(&mut lab, key, 1);
    lab.tasks.cancel(&cancelled.id, "a test");
    lab.run_all();
    lab.client.free(&[failed.id, cancelled.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[failed.id, cancelled.id]).0, [Remade::Never, Remade::Never]);
}

#[test]
fn a_chain_within_a_collected_batch_is_made_again_for_a_dependent() {
    let mut lab = lab();
    let (y, x) = (lab.batch(), lab.batch());
    let one = constant(&mut lab, y, 5);
    let two = sum(&mut lab, y, &[one.id, one.id]);
    let three = sum(&mut lab, x, &[two.id]);
    lab.run_all();
    lab.close(y);
    lab.client.free(&[three.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[three.id]).0, [Remade::Coming]);
    for _ in 0..20 {
        let Some(work) = lab.take() else { break };
        lab.run(&work);
    }
    assert_eq!(lab.read(&three.id), Some(10));
    lab.close(x);
    lab.run_all();
    assert_eq!(lab.tasks.figures().0, 0);
}

#[test]
fn records_go_when_what_was_to_be_made_again_cannot_be() {
    let mut lab = lab();
    let key = lab.batch();
    let five: &[u8] = &5i64.to_le_bytes();
    let put = id_of(key, lab.client.put(key, Kind::Bytes, &five).unwrap());
    let one = sum(&mut lab, key, &[put]);
    let two = sum(&mut lab, key, &[one.id]);
    lab.run_all();
    lab.client.free(&[one.id, two.id]).unwrap();
    lab.tasks.remake(&[two.id]);
    let work = lab.take().expect("the first of them");
    lab.close(key);
    lab.report(work.run, Ending::LostArgument, 0);
    for _ in 0..20 {
        let Some(work) = lab.take() else { break };
        lab.run(&work);
    }
    assert_eq!(lab.tasks.figures().0, 0, "records of a batch that nobody needs");
}

#[test]
fn a_checkpoint_that_finds_no_room_fails() {
    let mut lab = lab();
    let key = lab.batch_of(BatchSpec { max_bytes: Some(4), ..BatchSpec::default() });
    let actor = lab.actor(key, CheckpointPolicy::Never, 1);
    let saved = lab.checkpoint(key, actor);
    lab.run_all();
    // there is no room to say why either
    assert_eq!(lab.client.get(&saved.id, &mut Vec::new()).unwrap(), Some(Kind::Failure));
}

#[test]
fn a_policy_that_always_chooses_leaves_no_turns_behind() {
    let mut lab = lab();
    let key = lab.batch();
    for _ in 0..100 {
        let t = constant(&mut lab, key, 1);
        let (work, _) = lab.tasks.take(Some(t.task.serial), 1);
        lab.run(&work[0]);
    }
    constant(&mut lab, key, 1);
    let (work, more) = lab.tasks.take(None, 1);
    lab.run(&work[0]);
    assert!(!more, "nothing else is ready");
}

#[test]
fn what_an_unwanted_replay_does_not_store_is_made_once_more_when_it_is_wanted() {
    let mut lab = lab();
    let key = lab.batch();
    let actor = lab.actor(key, CheckpointPolicy::Never, 0);
    let first = increment(&mut lab, key, actor);
    lab.run_all();
    lab.client.free(&[first.id]).unwrap();
    lab.tasks.kill_actor(actor, false, "a test");
    increment(&mut lab, key, actor);
    let create = lab.take().expect("its creation");
    assert!(create.replay);
    lab.run(&create);
    let replay = lab.take().expect("its first method");
    assert!(replay.replay && replay.run.task == first.task, "nobody wants the value");
    // somebody does now, too late for whoever runs it
    assert_eq!(lab.tasks.remake(&[first.id]).0, [Remade::Coming]);
    *lab.instances.entry((replay.actor, replay.instance)).or_default() += 1;
    lab.report(replay.run, Ending::Stored, 0);
    lab.run_all();
    assert_eq!(lab.read(&first.id), Some(1));
}

#[test]
fn a_boundary_that_is_asked_for_after_the_last_task_is_not_waited_for_in_vain() {
    let mut lab = lab();
    let outer = lab.batch();
    let inner = lab.client.start_batch(BatchSpec { parent: Some(outer), ..BatchSpec::default() }, "a test").unwrap();
    let actor = lab.actor(outer, CheckpointPolicy::Never, 0);
    increment(&mut lab, outer, actor);
    lab.run_all();
    let t = constant(&mut lab, inner, 1);
    let work = lab.take().unwrap();
    lab.client.end_batch(outer, true, &[], Reason::Closed, "a test").unwrap();
    let told = Arc::new(AtomicU32::new(0));
    let alerts = Arc::clone(&told);
    lab.tasks.on_alert(Box::new(move || {
        alerts.fetch_add(1, Ordering::SeqCst);
    }));
    lab.tasks.ask_boundary(outer).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1, "there is a checkpoint to be taken");
    lab.run(&work);
    assert_eq!(work.run.task, t.task);
    lab.run_all();
    assert_eq!(lab.tasks.figures(), (0, 0));
}

#[test]
fn a_job_that_is_given_back_is_taken_again() {
    let mut lab = lab();
    let key = lab.batch();
    let actor = lab.actor(key, CheckpointPolicy::Never, 7);
    lab.checkpoint(key, actor);
    lab.run_all();
    lab.tasks.kill_actor(actor, false, "a test");
    let m = increment(&mut lab, key, actor);
    let restore = lab.take().unwrap();
    assert_eq!(restore.kind, WorkKind::Restore);
    lab.report(restore.run, Ending::NotBegun, 0);
    lab.run_all();
    assert_eq!(lab.read(&m.id), Some(8));
}

#[test]
fn a_method_that_is_cancelled_before_it_begins_costs_its_actor_nothing() {
    let mut lab = lab();
    let key = lab.batch();
    let spec = |creation| ActorSpec {
        creation,
        name: String::new(),
        restarts: Some(0),
        fault_tolerant: Some(false),
        checkpointable: false,
        policy: CheckpointPolicy::Never,
    };
    let actor = lab.actor_of(key, spec, 3);
    lab.run_all();
    let m = increment(&mut lab, key, actor);
    let work = lab.take().unwrap();
    lab.tasks.cancel(&m.id, "a test");
    lab.report(work.run, Ending::NotBegun, 0);
    let next = increment(&mut lab, key, actor);
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(4));
}

fn wide(lab: &mut Lab, key: BatchKey, cpus: u16) -> TaskRef {
    let block = lab.tasks.block(&lab.client, key, 1).unwrap();
    let task = TaskRef { serial: block.serial, slot: block.first };
    let submission = Submission {
        task,
        kind: TaskKind::Plain,
        returns: 1,
        retries: 0,
        cpus,
        priority: None,
        actor: 0,
        caller: 0,
        arguments: &[],
        parent: None,
    };
    assert_eq!(lab.tasks.submit(&submission).unwrap().0, Submitted::Accepted);
    task
}

#[test]
fn a_wide_task_that_is_given_up_while_it_waits_leaves_its_slots_once() {
    let mut lab = lab();
    let key = lab.batch();
    for _ in 0..5 {
        wide(&mut lab, key, 4);
        let work = lab.take().expect("the wide one: all slots are free");
        lab.tasks.blocked(work.run, true);
        lab.tasks.abandon(work.run, "a thread");
        // the thread comes back when nobody counts on it
        lab.tasks.blocked(work.run, false);
    }
    wide(&mut lab, key, 2);
    let one = lab.take().expect("it has two of four slots");
    constant(&mut lab, key, 1);
    let two = lab.take().expect("there are two slots beside it");
    lab.report(one.run, Ending::Value, 1);
    lab.report(two.run, Ending::Value, 1);
}

#[test]
fn a_run_puts_under_ids_of_its_own_only() {
    let mut lab = lab();
    let key = lab.batch();
    let (a, b) = (constant(&mut lab, key, 1), constant(&mut lab, key, 2));
    let work = lab.take().unwrap();
    assert_eq!(work.run.task, a.task);
    let five: &[u8] = &5i64.to_le_bytes();
    let (first, _) = lab.tasks.block_of(&lab.client, work.run, 0, 8, true).unwrap();
    lab.tasks.put_in_run(work.run, first, 3, Kind::Bytes, &five).unwrap();
    assert!(lab.tasks.put_in_run(work.run, b.task.slot, 0, Kind::Bytes, &five).is_err());
    assert!(lab.tasks.put_in_run(work.run, first + 8, 0, Kind::Bytes, &five).is_err());
    lab.run(&work);
    lab.run_all();
    assert_eq!(lab.read(&b.id), Some(2));
}

#[test]
fn an_actor_that_is_not_fault_tolerant_is_neither_saved_for_a_rollback_nor_rolled_back() {
    let mut lab = lab();
    let key = lab.batch();
    let spec = |creation| ActorSpec {
        creation,
        name: String::new(),
        restarts: None,
        fault_tolerant: Some(false),
        checkpointable: true,
        policy: CheckpointPolicy::Never,
    };
    let actor = lab.actor_of(key, spec, 0);
    lab.run_all();
    let second = lab.batch_of(BatchSpec { checkpoint_actors: true, ..BatchSpec::default() });
    increment(&mut lab, second, actor);
    let work = lab.take().unwrap();
    assert_eq!(work.kind, WorkKind::Method, "nothing could be rebuilt from a checkpoint");
    lab.run(&work);
    assert!(lab.tasks.rollback(second).is_err(), "it would keep what the batch did to it");
}

#[test]
fn a_dead_actor_holds_nobodys_records() {
    let mut lab = lab();
    let (home, y, x) = (lab.batch(), lab.batch(), lab.batch());
    let actor = lab.actor(home, CheckpointPolicy::Never, 0);
    increment(&mut lab, y, actor);
    lab.run_all();
    increment(&mut lab, x, actor);
    lab.run_all();
    lab.close(y);
    assert_eq!(lab.tasks.figures(), (3, 1), "y's, for x and for the actor");
    lab.tasks.kill_actor(actor, true, "a test");
    assert_eq!(lab.tasks.figures(), (2, 0));
}

/// Two that reserve at once, told of their slots in the other order.
#[test]
fn two_threads_that_begin_a_batch_at_once_do_not_share_records() {
    let lab = lab();
    for _ in 0..200 {
        let key = lab.batch();
        let go = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        while !go.load(Ordering::Acquire) {
                            std::hint::spin_loop();
                        }
                        let block = lab.tasks.block(&lab.client, key, 8).unwrap();
                        let task = TaskRef { serial: block.serial, slot: block.first };
                        let submission = Submission { caller: 0, ..plain(task) };
                        assert_eq!(lab.tasks.submit(&submission).unwrap().0, Submitted::Accepted);
                    })
                })
                .collect();
            go.store(true, Ordering::Release);
            threads.into_iter().for_each(|t| t.join().unwrap());
        });
        for _ in 0..2 {
            let work = lab.take().expect("both are there");
            lab.report(work.run, Ending::Value, 1);
        }
        lab.close(key);
    }
}
