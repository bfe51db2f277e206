//! The one error type: a stable code, a message that says what to do, and what it concerns.

use std::fmt;

use crate::id::{BatchId, ObjectId};

/// `Result` of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. The numbers are stable: Java maps each to an exception class.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
#[non_exhaustive]
pub enum ErrorCode {
    /// A defect of raybatch, such as a panic.
    Internal = 1,
    /// An argument that no state would make right.
    InvalidArgument = 2,
    /// The client or its store is closed, or the handle names none.
    Closed = 3,
    /// The store cannot be opened.
    StoreOpen = 4,
    /// There is no store of that name to connect to.
    StoreConnect = 5,
    /// No memory for the object.
    StoreFull = 6,
    /// The system refused an operation.
    Io = 7,
    /// An object's bytes cannot be read back from its spill file.
    SpillCorrupt = 8,
    /// No such batch, or it is forgotten.
    BatchNotFound = 10,
    /// A live batch has this id.
    BatchExists = 11,
    /// The batch is still open, or its tasks run.
    BatchActive = 12,
    /// The batch takes no new work.
    BatchEnded = 13,
    /// A limit of the batch, of one it is in, or of its group.
    BatchLimit = 14,
    /// No such group of batches.
    GroupNotFound = 15,
    /// A batch in the group is not collected, or a group is within it.
    GroupActive = 16,
    /// No such object.
    ObjectNotFound = 20,
    /// The id is taken.
    ObjectExists = 21,
    /// The object went with its batch.
    ObjectCollected = 22,
    /// The object's bytes are gone and nothing can make them again.
    ObjectLost = 23,
    /// The object is sealed, and immutable.
    ObjectSealed = 24,
    /// The object is not sealed yet.
    ObjectNotSealed = 25,
    /// Somebody holds the object.
    ObjectInUse = 26,
    /// The object belongs to another batch.
    NotOwner = 27,
    /// A position outside of the object or the array.
    OutOfBounds = 28,
    /// The actor is dead: killed for good, not fault tolerant, or gone with its batch.
    ActorDied = 30,
    /// The run of a task is not listened to any more: it was cancelled, or its thread was given up.
    TaskCancelled = 31,
    /// A batch cannot be rolled back.
    RollbackRefused = 32,
    /// A task would wait for what needs that task to go on.
    Deadlock = 33,
}

/// An error with what it concerns.
#[derive(Clone, Debug)]
pub struct Error {
    code: ErrorCode,
    message: String,
    batch: Option<BatchId>,
    object: Option<ObjectId>,
    facts: Vec<i64>,
}

impl Error {
    /// An error with its message, which names the thing, the limit and what to do.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Error { code, message: message.into(), batch: None, object: None, facts: Vec::new() }
    }

    /// Names the batch concerned.
    #[must_use]
    pub fn batch(mut self, batch: BatchId) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Names the object concerned, and its batch.
    #[must_use]
    pub fn object(mut self, object: ObjectId) -> Self {
        self.object = Some(object);
        self.batch.get_or_insert(object.batch);
        self
    }

    /// Adds figures that belong to the code: for `StoreFull` bytes needed, free, and in the largest free run; for
    /// `BatchLimit` the limit, what was used, what was asked for; for `BatchEnded`, `ObjectCollected` and `TaskCancelled` the
    /// number of the batch's `Reason`, where its end is the cause.
    #[must_use]
    pub fn facts(mut self, facts: impl Into<Vec<i64>>) -> Self {
        self.facts = facts.into();
        self
    }

    /// Adds to the message.
    #[must_use]
    pub fn context(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The batch concerned.
    #[must_use]
    pub fn batch_id(&self) -> Option<BatchId> {
        self.batch
    }

    /// The object concerned.
    #[must_use]
    pub fn object_id(&self) -> Option<ObjectId> {
        self.object
    }

    /// The figures.
    #[must_use]
    pub fn figures(&self) -> &[i64] {
        &self.facts
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
