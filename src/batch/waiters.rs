//! What getters and stages that wait for an object receive when its batch is collected: see [`Claims`].

use std::sync::Arc;

use super::client::Client;
use super::engine::Engine;
use super::tree::Batch;
use crate::error::Result;
use crate::id::ObjectId;
use crate::store::{Claims, Kind, Sink};

impl Engine {
    pub(super) fn claims(&self) -> &Claims {
        self.store.notifier().claims()
    }

    /// Pins the claimed objects that a batch is about to release: those it made, and those it `adopted`. Waiters of a batch
    /// that timed out or was cancelled receive its end instead.
    pub(super) fn pin_claimed<'a>(&self, batch: &Batch, adopted: impl Iterator<Item = &'a ObjectId>) {
        if batch.end().is_some_and(|end| end.reason.cancels()) {
            return;
        }
        for id in self.claims().about_to_go(batch.id(), adopted) {
            self.pin_for_claims(&id);
        }
    }

    /// Pins a sealed object for those who claim it.
    pub(super) fn pin_for_claims(&self, id: &ObjectId) {
        match self.pin(id) {
            Ok(Some(pin)) => self.claims().attach(pin),
            // it is not sealed, and never will be; or it was deleted: the waiter finds out why
            Ok(None) => {}
            Err(e) => log::debug!("object {id} is not kept for those who wait for it: {e}"),
        }
    }
}

impl Client {
    /// Has the values of objects kept for `token` when their batches are collected before they are read: the batch
    /// *drains* until [`unclaim`](Client::unclaim). Look for the objects after this.
    ///
    /// # Errors
    /// `Closed`.
    pub fn claim(&self, ids: &[ObjectId], token: u64) -> Result<()> {
        self.engine()?.claims().claim(self.number, token, ids);
        // a close that released all claims before this one was there is seen here
        self.check_open().inspect_err(|_| {
            self.engine.claims().release(token, None);
        })
    }

    /// Ends claims of a token on these objects, or on all that it has.
    pub fn unclaim(&self, ids: Option<&[ObjectId]>, token: u64) {
        if self.engine.claims().release(token, ids) {
            self.engine.view_released();
        }
    }

    /// Copies an object out that was released since `token` claimed it. `None` when it was not kept for the token.
    ///
    /// # Errors
    /// `Closed`; what the sink says.
    pub fn get_claimed(&self, token: u64, id: &ObjectId, sink: &mut dyn Sink) -> Result<Option<Kind>> {
        let Some(pin) = self.engine()?.claims().pin(token, id) else { return Ok(None) };
        let kind = pin.kind();
        let copied = sink.prepare(kind, pin.data().len()).and_then(|()| sink.copy_from(&pin.data()));
        // the last to release it may be this one
        if Arc::into_inner(pin).is_some() {
            self.engine.view_released();
        }
        copied?;
        self.check_open().inspect_err(|_| sink.discard())?;
        Ok(Some(kind))
    }
}

#[cfg(test)]
mod tests;
