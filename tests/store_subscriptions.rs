//! The queue of a subscriber is bounded: it drops its oldest events, and says how many.

#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Event, EventKind, Eviction, Kind, NoFaults, ObjectInfo, ObjectState, SUBSCRIPTION_QUEUE, Store, StoreConfig,
    Subscription, TaskLog,
};

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

fn open(capacity: u64) -> Arc<Store> {
    let config = StoreConfig {
        name: "test".into(),
        capacity,
        path: None,
        warm_reserve: capacity,
        pre_touch: false,
        eviction: Eviction::Batch,
    };
    Store::open_with(&config, Arc::new(NoLog), Arc::new(NoFaults)).unwrap()
}

fn id(n: u64) -> ObjectId {
    ObjectId::new(BatchId(7), n, 0)
}

fn sealed(n: u64) -> Event {
    Event::object(EventKind::Sealed, id(n), n, 0)
}

/// Kinds and sizes of all that waits.
fn told(subscription: &Subscription) -> Vec<(EventKind, u64)> {
    subscription.poll(usize::MAX).unwrap().iter().map(|e| (e.kind, e.size)).collect()
}

#[test]
fn a_full_queue_drops_its_oldest_events_and_begins_with_how_many() {
    let store = open(4 << 20);
    let subscription = store.notifier().subscribe_with(1, 3, Vec::new);
    (0..8).for_each(|n| store.notifier().emit(sealed(n)));
    assert_eq!(subscription.lag(), (3, 5));
    let expected = [(EventKind::Lagged, 5), (EventKind::Sealed, 5), (EventKind::Sealed, 6), (EventKind::Sealed, 7)];
    assert_eq!(told(&subscription), expected);
    store.notifier().emit(sealed(8));
    assert_eq!(told(&subscription), [(EventKind::Sealed, 8)], "what was dropped is told once");
    assert_eq!(subscription.lag(), (0, 5));
    (0..4).for_each(|n| store.notifier().emit(sealed(n)));
    assert_eq!(subscription.poll(1).unwrap()[0].size, 1, "one dropped since");
    assert_eq!(subscription.next(Duration::ZERO).unwrap(), sealed(1));
    assert_eq!(subscription.poll(0).unwrap(), []);
    store.notifier().unsubscribe(&subscription);
    assert_eq!(told(&subscription), [(EventKind::Sealed, 2), (EventKind::Sealed, 3)]);
    assert_eq!(subscription.poll(1), None);
}

#[test]
fn the_last_event_is_kept_however_full_the_queue_is() {
    let store = open(4 << 20);
    let subscription = store.notifier().subscribe_with(1, 0, Vec::new);
    (0..4).for_each(|n| store.notifier().emit(sealed(n)));
    store.notifier().emit(Event::batch(EventKind::StoreClosed, BatchId::NORMAL));
    assert_eq!(told(&subscription), [(EventKind::Lagged, 4), (EventKind::StoreClosed, 0)], "at least one waits");
}

#[test]
fn existing_objects_that_find_no_room_are_dropped_and_their_late_sealing_is_told() {
    let store = open(4 << 20);
    let subscription = store.notifier().subscribe_with(1, 4, || {
        // another thread, while the list is made: one of the listed is sealed, another one is not listed
        store.notifier().emit(sealed(5));
        store.notifier().emit(sealed(6));
        (0..6).map(listed).collect()
    });
    // posted late: 1 was dropped, so it was not told; 4 was
    store.notifier().emit(sealed(1));
    store.notifier().emit(sealed(4));
    let all = told(&subscription);
    assert_eq!(all[0], (EventKind::Lagged, 4), "three objects, and one more for the late sealing");
    assert_eq!(all[1..].iter().map(|(_, n)| *n).collect::<Vec<_>>(), [4, 5, 6, 1]);
    assert_eq!(SUBSCRIPTION_QUEUE, 65_536, "as documented");
}

fn listed(n: u64) -> ObjectInfo {
    let (created_ms, accessed_ms, owner) = (0, 0, BatchId(7));
    let state = ObjectState::Sealed;
    ObjectInfo {
        id: id(n),
        size: n,
        metadata: 0,
        state,
        references: 0,
        created_ms,
        accessed_ms,
        kind: Kind::Bytes,
        owner,
    }
}
