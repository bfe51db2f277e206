//! Waits that can never end, and what a wait is said to be for.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use std::sync::Arc;

use raybatch::batch::{BatchKey, Reason};
use raybatch::error::ErrorCode;
use raybatch::id::ObjectId;
use raybatch::store::Kind;
use raybatch::task::{Awaits, CheckpointPolicy, Ending, Run, Work};
use task_support::{Lab, Made};

/// A token of the test's.
const WATCH: u64 = 77;

/// What a run is told that is about to wait for these.
fn block(lab: &Lab, run: Run, ids: &[ObjectId], needed: usize, timed: bool) -> Result<(), String> {
    match lab.tasks.block_on(run, &Awaits::Objects { ids, needed, timed }) {
        Ok(_) => Ok(()),
        Err(e) => {
            assert_eq!(e.code(), ErrorCode::Deadlock, "{e}");
            assert_eq!(e.figures().len() % 2, 0, "serial and slot of each task");
            Err(e.message().to_owned())
        }
    }
}

fn take(lab: &Lab, made: &Made) -> Work {
    let work = lab.take().expect("work");
    assert_eq!(work.run.task, made.task);
    work
}

fn one() -> task_support::Function {
    Lab::function(|_| 1)
}

/// An actor that was constructed.
fn actor(lab: &mut Lab, key: BatchKey) -> u32 {
    let actor = lab.actor(key, CheckpointPolicy::Never, 0);
    lab.run_all();
    actor
}

#[test]
fn an_actor_that_waits_for_itself_is_told_at_once_and_goes_on() {
    let mut lab = Lab::new(16 << 20, 2);
    let key = lab.batch();
    let x = actor(&mut lab, key);
    let outer = lab.call(key, x, &[], one());
    let work = take(&lab, &outer);
    lab.as_caller(2);
    let inner = lab.call(key, x, &[], one());
    let told = block(&lab, work.run, &[inner.id], 1, false).unwrap_err();
    assert!(
        told.contains(&format!("task {} of batch {} waits for a result of task {}", outer.id, key.id, inner.id)),
        "{told}"
    );
    assert!(told.contains("waits for its turn on actor 1 (counter), which runs task"), "{told}");
    let status = lab.tasks.status(key).expect("a table");
    assert_eq!(status.counts.running, 1);
    lab.report(work.run, Ending::Value, 1);
    lab.run_all();
    assert_eq!(lab.read(&inner.id), Some(1), "the actor goes on");
}

#[test]
fn of_two_actors_the_second_one_that_asks_is_told() {
    let mut lab = Lab::new(16 << 20, 2);
    let key = lab.batch();
    let (x, y) = (actor(&mut lab, key), actor(&mut lab, key));
    let (a, b) = (lab.call(key, x, &[], one()), lab.call(key, y, &[], one()));
    let (on_x, on_y) = (take(&lab, &a), take(&lab, &b));
    lab.as_caller(2);
    let (at_y, at_x) = (lab.call(key, y, &[], one()), lab.call(key, x, &[], one()));
    block(&lab, on_x.run, &[at_y.id], 1, false).expect("y may go on");
    let told = block(&lab, on_y.run, &[at_x.id], 1, false).unwrap_err();
    for id in [a.id, b.id, at_x.id, at_y.id] {
        assert!(told.contains(&id.to_string()), "{told}");
    }
    lab.report(on_y.run, Ending::Value, 1);
    lab.run_all();
    assert_eq!(lab.read(&at_y.id), Some(1));
}

#[test]
fn a_wait_with_a_timeout_elsewhere_in_the_circle_can_end() {
    let mut lab = Lab::new(16 << 20, 2);
    let key = lab.batch();
    let (x, y) = (actor(&mut lab, key), actor(&mut lab, key));
    let (a, b) = (lab.call(key, x, &[], one()), lab.call(key, y, &[], one()));
    let (on_x, on_y) = (take(&lab, &a), take(&lab, &b));
    lab.as_caller(2);
    let (at_y, at_x) = (lab.call(key, y, &[], one()), lab.call(key, x, &[], one()));
    block(&lab, on_x.run, &[at_y.id], 1, true).expect("y may go on");
    block(&lab, on_y.run, &[at_x.id], 1, false).expect("x goes on after its time");
    // and then x may not wait once more without a limit
    lab.tasks.blocked(on_x.run, false);
    block(&lab, on_x.run, &[at_y.id], 1, false).unwrap_err();
}

#[test]
fn a_circle_through_arguments_the_order_of_a_caller_and_several_objects() {
    let mut lab = Lab::new(16 << 20, 4);
    let key = lab.batch();
    let x = actor(&mut lab, key);
    let outer = lab.call(key, x, &[], one());
    let work = take(&lab, &outer);
    lab.as_caller(2);
    let held = lab.call(key, x, &[outer.id], one());
    let behind = lab.call(key, x, &[], one());
    let taker = lab.submit(key, &[behind.id], one());
    let free = lab.submit(key, &[], one());
    let told = block(&lab, work.run, &[free.id, taker.id], 2, false).unwrap_err();
    assert!(told.contains("takes a result of"), "{told}");
    block(&lab, work.run, &[free.id, taker.id], 1, false).expect("one of them can be");
    lab.tasks.blocked(work.run, false);
    lab.report(work.run, Ending::Value, 1);
    lab.run_all();
    assert_eq!([held.id, behind.id, taker.id].map(|id| lab.read(&id)), [Some(1); 3]);
}

#[test]
fn what_the_creation_of_an_actor_takes_cannot_wait_for_the_actor() {
    let mut lab = Lab::new(16 << 20, 2);
    let key = lab.batch();
    let argument = lab.submit(key, &[], one());
    let work = take(&lab, &argument);
    let x = lab.actor_with(key, CheckpointPolicy::Never, 0, &[argument.id]);
    let method = lab.call(key, x, &[], one());
    let told = block(&lab, work.run, &[method.id], 1, false).unwrap_err();
    assert!(told.contains("has created actor 1 (counter)"), "{told}");
    lab.report(work.run, Ending::Value, 1);
    lab.run_all();
    assert_eq!(lab.read(&method.id), Some(1));
}

#[test]
fn whatever_may_go_on_is_waited_for() {
    let mut lab = Lab::new(16 << 20, 2);
    let key = lab.batch();
    let x = actor(&mut lab, key);
    let busy = lab.call(key, x, &[], one());
    let on_x = take(&lab, &busy);
    let (waiter, other) = (lab.submit(key, &[], one()), lab.submit(key, &[], one()));
    let work = take(&lab, &waiter);
    lab.as_caller(2);
    let method = lab.call(key, x, &[], one());
    let unknown = ObjectId::new(key.id, key.life.wrapping_add(1 << 40), 0);
    for ids in [[other.id], [method.id], [busy.id], [unknown]] {
        block(&lab, work.run, &ids, 1, false).expect("it may be there soon");
        lab.tasks.blocked(work.run, false);
    }
    // a run that is blocked on something the table knows nothing of may go on as well
    lab.tasks.blocked(on_x.run, true);
    block(&lab, work.run, &[method.id], 1, false).expect("it may go on");
}

#[test]
fn what_a_task_has_put_is_there_for_others_while_it_waits() {
    let mut lab = Lab::new(16 << 20, 2);
    let key = lab.batch();
    let x = actor(&mut lab, key);
    let busy = lab.call(key, x, &[], one());
    take(&lab, &busy);
    let waiter = lab.submit(key, &[], one());
    let work = take(&lab, &waiter);
    let (first, _) = lab.tasks.block_of(&lab.client, work.run, 0, 8, true).expect("a block");
    let put = ObjectId::new(key.id, key.life.wrapping_add(first), 0);
    lab.as_caller(2);
    let method = lab.call(key, x, &[put], one());
    block(&lab, work.run, &[method.id], 1, false).expect_err("it was not put yet");
    lab.tasks.put_in_run(work.run, first, 0, Kind::Bytes, &&5_i64.to_le_bytes()[..]).expect("a put");
    block(&lab, work.run, &[method.id], 1, false).expect("the actor is busy for a while");
}

#[test]
fn an_end_of_a_batch_whose_task_waits_for_the_ending_one_is_refused() {
    let mut lab = Lab::new(16 << 20, 2);
    let (key, other) = (lab.batch(), lab.batch());
    let ends = lab.submit(key, &[], one());
    let work = take(&lab, &ends);
    let inside = lab.submit(other, &[], one());
    let inner = take(&lab, &inside);
    block(&lab, inner.run, &[ends.id], 1, false).expect("it may end");
    lab.client.end_batch(other, true, &[], Reason::Closed, "a test").expect("an end");
    let e = lab.tasks.block_on(work.run, &Awaits::Batch(other)).unwrap_err();
    assert_eq!(e.code(), ErrorCode::Deadlock);
    assert!(e.message().contains(&format!("waits for the end of batch {}", other.id)), "{e}");
    lab.tasks.blocked(inner.run, false);
    lab.tasks.block_on(work.run, &Awaits::Batch(other)).expect("its task goes on");
    // closed from the other side it is the end as well that is not waited for: it looks again, and is refused
    lab.client.watch_batch(other, WATCH).expect("open");
    block(&lab, inner.run, &[ends.id], 1, false).expect("the end gives way");
    assert_eq!(*lab.woken.lock().expect("a list"), [WATCH]);
    lab.tasks.blocked(work.run, false);
    lab.tasks.block_on(work.run, &Awaits::Batch(other)).unwrap_err();
}

#[test]
fn a_wait_is_said_to_be_for_what_it_is_for() {
    let mut lab = Lab::new(16 << 20, 1);
    let key = lab.batch();
    let x = actor(&mut lab, key);
    let busy = lab.call(key, x, &[], one());
    let next = lab.call(key, x, &[], one());
    let taker = lab.submit(key, &[next.id], one());
    let says = |lab: &Lab, id: &ObjectId| lab.tasks.describe_object(id).text;
    let label = |made: &Made| format!("task {} of batch {}", made.id, key.id);
    assert_eq!(says(&lab, &busy.id), format!("{} is ready, and waits for a cpu", label(&busy)));
    let work = take(&lab, &busy);
    assert_eq!(says(&lab, &busy.id), format!("{} runs", label(&busy)));
    let turn = format!("{} waits for its turn on actor 1 (counter), which runs {}", label(&next), label(&busy));
    assert_eq!(says(&lab, &next.id), turn);
    assert_eq!(says(&lab, &taker.id), format!("{} takes a result of {}; {turn}", label(&taker), label(&next)));
    assert_eq!(lab.tasks.describe_object(&taker.id).tasks, [taker.task, next.task, busy.task]);
    assert!(lab.tasks.describe_batch(key).text.starts_with("3 tasks are not over: "));
    let (writer, slot) = lab.client.create(key, 8, &[], Kind::Bytes).expect("a writer");
    let made = ObjectId::from_slot(key.id, key.life, slot.slot, slot.index);
    assert!(says(&lab, &made).starts_with("no task makes it"));
    lab.client.drop_writer(writer);
    lab.report(work.run, Ending::Value, 1);
    lab.run_all();
    assert!(says(&lab, &busy.id).ends_with("is over"));
}

#[test]
fn a_long_chain_of_waiting_tasks_is_looked_through_in_bounds() {
    let mut lab = Lab::new(64 << 20, 1);
    let key = lab.batch();
    let x = actor(&mut lab, key);
    let outer = lab.call(key, x, &[], one());
    let work = take(&lab, &outer);
    lab.as_caller(2);
    let mut last = lab.call(key, x, &[], one());
    let mut short = last;
    for n in 0..20_000 {
        last = lab.submit(key, &[last.id], one());
        if n == 1000 {
            short = last;
        }
    }
    block(&lab, work.run, &[short.id], 1, false).unwrap_err();
    block(&lab, work.run, &[last.id], 1, false).expect("it is too much to look at");
    assert!(lab.tasks.describe_object(&last.id).tasks.len() < 20);
    lab.tasks.blocked(work.run, false);
    lab.report(work.run, Ending::Value, 1);
    lab.run_all();
    assert_eq!(lab.read(&last.id), Some(1));
}

/// One cpu, and a task whose thread waits elsewhere: a wide one behind it may run meanwhile, and afterwards it may not.
#[test]
fn cpus_that_are_lent_are_used_by_others_until_the_task_goes_on() {
    let mut lab = Lab::new(16 << 20, 2);
    let key = lab.batch();
    let parked = lab.submit(key, &[], one());
    let work = take(&lab, &parked);
    let wide = |lab: &mut Lab| {
        let block = lab.tasks.block(&lab.client, key, 1).expect("a block");
        let task = raybatch::task::TaskRef { serial: block.serial, slot: block.first };
        let submission = raybatch::task::Submission { cpus: 2, ..task_support::plain(task) };
        lab.tasks.submit(&submission).expect("a task");
        task
    };
    let first = wide(&mut lab);
    assert!(lab.take().is_none(), "it needs both");
    assert!(lab.tasks.has_ready());
    lab.tasks.lend(work.run);
    lab.tasks.lend(work.run);
    let taken = lab.take().expect("there are two now");
    assert_eq!(taken.run.task, first);
    lab.report(taken.run, Ending::Value, 1);
    lab.tasks.blocked(work.run, false);
    wide(&mut lab);
    assert!(lab.take().is_none(), "one is in use again");
    lab.tasks.lend(work.run);
    lab.report(work.run, Ending::Value, 1);
    assert!(lab.take().is_some(), "with its end it uses none");
    let all: Arc<_> = Arc::clone(&lab.tasks);
    assert!(!all.has_ready());
}
