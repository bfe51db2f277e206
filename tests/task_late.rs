//! Those who come late: to a table that is full, to a batch that is collected, to a task nobody makes again.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use raybatch::batch::{BatchKey, BatchSpec};
use raybatch::error::ErrorCode;
use raybatch::task::{CheckpointPolicy, Order, Submitted, TaskKind, TaskRef, WorkKind};
use task_support::{Lab, Made, plain};

fn lab() -> Lab {
    Lab::new(64 << 20, 4)
}

fn one(lab: &mut Lab, key: BatchKey) -> Made {
    lab.submit(key, &[], Lab::function(|_| 1))
}

fn increment(lab: &mut Lab, key: BatchKey, actor: u32) -> Made {
    let method = |state: &mut i64, _: &[i64]| {
        *state += 1;
        *state
    };
    lab.call(key, actor, &[], Lab::method(method))
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
