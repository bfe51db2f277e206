//! How short memory is, and who waits for some: what the thread that spills sleeps on.
//!
//! Nobody who needs memory blocks here. A put that finds none leaves a token, waits elsewhere, and is woken when some
//! was made, or when there is none to be made. The lock is a leaf; nothing is called with it held.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Percent of the arena that may be lent before memory is short, where nothing else is said.
pub(crate) const HIGH_WATER: u8 = 80;

/// See the module.
pub struct Pressure {
    /// Bytes lent beyond which memory is short.
    high: u64,
    /// Bytes lent up to which it is not short any more.
    low: u64,
    raised: AtomicBool,
    /// rounds begun
    round: AtomicU64,
    /// rounds that made no room
    fruitless: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// who waits for room
    tokens: Vec<u64>,
    /// somebody came to wait since the last round began
    asked: bool,
    stopped: bool,
}

impl Pressure {
    pub(crate) fn new(capacity: u64, high_percent: u8) -> Self {
        /// How far below the high-water mark a round goes, in percent of the arena.
        const SPAN: u8 = 10;
        let percent = high_percent.clamp(1, 100);
        Pressure {
            high: mark(capacity, percent),
            low: mark(capacity, percent.saturating_sub(SPAN)),
            raised: AtomicBool::new(false),
            round: AtomicU64::new(1),
            fruitless: AtomicU64::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Told of each loan: so many bytes are lent now.
    #[inline]
    pub(crate) fn lent(&self, used: u64) {
        if used > self.high && !self.raised.load(Ordering::Relaxed) {
            self.raise();
        }
    }

    /// Memory is short.
    #[cold]
    pub(crate) fn raise(&self) {
        // under the lock, so that a sleeper sees it or hears of it
        let _state = self.state.lock();
        self.raised.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Bytes lent beyond which memory is short.
    pub(crate) fn high(&self) -> u64 {
        self.high
    }

    /// The number of the round: what is used now is used in this one.
    pub(crate) fn round(&self) -> u64 {
        self.round.load(Ordering::Relaxed)
    }

    /// Bytes lent up to which objects are taken back from files.
    pub(crate) fn low(&self) -> u64 {
        self.low
    }

    /// So many of the bytes lent are too many.
    #[must_use]
    pub fn excess(&self, used: u64) -> u64 {
        used.saturating_sub(self.low)
    }

    /// True when so many bytes lent are more than there should be after a round.
    #[must_use]
    pub fn is_short(&self, used: u64) -> bool {
        used > self.low
    }

    /// Leaves a token, to be woken when room was made or none can be. Try again after this, and before waiting. The
    /// figure returned is another one later if rounds were made in vain meanwhile.
    pub fn ask(&self, token: u64) -> u64 {
        let mut state = self.state.lock();
        if !state.tokens.contains(&token) {
            state.tokens.push(token);
        }
        state.asked = true;
        self.changed.notify_all();
        self.fruitless.load(Ordering::Relaxed)
    }

    /// Forgets a token.
    pub fn forget(&self, token: u64) {
        self.state.lock().tokens.retain(|&t| t != token);
    }

    /// True while somebody waits.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        !self.state.lock().tokens.is_empty()
    }

    /// Takes those who wait, to be woken.
    #[must_use]
    pub fn take_waiting(&self) -> Vec<u64> {
        std::mem::take(&mut self.state.lock().tokens)
    }

    /// A round made no room, though some was wanted: those who wait are told with the next look.
    pub fn was_fruitless(&self) {
        self.fruitless.fetch_add(1, Ordering::Relaxed);
    }

    /// Sleeps until there is something to do. After a round that was `fruitless`, only who asks, or a pause, ends the
    /// sleep. False when the store closes.
    pub fn sleep(&self, fruitless: bool) -> bool {
        const PAUSE: Duration = Duration::from_millis(50);
        let mut state = self.state.lock();
        if fruitless && !state.asked && !state.stopped {
            self.changed.wait_for(&mut state, PAUSE);
        }
        while !state.stopped && !state.asked && !self.raised.load(Ordering::Relaxed) {
            self.changed.wait(&mut state);
        }
        state.asked = false;
        self.raised.store(false, Ordering::Relaxed);
        self.round.fetch_add(1, Ordering::Relaxed);
        !state.stopped
    }

    /// Ends all sleep.
    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// So many percent of the arena.
pub(crate) fn mark(capacity: u64, percent: u8) -> u64 {
    (u128::from(capacity) * u128::from(percent) / 100) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_above_the_high_water_mark_and_short_above_the_low_one() {
        let pressure = Pressure::new(1000, 80);
        pressure.lent(800);
        assert!(!pressure.raised.load(Ordering::Relaxed));
        pressure.lent(801);
        assert!(pressure.raised.load(Ordering::Relaxed) && pressure.sleep(false));
        assert!(pressure.is_short(701) && !pressure.is_short(700));
        assert!(!pressure.raised.load(Ordering::Relaxed), "the round has begun");
    }

    #[test]
    fn who_asks_is_remembered_once_and_can_be_forgotten() {
        let pressure = Pressure::new(1000, 80);
        let before = pressure.ask(1);
        pressure.ask(1);
        pressure.ask(2);
        pressure.forget(2);
        assert!(pressure.sleep(true) && pressure.is_asked());
        pressure.was_fruitless();
        assert_eq!((pressure.take_waiting(), pressure.is_asked()), (vec![1], false));
        assert_ne!(pressure.ask(1), before);
        pressure.stop();
        assert!(!pressure.sleep(false));
    }
}
