//! Sealed objects that stay where they are.

use std::sync::Arc;

use jni::Env;
use jni::objects::{JByteArray, JByteBuffer, JLongArray};
use jni::sys::{jboolean, jint, jlong};

use super::arrays::{Into, Jni, Window, inside};
use super::direct::{self, Direct};
use super::handles::{HOLDS, with_client, with_open_client};
use super::values::{figure, longs, object};
use crate::error::Result;
use crate::store::{Pin, Sink};

pub(super) fn read<'local>(
    env: &mut Env<'local>,
    client: jlong,
    batch: jlong,
    task: jlong,
    index: jint,
) -> Result<JLongArray<'local>> {
    let found = with_client(client, |client| client.read(&object(batch, task, index)))?;
    let Some((view, pin)) = found else { return Ok(JLongArray::null()) };
    let fields =
        [view as jlong, figure(pin.data().len() as u64), figure(pin.metadata().len() as u64), pin.kind() as jlong];
    longs(env, &fields)
}

pub(super) fn get(
    jni: Jni<'_>,
    client: jlong,
    view: jlong,
    metadata: jboolean,
    position: jlong,
    target: JByteArray<'_>,
    offset: jint,
    length: jint,
) -> Result<()> {
    let window = Window::of_bytes(jni, &target, offset, length)?;
    let len = window.bytes();
    copy(client, view, metadata, position, len, &mut Into::new(window))
}

pub(super) fn get_direct(
    env: &mut Env<'_>,
    client: jlong,
    view: jlong,
    metadata: jboolean,
    position: jlong,
    target: JByteBuffer<'_>,
    offset: jint,
    length: jint,
) -> Result<()> {
    let mut target = Direct::target(env, &target, offset, length)?;
    copy(client, view, metadata, position, length as usize, &mut target)
}

/// The pin is held during the copy, whoever releases the view meanwhile.
fn copy(
    client: jlong,
    view: jlong,
    metadata: jboolean,
    position: jlong,
    len: usize,
    sink: &mut dyn Sink,
) -> Result<()> {
    let pin: Arc<Pin> = with_client(client, |client| client.view(view as u64))?;
    let (what, span) = if metadata { ("view's metadata", pin.metadata()) } else { ("view", pin.data()) };
    let (at, len) = inside(what, span.len() as u64, position, len as i64)?;
    sink.prepare(pin.kind(), len)?;
    sink.copy_from(&span.part(at as usize, len))?;
    with_client(client, |client| client.check_open())
}

pub(super) fn buffer<'local>(
    env: &mut Env<'local>,
    client: jlong,
    view: jlong,
    hold: JLongArray<'local>,
) -> Result<JByteBuffer<'local>> {
    let pin = with_client(client, |client| client.view(view as u64))?;
    direct::over(env, pin.data().as_ptr(), pin.data().len(), pin.hold(), &hold)
}

pub(super) fn release(_env: &mut Env<'_>, client: jlong, view: jlong) -> Result<()> {
    with_open_client(client, |client| {
        client.release_view(view as u64);
        Ok(())
    })
}

pub(super) fn release_hold(_env: &mut Env<'_>, hold: jlong) -> Result<()> {
    drop(HOLDS.remove(hold));
    Ok(())
}
