//! Who waits for an object, and who listens to all of them.
//!
//! Nobody blocks here. A waiter leaves a token and is woken once through the waker; a subscriber has a queue ([`super::subscription`]). Events
//! are *posted* wherever they arise, locks held or not, and *flushed* to the waker when no lock is held.
//!
//! A waiter that registers and then looks again misses nothing: it fences after registering, the sealer between sealing
//! and looking for waiters ([`Notifier::post`] is called after the entry is stored). A put into a lease, which may be the
//! JVM's own, has no such fence: see [`Notifier::are_puts_awaited`]. It need not care for those who wait for what no such put
//! makes, the results of tasks first of all, for whom there is always somebody who waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use super::arena::Arena;
use super::claims::Claims;
use super::journal::Journal;
use super::layout::AWAITED;
use super::subscription::{SUBSCRIPTION_QUEUE, Subscription};
use super::types::{ObjectInfo, ObjectState};
use crate::id::{BatchId, ObjectId};

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EventKind {
    /// An object was sealed.
    Sealed = 1,
    /// An object was deleted, or its bytes freed.
    Deleted = 2,
    /// An object was evicted.
    Evicted = 3,
    /// A batch was ended.
    BatchEnded = 4,
    /// A batch was collected, and all it owned with it: one event, however many objects.
    BatchCollected = 5,
    /// The store closed; the last event.
    StoreClosed = 6,
    /// Events were dropped, as many as `size` says, as the queue was full: they came before the next event.
    Lagged = 7,
}

/// One event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object; for a batch's event its batch, task and index 0.
    pub id: ObjectId,
    /// Bytes of data.
    pub size: u64,
    /// Bytes of metadata.
    pub metadata: u64,
}

impl Event {
    /// An object's event.
    #[must_use]
    pub fn object(kind: EventKind, id: ObjectId, size: u64, metadata: u64) -> Self {
        Event { kind, id, size, metadata }
    }

    pub(super) fn lagged(dropped: u64) -> Self {
        Event { kind: EventKind::Lagged, id: ObjectId::new(BatchId::NORMAL, 0, 0), size: dropped, metadata: 0 }
    }

    /// A batch's event.
    #[must_use]
    pub fn batch(kind: EventKind, batch: BatchId) -> Self {
        Event { kind, id: ObjectId::new(batch, 0, 0), size: 0, metadata: 0 }
    }
}

type Waker = Box<dyn Fn(u64) + Send + Sync>;

/// See the module.
pub struct Notifier {
    /// Its superblock says how many tokens wait for what a put may make, and subscriptions listen: 0 has the JVM put by
    /// itself.
    arena: Arc<Arena>,
    /// tokens that wait, and subscriptions: 0 lets every post return at once
    interested: AtomicU64,
    waker: OnceLock<Waker>,
    waiters: Mutex<Waiters>,
    subscriptions: RwLock<Vec<Arc<Subscription>>>,
    due: Mutex<Vec<u64>>,
    any_due: AtomicBool,
    journal: Arc<Journal>,
    claims: Claims,
}

#[derive(Default)]
struct Waiters {
    /// object → tokens that wait for it
    by_object: HashMap<ObjectId, Vec<u64>>,
    /// token → objects it waits for, and whether a put may make one of them
    by_token: HashMap<u64, (Vec<ObjectId>, bool)>,
}

impl Waiters {
    /// Returns whether it waited for what a put may make; `None` if it did not wait.
    fn remove(&mut self, token: u64) -> Option<bool> {
        let (ids, puts) = self.by_token.remove(&token)?;
        for id in ids {
            if let Some(tokens) = self.by_object.get_mut(&id) {
                tokens.retain(|&t| t != token);
                if tokens.is_empty() {
                    self.by_object.remove(&id);
                }
            }
        }
        Some(puts)
    }
}

impl Notifier {
    pub(crate) fn new(arena: &Arc<Arena>) -> Self {
        Notifier {
            arena: Arc::clone(arena),
            interested: AtomicU64::new(0),
            waker: OnceLock::new(),
            waiters: Mutex::default(),
            subscriptions: RwLock::default(),
            due: Mutex::default(),
            any_due: AtomicBool::new(false),
            journal: Arc::default(),
            claims: Claims::default(),
        }
    }

    /// What waiters are to receive although its batch is collected.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// For whoever records what happens, without waiting or listening.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// One more is interested, in puts as well or not.
    fn count(&self, puts: bool) {
        if puts {
            self.arena.word(AWAITED).fetch_add(1, Ordering::SeqCst);
        }
        self.interested.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// So many are not any more.
    fn uncount(&self, many: u64, puts: bool) {
        if puts {
            self.arena.word(AWAITED).fetch_sub(many, Ordering::SeqCst);
        }
        self.interested.fetch_sub(many, Ordering::SeqCst);
    }

    /// Takes a token out.
    fn take(&self, waiters: &mut Waiters, token: u64) -> bool {
        let removed = waiters.remove(token);
        if let Some(puts) = removed {
            self.uncount(1, puts);
        }
        removed.is_some()
    }

    /// Sets what wakes a token, once; called with no lock held, from any thread. Later calls change nothing.
    pub fn set_waker(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    /// Has `token` woken, once, when one of the objects is sealed or can never be. Go through the leases in which they may be
    /// put after this, and look for the objects then.
    pub fn watch(&self, ids: &[ObjectId], token: u64) {
        self.register(ids, token, true);
    }

    /// As [`Notifier::watch`], for objects that no put into a lease makes: those in reserved slots, and of normal mode. Whoever
    /// seals them fences and tells, so puts need not.
    pub fn watch_placed(&self, ids: &[ObjectId], token: u64) {
        self.register(ids, token, false);
    }

    fn register(&self, ids: &[ObjectId], token: u64, puts: bool) {
        let mut waiters = self.waiters.lock();
        self.take(&mut waiters, token);
        for id in ids {
            waiters.by_object.entry(*id).or_default().push(token);
        }
        waiters.by_token.insert(token, (ids.to_vec(), puts));
        self.count(puts);
    }

    /// Forgets a token.
    pub fn unwatch(&self, token: u64) {
        let mut waiters = self.waiters.lock();
        self.take(&mut waiters, token);
    }

    /// As [`Notifier::subscribe_with`], with a queue of [`SUBSCRIPTION_QUEUE`] events.
    pub fn subscribe(&self, token: u64, existing: impl FnOnce() -> Vec<ObjectInfo>) -> Arc<Subscription> {
        self.subscribe_with(token, SUBSCRIPTION_QUEUE, existing)
    }

    /// Starts a subscription whose queue holds `capacity` events, at least one. `existing` is called once events are being queued:
    /// its objects come first, and none is missed or reported twice, as long as no event is dropped.
    pub fn subscribe_with(
        &self,
        token: u64,
        capacity: usize,
        existing: impl FnOnce() -> Vec<ObjectInfo>,
    ) -> Arc<Subscription> {
        let subscription = Arc::new(Subscription::new(token, capacity));
        self.subscriptions.write().push(Arc::clone(&subscription));
        self.count(true);
        let existing = existing();
        let sealed: Vec<_> = existing.iter().filter(|o| o.state == ObjectState::Sealed).collect();
        if subscription.begin_with(&sealed) {
            self.wake_later(token);
        }
        self.flush();
        subscription
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, subscription: &Arc<Subscription>) {
        let mut all = self.subscriptions.write();
        let before = all.len();
        all.retain(|s| !Arc::ptr_eq(s, subscription));
        self.uncount((before - all.len()) as u64, true);
        drop(all);
        subscription.close();
        self.wake_later(subscription.token());
        self.flush();
    }

    /// True when somebody waits or listens.
    pub(crate) fn is_awaited(&self) -> bool {
        self.interested.load(Ordering::Relaxed) > 0
    }

    /// True when somebody waits for what a put may make, or listens. A put asks while it is in a lease; who comes to wait or
    /// listen goes through the leases once before they look ([`super::Region::synchronize`]), so that each put either is seen
    /// or sees them.
    pub(crate) fn are_puts_awaited(&self) -> bool {
        self.arena.word(AWAITED).load(Ordering::Relaxed) > 0
    }

    /// Queues an event; `flush` follows when no lock is held.
    pub(crate) fn post(&self, event: Event) {
        fence(Ordering::SeqCst);
        if !self.is_awaited() {
            return;
        }
        for subscription in self.subscriptions.read().iter() {
            if subscription.push(event) {
                self.wake_later(subscription.token());
            }
        }
        self.wake_for(&event.id);
    }

    /// As `post`, of an object that can never be, and of which no event tells.
    pub(crate) fn post_gone(&self, id: &ObjectId) {
        fence(Ordering::SeqCst);
        if self.is_awaited() {
            self.wake_for(id);
        }
    }

    fn wake_for(&self, id: &ObjectId) {
        let mut waiters = self.waiters.lock();
        if let Some(tokens) = waiters.by_object.get(id).cloned() {
            for token in tokens {
                if self.take(&mut waiters, token) {
                    self.wake_later(token);
                }
            }
        }
    }

    /// Posts and flushes: for callers that hold no lock.
    pub fn emit(&self, event: Event) {
        self.post(event);
        self.flush();
    }

    /// Wakes all who wait for an object of this batch.
    pub fn wake_batch(&self, batch: BatchId) {
        self.wake_where(|id| id.batch == batch);
    }

    /// Wakes all who wait.
    pub fn wake_all(&self) {
        self.wake_where(|_| true);
    }

    fn wake_where(&self, matches: impl Fn(&ObjectId) -> bool) {
        fence(Ordering::SeqCst);
        if !self.is_awaited() {
            return;
        }
        let mut waiters = self.waiters.lock();
        let tokens: Vec<u64> =
            waiters.by_token.iter().filter(|(_, (ids, _))| ids.iter().any(&matches)).map(|(&token, _)| token).collect();
        for token in tokens {
            self.take(&mut waiters, token);
            self.wake_later(token);
        }
        drop(waiters);
        self.flush();
    }

    /// Wakes those who do not wait for an object, but for room.
    pub fn wake(&self, tokens: Vec<u64>) {
        tokens.into_iter().for_each(|token| self.wake_later(token));
        self.flush();
    }

    fn wake_later(&self, token: u64) {
        self.due.lock().push(token);
        self.any_due.store(true, Ordering::Release);
    }

    /// Calls the waker for all that is due. Hold no lock.
    pub(crate) fn flush(&self) {
        if !self.any_due.load(Ordering::Acquire) {
            return;
        }
        let due = {
            let mut due = self.due.lock();
            self.any_due.store(false, Ordering::Release);
            std::mem::take(&mut *due)
        };
        if let Some(waker) = self.waker.get() {
            for token in due {
                waker(token);
            }
        }
    }
}
