//! An object being written.

use std::sync::Arc;

use parking_lot::Mutex;

use super::arena::Arena;
use super::chunks::Chunk;
use super::copy::Span;
use super::pin::{Hold, Place};
use super::region::Region;
use super::seqlock::before_reuse;
use super::table::{Finish, Inner, TableHold, already_sealed};
use super::types::{Kind, Sink, Source};
use crate::error::{Error, ErrorCode, Result};
use crate::id::ObjectId;

/// Who is told when the writer is done.
pub(crate) enum Writer {
    Region { region: Arc<Region>, slot: u64, chunk: Option<Chunk> },
    Table { table: Arc<Inner>, n: u32 },
}

/// The writer of an object that is not sealed yet. It owns the object's memory, even when the batch is collected
/// meanwhile; dropping it releases it and leaves the object unsealed. Calls from several threads wait for each other.
pub struct Unsealed {
    id: ObjectId,
    kind: Kind,
    place: Place,
    arena: Arc<Arena>,
    writer: Writer,
    state: Mutex<State>,
}

struct State {
    /// bytes from the start that were written, or zeroed
    written: u64,
    end: Option<Finish>,
}

/// Memory of an unsealed object for a writer outside of Rust.
pub struct RawSpan {
    /// First byte; stays valid and unshared while the hold lives.
    pub ptr: *mut u8,
    /// Bytes.
    pub len: usize,
    /// Keeps the memory.
    pub hold: Hold,
}

impl Unsealed {
    pub(super) fn new(id: ObjectId, kind: Kind, place: Place, writer: Writer, arena: &Arc<Arena>) -> Self {
        let state = Mutex::new(State { written: 0, end: None });
        Unsealed { id, kind, place, arena: Arc::clone(arena), writer, state }
    }

    /// The object.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// What its bytes will be.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes of data.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.place.len
    }

    /// True for an object of no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes at a position. What lies before it and was not written yet becomes zero.
    ///
    /// # Errors
    /// `OutOfBounds`; `ObjectSealed` when it is sealed, aborted or released; what the source says.
    pub fn write(&self, at: u64, source: &dyn Source) -> Result<()> {
        let len = source.len() as u64;
        let mut state = self.state.lock();
        self.check_open(&state)?;
        self.check_bounds(at, len)?;
        before_reuse(); // the memory may have been lent to another thread, which fenced for itself only
        let data = self.place.data_mut(&self.arena);
        if at > state.written {
            data.zero(state.written as usize, at as usize);
            state.written = at;
        }
        source.copy_to(&data.part(at as usize, len as usize))?;
        state.written = state.written.max(at + len);
        Ok(())
    }

    /// Reads back; what was not written yet reads as zero.
    ///
    /// # Errors
    /// As for `write`.
    pub fn read(&self, at: u64, len: usize, sink: &mut dyn Sink) -> Result<()> {
        let mut state = self.state.lock();
        self.check_open(&state)?;
        self.check_bounds(at, len as u64)?;
        self.zero_rest(&mut state, at + len as u64);
        sink.prepare(self.kind, len)?;
        sink.copy_from(&self.data().part(at as usize, len))
    }

    /// Seals. Bytes never written are zero.
    ///
    /// # Errors
    /// `ObjectSealed` when it is sealed, aborted or released; `ObjectCollected` when its batch is gone.
    pub fn seal(&self) -> Result<()> {
        self.finish(Finish::Seal)
    }

    /// Gives the object up.
    ///
    /// # Errors
    /// As for `seal`.
    pub fn abort(&self) -> Result<()> {
        self.finish(Finish::Abort)
    }

    /// Lets go, and leaves the object unsealed.
    ///
    /// # Errors
    /// As for `seal`.
    pub fn release(&self) -> Result<()> {
        self.finish(Finish::Release)
    }

    /// The memory itself, zero where nothing was written, with a hold of its own.
    ///
    /// # Errors
    /// As for `seal`.
    pub fn raw(&self) -> Result<RawSpan> {
        let mut state = self.state.lock();
        self.check_open(&state)?;
        self.zero_rest(&mut state, self.place.len);
        let hold = match &self.writer {
            Writer::Region { chunk, .. } => Hold::of_chunk(&self.arena, chunk.clone()),
            Writer::Table { table, n } => Hold::of_cell(&self.arena, TableHold::another(table, *n)),
        };
        let data = self.place.data_mut(&self.arena);
        Ok(RawSpan { ptr: data.as_mut_ptr(), len: data.len(), hold })
    }

    fn data(&self) -> Span<'_> {
        self.place.data(&self.arena)
    }

    fn zero_rest(&self, state: &mut State, to: u64) {
        if to > state.written {
            self.place.data_mut(&self.arena).zero(state.written as usize, to as usize);
            state.written = to;
        }
    }

    fn finish(&self, end: Finish) -> Result<()> {
        let mut state = self.state.lock();
        self.check_open(&state)?;
        if end != Finish::Abort {
            self.zero_rest(&mut state, self.place.len);
        }
        state.end = Some(end);
        drop(state);
        match &self.writer {
            Writer::Region { region, slot, .. } => region.finish(*slot, &self.id, self.place, end),
            Writer::Table { table, n } => {
                table.finish(*n, end);
                Ok(())
            }
        }
    }

    fn check_open(&self, state: &State) -> Result<()> {
        match state.end {
            None => Ok(()),
            Some(Finish::Seal) => Err(already_sealed(&self.id)),
            Some(end) => {
                let how = if end == Finish::Abort { "aborted" } else { "released" };
                Err(Error::new(ErrorCode::ObjectSealed, format!("the writer of object {} was {how}", self.id))
                    .object(self.id))
            }
        }
    }

    fn check_bounds(&self, at: u64, len: u64) -> Result<()> {
        if at <= self.place.len && len <= self.place.len - at {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::OutOfBounds,
            format!("{len} bytes at {at} are outside of object {} of {} bytes", self.id, self.place.len),
        )
        .object(self.id))
    }
}

impl Drop for Unsealed {
    fn drop(&mut self) {
        if self.state.get_mut().end.is_none() {
            // an error here says that the batch is gone, and with it the object
            let _ = self.release();
        }
    }
}
