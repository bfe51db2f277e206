//! The queue of a subscriber.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::notify::{Event, EventKind};
use super::types::ObjectInfo;
use crate::id::ObjectId;

/// Events that wait in a subscriber's queue unless it asks for another capacity: 3 MiB.
pub const SUBSCRIPTION_QUEUE: usize = 1 << 16;
/// Bytes of an event that waits.
const EVENT_BYTES: usize = 48;
const _: () = assert!(size_of::<Event>() <= EVENT_BYTES);

/// A subscriber's queue. When it is full the oldest event is dropped, and the next one taken says how many were.
pub struct Subscription {
    token: u64,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

struct Queue {
    events: VecDeque<Event>,
    /// the most events that wait
    capacity: usize,
    /// events dropped since the last one was taken
    dropped: u64,
    /// events dropped in all
    dropped_in_all: u64,
    /// Objects reported as existing, until their next event: their own sealing, if it is posted late, is left out. No more than
    /// `capacity`.
    known: Option<HashSet<ObjectId>>,
    open: bool,
}

impl Queue {
    fn new(capacity: usize) -> Queue {
        Queue {
            events: VecDeque::new(),
            capacity: capacity.max(1),
            dropped: 0,
            dropped_in_all: 0,
            known: None,
            open: true,
        }
    }

    /// Notes events that are not in the queue any more, or never were.
    fn drop_events(&mut self, count: usize) {
        self.dropped += count as u64;
        self.dropped_in_all += count as u64;
    }

    fn push(&mut self, event: Event) {
        if self.events.len() >= self.capacity {
            self.events.pop_front();
            self.drop_events(1);
        }
        self.events.push_back(event);
    }

    fn pop(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.dropped) {
            0 => self.events.pop_front(),
            dropped => Some(Event::lagged(dropped)),
        }
    }

    /// Puts the objects that exist before what came since they were listed. `sealed` are listed in order; those for which there
    /// is no room are dropped.
    fn begin_with(&mut self, sealed: &[&ObjectInfo]) {
        let mut known: HashSet<_> = sealed.iter().map(|o| o.id).collect();
        // What was listed is told as that; its own sealing, if it came first, is left out. What went meanwhile, and
        // perhaps came again, is told in full from there on.
        self.events.retain(|e| match e.kind {
            EventKind::Sealed => !known.contains(&e.id),
            EventKind::Deleted | EventKind::Evicted => {
                known.remove(&e.id);
                true
            }
            _ => true,
        });
        let excess = sealed.len().saturating_sub(self.capacity.saturating_sub(self.events.len()));
        let (dropped, kept) = sealed.split_at(excess);
        self.drop_events(dropped.len());
        for object in dropped {
            known.remove(&object.id);
        }
        for object in kept.iter().rev() {
            self.events.push_front(Event::object(EventKind::Sealed, object.id, object.size, object.metadata));
        }
        known.shrink_to_fit();
        self.known = Some(known);
    }
}

impl Subscription {
    pub(super) fn new(token: u64, capacity: usize) -> Subscription {
        Subscription { token, queue: Mutex::new(Queue::new(capacity)), arrived: Condvar::new() }
    }

    /// What is woken when it becomes non-empty.
    pub(super) fn token(&self) -> u64 {
        self.token
    }

    /// Puts the objects that exist before what came since they were listed. True if events wait.
    pub(super) fn begin_with(&self, sealed: &[&ObjectInfo]) -> bool {
        let mut queue = self.queue.lock();
        queue.begin_with(sealed);
        !queue.events.is_empty()
    }

    /// Takes up to `max` events that wait; `None` when the subscription is over and all were taken.
    pub fn poll(&self, max: usize) -> Option<Vec<Event>> {
        let mut queue = self.queue.lock();
        if queue.events.is_empty() && !queue.open {
            return None;
        }
        let mut taken = Vec::with_capacity(max.min(queue.events.len() + 1));
        while taken.len() < max
            && let Some(event) = queue.pop()
        {
            taken.push(event);
        }
        Some(taken)
    }

    /// Waits for one event; `None` after `timeout`, or when it is over.
    pub fn next(&self, timeout: Duration) -> Option<Event> {
        let deadline = Instant::now() + timeout;
        let mut queue = self.queue.lock();
        loop {
            if let Some(event) = queue.pop() {
                return Some(event);
            }
            if !queue.open || self.arrived.wait_until(&mut queue, deadline).timed_out() {
                return queue.pop();
            }
        }
    }

    /// How many events wait, and how many were dropped in all.
    #[must_use]
    pub fn lag(&self) -> (u64, u64) {
        let queue = self.queue.lock();
        (queue.events.len() as u64, queue.dropped_in_all)
    }

    /// Ends it; what waits can still be taken.
    pub fn close(&self) {
        self.queue.lock().open = false;
        self.arrived.notify_all();
    }

    /// True if it became non-empty.
    pub(super) fn push(&self, event: Event) -> bool {
        let mut queue = self.queue.lock();
        if !queue.open {
            return false;
        }
        let told = queue.known.as_mut().is_some_and(|known| known.remove(&event.id));
        if told && event.kind == EventKind::Sealed {
            return false;
        }
        let first = queue.events.is_empty();
        queue.push(event);
        drop(queue);
        self.arrived.notify_one();
        first
    }
}
