//! The table of tasks, with functions run by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use raybatch::batch::{BatchKey, BatchSpec, GroupLimit};
use raybatch::error::ErrorCode;
use raybatch::store::Kind;
use raybatch::task::{CheckpointPolicy, Ending, Order, Remade, Submission, TaskKind, TaskRef};
use task_support::{Lab, Made};

const MIB: u64 = 1 << 20;

fn lab() -> Lab {
    Lab::new(64 * MIB, 2)
}

fn add(lab: &mut Lab, key: BatchKey, arguments: &[Made], more: i64) -> Made {
    let ids: Vec<_> = arguments.iter().map(|made| made.id).collect();
    lab.submit(key, &ids, Lab::function(move |a| a.iter().sum::<i64>() + more))
}

fn increment(lab: &mut Lab, key: BatchKey, actor: u32) -> Made {
    lab.call(
        key,
        actor,
        &[],
        Lab::method(|state, _| {
            *state += 1;
            *state
        }),
    )
}

#[test]
fn a_task_waits_for_its_arguments_and_takes_their_values() {
    let mut lab = lab();
    let b = lab.batch();
    let x = add(&mut lab, b, &[], 1);
    let y = add(&mut lab, b, &[x], 10);
    let z = add(&mut lab, b, &[x, y, y], 100);
    lab.run_all();
    assert_eq!((lab.read(&x.id), lab.read(&y.id), lab.read(&z.id)), (Some(1), Some(11), Some(123)));
    lab.close(b);
    assert!(lab.client.batch_over(b).unwrap().is_some());
    lab.client.audit().unwrap();
}

#[test]
fn c36_a_batch_completes_after_its_last_task_and_is_collected_then() {
    let mut lab = lab();
    let b = lab.batch();
    let x = add(&mut lab, b, &[], 1);
    let y = add(&mut lab, b, &[x], 1);
    lab.close(b);
    assert!(lab.client.batch_over(b).unwrap().is_none(), "two tasks are active");
    lab.run_all();
    assert_eq!(lab.client.batch_over(b).unwrap().map(|c| c.objects), Some(2));
    assert_eq!(lab.client.get(&y.id, &mut Vec::new()).unwrap_err().code(), ErrorCode::ObjectCollected);
    let e = lab.try_submit(b, TaskKind::Plain, 0, &[], Lab::function(|_| 0)).unwrap_err();
    assert_eq!(e.code(), ErrorCode::BatchEnded);
    lab.client.audit().unwrap();
}

#[test]
fn a_task_costs_less_than_two_hundred_bytes_beside_its_arguments() {
    const TASKS: u64 = 20_000;
    let mut lab = lab();
    let b = lab.batch();
    for _ in 0..TASKS {
        add(&mut lab, b, &[], 1);
    }
    lab.run_all();
    let status = lab.client.status(b).unwrap();
    let beside = (status.held - status.bytes) / TASKS;
    assert!(beside <= 200, "{beside} bytes a task, records, index entries and what is unused of their pages");
    lab.close(b);
    assert_eq!(lab.client.status(b).unwrap().held, 0);
}

#[test]
fn a_failed_argument_fails_its_dependents_and_names_the_first() {
    let mut lab = lab();
    let b = lab.batch();
    let x = lab.submit(b, &[], std::sync::Arc::new(|_, _| Err("no luck".into())));
    let y = add(&mut lab, b, &[x], 1);
    let z = add(&mut lab, b, &[y], 1);
    lab.run_all();
    assert_eq!(lab.failure(&x.id), Some((1, "no luck".into())));
    let (tag, said) = lab.failure(&z.id).unwrap();
    assert_eq!(tag, 4);
    assert!(said.ends_with("no luck"), "{said:?}");
    let late = add(&mut lab, b, &[x], 1);
    assert_eq!(lab.failure(&late.id).map(|f| f.0), Some(4));
    lab.close(b);
    assert!(lab.client.batch_over(b).unwrap().is_some());
}

#[test]
fn c31_a_freed_object_is_made_again_with_all_it_needs_each_task_once() {
    let mut lab = lab();
    let b = lab.batch();
    let x = add(&mut lab, b, &[], 1);
    let y = add(&mut lab, b, &[x], 10);
    let z = add(&mut lab, b, &[x, y], 100);
    lab.run_all();
    lab.client.free(&[x.id, y.id, z.id]).unwrap();
    assert_eq!(lab.read(&z.id), None);
    assert_eq!(lab.tasks.remake(&[z.id, y.id]).0, [Remade::Coming, Remade::Coming]);
    lab.run_all();
    assert_eq!((lab.read(&z.id), lab.read(&y.id)), (Some(112), Some(11)));
    for made in [x, y, z] {
        assert_eq!(lab.runs[&made.task], 2, "{made:?}");
    }
    lab.close(b);
    lab.client.audit().unwrap();
}

#[test]
fn a_long_chain_is_made_again_without_recursion() {
    let mut lab = lab();
    let b = lab.batch();
    let mut last = add(&mut lab, b, &[], 0);
    let mut all = vec![last.id];
    for _ in 0..20_000 {
        last = add(&mut lab, b, &[last], 1);
        all.push(last.id);
    }
    lab.run_all();
    lab.client.free(&all).unwrap();
    assert_eq!(lab.tasks.remake(&[last.id]).0, [Remade::Coming]);
    lab.run_all();
    assert_eq!(lab.read(&last.id), Some(20_000));
    lab.close(b);
}

#[test]
fn an_actor_runs_one_task_at_a_time_in_each_callers_order() {
    let mut lab = lab();
    let b = lab.batch();
    let counter = lab.actor(b, CheckpointPolicy::Never, 0);
    let all: Vec<_> = (0..5).map(|_| increment(&mut lab, b, counter)).collect();
    let creation = lab.take().unwrap();
    assert!(lab.take().is_none(), "it is being constructed");
    lab.run(&creation);
    let first = lab.take().unwrap();
    assert!(lab.take().is_none(), "one at a time");
    lab.run(&first);
    lab.run_all();
    let values: Vec<_> = all.iter().map(|made| lab.read(&made.id)).collect();
    assert_eq!(values, (1..=5).map(Some).collect::<Vec<_>>());
    lab.close(b);
    assert_eq!(lab.tasks.figures().1, 0, "it died with its batch");
    lab.client.audit().unwrap();
}

#[test]
fn a_killed_actor_is_rebuilt_and_counts_on() {
    let mut lab = lab();
    let b = lab.batch();
    let counter = lab.actor(b, CheckpointPolicy::Never, 0);
    for _ in 0..3 {
        increment(&mut lab, b, counter);
    }
    lab.run_all();
    assert!(lab.tasks.kill_actor(counter, false, "a test").0);
    let next = increment(&mut lab, b, counter);
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(4));
    lab.checkpoint(b, counter);
    lab.run_all();
    lab.tasks.kill_actor(counter, false, "a test");
    let last = increment(&mut lab, b, counter);
    lab.run_all();
    assert_eq!(lab.read(&last.id), Some(5));
    assert_eq!(lab.runs[&next.task], 1, "the checkpoint came after it");
    lab.close(b);
    lab.client.audit().unwrap();
}

#[test]
fn an_actors_freed_result_is_made_again_beside_the_live_instance() {
    let mut lab = lab();
    let b = lab.batch();
    let counter = lab.actor(b, CheckpointPolicy::Never, 0);
    let all: Vec<_> = (0..4).map(|_| increment(&mut lab, b, counter)).collect();
    lab.run_all();
    lab.client.free(&[all[1].id, all[0].id]).unwrap();
    assert_eq!(lab.tasks.remake(&[all[1].id]).0, [Remade::Coming]);
    lab.run_all();
    assert_eq!((lab.read(&all[1].id), lab.read(&all[0].id)), (Some(2), None), "only what is wanted");
    let next = increment(&mut lab, b, counter);
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(5));
    lab.close(b);
}

#[test]
fn c39_two_batches_on_one_actor_the_used_one_waits_and_a_checkpoint_lets_it_go() {
    let mut lab = lab();
    let home = lab.batch();
    let counter = lab.actor(home, CheckpointPolicy::Never, 0);
    let (b1, b2) = (lab.batch(), lab.batch());
    increment(&mut lab, b1, counter);
    let second = increment(&mut lab, b2, counter);
    lab.run_all();
    lab.close(b1);
    let held: Vec<_> = lab.tasks.status(b1).unwrap().held_by.iter().map(|h| h.batch).collect();
    let mut expected = vec![home.id.0, b2.id.0];
    expected.sort_unstable();
    let mut sorted = held.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    lab.close(b2);
    assert!(lab.tasks.status(b1).is_some(), "the actor rests on it still");
    lab.checkpoint(home, counter);
    lab.run_all();
    assert!(lab.tasks.status(b1).is_none() && lab.tasks.status(b2).is_none(), "nothing rests on them any more");
    lab.tasks.kill_actor(counter, false, "a test");
    let third = increment(&mut lab, home, counter);
    lab.run_all();
    assert_eq!((lab.read(&third.id), lab.runs[&second.task]), (Some(3), 1));
    lab.close(home);
    assert!(lab.tasks.status(home).is_none());
    lab.client.audit().unwrap();
}

#[test]
fn c39_a_cycle_of_two_does_not_leak() {
    let mut lab = lab();
    let home = lab.batch();
    let counter = lab.actor(home, CheckpointPolicy::Never, 0);
    let (b1, b2) = (lab.batch(), lab.batch());
    for _ in 0..3 {
        increment(&mut lab, b1, counter);
        increment(&mut lab, b2, counter);
    }
    lab.checkpoint(home, counter);
    lab.run_all();
    lab.close(b1);
    assert!(lab.tasks.status(b1).is_some(), "b2 lives, and rests on it");
    lab.close(b2);
    assert!(lab.tasks.status(b1).is_none() && lab.tasks.status(b2).is_none());
    let next = increment(&mut lab, home, counter);
    lab.tasks.kill_actor(counter, false, "a test");
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(7));
    lab.close(home);
    lab.client.audit().unwrap();
}

#[test]
fn what_a_collected_batch_made_is_made_again_for_a_dependent_and_for_nobody_else() {
    let mut lab = lab();
    let (b1, b2) = (lab.batch(), lab.batch());
    let x = add(&mut lab, b2, &[], 5);
    let y = add(&mut lab, b1, &[x], 1);
    lab.run_all();
    lab.close(b2);
    assert_eq!(lab.tasks.status(b2).unwrap().held_by.len(), 1);
    lab.client.free(&[y.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[x.id]).0, [Remade::Never]);
    assert_eq!(lab.tasks.remake(&[y.id]).0, [Remade::Coming]);
    lab.run_all();
    assert_eq!(lab.read(&y.id), Some(6));
    assert_eq!(lab.client.get(&x.id, &mut Vec::new()).unwrap_err().code(), ErrorCode::ObjectCollected);
    assert_eq!(lab.client.status(b1).unwrap().objects, 1, "what stood for x is gone");
    lab.close(b1);
    assert!(lab.tasks.status(b2).is_none());
    lab.client.audit().unwrap();
}

/// Ray's control store grew with every task there ever was.
#[test]
fn normal_mode_remembers_only_so_many_tasks() {
    let mut lab = lab();
    let run = |lab: &mut Lab, n: u64| {
        for _ in 0..n {
            add(lab, BatchKey::NORMAL, &[], 1);
            lab.run_all();
        }
    };
    run(&mut lab, 300_000);
    let before = lab.used();
    let first = add(&mut lab, BatchKey::NORMAL, &[], 7);
    lab.run_all();
    lab.client.delete(&[first.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[first.id]).0, [Remade::Coming], "it is remembered");
    lab.run_all();
    assert_eq!(lab.read(&first.id), Some(7));
    run(&mut lab, 300_000);
    assert!(lab.used() < before + before / 4, "{} bytes, {before} before", lab.used());
    lab.client.delete(&[first.id]).unwrap();
    assert_eq!(lab.tasks.remake(&[first.id]).0, [Remade::Never], "it is forgotten");
    assert!(lab.tasks.orders().len() > 100, "and its function too");
}

/// The records of a batch stood for an actor's sake, and took new tasks whose results nobody could get.
#[test]
fn a_collected_batch_takes_no_task_although_its_records_stand() {
    let mut lab = lab();
    let home = lab.batch();
    let counter = lab.actor(home, CheckpointPolicy::Never, 0);
    let b = lab.batch();
    let block = lab.tasks.block(&lab.client, b, 8).unwrap();
    increment(&mut lab, b, counter);
    lab.run_all();
    lab.close(b);
    assert!(lab.tasks.status(b).is_some(), "the actor rests on it");
    let task = TaskRef { serial: block.serial, slot: block.first };
    let late = Submission {
        task,
        kind: TaskKind::Method,
        returns: 1,
        retries: 0,
        cpus: 1,
        priority: None,
        actor: counter,
        caller: 1,
        arguments: &[],
        parent: None,
    };
    assert_eq!(lab.tasks.submit(&late).unwrap_err().code(), ErrorCode::BatchEnded);
    lab.close(home);
    assert!(lab.tasks.status(b).is_none());
}

/// A replay that was for somebody's sake said that nobody wanted its value.
#[test]
fn a_replay_for_a_freed_result_is_not_to_be_thrown_away() {
    let mut lab = lab();
    let b = lab.batch();
    let counter = lab.actor(b, CheckpointPolicy::Never, 0);
    let first = increment(&mut lab, b, counter);
    let second = increment(&mut lab, b, counter);
    lab.run_all();
    lab.client.free(&[second.id]).unwrap();
    lab.tasks.remake(&[second.id]);
    while let Some(work) = lab.take() {
        if work.run.task == second.task || work.run.task == first.task {
            assert_eq!(work.replay, work.run.task == first.task, "only the second one's value is wanted");
        }
        lab.run(&work);
    }
    assert_eq!(lab.read(&second.id), Some(2));
}

/// Whoever saw a counter's value and killed it then had it counted back: the table had not heard of the task's end.
#[test]
fn what_has_returned_cannot_be_undone_by_a_late_cancel_or_kill() {
    let mut lab = lab();
    let b = lab.batch();
    let counter = lab.actor(b, CheckpointPolicy::Never, 0);
    let creation = lab.take().unwrap();
    lab.run(&creation);
    let first = increment(&mut lab, b, counter);
    let work = lab.take().unwrap();
    *lab.instances.entry((work.actor, work.instance)).or_default() += 1;
    let value: &[u8] = &1i64.to_le_bytes();
    assert!(lab.tasks.put_result(work.run, 0, Kind::Bytes, &value).unwrap());
    assert_eq!(lab.read(&first.id), Some(1), "it is seen before the worker has reported");
    assert!(!lab.tasks.cancel(&first.id, "a test").0);
    assert!(lab.tasks.kill_actor(counter, false, "a test").0);
    lab.report(work.run, Ending::Stored, 0);
    let second = increment(&mut lab, b, counter);
    lab.run_all();
    assert_eq!((lab.read(&first.id), lab.read(&second.id)), (Some(1), Some(2)));
    assert_eq!(lab.runs[&first.task], 1, "it was replayed");
    lab.close(b);
    lab.client.audit().unwrap();
}

/// A batch whose time was over was collected when its thread had been given up, and with it went who that was.
#[test]
fn c37_a_thread_that_was_given_up_is_named_after_its_batch_is_collected() {
    let mut lab = lab();
    let b = lab.batch();
    let stuck = add(&mut lab, b, &[], 1);
    let work = lab.take().unwrap();
    lab.client.end_batch(b, true, &[], raybatch::batch::Reason::TimedOut, "its timeout").unwrap();
    assert_eq!(lab.failure(&stuck.id).map(|f| f.0), Some(7), "its batch ended");
    assert!(lab.client.batch_over(b).unwrap().is_none(), "its thread has not come back");
    lab.tasks.abandon(work.run, "worker-7");
    assert!(lab.client.batch_over(b).unwrap().is_some());
    assert_eq!(lab.tasks.status(b).unwrap().abandoned, ["worker-7"]);
    lab.report(work.run, Ending::Value, 1);
    lab.client.audit().unwrap();
}

fn in_group(lab: &Lab, path: &str) -> BatchKey {
    lab.client.open_group(path).unwrap();
    lab.batch_of(BatchSpec { group: Some(path.to_owned()), ..BatchSpec::default() })
}

#[test]
fn no_more_tasks_of_a_group_run_than_it_may_have_whichever_of_its_batches_they_are_of() {
    let mut lab = Lab::new(64 * MIB, 8);
    let (x, y, other) = (in_group(&lab, "a/x"), in_group(&lab, "a/y"), in_group(&lab, "b"));
    let client = std::sync::Arc::clone(&lab.client);
    let limit = |path: &str, most| client.limit_group(path, GroupLimit::Tasks(most)).unwrap();
    limit("a", Some(2));
    limit("a/x", Some(1));
    let all: Vec<_> = [x, x, y, y].map(|b| lab.submit(b, &[], Lab::function(|_| 7))).into();
    let (first, second) = (lab.take().unwrap(), lab.take().unwrap());
    assert_eq!([first, second].map(|work| work.run.task), [all[0].task, all[2].task], "one of x, and a has two");
    assert!(lab.take().is_none());
    let running = |path: &str| client.group(path).unwrap().tasks;
    assert_eq!((running("a"), running("a/x"), running("a/y"), running("b")), (2, 1, 1, 0));

    // others are not held up
    let elsewhere = lab.submit(other, &[], Lab::function(|_| 7));
    let work = lab.take().unwrap();
    assert_eq!(work.run.task, elsewhere.task);
    lab.tasks.orders();
    lab.report(work.run, Ending::Value, 1);
    assert!(!lab.tasks.orders().contains(&Order::Workers), "that makes no room in a");

    // one that waits does not count, here and above; it goes on all the same
    lab.tasks.blocked(first.run, true);
    assert!(lab.tasks.orders().contains(&Order::Workers), "somebody else may run");
    let third = lab.take().unwrap();
    assert_eq!(third.run.task, all[1].task);
    lab.tasks.blocked(first.run, false);
    assert_eq!((running("a"), running("a/x")), (3, 2));
    lab.report(first.run, Ending::Value, 1);
    assert!(lab.take().is_none(), "two of two");

    // the end of a task of one batch is the turn of another's
    lab.tasks.orders();
    lab.report(third.run, Ending::Value, 1);
    assert!(lab.tasks.orders().contains(&Order::Workers), "those of y are to be looked at again");
    let fourth = lab.take().unwrap();
    assert_eq!(fourth.run.task, all[3].task);
    lab.report(second.run, Ending::Value, 1);
    lab.report(fourth.run, Ending::Value, 1);
    assert_eq!((running("a"), running("a/x"), running("a/y")), (0, 0, 0));

    // none at all, and then some
    limit("a", Some(0));
    let last = lab.submit(y, &[], Lab::function(|_| 7));
    assert!(lab.take().is_none());
    lab.tasks.orders();
    limit("a", None);
    assert!(lab.tasks.orders().contains(&Order::Workers), "whoever waits for work is told");
    let work = lab.take().unwrap();
    assert_eq!(work.run.task, last.task);
    lab.run(&work);
    [x, y, other].into_iter().for_each(|b| lab.close(b));
    lab.client.audit().unwrap();
}

#[test]
fn a_task_with_a_priority_above_its_groups_is_refused_and_changes_nothing() {
    let lab = lab();
    let b = in_group(&lab, "a/x");
    lab.client.limit_group("a", GroupLimit::Priority(Some(3))).unwrap();
    let block = lab.tasks.block(&lab.client, b, 1).unwrap();
    let task = |priority| Submission {
        task: TaskRef { serial: block.serial, slot: block.first },
        kind: TaskKind::Plain,
        returns: 1,
        retries: 0,
        cpus: 1,
        priority: Some(priority),
        actor: 0,
        caller: 1,
        arguments: &[],
        parent: None,
    };
    let e = lab.tasks.submit(&task(4)).unwrap_err();
    assert_eq!((e.code(), e.figures()), (ErrorCode::BatchLimit, &[3, 3, 4][..]));
    assert!(e.message().contains("group 'a': at most 3\n    group 'a/x': any priority"), "{e}");
    assert_eq!(lab.client.status(b).unwrap().tasks_active, 0);
    lab.tasks.submit(&task(3)).unwrap();
    let work = lab.take().unwrap();
    lab.report(work.run, Ending::Value, 1);
    lab.close(b);
}
