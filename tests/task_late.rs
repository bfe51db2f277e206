//! Those who come late: to a table that is full, to a batch that is collected, to a task nobody makes again, or that somebody
//! tried to make again in vain.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use raybatch::batch::{BatchKey, BatchSpec};
use raybatch::error::ErrorCode;
use raybatch::id::ObjectId;
use raybatch::store::Kind;
use raybatch::task::{CheckpointPolicy, Ending, Order, Remade, Submitted, TaskKind, TaskRef, WorkKind};
use task_support::{Lab, Made, increment, one, plain, sum};

fn lab() -> Lab {
    Lab::new(64 << 20, 4)
}

/// Once somebody had waited for room, all were told of it with each task that ended, for ever.
#[test]
fn room_is_told_of_when_somebody_waits_for_it_and_not_afterwards() {
    let mut lab = Lab::with_pending(64 << 20, 4, 2);
    let key = lab.batch();
    let rooms = |lab: &Lab| lab.tasks.orders().into_iter().filter(|order| *order == Order::Room).count();
    one(&mut lab, key);
    one(&mut lab, key);
    let late = lab.tasks.block(&lab.client, key, 1).unwrap();
    let late = plain(TaskRef { serial: late.serial, slot: late.first });
    for round in 0..2 {
        assert_eq!(lab.tasks.submit(&late).unwrap().0, Submitted::Full { stuck: false });
        let work = lab.take().unwrap();
        lab.run(&work);
        assert_eq!(rooms(&lab), 1, "round {round}");
        if round == 0 {
            one(&mut lab, key); // somebody else was faster
        }
    }
    lab.run_all();
    for _ in 0..3 {
        one(&mut lab, key);
        lab.run_all();
    }
    assert_eq!(rooms(&lab), 0, "nobody waits");
}

/// An error named neither the batch nor who ended it.
#[test]
fn who_asks_for_a_table_that_is_gone_is_told_who_ended_its_batch() {
    let mut lab = lab();
    let key = lab.batch();
    let block = lab.tasks.block(&lab.client, key, 8).unwrap();
    one(&mut lab, key);
    lab.run_all();
    lab.close(key);
    assert_eq!(lab.tasks.figures(), (0, 0));
    let e = lab.tasks.submit(&plain(TaskRef { serial: block.serial, slot: block.first })).unwrap_err();
    assert_eq!((e.code(), e.batch_id()), (ErrorCode::BatchEnded, Some(key.id)));
    assert!(e.message().contains("ended by a test at "), "{}", e.message());
}

/// Normal mode depends on nobody: the records of what it waited for went, and it waited for ever.
#[test]
fn who_waits_for_what_an_actor_makes_again_hears_when_the_batch_is_collected() {
    let mut lab = lab();
    let (home, b) = (lab.batch(), lab.batch());
    let actor = lab.actor(home, CheckpointPolicy::Never, 0);
    let m = increment(&mut lab, b, actor);
    lab.checkpoint(home, actor);
    lab.run_all();
    lab.client.free(&[m.id]).unwrap();
    let waits = lab.submit(BatchKey::NORMAL, &[m.id], Lab::function(|a| a[0]));
    let creation = lab.take().expect("the chain is replayed");
    assert_eq!(creation.kind, WorkKind::Construct);
    lab.close(b);
    assert!(lab.tasks.status(b).is_none(), "nobody depends on it");
    lab.run(&creation);
    lab.run_all();
    assert_eq!(lab.tasks.active(&[waits.task.serial.cast_signed()]), [0]);
    assert_eq!(lab.failure(&waits.id).map(|f| f.0), Some(5));
}

/// It was taken, and failed when its turn came.
#[test]
fn a_task_that_takes_an_object_of_a_collected_batch_is_refused_unless_that_can_be_made_again() {
    let mut lab = lab();
    let (gone, held, user) = (lab.batch(), lab.batch(), lab.batch());
    let lost = one(&mut lab, gone);
    let remembered = one(&mut lab, held);
    lab.submit(user, &[remembered.id], Lab::function(|a| a[0]));
    lab.run_all();
    lab.close(gone);
    lab.close(held);
    let takes = |lab: &mut Lab, key, made: Made| {
        lab.try_submit(key, TaskKind::Plain, 0, &[made.id], Lab::function(|a| a[0] + 1))
    };
    let e = takes(&mut lab, user, lost).unwrap_err();
    assert_eq!((e.code(), e.object_id(), e.batch_id()), (ErrorCode::ObjectCollected, Some(lost.id), Some(gone.id)));
    let again = takes(&mut lab, user, remembered).expect("its task is remembered for this batch's sake");
    lab.run_all();
    assert_eq!(lab.read(&again.id), Some(2));
    let e = takes(&mut lab, BatchKey::NORMAL, remembered).unwrap_err();
    assert_eq!(e.code(), ErrorCode::ObjectCollected, "nothing is made again for normal mode");
}

/// Batches at their limit were passed over with each piece of work that anybody took.
#[test]
fn a_batch_at_its_limit_has_its_turn_again_when_a_task_of_it_ends_or_waits() {
    let mut lab = lab();
    let key = lab.batch_of(BatchSpec { max_tasks: Some(1), ..BatchSpec::default() });
    let made: Vec<Made> = (0..4).map(|_| one(&mut lab, key)).collect();
    let first = lab.take().expect("the first");
    assert_eq!(lab.tasks.take(None, 1), (Vec::new(), false), "nobody need look for more");
    lab.tasks.blocked(first.run, true);
    let second = lab.take().expect("the second, while the first one waits");
    lab.tasks.blocked(first.run, false);
    assert_eq!(lab.take(), None, "two of them go on");
    lab.run(&second);
    assert_eq!(lab.take(), None, "one goes on");
    // a policy of the user's takes what it likes
    lab.run(&first);
    let (third, _) = lab.tasks.take(Some(made[2].task.serial), 1);
    assert_eq!(lab.take(), None);
    lab.tasks.abandon(third[0].run, "a thread");
    lab.run_all();
    let read: Vec<_> = made.iter().map(|made| lab.read(&made.id)).collect();
    assert_eq!(read, [Some(1), Some(1), None, Some(1)]);
}

/// A task that was to run again for a batch that went meanwhile had failed for good, also for those who came later.
#[test]
fn what_could_not_be_made_again_for_a_batch_that_went_is_made_for_another() {
    let mut lab = lab();
    let (a, first, second) = (lab.batch(), lab.batch(), lab.batch());
    let x = one(&mut lab, a);
    let m = sum(&mut lab, a, &[x.id]);
    let users = [sum(&mut lab, first, &[m.id]), sum(&mut lab, second, &[m.id])];
    lab.run_all();
    lab.close(a);
    lab.client.free(&users.map(|user| user.id)).unwrap();
    assert_eq!(lab.tasks.remake(&[users[0].id]).0, [Remade::Coming]);
    let work = lab.take().expect("x");
    lab.run(&work);
    let work = lab.take().expect("m");
    lab.close(first); // and what stands for x with it
    lab.run(&work);
    assert_eq!(lab.take(), None, "nobody wants it");
    assert_eq!(lab.tasks.remake(&[users[1].id]).0, [Remade::Coming]);
    lab.run_all();
    assert_eq!(lab.read(&users[1].id), Some(1));
}

/// The value of a collected batch that a task was to take was held for it for ever, when another argument turned out to be lost.
#[test]
fn a_task_that_fails_for_one_argument_lets_go_of_the_others() {
    let mut lab = lab();
    let (a, b, user) = (lab.batch(), lab.batch(), lab.batch());
    let x = one(&mut lab, a);
    let two = 2i64.to_le_bytes();
    let slot = lab.client.put(b, Kind::Bytes, &two.as_slice()).unwrap();
    let put = ObjectId::from_slot(b.id, b.life, slot.slot, slot.index);
    let made = [sum(&mut lab, user, &[x.id]), sum(&mut lab, user, &[x.id, put])];
    lab.run_all();
    assert_eq!(made.map(|m| lab.read(&m.id)), [Some(1), Some(3)]);
    lab.close(a);
    lab.close(b);
    lab.client.free(&made.map(|m| m.id)).unwrap();
    lab.tasks.remake(&[made[0].id]);
    let work = lab.take().expect("x");
    lab.run(&work);
    let work = lab.take().expect("who takes it");
    lab.tasks.remake(&[made[1].id]);
    assert_eq!(lab.failure(&made[1].id).map(|f| f.0), Some(5), "what was put is lost");
    lab.run(&work);
    assert_eq!(lab.read(&made[0].id), Some(1));
    assert_eq!(lab.client.status(user).unwrap().objects, 2, "a value and a failure; what stood for x is gone");
}

/// A replayed task that could not read its arguments left the state as it was, and the actor went on from there.
#[test]
fn a_task_that_fails_as_it_is_replayed_is_replayed_from_the_beginning() {
    let mut lab = lab();
    let home = lab.batch();
    let actor = lab.actor(home, CheckpointPolicy::Never, 0);
    let first = increment(&mut lab, home, actor);
    lab.run_all();
    lab.tasks.kill_actor(actor, false, "a test");
    let second = increment(&mut lab, home, actor);
    let construct = lab.take().expect("its creation");
    lab.run(&construct);
    let replay = lab.take().expect("the first task");
    assert!(replay.replay && replay.run.task == first.task);
    lab.report(replay.run, Ending::ThrewForGood, 0);
    let again = lab.take().expect("its creation once more");
    assert_eq!(again.run.task, construct.run.task);
    lab.run(&again);
    lab.run_all();
    assert_eq!(lab.read(&second.id), Some(2));
    // if that does not help
    lab.tasks.kill_actor(actor, false, "a test");
    let third = increment(&mut lab, home, actor);
    while let Some(work) = lab.take() {
        if work.run.task == first.task {
            lab.report(work.run, Ending::ThrewForGood, 0);
        } else {
            lab.run(&work);
        }
    }
    let (_, why) = lab.failure(&third.id).expect("a dead actor's task");
    assert!(why.contains("fails whenever it is replayed"), "{why}");
    lab.client.audit().unwrap();
}

/// What is replayed ran for its own batch; when that went meanwhile it ran for nobody, and what it takes was made in vain.
#[test]
fn a_replay_goes_on_for_its_actors_batch_when_its_own_is_collected() {
    let mut lab = lab();
    let (home, user, maker) = (lab.batch(), lab.batch(), lab.batch());
    let actor = lab.actor(home, CheckpointPolicy::Never, 0);
    let x = one(&mut lab, maker);
    let add = |state: &mut i64, a: &[i64]| {
        *state += a[0];
        *state
    };
    lab.call(user, actor, &[x.id], Lab::method(add));
    let before = increment(&mut lab, home, actor);
    lab.run_all();
    assert_eq!(lab.read(&before.id), Some(2));
    lab.client.free(&[x.id]).unwrap();
    lab.tasks.kill_actor(actor, false, "a test");
    let after = increment(&mut lab, home, actor);
    let work = lab.take().expect("its creation");
    lab.run(&work);
    let work = lab.take().expect("what its first task takes");
    assert_eq!(work.run.task, x.task);
    lab.close(user);
    lab.close(maker);
    lab.run(&work);
    lab.run_all();
    assert_eq!(lab.read(&after.id), Some(3));
}

/// A batch that went had something made for it, and that something else: the second wish went with the batch.
#[test]
fn a_chain_of_wishes_is_passed_on_as_a_whole() {
    let mut lab = lab();
    let (a, between, user) = (lab.batch(), lab.batch(), lab.batch());
    let x = one(&mut lab, a);
    let m = sum(&mut lab, a, &[x.id]);
    let n = sum(&mut lab, between, &[m.id]);
    let last = sum(&mut lab, user, &[n.id]);
    lab.run_all();
    lab.close(a);
    lab.client.free(&[n.id, last.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[last.id]).0, [Remade::Coming]);
    let work = lab.take().expect("x");
    lab.run(&work);
    let work = lab.take().expect("m");
    assert_eq!(work.run.task, m.task);
    lab.close(between);
    lab.run(&work);
    lab.run_all();
    assert_eq!(lab.read(&last.id), Some(1));
}

/// Who came to what was being made again for nobody any more got it, but not what that needs.
#[test]
fn who_joins_what_is_made_again_for_a_batch_that_went_wants_all_of_it() {
    let mut lab = lab();
    let (a, first, second) = (lab.batch(), lab.batch(), lab.batch());
    let x = one(&mut lab, a);
    let m = sum(&mut lab, a, &[x.id]);
    let n = sum(&mut lab, a, &[m.id]);
    let users = [sum(&mut lab, first, &[n.id]), sum(&mut lab, second, &[n.id])];
    lab.run_all();
    lab.close(a);
    lab.client.free(&users.map(|user| user.id)).unwrap();
    lab.tasks.remake(&[users[0].id]);
    let work = lab.take().expect("x");
    lab.run(&work);
    let work = lab.take().expect("m");
    lab.close(first);
    assert_eq!(lab.tasks.remake(&[users[1].id]).0, [Remade::Coming]);
    lab.run(&work);
    lab.run_all();
    assert_eq!(lab.read(&users[1].id), Some(1));
}

/// A task that had been made again for a batch that went was replayed for nobody, and its actor was dead.
#[test]
fn a_replay_runs_for_its_actors_batch_though_it_was_wanted_by_one_that_went() {
    let mut lab = lab();
    let (home, maker, user, other) = (lab.batch(), lab.batch(), lab.batch(), lab.batch());
    let actor = lab.actor(home, CheckpointPolicy::Never, 0);
    lab.checkpoint(home, actor);
    lab.run_all();
    let x = one(&mut lab, maker);
    let add = |state: &mut i64, a: &[i64]| {
        *state += a.iter().sum::<i64>();
        *state
    };
    let m = lab.call(user, actor, &[x.id], Lab::method(add));
    let t = sum(&mut lab, other, &[m.id]);
    lab.run_all();
    lab.close(maker);
    lab.close(user);
    lab.client.free(&[t.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[t.id]).0, [Remade::Coming]);
    let restore = lab.take().expect("an instance of the past");
    assert_eq!(restore.kind, WorkKind::Restore);
    lab.close(other);
    lab.tasks.kill_actor(actor, false, "a test");
    let next = increment(&mut lab, home, actor);
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(2));
    lab.run(&restore);
    lab.run_all();
    lab.client.audit().unwrap();
}
