//! What a result says that is a failure: an object of kind `Failure`, whose first byte says which.
//!
//! ```text
//!  1  what the task threw, in Java's own form
//!  2  cancelled            · UTF-8
//!  3  its actor is dead    · UTF-8
//!  4  an argument failed   · 20 bytes: the object that failed first · what that object says
//!  5  an object is lost    · 20 bytes: which · UTF-8
//!  6  its value could not be stored · UTF-8
//!  7  its batch ended     · the reason's number · UTF-8
//!  8  its actor's batch ended, and the actor with it · the reason's number · UTF-8
//! ```
//!
//! One without bytes failed, and there was no memory to say why.

use super::types::Failure;
use crate::batch::{Engine, Reason};
use crate::id::ObjectId;
use crate::store::Kind;

const CANCELLED: u8 = 2;
const ACTOR_DIED: u8 = 3;
const ARGUMENT: u8 = 4;
const LOST: u8 = 5;
const NOT_STORED: u8 = 6;
const BATCH_ENDED: u8 = 7;
const ACTOR_ENDED: u8 = 8;

fn text(tag: u8, text: &str) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn ended(tag: u8, reason: Reason, why: &str) -> Vec<u8> {
    let mut bytes = vec![tag, reason as u8];
    bytes.extend_from_slice(why.as_bytes());
    bytes
}

/// A value that the store would not take.
pub(super) fn not_stored(why: &str) -> Vec<u8> {
    text(NOT_STORED, why)
}

/// The bytes of a failure. `None` for one that is stored already.
pub(super) fn encode(engine: &Engine, failure: &Failure) -> Option<Vec<u8>> {
    Some(match failure {
        Failure::Stored => return None,
        Failure::Cancelled(why) => text(CANCELLED, why),
        Failure::BatchEnded(reason, why) => ended(BATCH_ENDED, *reason, why),
        Failure::ActorEnded(reason, why) => ended(ACTOR_ENDED, *reason, why),
        Failure::ActorDied(why) => text(ACTOR_DIED, why),
        Failure::Lost(id, why) => {
            let mut bytes = vec![LOST];
            bytes.extend_from_slice(&id.to_bytes());
            bytes.extend_from_slice(why.as_bytes());
            bytes
        }
        Failure::Argument(id) => argument(id, &said(engine, id)),
    })
}

/// A failure because of an argument: names the object that failed first, and repeats what that one says.
fn argument(id: &ObjectId, said: &[u8]) -> Vec<u8> {
    if said.first() == Some(&ARGUMENT) {
        return said.to_vec();
    }
    let mut bytes = vec![ARGUMENT];
    bytes.extend_from_slice(&id.to_bytes());
    bytes.extend_from_slice(said);
    bytes
}

/// What a failed object says; nothing when it is gone already.
fn said(engine: &Engine, id: &ObjectId) -> Vec<u8> {
    let mut bytes = Vec::new();
    match engine.get(id, &mut bytes) {
        Ok(Some(Kind::Failure)) => bytes,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BatchId;

    #[test]
    fn the_first_failure_is_named_however_long_the_chain() {
        let first = ObjectId::new(BatchId(1), 2, 3);
        let once = argument(&first, &text(CANCELLED, "by a test"));
        assert_eq!(once[0], ARGUMENT);
        assert_eq!(once[1..21], first.to_bytes());
        assert_eq!(once[21..], text(CANCELLED, "by a test"));
        assert_eq!(argument(&ObjectId::new(BatchId(4), 5, 6), &once), once);
    }
}
