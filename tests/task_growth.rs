//! What an actor holds of those that call it: nothing, if it is not to be rebuilt; and else no more than a bound.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use raybatch::batch::BatchKey;
use raybatch::error::ErrorCode;
use raybatch::id::ObjectId;
use raybatch::task::{ActorSpec, CheckpointPolicy, Remade, TaskKind, TaskRef};
use task_support::{Lab, Made, increment, one, sum};

const MIB: u64 = 1 << 20;
/// As many as are remembered since the last checkpoint.
const MOST_LINKS: i64 = 4096;
const MOST_BATCHES: usize = 1024;

fn spec(tolerant: Option<bool>, policy: CheckpointPolicy) -> impl FnOnce(TaskRef) -> ActorSpec {
    move |creation| ActorSpec {
        creation,
        name: "counter".into(),
        restarts: None,
        fault_tolerant: tolerant,
        checkpointable: true,
        policy,
    }
}

/// One whose class says whether it can be saved.
fn actor(lab: &mut Lab, key: BatchKey, tolerant: Option<bool>, saved: bool, policy: CheckpointPolicy) -> u32 {
    let actor = lab.actor_of(key, spec(tolerant, policy), 0);
    lab.tasks.actor_made(actor, saved);
    lab.run_all();
    actor
}

/// A batch that calls it once, and is over.
fn request(lab: &mut Lab, actor: u32) -> BatchKey {
    let b = lab.batch();
    increment(lab, b, actor);
    lab.run_all();
    lab.close(b);
    b
}

fn failure(lab: &Lab, made: &Made) -> String {
    lab.failure(&made.id).map(|(_, text)| text).unwrap_or_default()
}

#[test]
fn one_that_cannot_be_saved_holds_nobodys_records_and_dies_when_it_is_lost() {
    let mut lab = Lab::new(16 * MIB, 2);
    let home = lab.batch();
    let plain = actor(&mut lab, home, None, false, CheckpointPolicy::Balanced);
    let used = lab.used();
    for _ in 0..100 {
        request(&mut lab, plain);
    }
    assert_eq!(lab.tasks.figures(), (1, 1), "the records of its owner only");
    assert_eq!(lab.used(), used);
    let next = increment(&mut lab, home, plain);
    lab.tasks.kill_actor(plain, false, "a test");
    lab.run_all();
    let why = failure(&lab, &next);
    assert!(why.contains("implement Checkpointable") && why.contains("faultTolerant(true)"), "{why}");
    lab.close(home);
}

#[test]
fn what_is_declared_counts_more_than_what_its_class_says() {
    let mut lab = Lab::new(16 * MIB, 2);
    let home = lab.batch();
    for (declared, saved, tolerant) in
        [(None, true, true), (None, false, false), (Some(true), false, true), (Some(false), true, false)]
    {
        let it = actor(&mut lab, home, declared, saved, CheckpointPolicy::Never);
        let caller = request(&mut lab, it);
        let held = lab.tasks.status(caller).is_some();
        assert_eq!(held, tolerant, "{declared:?}, {saved}");
        lab.tasks.kill_actor(it, false, "a test");
        if tolerant {
            let next = increment(&mut lab, home, it);
            lab.run_all();
            assert_eq!(lab.read(&next.id), Some(2), "{declared:?}, {saved}");
        } else {
            let refused = lab.try_submit(home, TaskKind::Method, it, &[], Lab::method(|_, _| 0));
            let code = refused.map(|made| made.id).expect_err("it is dead").code();
            assert_eq!(code, ErrorCode::ActorDied, "{declared:?}, {saved}");
        }
        lab.tasks.kill_actor(it, true, "a test");
    }
    lab.close(home);
}

#[test]
fn the_chain_of_one_that_many_batches_call_is_forgotten_at_its_bound() {
    let mut lab = Lab::new(32 * MIB, 2);
    let home = lab.batch();
    let it = actor(&mut lab, home, Some(true), false, CheckpointPolicy::Never);
    // a live one between the others, so that edges lead to some of them
    let live = lab.batch();
    increment(&mut lab, live, it);
    lab.run_all();
    // the creation's batch is one of them
    for _ in 0..MOST_BATCHES - 2 {
        request(&mut lab, it);
    }
    assert_eq!(lab.tasks.figures().0, MOST_BATCHES);
    request(&mut lab, it);
    assert_eq!(lab.tasks.figures(), (2, 1), "its owner's, and those of the batch that lives");
    for _ in 0..100 {
        request(&mut lab, it);
    }
    assert_eq!(lab.tasks.figures(), (2, 1));
    assert_eq!(lab.tasks.rollback(live).unwrap_err().code(), ErrorCode::RollbackRefused);
    lab.tasks.kill_actor(it, false, "a test");
    let next = lab.try_submit(
        home,
        TaskKind::Method,
        it,
        &[],
        Lab::method(|state, _| {
            *state += 1;
            *state
        }),
    );
    let why = next.map(|made| made.id).expect_err("it is dead").to_string();
    assert!(why.contains("cannot be rebuilt") && why.contains("1024 batches"), "{why}");
    lab.close(live);
    lab.close(home);
}

#[test]
fn a_long_chain_of_one_batch_is_forgotten_at_its_bound_and_begins_again_at_a_checkpoint() {
    let mut lab = Lab::new(32 * MIB, 2);
    let home = lab.batch();
    let it = actor(&mut lab, home, None, true, CheckpointPolicy::Never);
    let mut results: Vec<ObjectId> = Vec::new();
    for _ in 0..MOST_LINKS {
        results.push(increment(&mut lab, home, it).id);
        lab.run_all();
    }
    lab.client.free(&[results[0]]).unwrap();
    assert_eq!(lab.tasks.remake(&[results[0]]).0, [Remade::Never], "what led to it is forgotten");
    lab.checkpoint(home, it);
    lab.run_all();
    lab.tasks.kill_actor(it, false, "a test");
    let next = increment(&mut lab, home, it);
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(MOST_LINKS + 1), "restored");
    lab.close(home);
}

#[test]
fn one_that_can_be_saved_is_saved_before_its_chain_is_forgotten_unless_its_policy_is_never() {
    let mut lab = Lab::new(32 * MIB, 2);
    let home = lab.batch();
    let it = actor(&mut lab, home, None, true, CheckpointPolicy::Every(1_000_000));
    for _ in 0..MOST_BATCHES + 10 {
        request(&mut lab, it);
    }
    assert!(lab.tasks.figures().0 < 20, "a checkpoint let the others go");
    lab.tasks.kill_actor(it, false, "a test");
    let next = increment(&mut lab, home, it);
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(MOST_BATCHES as i64 + 11));
    lab.close(home);
}

/// Each took 16 bytes of its owner's index, and more, for good.
#[test]
fn checkpoints_that_nobody_needs_leave_their_place_to_later_ones() {
    let mut lab = Lab::new(16 * MIB, 2);
    let home = lab.batch();
    let it = actor(&mut lab, home, None, true, CheckpointPolicy::Every(1));
    for _ in 0..50 {
        request(&mut lab, it);
    }
    let used = lab.used();
    for _ in 0..5000 {
        request(&mut lab, it);
    }
    let more = lab.used().saturating_sub(used);
    assert!(more <= 2 * 4096, "{more} bytes for 5,000 checkpoints");
    lab.tasks.kill_actor(it, false, "a test");
    let next = increment(&mut lab, home, it);
    lab.run_all();
    assert_eq!(lab.read(&next.id), Some(5051));
    lab.close(home);
}

/// A batch that lives long was a user of each for ever.
#[test]
fn dead_actors_are_forgotten_by_those_that_used_them() {
    let mut lab = Lab::new(16 * MIB, 2);
    let home = lab.batch();
    for _ in 0..3000 {
        let it = actor(&mut lab, home, Some(false), false, CheckpointPolicy::Never);
        increment(&mut lab, home, it);
        lab.run_all();
        lab.tasks.kill_actor(it, true, "a test");
    }
    assert!(lab.tasks.most_used_actors() < 100, "{}", lab.tasks.most_used_actors());
    lab.close(home);
}

/// Who waited for a task that takes long was remembered until that was over.
#[test]
fn those_that_do_not_wait_any_more_are_forgotten_by_the_task_they_waited_for() {
    let mut lab = Lab::new(16 * MIB, 2);
    let home = lab.batch();
    let long = one(&mut lab, home);
    for _ in 0..2000 {
        let b = lab.batch();
        let waits = sum(&mut lab, b, &[long.id]);
        assert!(lab.tasks.cancel(&waits.id, "a test").0);
        lab.close(b);
    }
    assert!(lab.tasks.most_waiters() < 200, "{}", lab.tasks.most_waiters());
    let last = sum(&mut lab, home, &[long.id]);
    lab.run_all();
    assert_eq!(lab.read(&last.id), lab.read(&long.id), "those that do are not");
    lab.close(home);
}
