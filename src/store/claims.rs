//! Claims: a getter or a stage that waits for an object is to receive its value, although the object's batch is collected
//! right after the object was sealed.
//!
//! A claim costs nothing until the object is about to be released. The collector then takes one pin for each claimed
//! object and attaches it here; the waiter reads through it and releases the claim, and with it the pin. In normal mode a
//! claimed object is not evicted. A claim is known by a token, as a watch of the notifier is, and belongs to a client: when
//! that closes, its claims are released.
//!
//! The protocol is that of the notifier: a waiter claims, fences, and then looks for the object; a collector fences and then
//! looks for claims. So a waiter that still found the object unsealed is seen by every collection after the sealing.
//!
//! Lock order: after the side table's. Pins are dropped with the lock released, for that takes locks of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use parking_lot::Mutex;

use super::pin::Pin;
use crate::id::{BatchId, ObjectId};

/// See the module.
#[derive(Default)]
pub struct Claims {
    /// Pairs of token and object: with 0, collection and eviction pass by.
    count: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// which tokens claim an object
    by_object: BTreeSet<(ObjectId, u64)>,
    /// what a token claims
    by_token: BTreeMap<(u64, ObjectId), Claim>,
}

struct Claim {
    client: u64,
    /// once the object was about to be released
    pin: Option<Arc<Pin>>,
}

impl State {
    fn is_claimed(&self, id: &ObjectId) -> bool {
        self.by_object.range((*id, 0)..=(*id, u64::MAX)).next().is_some()
    }

    fn remove(&mut self, token: u64, id: ObjectId) -> Option<Claim> {
        let claim = self.by_token.remove(&(token, id))?;
        self.by_object.remove(&(id, token));
        Some(claim)
    }

    fn of_token(&self, token: u64) -> Vec<ObjectId> {
        self.by_token.range((token, FIRST)..=(token, LAST)).map(|((_, id), _)| *id).collect()
    }
}

const FIRST: ObjectId = ObjectId::new(BatchId(i64::MIN), 0, 0);
const LAST: ObjectId = ObjectId::new(BatchId(i64::MAX), u64::MAX, u32::MAX);

impl Claims {
    /// Claims objects for a token of a client. Look for them after this.
    pub fn claim(&self, client: u64, token: u64, ids: &[ObjectId]) {
        let mut state = self.state.lock();
        let mut added = 0;
        for id in ids {
            if state.by_object.insert((*id, token)) {
                state.by_token.insert((token, *id), Claim { client, pin: None });
                added += 1;
            }
        }
        self.count.fetch_add(added, Ordering::SeqCst);
        drop(state);
        fence(Ordering::SeqCst);
    }

    /// Releases claims of a token on these objects (`None`: on all) with the pins taken for them. True if there was a pin.
    pub fn release(&self, token: u64, ids: Option<&[ObjectId]>) -> bool {
        let mut state = self.state.lock();
        let all;
        let ids = match ids {
            Some(ids) => ids,
            None => {
                all = state.of_token(token);
                &all
            }
        };
        let released: Vec<Claim> = ids.iter().filter_map(|id| state.remove(token, *id)).collect();
        self.count.fetch_sub(released.len() as u64, Ordering::SeqCst);
        drop(state);
        released.iter().any(|claim| claim.pin.is_some())
    }

    /// Releases all claims of a client (`None`: of all clients). True if there were pins among them.
    pub fn release_client(&self, client: Option<u64>) -> bool {
        let mut state = self.state.lock();
        let of_client = |claim: &Claim| client.is_none_or(|client| claim.client == client);
        let gone: Vec<_> = state.by_token.iter().filter(|(_, claim)| of_client(claim)).map(|(key, _)| *key).collect();
        let released: Vec<Claim> = gone.into_iter().filter_map(|(token, id)| state.remove(token, id)).collect();
        self.count.fetch_sub(released.len() as u64, Ordering::SeqCst);
        drop(state);
        released.iter().any(|claim| claim.pin.is_some())
    }

    /// The pin that was taken of an object for a token.
    #[must_use]
    pub fn pin(&self, token: u64, id: &ObjectId) -> Option<Arc<Pin>> {
        self.state.lock().by_token.get(&(token, *id))?.pin.clone()
    }

    /// True when nothing is claimed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// True for an object that a waiter claims.
    #[must_use]
    pub fn has(&self, id: &ObjectId) -> bool {
        !self.is_empty() && self.state.lock().is_claimed(id)
    }

    /// The claimed objects among those of a batch and some others, for a collector that is about to release them.
    pub(crate) fn about_to_go<'a>(&self, batch: BatchId, others: impl Iterator<Item = &'a ObjectId>) -> Vec<ObjectId> {
        fence(Ordering::SeqCst);
        if self.is_empty() {
            return Vec::new();
        }
        let state = self.state.lock();
        let first = ObjectId::new(batch, 0, 0);
        let last = ObjectId::new(batch, u64::MAX, u32::MAX);
        let mut ids: Vec<_> = state.by_object.range((first, 0)..=(last, u64::MAX)).map(|(id, _)| *id).collect();
        ids.dedup();
        ids.extend(others.filter(|id| id.batch != batch && state.is_claimed(id)));
        ids
    }

    /// Attaches a pin for all who still claim the object.
    pub(crate) fn attach(&self, pin: Pin) {
        let id = pin.id();
        let pin = Arc::new(pin);
        let mut state = self.state.lock();
        let State { by_object, by_token } = &mut *state;
        for (_, token) in by_object.range((id, 0)..=(id, u64::MAX)) {
            if let Some(claim) = by_token.get_mut(&(*token, id)) {
                claim.pin.get_or_insert_with(|| Arc::clone(&pin));
            }
        }
        drop(state);
        drop(pin);
    }
}
