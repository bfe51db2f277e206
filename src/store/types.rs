//! What goes into the store and what comes out of it.

use super::copy::{Span, SpanMut};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};

/// What an object's bytes are, so that a reader needs nothing but its id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Bytes as they are.
    Bytes = 0,
    /// A value written by a serializer.
    Serialized = 1,
    /// UTF-8 text.
    Str = 2,
    /// The contents of a buffer.
    Buffer = 3,
    /// One byte each, 0 or 1.
    Booleans = 4,
    /// 16-bit code units.
    Chars = 5,
    /// 16 bits each.
    Shorts = 6,
    /// 32 bits each.
    Ints = 7,
    /// 64 bits each.
    Longs = 8,
    /// IEEE 754, 32 bits each.
    Floats = 9,
    /// IEEE 754, 64 bits each.
    Doubles = 10,
    /// A value that is null: no bytes.
    Null = 11,
    /// What a task failed with, written by whoever ran it: a reader throws it.
    Failure = 12,
    /// The contents of a buffer whose wider elements are little-endian; those of `Buffer` are big-endian.
    LittleEndianBuffer = 13,
}

impl Kind {
    /// Bytes of one element.
    #[must_use]
    pub fn unit(self) -> usize {
        match self {
            Kind::Bytes
            | Kind::Serialized
            | Kind::Str
            | Kind::Buffer
            | Kind::Booleans
            | Kind::Null
            | Kind::Failure
            | Kind::LittleEndianBuffer => 1,
            Kind::Chars | Kind::Shorts => 2,
            Kind::Ints | Kind::Floats => 4,
            Kind::Longs | Kind::Doubles => 8,
        }
    }
}

impl TryFrom<u8> for Kind {
    type Error = Error;

    fn try_from(n: u8) -> Result<Self> {
        use Kind::{
            Booleans, Buffer, Bytes, Chars, Doubles, Failure, Floats, Ints, LittleEndianBuffer, Longs, Null,
            Serialized, Shorts, Str,
        };
        const ALL: [Kind; 14] = [
            Bytes,
            Serialized,
            Str,
            Buffer,
            Booleans,
            Chars,
            Shorts,
            Ints,
            Longs,
            Floats,
            Doubles,
            Null,
            Failure,
            LittleEndianBuffer,
        ];
        ALL.get(usize::from(n))
            .copied()
            .ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("there is no kind {n} of object")))
    }
}

/// Bytes on their way into the store.
pub trait Source {
    /// How many.
    fn len(&self) -> usize;

    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies all of them to `target`, which is just as long.
    ///
    /// # Errors
    /// Any: nothing is stored then.
    fn copy_to(&self, target: &SpanMut<'_>) -> Result<()>;
}

impl Source for &[u8] {
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn copy_to(&self, target: &SpanMut<'_>) -> Result<()> {
        target.write(0, self);
        Ok(())
    }
}

/// Bytes on their way out. Both calls may come again, when what was copied was not valid any more.
pub trait Sink {
    /// Told what will come.
    ///
    /// # Errors
    /// Any: the read fails with it.
    fn prepare(&mut self, kind: Kind, len: usize) -> Result<()>;

    /// Copies all of `source`.
    ///
    /// # Errors
    /// Any: the read fails with it.
    fn copy_from(&mut self, source: &Span<'_>) -> Result<()>;

    /// What was copied last may be another object's: whoever can show it to somebody wipes it.
    fn discard(&mut self) {}
}

impl Sink for Vec<u8> {
    fn prepare(&mut self, _kind: Kind, len: usize) -> Result<()> {
        self.clear();
        self.resize(len, 0);
        Ok(())
    }

    fn copy_from(&mut self, source: &Span<'_>) -> Result<()> {
        source.read(0, self);
        Ok(())
    }
}

/// Where a region put an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// The slot, from 0 in each life of a batch.
    pub slot: u64,
    /// The object's index within the task that leased the slot's block.
    pub index: u32,
}

/// What looking for an object can come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found<T> {
    /// It is there.
    Here(T),
    /// Not yet: reserved, or not sealed. In normal mode also: not any more.
    Absent,
    /// No object of this region can have this id.
    Unknown,
    /// It was deleted or aborted.
    Deleted,
    /// Its bytes were given up.
    Freed,
    /// Another batch owns it: see the side table.
    Moved,
    /// The region is gone.
    Dropped,
}

impl<T> Found<T> {
    /// The same outcome for another type.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::Here(t) => Found::Here(f(t)),
            Found::Absent => Found::Absent,
            Found::Unknown => Found::Unknown,
            Found::Deleted => Found::Deleted,
            Found::Freed => Found::Freed,
            Found::Moved => Found::Moved,
            Found::Dropped => Found::Dropped,
        }
    }
}

/// How far a deletion went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    /// The object is gone.
    Done,
    /// Somebody holds it: it goes with the last release.
    Deferred,
}

/// State of an object as `list` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ObjectState {
    /// Created, not sealed.
    Created = 1,
    /// Sealed.
    Sealed = 2,
    /// Its bytes were given up.
    Freed = 3,
}

/// One object of a list.
#[derive(Clone, Debug)]
pub struct ObjectInfo {
    /// Its id.
    pub id: ObjectId,
    /// Bytes of data.
    pub size: u64,
    /// Bytes of metadata.
    pub metadata: u64,
    /// Its state.
    pub state: ObjectState,
    /// Readers and writers that hold it.
    pub references: u32,
    /// When it was created, in epoch milliseconds; 0 inside a batch.
    pub created_ms: u64,
    /// When it was last read, likewise.
    pub accessed_ms: u64,
    /// What its bytes are.
    pub kind: Kind,
    /// The batch that owns it; 0 in normal mode.
    pub owner: BatchId,
}

/// What a region holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Objects, unsealed ones included.
    pub objects: u64,
    /// Their bytes of data and metadata.
    pub bytes: u64,
    /// Bytes of the pages held.
    pub held: u64,
    /// The most bytes there were.
    pub peak_bytes: u64,
    /// Holds of readers and writers.
    pub pins: u64,
    /// Slots leased so far.
    pub slots: u64,
    /// Objects that lie in its spill file.
    pub spilled_objects: u64,
    /// Their bytes of data and metadata, which are among `bytes`.
    pub spilled_bytes: u64,
}

/// What went when a region was dropped.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Dropped {
    /// Objects.
    pub objects: u64,
    /// Their bytes of data and metadata.
    pub bytes: u64,
    /// Objects that somebody holds still: their chunks go with the last release.
    pub deferred: u64,
    /// Slots that had been leased: every id of that life has its slot below.
    pub slots: u64,
    /// Most bytes there were, as far as anybody looked.
    pub peak_bytes: u64,
    /// Nobody holds any of its memory.
    pub drained: bool,
    /// Somebody was in a lease.
    pub left: bool,
}
