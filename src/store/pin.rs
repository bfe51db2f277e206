//! A reader's hold on a sealed object.

use std::sync::Arc;

use super::apart::Apart;
use super::arena::Arena;
use super::chunks::Chunk;
use super::copy::{Span, SpanMut};
use super::region::Region;
use super::table::TableHold;
use super::types::Kind;
use crate::id::ObjectId;

/// Where an object's bytes lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// start of its memory: of the metadata with their length, if there are any, else of the data
    pub(crate) offset: u64,
    /// bytes of data
    pub(crate) len: u64,
    /// bytes of metadata
    pub(crate) metadata: u64,
}

impl Place {
    fn metadata_offset(&self) -> u64 {
        self.offset + 8
    }

    fn data_offset(&self) -> u64 {
        self.offset + self.data_start()
    }

    /// Bytes before the data.
    pub(crate) fn data_start(&self) -> u64 {
        if self.metadata == 0 { 0 } else { 8 + self.metadata.next_multiple_of(8) }
    }

    /// Bytes of the object with what it needs for its metadata, without the padding after them.
    pub(crate) fn extent(&self) -> u64 {
        self.data_start() + self.len
    }

    pub(crate) fn data<'a>(&self, arena: &'a Arena) -> Span<'a> {
        arena.span(self.data_offset(), self.len)
    }

    pub(crate) fn metadata<'a>(&self, arena: &'a Arena) -> Span<'a> {
        if self.metadata == 0 { arena.span(0, 0) } else { arena.span(self.metadata_offset(), self.metadata) }
    }

    /// For the object's one writer.
    pub(crate) fn data_mut<'a>(&self, arena: &'a Arena) -> SpanMut<'a> {
        arena.span_mut(self.data_offset(), self.len)
    }

    /// Copies the whole object to another place of the same lengths, for that one's writer.
    pub(crate) fn copy_to(&self, arena: &Arena, other: &Place) {
        if self.metadata > 0 {
            other.write_metadata(arena, &self.metadata(arena).to_vec());
        }
        other.data_mut(arena).copy_from(self.data(arena));
    }

    /// True if all of it is inside of the arena, as that of every valid entry is.
    pub(crate) fn is_inside(&self, arena: &Arena) -> bool {
        let limit = arena.len();
        self.offset <= limit
            && self.len <= limit
            && self.metadata <= limit
            && arena.contains(self.data_offset(), self.len)
    }

    /// For the object's one writer.
    pub(crate) fn write_metadata(&self, arena: &Arena, metadata: &[u8]) {
        if self.metadata > 0 {
            let length = arena.span_mut(self.offset, 8);
            length.write(0, &self.metadata.to_le_bytes());
            arena.span_mut(self.metadata_offset(), self.metadata).write(0, metadata);
        }
    }
}

/// What keeps the object's memory.
enum Keeper {
    Region { region: Arc<Region>, slot: u64, chunk: Option<Chunk> },
    Table { hold: TableHold, chunk: Option<Chunk> },
}

/// A sealed object that stays where it is until this is dropped, whatever becomes of its batch. Reading is safe from
/// any thread. When the store closes, the bytes read as zero.
pub struct Pin {
    id: ObjectId,
    kind: Kind,
    place: Place,
    arena: Arc<Arena>,
    /// its bytes, where they are not in the arena
    apart: Option<Arc<Apart>>,
    keeper: Keeper,
}

impl Pin {
    pub(super) fn in_region(
        id: ObjectId,
        kind: Kind,
        place: Place,
        arena: &Arc<Arena>,
        region: Arc<Region>,
        slot: u64,
        chunk: Option<Chunk>,
    ) -> Self {
        Pin { id, kind, place, arena: Arc::clone(arena), apart: None, keeper: Keeper::Region { region, slot, chunk } }
    }

    /// Of an object that lies in its region's file: a copy of it.
    pub(super) fn apart(
        id: ObjectId,
        kind: Kind,
        place: Place,
        arena: &Arc<Arena>,
        region: Arc<Region>,
        slot: u64,
        bytes: Arc<Apart>,
    ) -> Self {
        let keeper = Keeper::Region { region, slot, chunk: None };
        Pin { id, kind, place, arena: Arc::clone(arena), apart: Some(bytes), keeper }
    }

    /// Of an object of the side table that lies in a file: a copy of it.
    pub(super) fn apart_from_table(
        id: ObjectId,
        kind: Kind,
        place: Place,
        arena: &Arc<Arena>,
        hold: TableHold,
        bytes: Arc<Apart>,
    ) -> Self {
        let keeper = Keeper::Table { hold, chunk: None };
        Pin { id, kind, place, arena: Arc::clone(arena), apart: Some(bytes), keeper }
    }

    pub(super) fn in_table(
        id: ObjectId,
        kind: Kind,
        place: Place,
        arena: &Arc<Arena>,
        hold: TableHold,
        chunk: Option<Chunk>,
    ) -> Self {
        Pin { id, kind, place, arena: Arc::clone(arena), apart: None, keeper: Keeper::Table { hold, chunk } }
    }

    /// The object.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// What its bytes are.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its data.
    #[must_use]
    pub fn data(&self) -> Span<'_> {
        match &self.apart {
            Some(apart) => apart.data(&self.place),
            None => self.place.data(&self.arena),
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn metadata(&self) -> Span<'_> {
        match &self.apart {
            Some(apart) => apart.metadata(&self.place),
            None => self.place.metadata(&self.arena),
        }
    }

    /// A hold on the memory alone, which may outlive this pin, its client and the store.
    #[must_use]
    pub fn hold(&self) -> Hold {
        let keeps = match &self.keeper {
            _ if self.apart.is_some() => Keeps::Apart(self.apart.clone()),
            Keeper::Region { chunk, .. } | Keeper::Table { chunk: chunk @ Some(_), .. } => Keeps::Chunk(chunk.clone()),
            Keeper::Table { hold, chunk: None } => Keeps::Cell(hold.clone()),
        };
        Hold { arena: Arc::clone(&self.arena), keeps }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Keeper::Region { region, slot, chunk } = &mut self.keeper {
            region.release(*slot, chunk.take());
        }
    }
}

#[expect(dead_code, reason = "held for its drop")]
enum Keeps {
    Chunk(Option<Chunk>),
    Cell(TableHold),
    Apart(Option<Arc<Apart>>),
}

/// Keeps an object's memory and its mapping, nothing else: it is not reused before this is dropped.
#[expect(dead_code, reason = "held for its drop")]
pub struct Hold {
    arena: Arc<Arena>,
    keeps: Keeps,
}

impl Hold {
    pub(super) fn of_chunk(arena: &Arc<Arena>, chunk: Option<Chunk>) -> Self {
        Hold { arena: Arc::clone(arena), keeps: Keeps::Chunk(chunk) }
    }

    pub(super) fn of_cell(arena: &Arc<Arena>, hold: TableHold) -> Self {
        Hold { arena: Arc::clone(arena), keeps: Keeps::Cell(hold) }
    }
}
