//! Runs that throw, lose arguments, or are cancelled, and what stands behind them.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use raybatch::batch::BatchKey;
use raybatch::error::ErrorCode;
use raybatch::id::ObjectId;
use raybatch::store::Kind;
use raybatch::task::{CheckpointPolicy, Ending, Order, Remade, Run, Submission, Submitted, TaskKind, TaskRef};
use task_support::{Lab, Made, one, plain};

fn lab() -> Lab {
    Lab::new(64 << 20, 4)
}

/// Takes a block for a task, which may be submitted otherwise than the laboratory does it.
fn blank(lab: &Lab, key: BatchKey) -> Made {
    let block = lab.tasks.block(&lab.client, key, 8).unwrap();
    let task = TaskRef { serial: block.serial, slot: block.first };
    Made { task, id: ObjectId::new(key.id, block.base.wrapping_add(block.first), 0) }
}

/// It failed for good, and its result was lost with it.
#[test]
fn a_run_that_makes_a_result_again_is_retried_when_it_throws() {
    let lab = lab();
    let key = lab.batch();
    let t = blank(&lab, key);
    lab.tasks.submit(&Submission { retries: 1, ..plain(t.task) }).unwrap();
    let first = lab.take().unwrap();
    lab.report(first.run, Ending::Value, 7);
    lab.client.free(&[t.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[t.id]).0, [Remade::Coming]);
    let second = lab.take().unwrap();
    lab.throw(second.run, "for now");
    let third = lab.take().expect("it may try once more");
    lab.report(third.run, Ending::Value, 7);
    assert_eq!(lab.read(&t.id), Some(7));
}

/// All its runs were counted: one that had run again a thousand times failed the first time that it lost an argument.
#[test]
fn arguments_that_are_lost_now_and_then_fail_no_task() {
    let mut lab = lab();
    let key = lab.batch();
    let x = one(&mut lab, key);
    lab.run_all();
    let t = lab.submit(key, &[x.id], Lab::function(|a| a[0] + 1));
    lab.run_all();
    for _ in 0..1100 {
        lab.client.free(&[t.id]).unwrap();
        lab.tasks.remake(&[t.id]);
        lab.run_all();
    }
    lab.client.free(&[t.id]).unwrap();
    lab.tasks.remake(&[t.id]);
    let work = lab.take().unwrap();
    lab.report(work.run, Ending::LostArgument, 0);
    lab.run_all();
    assert_eq!(lab.read(&t.id), Some(2));
    lab.client.free(&[t.id]).unwrap();
    lab.tasks.remake(&[t.id]);
    for n in 0.. {
        let Some(work) = lab.take() else { break };
        assert!(n < 1000, "it is sent back for ever");
        lab.report(work.run, Ending::LostArgument, 0);
    }
    assert_eq!(lab.failure(&t.id).map(|f| f.0), Some(5));
}

/// The others waited for slots that it did not need any more.
#[test]
fn a_cancelled_wide_task_holds_up_nobody() {
    let mut lab = lab();
    let key = lab.batch();
    let running = one(&mut lab, key);
    let first = lab.take().unwrap();
    assert_eq!(first.run.task, running.task);
    let wide = blank(&lab, key);
    lab.tasks.submit(&Submission { cpus: 4, ..plain(wide.task) }).unwrap();
    let narrow = one(&mut lab, key);
    assert_eq!(lab.take(), None, "the wide one waits for all slots, and the narrow one behind it");
    lab.tasks.cancel(&wide.id, "a test");
    assert_eq!(lab.take().expect("there are slots").run.task, narrow.task);
}

/// Its results lay under other tasks' ids.
#[test]
fn a_task_of_several_results_needs_so_many_slots() {
    let lab = lab();
    let key = lab.batch();
    let block = lab.tasks.block(&lab.client, key, 8).unwrap();
    let at = |n| TaskRef { serial: block.serial, slot: block.first + n };
    let refused = |lab: &Lab, n, returns| {
        lab.tasks.submit(&Submission { returns, ..plain(at(n)) }).unwrap_err().code() == ErrorCode::InvalidArgument
    };
    assert!(refused(&lab, 0, 9), "the block is shorter");
    assert!(refused(&lab, 8, 1), "nobody was given that slot yet");
    assert_eq!(lab.tasks.submit(&plain(at(4))).unwrap().0, Submitted::Accepted);
    assert!(refused(&lab, 0, 5), "another task is there");
    assert_eq!(lab.tasks.submit(&Submission { returns: 4, ..plain(at(0)) }).unwrap().0, Submitted::Accepted);
    lab.take().unwrap();
}

#[test]
fn a_run_that_is_cancelled_submits_nothing_more() {
    let mut lab = lab();
    let key = lab.batch();
    let t = one(&mut lab, key);
    let work = lab.take().unwrap();
    let (first, _) = lab.tasks.block_of(&lab.client, work.run, 0, 8, false).unwrap();
    let sub =
        |n, run: Run| Submission { parent: Some(run), ..plain(TaskRef { serial: run.task.serial, slot: first + n }) };
    assert_eq!(lab.tasks.submit(&sub(0, work.run)).unwrap().0, Submitted::Accepted);
    lab.tasks.cancel(&t.id, "a test");
    assert_eq!(lab.tasks.submit(&sub(1, work.run)).unwrap_err().code(), ErrorCode::TaskCancelled);
}

/// Ray's cancel takes a task's sub-tasks along: they ran on for nobody.
#[test]
fn what_a_task_submitted_is_cancelled_with_it() {
    let mut lab = lab();
    let key = lab.batch();
    let t = one(&mut lab, key);
    let other = one(&mut lab, key);
    let work = lab.take().unwrap();
    assert_eq!(work.run.task, t.task);
    let submit = |lab: &Lab, parent: Run, n| {
        let (first, _) = lab.tasks.block_of(&lab.client, parent, 0, 8, false).unwrap();
        let task = TaskRef { serial: parent.task.serial, slot: first + n };
        lab.tasks.submit(&Submission { parent: Some(parent), ..plain(task) }).unwrap();
        Made { task, id: ObjectId::new(key.id, key.life.wrapping_add(task.slot), 0) }
    };
    let (done, runs, waits) = (submit(&lab, work.run, 0), submit(&lab, work.run, 1), submit(&lab, work.run, 2));
    let work = lab.take().expect("the other one");
    lab.run(&work);
    let first = lab.take().unwrap();
    let below = submit(&lab, first.run, 0);
    lab.report(first.run, Ending::Value, 1);
    let second = lab.take().unwrap();
    assert_eq!((first.run.task, second.run.task), (done.task, runs.task));
    lab.tasks.orders();
    assert!(lab.tasks.cancel(&t.id, "a test").0);
    for made in [t, runs, waits, below] {
        let (tag, why) = lab.failure(&made.id).expect("a failure");
        assert!(tag == 2 && why.contains("cancelled by a test"), "{why}");
    }
    assert!(lab.failure(&waits.id).unwrap().1.contains(&t.id.to_string()), "it says with whom");
    assert_eq!((lab.read(&done.id), lab.read(&other.id)), (Some(1), Some(1)));
    let interrupted = lab.tasks.orders().into_iter().filter(|o| matches!(o, Order::Interrupt(_))).count();
    assert_eq!((interrupted, lab.take()), (2, None));
}

/// An actor would lose its instance for the sake of whoever called it.
#[test]
fn an_actor_that_a_cancelled_task_made_or_calls_goes_on() {
    let mut lab = lab();
    let key = lab.batch();
    let actor = lab.actor(key, CheckpointPolicy::Never, 5);
    lab.run_all();
    let t = one(&mut lab, key);
    let work = lab.take().unwrap();
    let (first, _) = lab.tasks.block_of(&lab.client, work.run, 0, 8, false).unwrap();
    let call = |n| Submission {
        kind: TaskKind::Method,
        actor,
        parent: Some(work.run),
        ..plain(TaskRef { serial: t.task.serial, slot: first + n })
    };
    lab.tasks.submit(&call(0)).unwrap();
    lab.tasks.submit(&call(1)).unwrap();
    let method = lab.take().expect("the first call");
    assert!(lab.tasks.cancel(&t.id, "a test").0);
    lab.report(method.run, Ending::Value, 5);
    assert_eq!(lab.take(), None, "the second call was not begun");
    let next = lab.call(key, actor, &[], Lab::method(|state, _| *state));
    let work = lab.take().expect("it lives, and need not be rebuilt");
    assert_eq!((work.run.task, work.instance), (next.task, method.instance));
}

/// The simulation found this one: whoever waited for it waited for ever.
#[test]
fn a_put_that_was_lost_and_whose_retried_task_is_cancelled_is_lost() {
    let lab = lab();
    let t = blank(&lab, BatchKey::NORMAL);
    lab.tasks.submit(&Submission { retries: 1, ..plain(t.task) }).unwrap();
    let work = lab.take().unwrap();
    let (first, _) = lab.tasks.block_of(&lab.client, work.run, 0, 8, true).unwrap();
    lab.tasks.put_in_run(work.run, first, 0, Kind::Bytes, &5i64.to_le_bytes().as_slice()).unwrap();
    let put = ObjectId::new(BatchKey::NORMAL.id, lab.client.normal_base().wrapping_add(first), 0);
    lab.throw(work.run, "for now");
    lab.client.delete(&[put]).unwrap();
    assert_eq!(lab.tasks.remake(&[put]).0, [Remade::Coming]);
    let again = lab.take().expect("it tries once more");
    lab.tasks.abandon(again.run, "a thread");
    assert_eq!(lab.failure(&put).map(|f| f.0), Some(5));
}
