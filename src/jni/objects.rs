//! Objects, once per call.

use jni::Env;
use jni::objects::{JByteArray, JByteBuffer, JObject, JObjectArray};
use jni::sys::{jboolean, jint, jlong};

use super::arrays::{Element, Fresh, Into, Jni, Window};
use super::direct::Direct;
use super::handles::with_client;
use super::values::{self, figure, ids, key, kind, longs, object, pack, size, some_key, unpack};
use crate::batch::BatchKey;
use crate::error::Result;
use crate::store::{Kind, Slot, number_thread};

/// What Java is told of an object that is not there.
const ABSENT: jint = -1;

pub(super) fn put(
    jni: Jni<'_>,
    client: jlong,
    batch: jlong,
    life: jlong,
    array: JObject<'_>,
    offset: jint,
    length: jint,
    number: jint,
    thread: jint,
) -> Result<jlong> {
    number_thread(u64::from(thread as u32));
    let kind = kind(number)?;
    let window = Window::of(jni, &array, Element::of(kind), offset, length)?;
    with_client(client, |client| pack(client.put(key(batch, life), kind, &window)?))
}

pub(super) fn put_direct(
    env: &mut Env<'_>,
    client: jlong,
    batch: jlong,
    life: jlong,
    buffer: JByteBuffer<'_>,
    offset: jint,
    length: jint,
    number: jint,
) -> Result<jlong> {
    let kind = kind(number)?;
    let source = Direct::source(env, &buffer, offset, length)?;
    with_client(client, |client| pack(client.put(key(batch, life), kind, &source)?))
}

pub(super) fn get(
    jni: Jni<'_>,
    client: jlong,
    batch: jlong,
    task: jlong,
    index: jint,
    out: JObjectArray<'_>,
) -> Result<jint> {
    let mut fresh = Fresh::new(jni);
    fresh.has_room(&out)?;
    match with_client(client, |client| client.get(&object(batch, task, index), &mut fresh))? {
        Some(kind) => fresh.store(&out).map(|()| kind as jint),
        None => Ok(ABSENT),
    }
}

pub(super) fn get_claimed(
    jni: Jni<'_>,
    client: jlong,
    token: jlong,
    batch: jlong,
    task: jlong,
    index: jint,
    out: JObjectArray<'_>,
) -> Result<jint> {
    let mut fresh = Fresh::new(jni);
    fresh.has_room(&out)?;
    let id = object(batch, task, index);
    match with_client(client, |client| client.get_claimed(token as u64, &id, &mut fresh))? {
        Some(kind) => fresh.store(&out).map(|()| kind as jint),
        None => Ok(ABSENT),
    }
}

pub(super) fn get_into(
    jni: Jni<'_>,
    client: jlong,
    batch: jlong,
    task: jlong,
    index: jint,
    target: JByteArray<'_>,
    offset: jint,
    length: jint,
) -> Result<jint> {
    let mut into = Into::new(Window::of_bytes(jni, &target, offset, length)?);
    let found = with_client(client, |client| client.get(&object(batch, task, index), &mut into))?;
    Ok(length_of(found, &into))
}

pub(super) fn get_slot(
    jni: Jni<'_>,
    client: jlong,
    batch: jlong,
    life: jlong,
    packed: jlong,
    target: JByteArray<'_>,
    offset: jint,
    length: jint,
) -> Result<jint> {
    let mut into = Into::new(Window::of_bytes(jni, &target, offset, length)?);
    let slot = Slot { slot: unpack(packed), index: (packed & 0xff_ffff) as u32 };
    let found = with_client(client, |client| client.get_slot(key(batch, life), slot, &mut into))?;
    Ok(length_of(found, &into))
}

fn length_of(found: Option<Kind>, into: &Into<'_>) -> jint {
    if found.is_some() { into.len() } else { ABSENT }
}

pub(super) fn contains(_env: &mut Env<'_>, client: jlong, batch: jlong, task: jlong, index: jint) -> Result<jboolean> {
    with_client(client, |client| client.contains(&object(batch, task, index)))
}

pub(super) fn resolve(_env: &mut Env<'_>, client: jlong, batch: jlong, task: jlong, index: jint) -> Result<()> {
    with_client(client, |client| client.resolve(&object(batch, task, index)))
}

pub(super) fn delete(env: &mut Env<'_>, client: jlong, list: JByteArray<'_>) -> Result<jint> {
    let ids = ids(env, &list)?;
    with_client(client, |client| Ok(client.delete(&ids)? as jint))
}

pub(super) fn free(env: &mut Env<'_>, client: jlong, list: JByteArray<'_>) -> Result<jint> {
    let ids = ids(env, &list)?;
    with_client(client, |client| Ok(client.free(&ids)? as jint))
}

pub(super) fn transfer(
    env: &mut Env<'_>,
    client: jlong,
    list: JByteArray<'_>,
    from: jlong,
    from_life: jlong,
    to: jlong,
    to_life: jlong,
) -> Result<()> {
    let ids = ids(env, &list)?;
    with_client(client, |client| client.transfer(&ids, some_key(from, from_life), some_key(to, to_life)))
}

pub(super) fn evict(_env: &mut Env<'_>, client: jlong, bytes: jlong) -> Result<jlong> {
    let bytes = size("the number of bytes", bytes)?;
    with_client(client, |client| Ok(figure(client.evict(bytes)?)))
}

pub(super) fn hash(_env: &mut Env<'_>, client: jlong, batch: jlong, task: jlong, index: jint) -> Result<jlong> {
    with_client(client, |client| Ok(client.hash(&object(batch, task, index))? as jlong))
}

pub(super) fn list<'local>(
    env: &mut Env<'local>,
    client: jlong,
    batch: jlong,
    life: jlong,
    every: jboolean,
) -> Result<JObjectArray<'local>> {
    let which: Option<BatchKey> = (!every).then(|| key(batch, life));
    let all = with_client(client, |client| client.list(which))?;
    let mut ids = Vec::with_capacity(all.len() * crate::id::ObjectId::LEN);
    let mut fields = Vec::with_capacity(all.len() * 8);
    for o in &all {
        ids.extend_from_slice(&o.id.to_bytes());
        fields.extend_from_slice(&[
            figure(o.size),
            figure(o.metadata),
            o.state as jlong,
            jlong::from(o.references),
            figure(o.created_ms),
            figure(o.accessed_ms),
            o.kind as jlong,
            o.owner.0,
        ]);
    }
    let ids = env.byte_array_from_slice(&ids)?;
    let fields = longs(env, &fields)?;
    values::objects(env, &[&ids, &fields])
}
