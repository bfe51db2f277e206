//! Objects being written.

use jni::Env;
use jni::objects::{JByteArray, JByteBuffer, JLongArray};
use jni::sys::{jint, jlong};

use super::arrays::{Into, Jni, Window};
use super::direct::{self, Direct};
use super::handles::with_client;
use super::values::{bytes, key, kind, longs, object, pack, size};
use crate::error::Result;
use crate::store::Unsealed;

pub(super) fn create<'local>(
    env: &mut Env<'local>,
    client: jlong,
    batch: jlong,
    life: jlong,
    data: jlong,
    metadata: JByteArray<'local>,
    number: jint,
) -> Result<JLongArray<'local>> {
    let (data, metadata, kind) = (size("the size", data)?, bytes(env, &metadata)?, kind(number)?);
    let made = with_client(client, |client| {
        let (writer, slot) = client.create(key(batch, life), data, &metadata, kind)?;
        Ok([writer as jlong, pack(slot)?])
    })?;
    longs(env, &made)
}

pub(super) fn create_with_id(
    env: &mut Env<'_>,
    client: jlong,
    batch: jlong,
    task: jlong,
    index: jint,
    data: jlong,
    metadata: JByteArray<'_>,
    number: jint,
) -> Result<jlong> {
    let (data, metadata, kind) = (size("the size", data)?, bytes(env, &metadata)?, kind(number)?);
    with_client(client, |client| Ok(client.create_with_id(object(batch, task, index), data, &metadata, kind)? as jlong))
}

pub(super) fn put(
    jni: Jni<'_>,
    client: jlong,
    writer: jlong,
    position: jlong,
    source: JByteArray<'_>,
    offset: jint,
    length: jint,
) -> Result<()> {
    let source = Window::of_bytes(jni, &source, offset, length)?;
    let position = size("the position", position)?;
    with_client(client, |client| client.writer(writer as u64)?.write(position, &source))
}

pub(super) fn put_direct(
    env: &mut Env<'_>,
    client: jlong,
    writer: jlong,
    position: jlong,
    source: JByteBuffer<'_>,
    offset: jint,
    length: jint,
) -> Result<()> {
    let source = Direct::source(env, &source, offset, length)?;
    let position = size("the position", position)?;
    with_client(client, |client| client.writer(writer as u64)?.write(position, &source))
}

pub(super) fn get(
    jni: Jni<'_>,
    client: jlong,
    writer: jlong,
    position: jlong,
    target: JByteArray<'_>,
    offset: jint,
    length: jint,
) -> Result<()> {
    let window = Window::of_bytes(jni, &target, offset, length)?;
    let (position, len) = (size("the position", position)?, window.bytes());
    with_client(client, |client| client.writer(writer as u64)?.read(position, len, &mut Into::new(window)))
}

pub(super) fn seal(_env: &mut Env<'_>, client: jlong, writer: jlong) -> Result<()> {
    finish(client, writer, Unsealed::seal)
}

pub(super) fn abort(_env: &mut Env<'_>, client: jlong, writer: jlong) -> Result<()> {
    finish(client, writer, Unsealed::abort)
}

pub(super) fn release(_env: &mut Env<'_>, client: jlong, writer: jlong) -> Result<()> {
    finish(client, writer, Unsealed::release)
}

/// Ends a writer; its handle goes whatever came of it.
fn finish(client: jlong, writer: jlong, end: impl FnOnce(&Unsealed) -> Result<()>) -> Result<()> {
    with_client(client, |client| {
        let unsealed = client.writer(writer as u64)?;
        let ended = end(&unsealed);
        client.drop_writer(writer as u64);
        ended
    })
}

pub(super) fn buffer<'local>(
    env: &mut Env<'local>,
    client: jlong,
    writer: jlong,
    hold: JLongArray<'local>,
) -> Result<JByteBuffer<'local>> {
    let raw = with_client(client, |client| client.writer(writer as u64)?.raw())?;
    direct::over(env, raw.ptr, raw.len, raw.hold, &hold)
}

pub(super) fn seal_by_id(_env: &mut Env<'_>, client: jlong, batch: jlong, task: jlong, index: jint) -> Result<()> {
    with_client(client, |client| client.seal(&object(batch, task, index)))
}

pub(super) fn abort_by_id(_env: &mut Env<'_>, client: jlong, batch: jlong, task: jlong, index: jint) -> Result<()> {
    with_client(client, |client| client.abort(&object(batch, task, index)))
}
