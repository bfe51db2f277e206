//! What the tests of batches share.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use raybatch::batch::{BatchKey, BatchSpec, BatchStatus, Client, Collected, Reason, State};
use raybatch::config::Config;
use raybatch::error::{Error, ErrorCode};
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{Kind, Slot};

/// Options as they come from outside.
pub(crate) fn config(pairs: &[(&str, &str)]) -> Config {
    let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Config::from_pairs(&pairs).expect("valid options")
}

/// A store of 16 MiB.
pub(crate) fn open() -> Arc<Client> {
    open_with(&[])
}

/// A store of 16 MiB, with further options.
pub(crate) fn open_with(more: &[(&str, &str)]) -> Arc<Client> {
    let mut pairs = more.to_vec();
    if !pairs.iter().any(|(key, _)| *key == "store.size") {
        pairs.push(("store.size", "16777216"));
    }
    Client::open(&config(&pairs)).expect("opens")
}

/// Short calls for tests.
pub(crate) trait Calls {
    fn start(&self) -> BatchKey;
    fn start_id(&self, id: i64) -> BatchKey;
    fn start_in(&self, parent: BatchKey) -> BatchKey;
    fn put_bytes(&self, key: BatchKey, bytes: &[u8]) -> ObjectId;
    fn try_put(&self, key: BatchKey, bytes: &[u8]) -> Result<ObjectId, Error>;
    fn bytes(&self, id: &ObjectId) -> Result<Option<Vec<u8>>, Error>;
    fn end(&self, key: BatchKey) -> Collected;
    fn end_keeping(&self, key: BatchKey, keep: &[ObjectId]) -> Collected;
    fn code_of(&self, id: &ObjectId) -> ErrorCode;
    fn state(&self, key: BatchKey) -> State;
    fn seen(&self, key: BatchKey) -> BatchStatus;
    fn assert_has(&self, id: &ObjectId, bytes: &[u8]);
    fn id_of(&self, key: BatchKey, slot: Slot) -> ObjectId;
}

impl Calls for Client {
    fn start(&self) -> BatchKey {
        self.start_batch(BatchSpec::default(), "test").expect("starts")
    }

    fn start_id(&self, id: i64) -> BatchKey {
        self.start_batch(BatchSpec { id: Some(BatchId(id)), ..BatchSpec::default() }, "test").expect("starts")
    }

    fn start_in(&self, parent: BatchKey) -> BatchKey {
        self.start_batch(BatchSpec { parent: Some(parent), ..BatchSpec::default() }, "test").expect("starts")
    }

    fn put_bytes(&self, key: BatchKey, bytes: &[u8]) -> ObjectId {
        self.try_put(key, bytes).expect("put")
    }

    fn try_put(&self, key: BatchKey, bytes: &[u8]) -> Result<ObjectId, Error> {
        let slot = self.put(key, Kind::Bytes, &bytes)?;
        Ok(self.id_of(key, slot))
    }

    fn bytes(&self, id: &ObjectId) -> Result<Option<Vec<u8>>, Error> {
        let mut out = Vec::new();
        Ok(self.get(id, &mut out)?.map(|_| out))
    }

    /// Ends and collects.
    fn end(&self, key: BatchKey) -> Collected {
        self.end_keeping(key, &[])
    }

    fn end_keeping(&self, key: BatchKey, keep: &[ObjectId]) -> Collected {
        self.end_batch(key, true, keep, Reason::Closed, "test").expect("ends")
    }

    fn code_of(&self, id: &ObjectId) -> ErrorCode {
        self.bytes(id).expect_err("gone").code()
    }

    fn state(&self, key: BatchKey) -> State {
        self.seen(key).state
    }

    fn seen(&self, key: BatchKey) -> BatchStatus {
        self.status(key).expect("known")
    }

    fn assert_has(&self, id: &ObjectId, bytes: &[u8]) {
        assert_eq!(self.bytes(id).expect("there"), Some(bytes.to_vec()));
    }

    fn id_of(&self, key: BatchKey, slot: Slot) -> ObjectId {
        let base = match (key.id.is_normal(), key.life) {
            (true, _) => self.normal_base(),
            (false, 0) => self.seen(key).key.life,
            (false, life) => life,
        };
        ObjectId::from_slot(key.id, base, slot.slot, slot.index)
    }
}

/// Waits for what another thread will do.
pub(crate) fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}
