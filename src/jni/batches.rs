//! The lives of batches.

use std::time::Duration;

use jni::Env;
use jni::objects::{JByteArray, JLongArray, JObjectArray, JString};
use jni::sys::{jboolean, jint, jlong};

use super::arrays::{Jni, Utf8};
use super::handles::with_client;
use super::values::{actor, figure, ids, key, limit, longs, objects, some_key, texts};
use crate::batch::{BatchSpec, Collected, Reason};
use crate::error::{Error, ErrorCode, Result};
use crate::id::BatchId;
use crate::task::Tasks;

pub(super) fn new_id(_env: &mut Env<'_>, client: jlong) -> Result<jlong> {
    with_client(client, |client| Ok(client.new_batch_id()?.0))
}

pub(super) fn start(
    jni: Jni<'_>,
    client: jlong,
    id: jlong,
    parent: jlong,
    parent_life: jlong,
    name: JByteArray<'_>,
    timeout: jlong,
    max_bytes: jlong,
    max_objects: jlong,
    priority: jint,
    no_cleanup: jboolean,
    max_tasks: jint,
    checkpoint_actors: jboolean,
    latency_sensitive: jboolean,
    group: JByteArray<'_>,
    by: JByteArray<'_>,
    out: JLongArray<'_>,
) -> Result<()> {
    jni.has_room(&out, 4)?;
    let spec = BatchSpec {
        id: (id != 0).then_some(BatchId(id)),
        parent: some_key(parent, parent_life),
        name: given(jni, &name)?,
        timeout: limit("the timeout", timeout)?.map(Duration::from_millis),
        max_bytes: limit("maxBytes", max_bytes)?,
        max_objects: limit("maxObjects", max_objects)?,
        group: given(jni, &group)?,
        priority,
        no_cleanup,
        max_tasks: limit("maxTasks", max_tasks.into())?.map(|most| most as u32),
        checkpoint_actors,
        latency_sensitive,
    };
    let by = Utf8::read(jni, &by)?;
    let started = with_client(client, |client| client.start_mapped(spec, by.text()?))?;
    let (header, generation) = started.region.unwrap_or_default();
    jni.set_longs(&out, &[started.key.id.0, started.key.life as jlong, header as jlong, generation as jlong]);
    Ok(())
}

fn given(jni: Jni<'_>, text: &JByteArray<'_>) -> Result<Option<String>> {
    if text.is_null() { Ok(None) } else { Ok(Some(Utf8::read(jni, text)?.text()?.to_owned())) }
}

pub(super) fn end<'local>(
    env: &mut Env<'local>,
    client: jlong,
    id: jlong,
    life: jlong,
    collect: jboolean,
    checkpoint: jboolean,
    keep: JByteArray<'local>,
    reason: jint,
    by: JString<'local>,
) -> Result<JLongArray<'local>> {
    let keep = if keep.is_null() { Vec::new() } else { ids(env, &keep)? };
    let reason = u8::try_from(reason)
        .ok()
        .and_then(Reason::from_number)
        .ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("there is no reason {reason} to end a batch")))?;
    let by = actor(env, &by)?;
    let collected = with_client(client, |c| {
        if checkpoint {
            Tasks::of(c)?.ask_boundary(key(id, life))?;
        }
        c.end_batch(key(id, life), collect, &keep, reason, &by)
    })?;
    collected_of(env, collected)
}

pub(super) fn watch(_env: &mut Env<'_>, client: jlong, id: jlong, life: jlong, token: jlong) -> Result<()> {
    with_client(client, |client| client.watch_batch(key(id, life), token as u64))
}

pub(super) fn over<'local>(env: &mut Env<'local>, client: jlong, id: jlong, life: jlong) -> Result<JLongArray<'local>> {
    match with_client(client, |client| client.batch_over(key(id, life)))? {
        Some(collected) => collected_of(env, collected),
        None => Ok(JLongArray::null()),
    }
}

pub(super) fn close(jni: Jni<'_>, client: jlong, id: jlong, life: jlong, by: JByteArray<'_>) -> Result<()> {
    let by = Utf8::read(jni, &by)?;
    with_client(client, |client| client.close_batch(key(id, life), by.text()?).map(|_| ())).map(|_| ())
}

pub(super) fn delete<'local>(
    env: &mut Env<'local>,
    client: jlong,
    id: jlong,
    life: jlong,
    by: JString<'local>,
) -> Result<()> {
    let by = actor(env, &by)?;
    with_client(client, |client| client.delete_batch(key(id, life), &by).map(|_| ())).map(|_| ())
}

pub(super) fn gc<'local>(env: &mut Env<'local>, client: jlong, id: jlong, life: jlong) -> Result<JLongArray<'local>> {
    let collected = with_client(client, |client| client.gc(key(id, life)))?;
    collected_of(env, collected)
}

pub(super) fn status<'local>(
    env: &mut Env<'local>,
    client: jlong,
    id: jlong,
    life: jlong,
) -> Result<JObjectArray<'local>> {
    let s = with_client(client, |client| client.status(key(id, life)))?;
    let millis = s.timeout.map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
    let numbers = [
        s.key.life as jlong,
        s.state as jlong,
        s.reason.map_or(-1, |reason| reason as jlong),
        figure(s.objects),
        figure(s.bytes),
        figure(s.held),
        figure(s.peak_bytes),
        figure(s.pins),
        figure(s.started_ms),
        figure(s.ended_ms),
        figure(s.collected_ms),
        s.parent.0,
        jlong::from(s.priority),
        figure(millis),
        figure(s.max_bytes.unwrap_or(0)),
        figure(s.max_objects.unwrap_or(0)),
        figure(s.kept),
        figure(s.adopted),
        jlong::from(s.no_cleanup) | jlong::from(s.checkpoint_actors) << 1,
        s.max_tasks.map_or(0, jlong::from),
        figure(s.spilled),
        s.ended_with.map_or(0, |outer| outer.0),
    ];
    let children: Vec<jlong> = s.children.iter().map(|child| child.0).collect();
    let numbers = longs(env, &numbers)?;
    let words = texts(env, &[s.name.as_deref(), Some(&s.started_by), s.ended_by.as_deref(), s.group.as_deref()])?;
    let children = longs(env, &children)?;
    objects(env, &[&numbers, &words, &children])
}

pub(super) fn all<'local>(env: &mut Env<'local>, client: jlong) -> Result<JLongArray<'local>> {
    let all: Vec<jlong> = with_client(client, |client| Ok(client.batches()?.iter().map(|id| id.0).collect()))?;
    longs(env, &all)
}

fn collected_of<'local>(env: &mut Env<'local>, collected: Collected) -> Result<JLongArray<'local>> {
    longs(env, &[collected.objects, collected.bytes, collected.deferred].map(figure))
}
