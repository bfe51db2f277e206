//! The native methods of `io.raybatch.Native`, a line each: name, arguments, result, and the function that does it.

use std::ffi::c_void;

use jni::EnvUnowned;
use jni::objects::{JByteArray, JByteBuffer, JClass, JIntArray, JLongArray, JObject, JObjectArray, JString};
use jni::sys::{jboolean, jint, jlong};

use super::policy::{guard, guard_hot};
use super::{
    batches, clients, events, groups, inject, journal, mapping, memory, objects, tasks, views, waits, writers,
};

/// A parameter or a result of a native method, as JNI writes its type.
trait JavaType {
    const DESCRIPTOR: &'static str;
}

macro_rules! java_types {
    ($($type:ty = $descriptor:literal),* $(,)?) => {
        $(impl JavaType for $type {
            const DESCRIPTOR: &'static str = $descriptor;
        })*
    };
}

java_types! {
    () = "V",
    jboolean = "Z",
    jint = "I",
    jlong = "J",
    JByteArray<'_> = "[B",
    JIntArray<'_> = "[I",
    JLongArray<'_> = "[J",
    JByteBuffer<'_> = "Ljava/nio/ByteBuffer;",
    JObject<'_> = "Ljava/lang/Object;",
    JString<'_> = "Ljava/lang/String;",
    JObjectArray<'_, JObject<'_>> = "[Ljava/lang/Object;",
    JObjectArray<'_, JString<'_>> = "[Ljava/lang/String;",
}

/// A native method and the function that implements it.
pub(super) struct Export {
    pub(super) name: &'static str,
    pub(super) descriptor: String,
    pub(super) function: *mut c_void,
}

/// All native methods. They are registered by the class that is given, and not found by their names, so that the package may
/// have another name: a tool that relocates the jar renames the class, and nothing in this library.
pub(super) use all::exports;

/// An export is a guard and one call.
macro_rules! exports {
    ($($guard:ident $name:ident($($arg:ident: $type:ty),*) -> $result:ty = $body:path;)*) => {
        $(extern "system" fn $name<'local>(
            env: EnvUnowned<'local>,
            _class: JClass<'local>,
            $($arg: $type),*
        ) -> $result {
            $guard(stringify!($name), env, |env| $body(env, $($arg),*))
        })*

        #[allow(clippy::extra_unused_lifetimes, reason = "the types of the methods name it")]
        pub(in super::super) fn exports<'local>() -> Vec<Export> {
            vec![$(Export {
                name: stringify!($name),
                descriptor: [
                    "(",
                    $(<$type as JavaType>::DESCRIPTOR,)*
                    ")",
                    <$result as JavaType>::DESCRIPTOR,
                ]
                .concat(),
                function: $name as *mut c_void,
            }),*]
        }
    };
}

#[allow(non_snake_case, reason = "the names are Java's")]
mod all {
    use super::*;

    exports! {
        guard version() -> JString<'local> = clients::version;

        guard open(options: JObjectArray<'local, JString<'local>>) -> jlong = clients::open;
        guard connect(name: JString<'local>) -> jlong = clients::connect;
        guard close(client: jlong, by: JString<'local>) -> () = clients::close;
        guard clientInfo(client: jlong) -> JLongArray<'local> = clients::info;
        guard storeName(client: jlong) -> JString<'local> = clients::store_name;
        guard storeStats(client: jlong) -> JLongArray<'local> = clients::stats;
        guard audit(client: jlong) -> () = clients::audit;
        guard memory(client: jlong) -> JObjectArray<'local> = memory::report;
        guard used(client: jlong) -> JLongArray<'local> = memory::used;
        guard spill(client: jlong) -> jlong = memory::spill;

        guard openJournal(client: jlong) -> jlong = journal::open;
        guard journal(journal: jlong) -> JObjectArray<'local> = journal::take;
        guard dropJournal(journal: jlong) -> () = journal::drop;

        guard map(client: jlong, out: JLongArray<'local>)
            -> JObjectArray<'local> = mapping::map;
        guard unmap(mapping: jlong) -> () = mapping::unmap;
        guard region(client: jlong, batch: jlong, life: jlong) -> JLongArray<'local> = mapping::region;
        guard scan(client: jlong, batch: jlong, life: jlong, from: jlong, out: JLongArray<'local>)
            -> jint = mapping::scan;

        guard newBatchId(client: jlong) -> jlong = batches::new_id;
        guard_hot startBatch(client: jlong, id: jlong, parent: jlong, parent_life: jlong, name: JByteArray<'local>,
            timeout: jlong, max_bytes: jlong, max_objects: jlong, priority: jint, no_cleanup: jboolean, max_tasks: jint,
            checkpoint_actors: jboolean, latency_sensitive: jboolean, group: JByteArray<'local>, by: JByteArray<'local>,
            out: JLongArray<'local>) -> () = batches::start;
        guard endBatch(client: jlong, id: jlong, life: jlong, collect: jboolean, checkpoint: jboolean, keep: JByteArray<'local>,
            reason: jint, by: JString<'local>) -> JLongArray<'local> = batches::end;
        guard_hot closeBatch(client: jlong, id: jlong, life: jlong, by: JByteArray<'local>) -> () = batches::close;
        guard deleteBatch(client: jlong, id: jlong, life: jlong, by: JString<'local>) -> () = batches::delete;
        guard gc(client: jlong, id: jlong, life: jlong) -> JLongArray<'local> = batches::gc;
        guard openGroup(client: jlong, path: JString<'local>) -> () = groups::open;
        guard limitGroup(client: jlong, path: JString<'local>, which: jint, most: jlong) -> () = groups::limit;
        guard removeGroup(client: jlong, path: JString<'local>) -> () = groups::remove;
        guard groups(client: jlong, path: JString<'local>) -> JObjectArray<'local> = groups::statuses;
        guard status(client: jlong, id: jlong, life: jlong) -> JObjectArray<'local> = batches::status;
        guard batches(client: jlong) -> JLongArray<'local> = batches::all;

        guard_hot put(client: jlong, batch: jlong, life: jlong, array: JObject<'local>, offset: jint, length: jint,
            kind: jint, thread: jint) -> jlong = objects::put;
        guard putDirect(client: jlong, batch: jlong, life: jlong, buffer: JByteBuffer<'local>, offset: jint,
            length: jint, kind: jint) -> jlong = objects::put_direct;
        guard_hot get(client: jlong, batch: jlong, task: jlong, index: jint, out: JObjectArray<'local>)
            -> jint = objects::get;
        guard_hot getInto(client: jlong, batch: jlong, task: jlong, index: jint, target: JByteArray<'local>,
            offset: jint, length: jint) -> jint = objects::get_into;
        guard_hot getSlot(client: jlong, batch: jlong, life: jlong, slot: jlong, target: JByteArray<'local>,
            offset: jint, length: jint) -> jint = objects::get_slot;
        guard contains(client: jlong, batch: jlong, task: jlong, index: jint) -> jboolean = objects::contains;
        guard resolve(client: jlong, batch: jlong, task: jlong, index: jint) -> () = objects::resolve;
        guard delete(client: jlong, ids: JByteArray<'local>) -> jint = objects::delete;
        guard free(client: jlong, ids: JByteArray<'local>) -> jint = objects::free;
        guard transfer(client: jlong, ids: JByteArray<'local>, from: jlong, from_life: jlong, to: jlong,
            to_life: jlong) -> () = objects::transfer;
        guard evict(client: jlong, bytes: jlong) -> jlong = objects::evict;
        guard hash(client: jlong, batch: jlong, task: jlong, index: jint) -> jlong = objects::hash;
        guard list(client: jlong, batch: jlong, life: jlong, every: jboolean)
            -> JObjectArray<'local> = objects::list;

        guard create(client: jlong, batch: jlong, life: jlong, size: jlong, metadata: JByteArray<'local>,
            kind: jint) -> JLongArray<'local> = writers::create;
        guard createWithId(client: jlong, batch: jlong, task: jlong, index: jint, size: jlong,
            metadata: JByteArray<'local>, kind: jint) -> jlong = writers::create_with_id;
        guard_hot writerPut(client: jlong, writer: jlong, position: jlong, source: JByteArray<'local>,
            offset: jint, length: jint) -> () = writers::put;
        guard writerPutDirect(client: jlong, writer: jlong, position: jlong, source: JByteBuffer<'local>,
            offset: jint, length: jint) -> () = writers::put_direct;
        guard_hot writerGet(client: jlong, writer: jlong, position: jlong, target: JByteArray<'local>,
            offset: jint, length: jint) -> () = writers::get;
        guard writerSeal(client: jlong, writer: jlong) -> () = writers::seal;
        guard writerAbort(client: jlong, writer: jlong) -> () = writers::abort;
        guard writerRelease(client: jlong, writer: jlong) -> () = writers::release;
        guard writerBuffer(client: jlong, writer: jlong, hold: JLongArray<'local>)
            -> JByteBuffer<'local> = writers::buffer;
        guard seal(client: jlong, batch: jlong, task: jlong, index: jint) -> () = writers::seal_by_id;
        guard abort(client: jlong, batch: jlong, task: jlong, index: jint) -> () = writers::abort_by_id;

        guard read(client: jlong, batch: jlong, task: jlong, index: jint) -> JLongArray<'local> = views::read;
        guard_hot viewGet(client: jlong, view: jlong, metadata: jboolean, position: jlong,
            target: JByteArray<'local>, offset: jint, length: jint) -> () = views::get;
        guard viewGetDirect(client: jlong, view: jlong, metadata: jboolean, position: jlong,
            target: JByteBuffer<'local>, offset: jint, length: jint) -> () = views::get_direct;
        guard viewBuffer(client: jlong, view: jlong, hold: JLongArray<'local>)
            -> JByteBuffer<'local> = views::buffer;
        guard viewRelease(client: jlong, view: jlong) -> () = views::release;
        guard releaseHold(hold: jlong) -> () = views::release_hold;

        guard watch(client: jlong, ids: JByteArray<'local>, token: jlong) -> () = events::watch;
        guard unwatch(client: jlong, token: jlong) -> () = events::unwatch;
        guard_hot claim(client: jlong, batch: jlong, task: jlong, index: jint, token: jlong) -> () = events::claim;
        guard claimAll(client: jlong, ids: JByteArray<'local>, token: jlong) -> () = events::claim_all;
        guard unclaim(client: jlong, ids: JByteArray<'local>, token: jlong) -> () = events::unclaim;
        guard_hot unclaimAll(client: jlong, token: jlong) -> () = events::unclaim_all;
        guard_hot getClaimed(client: jlong, token: jlong, batch: jlong, task: jlong, index: jint,
            out: JObjectArray<'local>) -> jint = objects::get_claimed;
        guard askForRoom(client: jlong, token: jlong) -> jlong = events::ask_for_room;
        guard forgetRoom(client: jlong, token: jlong) -> () = events::forget_room;
        guard subscribe(client: jlong, token: jlong, queue: jint) -> jlong = events::subscribe;
        guard lag(client: jlong, subscription: jlong) -> JLongArray<'local> = events::lag;
        guard poll(client: jlong, subscription: jlong, max: jint) -> JLongArray<'local> = events::poll;
        guard unsubscribe(client: jlong, subscription: jlong) -> () = events::unsubscribe;
        guard logLevel(level: jint) -> () = events::log_level;

        guard startTasks(client: jlong, slots: jint, max_pending: jint, token: jlong) -> () = tasks::start;
        guard_hot taskBlock(client: jlong, batch: jlong, life: jlong, count: jint, out: JLongArray<'local>)
            -> jlong = tasks::block;
        guard_hot blockOf(client: jlong, serial: jint, slot: jlong, attempt: jint, nth: jint, count: jint,
            puts: jboolean) -> jlong = tasks::block_of;
        guard_hot submit(client: jlong, serial: jint, slot: jlong, kind: jint, returns: jint, retries: jint,
            cpus: jint, priority: jint, actor: jint, caller: jlong, args: JByteArray<'local>, parent_serial: jint,
            parent_slot: jlong, parent_attempt: jint) -> jint = tasks::submit;
        guard_hot newActor(client: jlong, serial: jint, slot: jlong, name: JByteArray<'local>, restarts: jint,
            fault_tolerant: jint, policy: jint, every: jint) -> jint = tasks::new_actor;
        guard_hot actorMade(client: jlong, actor: jint, checkpointable: jboolean) -> () = tasks::actor_made;
        guard_hot take(client: jlong, batch: jint, max: jint, out: JLongArray<'local>) -> jint = tasks::take;
        guard arguments(client: jlong, serial: jint, slot: jlong, attempt: jint)
            -> JByteArray<'local> = tasks::arguments;
        guard_hot putResult(client: jlong, serial: jint, slot: jlong, attempt: jint, index: jint,
            array: JObject<'local>, offset: jint, length: jint, kind: jint) -> jboolean = tasks::put_result;
        guard_hot putInTask(client: jlong, serial: jint, slot: jlong, attempt: jint, first: jlong, index: jint,
            array: JObject<'local>, offset: jint, length: jint, kind: jint) -> () = tasks::put_in_run;
        guard_hot complete(client: jlong, outcomes: JLongArray<'local>, n: jint, blob: JByteArray<'local>,
            length: jint) -> jint = tasks::complete;
        guard_hot blocked(client: jlong, serial: jint, slot: jlong, attempt: jint, blocked: jboolean)
            -> jint = tasks::blocked;
        guard_hot blockOn(client: jlong, serial: jint, slot: jlong, attempt: jint, ids: JByteArray<'local>, needed: jint,
            timed: jboolean) -> jint = waits::block_on;
        guard_hot blockOnBatch(client: jlong, serial: jint, slot: jlong, attempt: jint, batch: jlong, life: jlong)
            -> jint = waits::block_on_batch;
        guard_hot lend(client: jlong, serial: jint, slot: jlong, attempt: jint) -> jint = waits::lend;
        guard hasReady(client: jlong) -> jboolean = waits::has_ready;
        guard describeObject(client: jlong, batch: jlong, task: jlong, index: jint)
            -> JObjectArray<'local> = waits::describe_object;
        guard describeBatch(client: jlong, batch: jlong, life: jlong) -> JObjectArray<'local> = waits::describe_batch;
        guard_hot cancelTask(client: jlong, batch: jlong, task: jlong, index: jint, by: JByteArray<'local>)
            -> jboolean = tasks::cancel_task;
        guard_hot cancelBatch(client: jlong, batch: jlong, life: jlong, by: JByteArray<'local>)
            -> () = tasks::cancel_batch;
        guard_hot cancelActor(client: jlong, actor: jint, by: JByteArray<'local>) -> () = tasks::cancel_actor;
        guard_hot cancelTasks(client: jlong, by: JByteArray<'local>) -> () = tasks::cancel_everything;
        guard_hot killActor(client: jlong, actor: jint, for_good: jboolean, by: JByteArray<'local>)
            -> () = tasks::kill_actor;
        guard_hot abandon(client: jlong, serial: jint, slot: jlong, attempt: jint, thread: JByteArray<'local>)
            -> jint = tasks::abandon;
        guard remake(client: jlong, ids: JByteArray<'local>) -> JByteArray<'local> = tasks::remake;
        guard freeRecursive(client: jlong, ids: JByteArray<'local>) -> jint = tasks::free_recursive;
        guard keepActors(client: jlong, actors: JIntArray<'local>, from: jlong, from_life: jlong, to: jlong,
            to_life: jlong) -> () = tasks::keep_actors;
        guard rollback(client: jlong, batch: jlong, life: jlong) -> () = tasks::rollback;
        guard readyBatches(client: jlong) -> JLongArray<'local> = tasks::ready_batches;
        guard orders(client: jlong) -> JLongArray<'local> = tasks::orders;
        guard taskStatus(client: jlong, batch: jlong, life: jlong) -> JObjectArray<'local> = tasks::status;
        guard active(client: jlong, serials: JIntArray<'local>) -> JIntArray<'local> = tasks::active;
        guard watchBatch(client: jlong, batch: jlong, life: jlong, token: jlong) -> () = batches::watch;
        guard batchOver(client: jlong, batch: jlong, life: jlong) -> JLongArray<'local> = batches::over;

        guard injectPanic(export: JString<'local>) -> () = inject::panic;
        guard injectFault(client: jlong, point: JString<'local>, nth: jlong) -> () = inject::fault;
    }
}
