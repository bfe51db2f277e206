//! Tasks and actors.

use jni::Env;
use jni::objects::{JByteArray, JIntArray, JLongArray, JObject, JObjectArray};
use jni::sys::{jboolean, jint, jlong};

use super::arrays::{Element, Jni, Utf8, Window};
use super::handles::{with_client, with_tasks};
use super::threads;
use super::values::{figure, ids, key, kind, longs, object, objects, some_key, texts};
use crate::error::{Error, ErrorCode, Result};
use crate::id::ObjectId;
use crate::store::Kind;
use crate::task::{
    ActorSpec, CheckpointPolicy, Ending, Flags, Order, Outcome, Run, Submission, Submitted, TaskKind, TaskRef, Tasks,
};

/// Longs of a piece of work, of an outcome, and of an order; see `Native.java`.
const PIECE: usize = 6;
const OUTCOME: usize = 5;

const WAKE: jint = 1;
const FULL: jint = 2;
const ORDERS: jint = 4;
const KNOWN: jint = 8;
const STUCK: jint = 16;
/// More is ready than was taken.
const MORE: jint = 1 << 16;
const ALIASED: jlong = 1;
const DISCARD: jlong = 2;

pub(super) fn flags(flags: Flags) -> jint {
    let wake = if flags.ready > 0 { WAKE } else { 0 };
    wake | if flags.orders { ORDERS } else { 0 }
}

pub(super) fn run(serial: jint, slot: jlong, attempt: jint) -> Run {
    Run { task: TaskRef { serial: serial as u32, slot: slot as u64 }, attempt: attempt as u32 }
}

fn packed(first: u64, count: u32) -> jlong {
    (first << 24) as jlong | jlong::from(count)
}

pub(super) fn invalid(what: &str, n: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InvalidArgument, format!("{what} is {n}, which is out of its range"))
}

pub(super) fn start(_env: &mut Env<'_>, client: jlong, slots: jint, max_pending: jint, token: jlong) -> Result<()> {
    let slots = u32::try_from(slots).map_err(|_| invalid("the number of slots", slots))?;
    let max_pending = u64::try_from(max_pending).map_err(|_| invalid("the most pending tasks", max_pending))?;
    with_client(client, |client| {
        let tasks = Tasks::start(client, slots, max_pending)?;
        tasks.on_alert(Box::new(move || threads::wake(token as u64)));
        Ok(())
    })
}

pub(super) fn block(
    jni: Jni<'_>,
    client: jlong,
    batch: jlong,
    life: jlong,
    count: jint,
    out: JLongArray<'_>,
) -> Result<jlong> {
    jni.has_room(&out, 2)?;
    let count = u32::try_from(count).map_err(|_| invalid("the number of slots", count))?;
    let block = with_tasks(client, |client, tasks| tasks.block(client, key(batch, life), count))?;
    jni.set_longs(&out, &[block.serial.into(), block.base as jlong]);
    Ok(packed(block.first, block.count))
}

pub(super) fn block_of(
    _jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    attempt: jint,
    nth: jint,
    count: jint,
    puts: jboolean,
) -> Result<jlong> {
    let count = u32::try_from(count).map_err(|_| invalid("the number of slots", count))?;
    let run = run(serial, slot, attempt);
    let block = with_tasks(client, |client, tasks| tasks.block_of(client, run, nth as u32, count, puts))?;
    Ok(packed(block.0, block.1))
}

pub(super) fn submit(
    jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    what: jint,
    returns: jint,
    retries: jint,
    cpus: jint,
    priority: jint,
    actor: jint,
    caller: jlong,
    arguments: JByteArray<'_>,
    parent_serial: jint,
    parent_slot: jlong,
    parent_attempt: jint,
) -> Result<jint> {
    let arguments =
        if arguments.is_null() { Vec::new() } else { ObjectId::list_from_bytes(&jni.bytes(&arguments, None)?)? };
    let submission = Submission {
        task: TaskRef { serial: serial as u32, slot: slot as u64 },
        kind: match what {
            0 => TaskKind::Plain,
            1 => TaskKind::Method,
            2 => TaskKind::Creation,
            3 => TaskKind::Checkpoint,
            _ => return Err(invalid("the kind of task", what)),
        },
        returns: u16::try_from(returns).map_err(|_| invalid("the number of results", returns))?,
        retries: u16::try_from(retries).map_err(|_| invalid("the number of retries", retries))?,
        cpus: u16::try_from(cpus).map_err(|_| invalid("the number of slots", cpus))?,
        priority: (priority != jint::MIN).then_some(priority),
        actor: actor as u32,
        caller: caller as u64,
        arguments: &arguments,
        parent: (parent_serial != 0).then(|| run(parent_serial, parent_slot, parent_attempt)),
    };
    let (submitted, told) = with_tasks(client, |_, tasks| tasks.submit(&submission))?;
    Ok(flags(told)
        | match submitted {
            Submitted::Accepted => 0,
            Submitted::Known => KNOWN,
            Submitted::Full { stuck: false } => FULL,
            Submitted::Full { stuck: true } => FULL | STUCK,
        })
}

pub(super) fn new_actor(
    jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    name: JByteArray<'_>,
    restarts: jint,
    fault_tolerant: jint,
    policy: jint,
    every: jint,
) -> Result<jint> {
    let name = Utf8::read(jni, &name)?.text()?.to_owned();
    let policy = match policy {
        0 => CheckpointPolicy::Never,
        1 => CheckpointPolicy::Boundary,
        2 => CheckpointPolicy::Transition,
        3 => CheckpointPolicy::Every(u32::try_from(every).map_err(|_| invalid("the number of tasks", every))?),
        4 => CheckpointPolicy::Balanced,
        _ => return Err(invalid("the checkpoint policy", policy)),
    };
    let creation = TaskRef { serial: serial as u32, slot: slot as u64 };
    let restarts = u32::try_from(restarts).ok();
    let fault_tolerant = match fault_tolerant {
        0 => Some(false),
        1 => Some(true),
        -1 => None,
        _ => return Err(invalid("the fault tolerance", fault_tolerant)),
    };
    // whether it is checkpointable is known when it is constructed
    let spec = ActorSpec { creation, name, restarts, fault_tolerant, checkpointable: true, policy };
    with_tasks(client, |client, tasks| Ok(tasks.new_actor(client, spec)? as jint))
}

pub(super) fn actor_made(_: Jni<'_>, client: jlong, actor: jint, checkpointable: jboolean) -> Result<()> {
    with_tasks(client, |_, tasks| {
        tasks.actor_made(actor as u32, checkpointable);
        Ok(())
    })
}

pub(super) fn take(jni: Jni<'_>, client: jlong, batch: jint, max: jint, out: JLongArray<'_>) -> Result<jint> {
    let max = usize::try_from(max).ok().filter(|max| *max > 0).ok_or_else(|| invalid("the most pieces", max))?;
    let room = max.checked_mul(PIECE).and_then(|room| jint::try_from(room).ok());
    jni.has_room(&out, room.ok_or_else(|| invalid("the most pieces", max))?)?;
    let which = (batch != 0).then_some(batch as u32);
    let (work, more) = with_tasks(client, |_, tasks| Ok(tasks.take(which, max)))?;
    if work.is_empty() {
        return Ok(-1);
    }
    let mut figures = Vec::with_capacity(work.len() * PIECE);
    for w in &work {
        figures.extend_from_slice(&[
            w.run.task.serial.into(),
            w.run.task.slot as jlong,
            jlong::from(w.run.attempt) | jlong::from(w.kind as u8) << 32,
            jlong::from(w.actor) | jlong::from(w.instance) << 32,
            if w.aliased { ALIASED } else { 0 } | if w.replay { DISCARD } else { 0 },
            0,
        ]);
    }
    jni.set_longs(&out, &figures);
    Ok(work.len() as jint | if more { MORE } else { 0 })
}

pub(super) fn arguments<'local>(
    env: &mut Env<'local>,
    client: jlong,
    serial: jint,
    slot: jlong,
    attempt: jint,
) -> Result<JByteArray<'local>> {
    let run = run(serial, slot, attempt);
    let ids = with_tasks(client, |_, tasks| Ok(tasks.arguments(run)))?;
    let bytes: Vec<u8> = ids.iter().flat_map(ObjectId::to_bytes).collect();
    Ok(env.byte_array_from_slice(&bytes)?)
}

pub(super) fn put_result(
    jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    attempt: jint,
    index: jint,
    array: JObject<'_>,
    offset: jint,
    length: jint,
    number: jint,
) -> Result<jboolean> {
    let kind = kind(number)?;
    let window = Window::of(jni, &array, Element::of(kind), offset, length)?;
    let run = run(serial, slot, attempt);
    with_tasks(client, |_, tasks| tasks.put_result(run, index as u32, kind, &window))
}

pub(super) fn put_in_run(
    jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    attempt: jint,
    first: jlong,
    index: jint,
    array: JObject<'_>,
    offset: jint,
    length: jint,
    number: jint,
) -> Result<()> {
    let kind = kind(number)?;
    let window = Window::of(jni, &array, Element::of(kind), offset, length)?;
    let run = run(serial, slot, attempt);
    with_tasks(client, |_, tasks| tasks.put_in_run(run, first as u64, index as u32, kind, &window))
}

pub(super) fn complete(
    jni: Jni<'_>,
    client: jlong,
    outcomes: JLongArray<'_>,
    n: jint,
    blob: JByteArray<'_>,
    length: jint,
) -> Result<jint> {
    let n = usize::try_from(n).map_err(|_| invalid("the number of outcomes", n))?;
    let figures = jni.longs(&outcomes, n * OUTCOME)?;
    let blob = if length == 0 { Vec::new() } else { jni.bytes(&blob, Some(length))? };
    let mut rest = blob.as_slice();
    let mut reported = Vec::with_capacity(n);
    let (rows, _) = figures.as_chunks::<OUTCOME>();
    for &[serial, slot, attempt, value, nanos] in rows {
        let len = value as u32 as usize;
        let bytes = rest.split_off(..len).ok_or_else(|| invalid("the length of a value", len))?;
        reported.push(Outcome {
            run: run(serial as jint, slot, attempt as jint),
            ending: match attempt >> 32 {
                0 => Ending::Value,
                1 => Ending::Stored,
                2 => Ending::Threw,
                4 => Ending::NotBegun,
                5 => Ending::LostArgument,
                7 => Ending::NotSaveable,
                // it was cancelled; if the table knows nothing of that, it failed without a word
                3 | 6 => Ending::ThrewForGood,
                other => return Err(invalid("the status of an outcome", other)),
            },
            kind: if value >> 32 == 0 { Kind::Bytes } else { kind((value >> 32) as jint)? },
            bytes,
            nanos: nanos as u64,
        });
    }
    with_tasks(client, |_, tasks| Ok(flags(tasks.complete(&reported))))
}

pub(super) fn blocked(
    _jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    attempt: jint,
    blocked: jboolean,
) -> Result<jint> {
    with_tasks(client, |_, tasks| Ok(flags(tasks.blocked(run(serial, slot, attempt), blocked))))
}

pub(super) fn abandon(
    jni: Jni<'_>,
    client: jlong,
    serial: jint,
    slot: jlong,
    attempt: jint,
    thread: JByteArray<'_>,
) -> Result<jint> {
    let thread = Utf8::read(jni, &thread)?;
    let run = run(serial, slot, attempt);
    with_tasks(client, |_, tasks| Ok(flags(tasks.abandon(run, thread.text()?))))
}

pub(super) fn cancel_task(
    jni: Jni<'_>,
    client: jlong,
    batch: jlong,
    task: jlong,
    index: jint,
    by: JByteArray<'_>,
) -> Result<jboolean> {
    let by = Utf8::read(jni, &by)?;
    with_tasks(client, |_, tasks| {
        let (cancelled, told) = tasks.cancel(&object(batch, task, index), by.text()?);
        tasks.pass_on(told);
        Ok(cancelled)
    })
}

pub(super) fn cancel_batch(jni: Jni<'_>, client: jlong, batch: jlong, life: jlong, by: JByteArray<'_>) -> Result<()> {
    let by = Utf8::read(jni, &by)?;
    with_client(client, |client| client.cancel_batch(key(batch, life), by.text()?).map(|_| ()))
}

pub(super) fn cancel_actor(jni: Jni<'_>, client: jlong, actor: jint, by: JByteArray<'_>) -> Result<()> {
    let by = Utf8::read(jni, &by)?;
    with_tasks(client, |_, tasks| {
        let told = tasks.cancel_actor(actor as u32, by.text()?);
        tasks.pass_on(told);
        Ok(())
    })
}

pub(super) fn kill_actor(
    jni: Jni<'_>,
    client: jlong,
    actor: jint,
    for_good: jboolean,
    by: JByteArray<'_>,
) -> Result<()> {
    let by = Utf8::read(jni, &by)?;
    with_tasks(client, |_, tasks| {
        let (_, told) = tasks.kill_actor(actor as u32, for_good, by.text()?);
        tasks.pass_on(told);
        Ok(())
    })
}

pub(super) fn cancel_everything(jni: Jni<'_>, client: jlong, by: JByteArray<'_>) -> Result<()> {
    let by = Utf8::read(jni, &by)?;
    with_tasks(client, |_, tasks| {
        let told = tasks.cancel_everything(by.text()?);
        tasks.pass_on(told);
        Ok(())
    })
}

pub(super) fn remake<'local>(env: &mut Env<'local>, client: jlong, list: JByteArray<'_>) -> Result<JByteArray<'local>> {
    let ids = ids(env, &list)?;
    let answers = with_tasks(client, |_, tasks| {
        let (answers, told) = tasks.remake(&ids);
        tasks.pass_on(told);
        Ok(answers)
    })?;
    let bytes: Vec<u8> = answers.into_iter().map(|answer| answer as u8).collect();
    Ok(env.byte_array_from_slice(&bytes)?)
}

pub(super) fn free_recursive(env: &mut Env<'_>, client: jlong, list: JByteArray<'_>) -> Result<jint> {
    let ids = ids(env, &list)?;
    with_tasks(client, |client, tasks| Ok(tasks.free_recursive(client, &ids)? as jint))
}

pub(super) fn keep_actors(
    env: &mut Env<'_>,
    client: jlong,
    actors: JIntArray<'_>,
    from: jlong,
    from_life: jlong,
    to: jlong,
    to_life: jlong,
) -> Result<()> {
    let actors: Vec<u32> = ints(env, &actors)?.into_iter().map(|actor| actor as u32).collect();
    with_tasks(client, |client, tasks| tasks.keep_actors(client, &actors, key(from, from_life), some_key(to, to_life)))
}

pub(super) fn rollback(_env: &mut Env<'_>, client: jlong, batch: jlong, life: jlong) -> Result<()> {
    with_tasks(client, |_, tasks| {
        let told = tasks.rollback(key(batch, life))?;
        tasks.pass_on(told);
        Ok(())
    })
}

pub(super) fn ready_batches<'local>(env: &mut Env<'local>, client: jlong) -> Result<JLongArray<'local>> {
    let loads = with_tasks(client, |_, tasks| Ok(tasks.ready_batches()))?;
    let row = |l: crate::task::BatchLoad| {
        [l.serial.into(), l.id, l.priority.into(), figure(l.ready), figure(l.running), figure(l.waiting_nanos)]
    };
    let figures: Vec<jlong> = loads.into_iter().flat_map(row).collect();
    longs(env, &figures)
}

pub(super) fn orders<'local>(env: &mut Env<'local>, client: jlong) -> Result<JLongArray<'local>> {
    let orders = with_tasks(client, |_, tasks| Ok(tasks.orders()))?;
    if orders.is_empty() {
        return Ok(JLongArray::null());
    }
    let row = |order: Order| match order {
        Order::Interrupt(run) => [1, run.task.serial.into(), run.task.slot as jlong, run.attempt.into()],
        Order::Forget(serial) => [2, serial.into(), 0, 0],
        Order::DropInstance { actor, instance } => [3, actor.into(), instance.into(), 0],
        Order::Workers => [4, 0, 0, 0],
        Order::Room => [5, 0, 0, 0],
        Order::DropActor(actor) => [7, actor.into(), 0, 0],
        Order::ForgetFrom(task) => [6, task.serial.into(), task.slot as jlong, 256],
    };
    let figures: Vec<jlong> = orders.into_iter().flat_map(row).collect();
    longs(env, &figures)
}

pub(super) fn status<'local>(
    env: &mut Env<'local>,
    client: jlong,
    batch: jlong,
    life: jlong,
) -> Result<JObjectArray<'local>> {
    let status = with_tasks(client, |_, tasks| Ok(tasks.status(key(batch, life))))?;
    let Some(status) = status else { return Ok(JObjectArray::<JObject<'_>>::null()) };
    let c = status.counts;
    let counts = [c.waiting, c.ready, c.running, c.done, c.failed, c.cancelled, c.active].map(figure);
    let counts = longs(env, &counts)?;
    let abandoned: Vec<_> = status.abandoned.iter().map(|name| Some(name.as_str())).collect();
    let abandoned = texts(env, &abandoned)?;
    let row = |h: &crate::task::HeldBy| [h.batch, h.actor.into(), figure(h.since_ms), jlong::from(h.live)];
    let held: Vec<jlong> = status.held_by.iter().flat_map(row).collect();
    let held = longs(env, &held)?;
    let names: Vec<_> = status.held_by.iter().map(|h| Some(h.actor_name.as_str())).collect();
    let names = texts(env, &names)?;
    objects(env, &[&counts, &abandoned, &held, &names])
}

pub(super) fn active<'local>(
    env: &mut Env<'local>,
    client: jlong,
    serials: JIntArray<'_>,
) -> Result<JIntArray<'local>> {
    let serials = ints(env, &serials)?;
    let counts = with_tasks(client, |_, tasks| Ok(tasks.active(&serials)))?;
    let array = JIntArray::new(env, counts.len())?;
    array.set_region(env, 0, &counts)?;
    Ok(array)
}

fn ints(env: &Env<'_>, array: &JIntArray<'_>) -> Result<Vec<jint>> {
    if array.is_null() {
        return Err(Error::new(ErrorCode::InvalidArgument, "the list of numbers is null"));
    }
    let mut all = vec![0; array.len(env)?];
    array.get_region(env, 0, &mut all)?;
    Ok(all)
}
