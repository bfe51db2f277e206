//! Batches with tasks, as the task room uses them.

use std::sync::Arc;

use super::super::{Batch, BatchKey, BatchSpec, Client, Collected, Reason, State};
use crate::config::Config;
use crate::store::Kind;

fn open() -> Arc<Client> {
    Client::open(&Config::sized(16 << 20).unwrap()).unwrap()
}

fn start(c: &Client, parent: Option<BatchKey>) -> Arc<Batch> {
    let key = c.start_batch(BatchSpec { parent, ..BatchSpec::default() }, "test").unwrap();
    c.engine().unwrap().find(key).unwrap()
}

#[test]
fn c36_an_end_with_tasks_running_completes_after_the_last() {
    let c = open();
    let e = c.engine().unwrap();
    let b = start(&c, None);
    c.put(b.key(), Kind::Bytes, &&b"x"[..]).unwrap();
    b.begin_task(false).unwrap();
    let released = c.end_batch(b.key(), true, &[], Reason::Closed, "test").unwrap();
    assert_eq!(released, Collected::PENDING);
    assert_eq!(b.state(), State::Ended);
    b.begin_task(true).unwrap();
    e.end_task(&b);
    assert_eq!(c.batch_over(b.key()).unwrap(), None);
    e.end_task(&b);
    let released = Collected { objects: 1, bytes: 1, deferred: 0, pending: false };
    assert_eq!(c.batch_over(b.key()).unwrap(), Some(released));
    assert_eq!(b.state(), State::Collected);
}
