//! Ids, text and lists, as they are passed.

use jni::Env;
use jni::objects::{JByteArray, JLongArray, JObject, JObjectArray, JString};
use jni::refs::IntoAuto as _;
use jni::sys::{jint, jlong};

use super::java::java;
use crate::batch::BatchKey;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{Kind, Slot};

/// Bits of an object's index in a packed slot.
const INDEX_BITS: u32 = 24;

/// `(batch, life)`.
pub(super) fn key(batch: jlong, life: jlong) -> BatchKey {
    BatchKey { id: BatchId(batch), life: life as u64 }
}

/// `(batch, life)` where a batch of 0 stands for none.
pub(super) fn some_key(batch: jlong, life: jlong) -> Option<BatchKey> {
    (batch != 0).then(|| key(batch, life))
}

/// `(batch, task, index)`.
pub(super) fn object(batch: jlong, task: jlong, index: jint) -> ObjectId {
    ObjectId::new(BatchId(batch), task as u64, index as u32)
}

/// A count or limit where 0 stands for none.
///
/// # Errors
/// `InvalidArgument` for a negative one.
pub(super) fn limit(what: &str, n: jlong) -> Result<Option<u64>> {
    Ok(Some(size(what, n)?).filter(|&n| n != 0))
}

/// A size.
///
/// # Errors
/// `InvalidArgument` for a negative one.
pub(super) fn size(what: &str, n: jlong) -> Result<u64> {
    u64::try_from(n)
        .map_err(|_| Error::new(ErrorCode::InvalidArgument, format!("{what} is {n}, and must not be negative")))
}

/// A kind.
///
/// # Errors
/// `InvalidArgument` for a number that is none.
pub(super) fn kind(n: jint) -> Result<Kind> {
    u8::try_from(n)
        .map_err(|_| Error::new(ErrorCode::InvalidArgument, format!("there is no kind {n} of object")))
        .and_then(Kind::try_from)
}

/// `slot << 24 | index`.
///
/// # Errors
/// `Internal` when the store outgrew the packing: 2^39 slots in one batch, or 2^24 objects in one task.
pub(super) fn pack(slot: Slot) -> Result<jlong> {
    if slot.slot >> (63 - INDEX_BITS) != 0 || slot.index >> INDEX_BITS != 0 {
        return Err(Error::new(ErrorCode::Internal, format!("{slot:?} cannot be passed to Java")));
    }
    Ok((slot.slot << INDEX_BITS) as jlong | jlong::from(slot.index))
}

/// The slot of a packed one.
pub(super) fn unpack(packed: jlong) -> u64 {
    packed as u64 >> INDEX_BITS
}

/// Text, or `None` for null.
pub(super) fn text(env: &Env<'_>, string: &JString<'_>) -> Result<Option<String>> {
    if string.is_null() {
        return Ok(None);
    }
    Ok(Some(string.try_to_string(env)?))
}

/// Text that has to be there.
///
/// # Errors
/// `InvalidArgument` for null.
pub(super) fn required(env: &Env<'_>, what: &str, string: &JString<'_>) -> Result<String> {
    text(env, string)?.ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("{what} is null")))
}

/// The name of whoever acts: for messages only, so that null is somebody too.
pub(super) fn actor(env: &Env<'_>, by: &JString<'_>) -> Result<String> {
    Ok(text(env, by)?.unwrap_or_else(|| "somebody".to_owned()))
}

/// Bytes; none for null.
pub(super) fn bytes(env: &Env<'_>, array: &JByteArray<'_>) -> Result<Vec<u8>> {
    if array.is_null() {
        return Ok(Vec::new());
    }
    Ok(env.convert_byte_array(array)?)
}

/// Ids of 20 bytes each.
///
/// # Errors
/// `InvalidArgument` for null and for bytes that are left over.
pub(super) fn ids(env: &Env<'_>, array: &JByteArray<'_>) -> Result<Vec<ObjectId>> {
    if array.is_null() {
        return Err(Error::new(ErrorCode::InvalidArgument, "the list of object ids is null"));
    }
    ObjectId::list_from_bytes(&bytes(env, array)?)
}

/// The strings of an array.
///
/// # Errors
/// `InvalidArgument` for null and for an array that holds one.
pub(super) fn strings(env: &mut Env<'_>, array: &JObjectArray<'_, JString<'_>>) -> Result<Vec<String>> {
    if array.is_null() {
        return Err(Error::new(ErrorCode::InvalidArgument, "the array of strings is null"));
    }
    let len = array.len(env)?;
    let mut all = Vec::with_capacity(len);
    for at in 0..len {
        let string = array.get_element(env, at)?.auto();
        all.push(required(env, "a string of the array", &string)?);
    }
    Ok(all)
}

/// A `long[]`.
pub(super) fn longs<'local>(env: &mut Env<'local>, values: &[jlong]) -> Result<JLongArray<'local>> {
    let array = JLongArray::new(env, values.len())?;
    array.set_region(env, 0, values)?;
    Ok(array)
}

/// An `Object[]`.
pub(super) fn objects<'local>(env: &mut Env<'local>, values: &[&JObject<'_>]) -> Result<JObjectArray<'local>> {
    let array = env.new_object_array(values.len() as jint, java()?.object_class(), JObject::null())?;
    for (at, value) in values.iter().enumerate() {
        array.set_element(env, at, value)?;
    }
    Ok(array)
}

/// A `String[]`, with null for what is not there.
pub(super) fn texts<'local>(env: &mut Env<'local>, values: &[Option<&str>]) -> Result<JObjectArray<'local>> {
    let array = env.new_object_array(values.len() as jint, java()?.string_class(), JObject::null())?;
    for (at, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let string = JString::new(env, value)?.auto();
            array.set_element(env, at, &*string)?;
        }
    }
    Ok(array)
}

/// A figure of Rust's for Java, which has no unsigned ones.
pub(super) fn figure(n: u64) -> jlong {
    jlong::try_from(n).unwrap_or(jlong::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_packed_and_unpacked() {
        for (slot, index) in [(0, 0), (1, 0), (27_000_000, 4095), ((1 << 39) - 1, (1 << 24) - 1)] {
            let packed = pack(Slot { slot, index }).unwrap_or(-1);
            assert!(packed >= 0);
            assert_eq!(unpack(packed), slot);
            assert_eq!(packed & 0xff_ffff, jlong::from(index));
        }
        for (slot, index) in [(1 << 39, 0), (u64::MAX, 0), (0, 1 << 24)] {
            assert!(pack(Slot { slot, index }).is_err());
        }
    }

    #[test]
    fn a_negative_size_is_refused_by_name() {
        assert_eq!(size("the size", 7).ok(), Some(7));
        assert_eq!(limit("maxBytes", 0).ok(), Some(None));
        let Err(error) = limit("maxBytes", -5) else { panic!("let through") };
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert_eq!(error.message(), "maxBytes is -5, and must not be negative");
    }

    #[test]
    fn only_kinds_that_exist_are_kinds() {
        assert_eq!(kind(12).ok(), Some(Kind::Failure));
        assert_eq!(kind(13).ok(), Some(Kind::LittleEndianBuffer));
        for n in [-1, 14, 256, jint::MIN, jint::MAX] {
            assert_eq!(kind(n).err().map(|e| e.code()), Some(ErrorCode::InvalidArgument));
        }
    }
}
