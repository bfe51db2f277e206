//! The native methods of `io.raybatch.Native`, a line each: name, arguments, result, and the function that does it.

use jni::EnvUnowned;
use jni::objects::{JByteArray, JByteBuffer, JClass, JIntArray, JLongArray, JObject, JObjectArray, JString};
use jni::sys::{jboolean, jint, jlong};

use super::policy::{guard, guard_hot};
use super::{batches, clients, events, groups, inject, journal, mapping, memory, objects, tasks, views, writers};

/// An export is a guard and one call.
macro_rules! export {
    ($guard:ident $name:ident($($arg:ident: $type:ty),*) -> $result:ty = $body:path) => {
        #[unsafe(export_name = concat!("Java_io_raybatch_Native_", stringify!($name)))]
        extern "system" fn $name<'local>(
            env: EnvUnowned<'local>,
            _class: JClass<'local>,
            $($arg: $type),*
        ) -> $result {
            $guard(stringify!($name), env, |env| $body(env, $($arg),*))
        }
    };
}

#[allow(non_snake_case, reason = "the names are Java's")]
mod all {
    use super::*;

    export!(guard version() -> JString<'local> = clients::version);

    export!(guard open(options: JObjectArray<'local, JString<'local>>) -> jlong = clients::open);
    export!(guard connect(name: JString<'local>) -> jlong = clients::connect);
    export!(guard close(client: jlong, by: JString<'local>) -> () = clients::close);
    export!(guard clientInfo(client: jlong) -> JLongArray<'local> = clients::info);
    export!(guard storeName(client: jlong) -> JString<'local> = clients::store_name);
    export!(guard storeStats(client: jlong) -> JLongArray<'local> = clients::stats);
    export!(guard audit(client: jlong) -> () = clients::audit);
    export!(guard memory(client: jlong) -> JObjectArray<'local> = memory::report);
    export!(guard used(client: jlong) -> JLongArray<'local> = memory::used);
    export!(guard spill(client: jlong) -> jlong = memory::spill);

    export!(guard openJournal(client: jlong) -> jlong = journal::open);
    export!(guard journal(journal: jlong) -> JObjectArray<'local> = journal::take);
    export!(guard dropJournal(journal: jlong) -> () = journal::drop);

    export!(guard map(client: jlong, out: JLongArray<'local>)
        -> JObjectArray<'local> = mapping::map);
    export!(guard unmap(mapping: jlong) -> () = mapping::unmap);
    export!(guard region(client: jlong, batch: jlong, life: jlong) -> JLongArray<'local> = mapping::region);
    export!(guard scan(client: jlong, batch: jlong, life: jlong, from: jlong, out: JLongArray<'local>)
        -> jint = mapping::scan);

    export!(guard newBatchId(client: jlong) -> jlong = batches::new_id);
    export!(guard_hot startBatch(client: jlong, id: jlong, parent: jlong, parent_life: jlong, name: JByteArray<'local>,
        timeout: jlong, max_bytes: jlong, max_objects: jlong, priority: jint, no_cleanup: jboolean, max_tasks: jint,
        checkpoint_actors: jboolean, latency_sensitive: jboolean, group: JByteArray<'local>, by: JByteArray<'local>,
        out: JLongArray<'local>) -> () = batches::start);
    export!(guard endBatch(client: jlong, id: jlong, life: jlong, collect: jboolean, checkpoint: jboolean, keep: JByteArray<'local>,
        reason: jint, by: JString<'local>) -> JLongArray<'local> = batches::end);
    export!(guard_hot closeBatch(client: jlong, id: jlong, life: jlong, by: JByteArray<'local>) -> () = batches::close);
    export!(guard deleteBatch(client: jlong, id: jlong, life: jlong, by: JString<'local>) -> () = batches::delete);
    export!(guard gc(client: jlong, id: jlong, life: jlong) -> JLongArray<'local> = batches::gc);
    export!(guard openAncestor(client: jlong, id: jlong, life: jlong) -> JLongArray<'local> = batches::open_ancestor);
    export!(guard openGroup(client: jlong, path: JString<'local>) -> () = groups::open);
    export!(guard limitGroup(client: jlong, path: JString<'local>, which: jint, most: jlong) -> () = groups::limit);
    export!(guard removeGroup(client: jlong, path: JString<'local>) -> () = groups::remove);
    export!(guard groups(client: jlong, path: JString<'local>) -> JObjectArray<'local> = groups::statuses);
    export!(guard status(client: jlong, id: jlong, life: jlong) -> JObjectArray<'local> = batches::status);
    export!(guard batches(client: jlong) -> JLongArray<'local> = batches::all);

    export!(guard_hot put(client: jlong, batch: jlong, life: jlong, array: JObject<'local>, offset: jint, length: jint,
        kind: jint, thread: jint) -> jlong = objects::put);
    export!(guard putDirect(client: jlong, batch: jlong, life: jlong, buffer: JByteBuffer<'local>, offset: jint,
        length: jint, kind: jint) -> jlong = objects::put_direct);
    export!(guard_hot get(client: jlong, batch: jlong, task: jlong, index: jint, out: JObjectArray<'local>)
        -> jint = objects::get);
    export!(guard_hot getInto(client: jlong, batch: jlong, task: jlong, index: jint, target: JByteArray<'local>,
        offset: jint, length: jint) -> jint = objects::get_into);
    export!(guard_hot getSlot(client: jlong, batch: jlong, life: jlong, slot: jlong, target: JByteArray<'local>,
        offset: jint, length: jint) -> jint = objects::get_slot);
    export!(guard contains(client: jlong, batch: jlong, task: jlong, index: jint) -> jboolean = objects::contains);
    export!(guard resolve(client: jlong, batch: jlong, task: jlong, index: jint) -> () = objects::resolve);
    export!(guard delete(client: jlong, ids: JByteArray<'local>) -> jint = objects::delete);
    export!(guard free(client: jlong, ids: JByteArray<'local>) -> jint = objects::free);
    export!(guard transfer(client: jlong, ids: JByteArray<'local>, from: jlong, from_life: jlong, to: jlong,
        to_life: jlong) -> () = objects::transfer);
    export!(guard evict(client: jlong, bytes: jlong) -> jlong = objects::evict);
    export!(guard hash(client: jlong, batch: jlong, task: jlong, index: jint) -> jlong = objects::hash);
    export!(guard list(client: jlong, batch: jlong, life: jlong, every: jboolean)
        -> JObjectArray<'local> = objects::list);

    export!(guard create(client: jlong, batch: jlong, life: jlong, size: jlong, metadata: JByteArray<'local>,
        kind: jint) -> JLongArray<'local> = writers::create);
    export!(guard createWithId(client: jlong, batch: jlong, task: jlong, index: jint, size: jlong,
        metadata: JByteArray<'local>, kind: jint) -> jlong = writers::create_with_id);
    export!(guard_hot writerPut(client: jlong, writer: jlong, position: jlong, source: JByteArray<'local>,
        offset: jint, length: jint) -> () = writers::put);
    export!(guard writerPutDirect(client: jlong, writer: jlong, position: jlong, source: JByteBuffer<'local>,
        offset: jint, length: jint) -> () = writers::put_direct);
    export!(guard_hot writerGet(client: jlong, writer: jlong, position: jlong, target: JByteArray<'local>,
        offset: jint, length: jint) -> () = writers::get);
    export!(guard writerSeal(client: jlong, writer: jlong) -> () = writers::seal);
    export!(guard writerAbort(client: jlong, writer: jlong) -> () = writers::abort);
    export!(guard writerRelease(client: jlong, writer: jlong) -> () = writers::release);
    export!(guard writerBuffer(client: jlong, writer: jlong, hold: JLongArray<'local>)
        -> JByteBuffer<'local> = writers::buffer);
    export!(guard seal(client: jlong, batch: jlong, task: jlong, index: jint) -> () = writers::seal_by_id);
    export!(guard abort(client: jlong, batch: jlong, task: jlong, index: jint) -> () = writers::abort_by_id);

    export!(guard read(client: jlong, batch: jlong, task: jlong, index: jint) -> JLongArray<'local> = views::read);
    export!(guard_hot viewGet(client: jlong, view: jlong, metadata: jboolean, position: jlong,
        target: JByteArray<'local>, offset: jint, length: jint) -> () = views::get);
    export!(guard viewGetDirect(client: jlong, view: jlong, metadata: jboolean, position: jlong,
        target: JByteBuffer<'local>, offset: jint, length: jint) -> () = views::get_direct);
    export!(guard viewBuffer(client: jlong, view: jlong, hold: JLongArray<'local>)
        -> JByteBuffer<'local> = views::buffer);
    export!(guard viewRelease(client: jlong, view: jlong) -> () = views::release);
    export!(guard releaseHold(hold: jlong) -> () = views::release_hold);

    export!(guard watch(client: jlong, ids: JByteArray<'local>, token: jlong) -> () = events::watch);
    export!(guard unwatch(client: jlong, token: jlong) -> () = events::unwatch);
    export!(guard askForRoom(client: jlong, token: jlong) -> jlong = events::ask_for_room);
    export!(guard forgetRoom(client: jlong, token: jlong) -> () = events::forget_room);
    export!(guard subscribe(client: jlong, token: jlong) -> jlong = events::subscribe);
    export!(guard poll(client: jlong, subscription: jlong, max: jint) -> JLongArray<'local> = events::poll);
    export!(guard unsubscribe(client: jlong, subscription: jlong) -> () = events::unsubscribe);
    export!(guard logLevel(level: jint) -> () = events::log_level);

    export!(guard startTasks(client: jlong, slots: jint, max_pending: jint, token: jlong) -> () = tasks::start);
    export!(guard_hot taskBlock(client: jlong, batch: jlong, life: jlong, count: jint, out: JLongArray<'local>)
        -> jlong = tasks::block);
    export!(guard_hot blockOf(client: jlong, serial: jint, slot: jlong, attempt: jint, nth: jint, count: jint,
        puts: jboolean) -> jlong = tasks::block_of);
    export!(guard_hot submit(client: jlong, serial: jint, slot: jlong, kind: jint, returns: jint, retries: jint,
        cpus: jint, priority: jint, actor: jint, caller: jlong, args: JByteArray<'local>, parent_serial: jint,
        parent_slot: jlong, parent_attempt: jint) -> jint = tasks::submit);
    export!(guard_hot newActor(client: jlong, serial: jint, slot: jlong, name: JByteArray<'local>, restarts: jint,
        fault_tolerant: jboolean, checkpointable: jboolean, policy: jint, every: jint) -> jint = tasks::new_actor);
    export!(guard_hot take(client: jlong, batch: jint, max: jint, out: JLongArray<'local>) -> jint = tasks::take);
    export!(guard arguments(client: jlong, serial: jint, slot: jlong, attempt: jint)
        -> JByteArray<'local> = tasks::arguments);
    export!(guard_hot putResult(client: jlong, serial: jint, slot: jlong, attempt: jint, index: jint,
        array: JObject<'local>, offset: jint, length: jint, kind: jint) -> jboolean = tasks::put_result);
    export!(guard_hot putInTask(client: jlong, serial: jint, slot: jlong, attempt: jint, first: jlong, index: jint,
        array: JObject<'local>, offset: jint, length: jint, kind: jint) -> () = tasks::put_in_run);
    export!(guard_hot complete(client: jlong, outcomes: JLongArray<'local>, n: jint, blob: JByteArray<'local>,
        length: jint) -> jint = tasks::complete);
    export!(guard_hot blocked(client: jlong, serial: jint, slot: jlong, attempt: jint, blocked: jboolean)
        -> jint = tasks::blocked);
    export!(guard_hot cancelTask(client: jlong, batch: jlong, task: jlong, index: jint, by: JByteArray<'local>)
        -> jboolean = tasks::cancel_task);
    export!(guard_hot cancelBatch(client: jlong, batch: jlong, life: jlong, by: JByteArray<'local>)
        -> () = tasks::cancel_batch);
    export!(guard_hot cancelActor(client: jlong, actor: jint, by: JByteArray<'local>) -> () = tasks::cancel_actor);
    export!(guard_hot cancelTasks(client: jlong, by: JByteArray<'local>) -> () = tasks::cancel_everything);
    export!(guard_hot killActor(client: jlong, actor: jint, for_good: jboolean, by: JByteArray<'local>)
        -> () = tasks::kill_actor);
    export!(guard_hot abandon(client: jlong, serial: jint, slot: jlong, attempt: jint, thread: JByteArray<'local>)
        -> jint = tasks::abandon);
    export!(guard remake(client: jlong, ids: JByteArray<'local>) -> JByteArray<'local> = tasks::remake);
    export!(guard freeRecursive(client: jlong, ids: JByteArray<'local>) -> jint = tasks::free_recursive);
    export!(guard keepActors(client: jlong, actors: JIntArray<'local>, from: jlong, from_life: jlong, to: jlong,
        to_life: jlong) -> () = tasks::keep_actors);
    export!(guard rollback(client: jlong, batch: jlong, life: jlong) -> () = tasks::rollback);
    export!(guard readyBatches(client: jlong) -> JLongArray<'local> = tasks::ready_batches);
    export!(guard orders(client: jlong) -> JLongArray<'local> = tasks::orders);
    export!(guard taskStatus(client: jlong, batch: jlong, life: jlong) -> JObjectArray<'local> = tasks::status);
    export!(guard active(client: jlong, serials: JIntArray<'local>) -> JIntArray<'local> = tasks::active);
    export!(guard watchBatch(client: jlong, batch: jlong, life: jlong, token: jlong) -> () = batches::watch);
    export!(guard batchOver(client: jlong, batch: jlong, life: jlong) -> JLongArray<'local> = batches::over);

    export!(guard injectPanic(export: JString<'local>) -> () = inject::panic);
    export!(guard injectFault(client: jlong, point: JString<'local>, nth: jlong) -> () = inject::fault);
}
