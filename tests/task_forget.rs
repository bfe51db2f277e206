//! What is forgotten of tasks, and what is not: normal mode has no batch that would end.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod task_support;

use raybatch::batch::BatchKey;
use raybatch::id::ObjectId;
use raybatch::store::Kind;
use raybatch::task::{CheckpointPolicy, Ending, Order, Remade, TaskRef, Work};
use task_support::{Lab, Made};

/// Slots of a granule, and how many of those are remembered.
const SLOTS: u64 = 256;
const REMEMBERED: usize = 1024;

fn lab() -> Lab {
    Lab::new(128 << 20, 4)
}

/// Has normal mode give out all slots of so many granules.
fn granules(lab: &Lab, n: usize) {
    for _ in 0..n {
        lab.tasks.block(&lab.client, BatchKey::NORMAL, SLOTS as u32).unwrap();
    }
}

fn records(lab: &Lab) -> u64 {
    lab.tasks.status(BatchKey::NORMAL).unwrap().bytes
}

/// The slots of normal mode's tasks that are forgotten.
fn forgotten(lab: &Lab) -> Vec<u64> {
    let first = |order| match order {
        Order::ForgetFrom(task) => Some(task.slot),
        _ => None,
    };
    lab.tasks.orders().into_iter().filter_map(first).collect()
}

fn granule_of(task: TaskRef) -> u64 {
    task.slot / SLOTS * SLOTS
}

fn one(lab: &mut Lab) -> Made {
    lab.submit(BatchKey::NORMAL, &[], Lab::function(|_| 1))
}

fn increment(lab: &mut Lab, actor: u32) -> Made {
    let method = |state: &mut i64, _: &[i64]| {
        *state += 1;
        *state
    };
    lab.call(BatchKey::NORMAL, actor, &[], Lab::method(method))
}

/// Has a run put a number. Returns its id.
fn put(lab: &Lab, work: &Work, value: i64) -> ObjectId {
    let (first, _) = lab.tasks.block_of(&lab.client, work.run, 0, 8, true).unwrap();
    lab.tasks.put_in_run(work.run, first, 0, Kind::Bytes, &value.to_le_bytes().as_slice()).unwrap();
    ObjectId::new(BatchKey::NORMAL.id, lab.client.normal_base().wrapping_add(first), 0)
}

/// One task that goes on, or is in an actor's chain, kept all that came after it.
#[test]
fn what_cannot_be_forgotten_keeps_only_its_neighbours() {
    let mut lab = lab();
    let long = one(&mut lab);
    let work = lab.take().expect("the long one");
    granules(&lab, 3);
    let actor = lab.actor(BatchKey::NORMAL, CheckpointPolicy::Never, 7);
    increment(&mut lab, actor);
    lab.run_all();
    granules(&lab, REMEMBERED);
    let before = records(&lab);
    granules(&lab, 2 * REMEMBERED);
    assert!(records(&lab) <= before + before / 50, "{} bytes of records, {before} before", records(&lab));
    let gone = forgotten(&lab);
    assert!(gone.len() >= 2 * REMEMBERED, "functions go with them: of {} granules", gone.len());
    assert!(!gone.contains(&granule_of(long.task)), "it goes on");
    lab.tasks.kill_actor(actor, false, "a test");
    let m = increment(&mut lab, actor);
    lab.run_all();
    assert_eq!(lab.read(&m.id), Some(9), "its chain is whole");

    lab.run(&work);
    lab.tasks.kill_actor(actor, true, "a test");
    granules(&lab, 3);
    assert!(forgotten(&lab).contains(&granule_of(long.task)), "it is over, and long ago");
    assert_eq!(lab.read(&long.id), Some(1));
}

#[test]
fn as_many_are_remembered_however_many_others_cannot_be_forgotten() {
    let mut lab = lab();
    let mut held = Vec::new();
    for _ in 0..2 * REMEMBERED {
        granules(&lab, 1);
        one(&mut lab);
        held.push(lab.take().expect("one that goes on"));
    }
    granules(&lab, REMEMBERED);
    forgotten(&lab);
    let young = one(&mut lab);
    lab.run_all();
    granules(&lab, REMEMBERED - 2);
    assert!(!forgotten(&lab).contains(&granule_of(young.task)), "it is not old enough");
    granules(&lab, REMEMBERED);
    assert!(forgotten(&lab).contains(&granule_of(young.task)));
}

/// The thread may come back, and ask for what its record says.
#[test]
fn a_cancelled_task_is_not_forgotten_while_a_thread_is_in_it() {
    let mut lab = lab();
    let t = one(&mut lab);
    let work = lab.take().unwrap();
    assert!(lab.tasks.cancel(&t.id, "a test").0);
    granules(&lab, REMEMBERED + 10);
    assert!(!forgotten(&lab).contains(&granule_of(t.task)));
    lab.report(work.run, Ending::Value, 1);
    assert_eq!(lab.tasks.status(BatchKey::NORMAL).unwrap().counts.active, 0, "its end is heard of");
    granules(&lab, 10);
    assert!(forgotten(&lab).contains(&granule_of(t.task)));
}

/// Whose put it was was forgotten for all that were older than the one that went.
#[test]
fn puts_are_made_again_while_their_task_is_remembered() {
    let mut lab = lab();
    let actor = lab.actor(BatchKey::NORMAL, CheckpointPolicy::Never, 0);
    lab.run_all();
    increment(&mut lab, actor);
    let method = lab.take().unwrap();
    let kept = put(&lab, &method, 5);
    lab.run(&method);
    granules(&lab, 3);
    one(&mut lab);
    let plain = lab.take().unwrap();
    let lost = put(&lab, &plain, 6);
    lab.run(&plain);
    granules(&lab, REMEMBERED + 10);
    lab.client.delete(&[kept, lost]).unwrap();
    assert_eq!(lab.tasks.remake(&[kept, lost]).0, [Remade::Coming, Remade::Never]);
    let create = lab.take().expect("its creation, once more");
    lab.run(&create);
    let again = lab.take().expect("the method");
    assert_eq!(put(&lab, &again, 5), kept);
    lab.run(&again);
    assert_eq!(lab.read(&kept), Some(5));
}

/// Who takes what is noted from the first recursive free on: later tasks, those of other batches, and runs that are made again
/// count as well.
#[test]
fn a_recursive_free_spares_what_any_task_needs_whenever_it_was_submitted() {
    let mut lab = lab();
    let (a, b) = (lab.batch(), lab.batch());
    let add = |lab: &mut Lab, key, x: Made| lab.submit(key, &[x.id], Lab::function(|a| a[0] + 1));
    let x = lab.submit(a, &[], Lab::function(|_| 1));
    let early = add(&mut lab, a, x);
    lab.run_all();
    let free = |lab: &Lab, made: Made| lab.tasks.free_recursive(&lab.client, &[made.id]).unwrap();
    let other = lab.submit(a, &[], Lab::function(|_| 1));
    lab.run_all();
    free(&lab, other);
    let late = [(a, x), (b, x), (BatchKey::NORMAL, x), (b, early)].map(|(key, x)| add(&mut lab, key, x));
    lab.run_all();
    free(&lab, late[3]);
    assert_eq!(lab.read(&early.id), None, "only that one took it");
    for made in &late[..2] {
        free(&lab, *made);
        assert_eq!(lab.read(&x.id), Some(1), "another one's result is there");
    }
    // what was freed comes to life again
    lab.tasks.remake(&[late[0].id]);
    lab.run_all();
    free(&lab, late[2]);
    assert_eq!(lab.read(&x.id), Some(1));
    free(&lab, late[0]);
    assert_eq!(lab.read(&x.id), None, "nobody needs it");
}

/// The simulation found this one: the put was freed with the result of whoever took it, and the run that had put it waited for
/// that result for ever.
#[test]
fn a_recursive_free_spares_what_a_run_put_that_goes_on() {
    let mut lab = lab();
    let key = lab.batch();
    let outer = lab.submit(key, &[], Lab::function(|_| 0));
    let run = lab.take().unwrap();
    let (first, _) = lab.tasks.block_of(&lab.client, run.run, 0, 8, true).unwrap();
    lab.tasks.put_in_run(run.run, first, 0, Kind::Bytes, &5i64.to_le_bytes().as_slice()).unwrap();
    let x = ObjectId::new(key.id, key.life.wrapping_add(first), 0);
    let taker = lab.submit(key, &[x], Lab::function(|a| a[0] + 1));
    let work = lab.take().unwrap();
    lab.run(&work);
    lab.tasks.free_recursive(&lab.client, &[taker.id]).unwrap();
    // the run gets what it had somebody make of it
    assert_eq!(lab.tasks.remake(&[taker.id]).0, [Remade::Coming]);
    let again = lab.take().expect("it need not wait for the run's end");
    lab.run(&again);
    assert_eq!(lab.read(&taker.id), Some(6));
    lab.run(&run);
    lab.tasks.free_recursive(&lab.client, &[taker.id]).unwrap();
    assert_eq!((lab.read(&x), lab.read(&outer.id)), (None, Some(0)), "nobody needs it any more");
}
