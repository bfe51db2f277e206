//! Ids and their byte layout.
//!
//! ```text
//!  byte  0        7 8        15 16    19
//!       +----------+-----------+--------+
//!       | BatchId  | task bits | index  |   ObjectId, 20 bytes, network byte order
//!       +----------+-----------+--------+
//!       |        TaskId        |
//! ```
//!
//! The layout is that of Ray's `id.h` with the highest 64 bits given to the batch. Golden vectors in
//! `tests/data/ids.txt` are read by the tests of both languages.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorCode, Result};

/// The set of objects and tasks of one request. 0 is normal mode, callers choose positive ids, the store negative ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[repr(transparent)]
pub struct BatchId(pub i64);

impl BatchId {
    /// Normal mode: no batch.
    pub const NORMAL: BatchId = BatchId(0);

    /// True for normal mode.
    #[must_use]
    pub fn is_normal(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 128 bits: the batch, then the task's own 64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct TaskId {
    /// The batch the task belongs to.
    pub batch: BatchId,
    /// The task's own bits: the batch's base plus the task's first slot, wrapping.
    pub task: u64,
}

/// 160 bits: the task, then the object's index among what the task made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ObjectId {
    /// The batch the object was made in; it stays when the object is kept by another.
    pub batch: BatchId,
    /// The own bits of the task that made it.
    pub task: u64,
    /// Which of the task's objects.
    pub index: u32,
}

impl ObjectId {
    /// Bytes of an id.
    pub const LEN: usize = 20;

    /// Puts an id together.
    #[must_use]
    pub const fn new(batch: BatchId, task: u64, index: u32) -> Self {
        ObjectId { batch, task, index }
    }

    /// The id of the object with this index in the block of slots that begins `index` slots before `slot`.
    #[must_use]
    pub const fn from_slot(batch: BatchId, base: u64, slot: u64, index: u32) -> Self {
        ObjectId { batch, task: base.wrapping_add(slot).wrapping_sub(index as u64), index }
    }

    /// The task that made the object.
    #[must_use]
    pub const fn task_id(&self) -> TaskId {
        TaskId { batch: self.batch, task: self.task }
    }

    /// The slot the id names in a life with this base. Any 64 bits can come out for an id of another life.
    #[must_use]
    pub const fn slot(&self, base: u64) -> u64 {
        self.task.wrapping_add(self.index as u64).wrapping_sub(base)
    }

    /// The 20 bytes, network order.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..8].copy_from_slice(&self.batch.0.to_be_bytes());
        out[8..16].copy_from_slice(&self.task.to_be_bytes());
        out[16..].copy_from_slice(&self.index.to_be_bytes());
        out
    }

    /// Reads 20 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let word = |at: usize| {
            let mut w = [0u8; 8];
            w.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(w)
        };
        ObjectId {
            batch: BatchId(word(0) as i64),
            task: word(8),
            index: u32::from_be_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]),
        }
    }

    /// Reads a list of ids laid end to end.
    ///
    /// # Errors
    /// `InvalidArgument` when the length is no multiple of 20.
    pub fn list_from_bytes(bytes: &[u8]) -> Result<Vec<Self>> {
        let (ids, rest) = bytes.as_chunks::<{ Self::LEN }>();
        if !rest.is_empty() {
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                format!("a list of object ids takes {} bytes each, but {} bytes were given", Self::LEN, bytes.len()),
            ));
        }
        Ok(ids.iter().map(Self::from_bytes).collect())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}{:08x}", self.batch.0 as u64, self.task, self.index)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

impl FromStr for ObjectId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::new(
                ErrorCode::InvalidArgument,
                format!("an object id is {} hex digits, not {text:?}", Self::LEN * 2),
            )
        };
        if text.len() != Self::LEN * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let part = |from: usize, to: usize| u64::from_str_radix(&text[from..to], 16).map_err(|_| bad());
        Ok(ObjectId { batch: BatchId(part(0, 16)? as i64), task: part(16, 32)?, index: part(32, 40)? as u32 })
    }
}
