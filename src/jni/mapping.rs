//! The arena as Java maps it: windows of memory, and where a batch's region lies.

use std::sync::Arc;

use jni::Env;
use jni::objects::{JLongArray, JObject, JObjectArray};
use jni::refs::IntoAuto as _;
use jni::sys::{jint, jlong};

use super::handles::{MAPPINGS, with_client};
use super::java::java;
use super::values::{figure, key, longs, pack, unpack};
use crate::error::{Error, ErrorCode, Result};
use crate::store::Mapping;

pub(super) fn map<'local>(
    env: &mut Env<'local>,
    client: jlong,
    out: JLongArray<'local>,
) -> Result<JObjectArray<'local>> {
    if out.is_null() || out.len(env)? == 0 {
        return Err(Error::new(ErrorCode::InvalidArgument, "the array for the mapping is null or empty"));
    }
    let mapping = Arc::new(with_client(client, |client| Ok(client.store().mapping()))?);
    let count = mapping.bytes().div_ceil(Mapping::WINDOW);
    let windows = env.new_object_array(count as jint, java()?.object_class(), JObject::null())?;
    for (n, (at, len)) in (0..count).filter_map(|n| mapping.window(n)).enumerate() {
        // SAFETY: the mapping keeps the memory mapped until it is released, which Java does once nothing that refers to
        // a window is reachable.
        let window = unsafe { env.new_direct_byte_buffer(at, len) }?.auto();
        windows.set_element(env, n, &*window)?;
    }
    let handle = MAPPINGS.insert(mapping);
    out.set_region(env, 0, &[handle]).inspect_err(|_| drop(MAPPINGS.remove(handle)))?;
    Ok(windows)
}

pub(super) fn unmap(_env: &mut Env<'_>, mapping: jlong) -> Result<()> {
    MAPPINGS.remove(mapping);
    Ok(())
}

pub(super) fn region<'local>(
    env: &mut Env<'local>,
    client: jlong,
    batch: jlong,
    life: jlong,
) -> Result<JLongArray<'local>> {
    match with_client(client, |client| client.region(key(batch, life)))? {
        Some((header, generation)) => longs(env, &[header as jlong, generation as jlong]),
        None => Ok(JLongArray::null()),
    }
}

pub(super) fn scan(
    env: &mut Env<'_>,
    client: jlong,
    batch: jlong,
    life: jlong,
    from: jlong,
    out: JLongArray<'_>,
) -> Result<jint> {
    if out.is_null() {
        return Err(Error::new(ErrorCode::InvalidArgument, "the array for the slots is null"));
    }
    let most = out.len(env)? / 2;
    let found = with_client(client, |client| client.scan(key(batch, life), unpack(from), most))?;
    let mut fields = Vec::with_capacity(2 * found.len());
    for (slot, size) in &found {
        fields.extend_from_slice(&[pack(*slot)?, figure(*size)]);
    }
    out.set_region(env, 0, &fields)?;
    Ok(found.len() as jint)
}
