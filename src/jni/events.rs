//! Who waits and who listens.

use jni::Env;
use jni::objects::{JByteArray, JLongArray};
use jni::sys::{jint, jlong};

use super::arrays::Jni;
use super::handles::{with_client, with_open_client};
use super::logging;
use super::values::{figure, ids, longs, object, size};
use crate::error::Result;

pub(super) fn watch(env: &mut Env<'_>, client: jlong, list: JByteArray<'_>, token: jlong) -> Result<()> {
    let ids = ids(env, &list)?;
    with_client(client, |client| client.watch(&ids, token as u64))
}

pub(super) fn unwatch(_env: &mut Env<'_>, client: jlong, token: jlong) -> Result<()> {
    with_open_client(client, |client| {
        client.unwatch(token as u64);
        Ok(())
    })
}

pub(super) fn claim(_jni: Jni<'_>, client: jlong, batch: jlong, task: jlong, index: jint, token: jlong) -> Result<()> {
    with_client(client, |client| client.claim(&[object(batch, task, index)], token as u64))
}

pub(super) fn claim_all(env: &mut Env<'_>, client: jlong, list: JByteArray<'_>, token: jlong) -> Result<()> {
    let ids = ids(env, &list)?;
    with_client(client, |client| client.claim(&ids, token as u64))
}

pub(super) fn unclaim(env: &mut Env<'_>, client: jlong, list: JByteArray<'_>, token: jlong) -> Result<()> {
    let ids = ids(env, &list)?;
    with_open_client(client, |client| {
        client.unclaim(Some(&ids), token as u64);
        Ok(())
    })
}

pub(super) fn unclaim_all(_jni: Jni<'_>, client: jlong, token: jlong) -> Result<()> {
    with_open_client(client, |client| {
        client.unclaim(None, token as u64);
        Ok(())
    })
}

pub(super) fn ask_for_room(_env: &mut Env<'_>, client: jlong, token: jlong) -> Result<jlong> {
    with_client(client, |client| Ok(client.ask_for_room(token as u64)?.map_or(-1, figure)))
}

pub(super) fn forget_room(_env: &mut Env<'_>, client: jlong, token: jlong) -> Result<()> {
    with_open_client(client, |client| {
        client.forget_room(token as u64);
        Ok(())
    })
}

pub(super) fn subscribe(_env: &mut Env<'_>, client: jlong, token: jlong, queue: jint) -> Result<jlong> {
    let queue = size("the most events that wait", queue.into())? as usize;
    with_client(client, |client| Ok(client.subscribe_with(token as u64, queue)? as jlong))
}

pub(super) fn lag<'local>(env: &mut Env<'local>, client: jlong, subscription: jlong) -> Result<JLongArray<'local>> {
    let (waiting, dropped) = with_client(client, |client| Ok(client.subscription(subscription as u64)?.lag()))?;
    longs(env, &[figure(waiting), figure(dropped)])
}

pub(super) fn poll<'local>(
    env: &mut Env<'local>,
    client: jlong,
    subscription: jlong,
    max: jint,
) -> Result<JLongArray<'local>> {
    let max = size("the most events", max.into())?.min(1 << 16) as usize;
    let events = with_client(client, |client| Ok(client.subscription(subscription as u64)?.poll(max)))?;
    let Some(events) = events else { return Ok(JLongArray::null()) };
    let mut fields = Vec::with_capacity(events.len() * 6);
    for e in &events {
        fields.extend_from_slice(&[
            e.kind as jlong,
            e.id.batch.0,
            e.id.task as jlong,
            jlong::from(e.id.index as jint),
            figure(e.size),
            figure(e.metadata),
        ]);
    }
    longs(env, &fields)
}

pub(super) fn unsubscribe(_env: &mut Env<'_>, client: jlong, subscription: jlong) -> Result<()> {
    with_open_client(client, |client| {
        client.unsubscribe(subscription as u64);
        Ok(())
    })
}

pub(super) fn log_level(_env: &mut Env<'_>, level: jint) -> Result<()> {
    logging::to_java(level)
}
