//! What tasks wait for.

use jni::Env;
use jni::objects::{JByteArray, JObject, JObjectArray};
use jni::sys::{jboolean, jint, jlong};

use super::arrays::Jni;
use super::handles::with_tasks;
use super::tasks::{flags, invalid, run};
use super::values::{key, longs, object, objects};
use crate::error::Result;
use crate::id::ObjectId;
use crate::task::{Awaits, Described};

pub(super) fn block_on(
    jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    attempt: jint,
    ids: JByteArray<'_>,
    needed: jint,
    timed: jboolean,
) -> Result<jint> {
    let ids = ObjectId::list_from_bytes(&jni.bytes(&ids, None)?)?;
    let needed = usize::try_from(needed).map_err(|_| invalid("the number of objects needed", needed))?;
    let awaits = Awaits::Objects { ids: &ids, needed, timed };
    with_tasks(client, |_, tasks| Ok(flags(tasks.block_on(run(serial, slot, attempt), &awaits)?)))
}

pub(super) fn block_on_batch(
    _jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    attempt: jint,
    batch: jlong,
    life: jlong,
) -> Result<jint> {
    let awaits = Awaits::Batch(key(batch, life));
    with_tasks(client, |_, tasks| Ok(flags(tasks.block_on(run(serial, slot, attempt), &awaits)?)))
}

pub(super) fn lend(_jni: Jni<'_>, client: jlong, serial: jint, slot: jlong, attempt: jint) -> Result<jint> {
    with_tasks(client, |_, tasks| Ok(flags(tasks.lend(run(serial, slot, attempt)))))
}

pub(super) fn has_ready(_env: &mut Env<'_>, client: jlong) -> Result<jboolean> {
    with_tasks(client, |_, tasks| Ok(tasks.has_ready()))
}

pub(super) fn describe_object<'local>(
    env: &mut Env<'local>,
    client: jlong,
    batch: jlong,
    task: jlong,
    index: jint,
) -> Result<JObjectArray<'local>> {
    let said = with_tasks(client, |_, tasks| Ok(tasks.describe_object(&object(batch, task, index))))?;
    described(env, &said)
}

pub(super) fn describe_batch<'local>(
    env: &mut Env<'local>,
    client: jlong,
    batch: jlong,
    life: jlong,
) -> Result<JObjectArray<'local>> {
    let said = with_tasks(client, |_, tasks| Ok(tasks.describe_batch(key(batch, life))))?;
    described(env, &said)
}

/// `{text, {serial, slot, …}}`.
fn described<'local>(env: &mut Env<'local>, said: &Described) -> Result<JObjectArray<'local>> {
    let tasks: Vec<jlong> = said.tasks.iter().flat_map(|task| [task.serial.into(), task.slot as jlong]).collect();
    let tasks = longs(env, &tasks)?;
    let text = env.new_string(&said.text)?;
    let (text, tasks): (&JObject<'_>, &JObject<'_>) = (&text, &tasks);
    objects(env, &[text, tasks])
}
