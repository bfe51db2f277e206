//! Stores and their clients.

use std::sync::Arc;

use jni::Env;
use jni::objects::{JLongArray, JObjectArray, JString};
use jni::sys::jlong;

use super::handles::{CLIENTS, with_client};
use super::values::{actor, figure, longs, required, strings};
use super::{inject, logging, threads};
use crate::batch::Client;
use crate::config::Config;
use crate::error::{Error, ErrorCode, Result};

pub(super) fn version<'local>(env: &mut Env<'local>) -> Result<JString<'local>> {
    Ok(JString::new(env, env!("CARGO_PKG_VERSION"))?)
}

pub(super) fn open<'local>(env: &mut Env<'local>, options: JObjectArray<'local, JString<'local>>) -> Result<jlong> {
    let words = strings(env, &options)?;
    let (pairs, rest) = words.as_chunks::<2>();
    if let [key] = rest {
        return Err(Error::new(ErrorCode::InvalidArgument, format!("option '{key}' has no value")));
    }
    let pairs: Vec<_> = pairs.iter().map(|[key, value]| (key.clone(), value.clone())).collect();
    let config = Config::from_pairs(&pairs)?;
    let opening = Opening::begin();
    let faults = inject::faults();
    let client = Client::open_with(&config, faults.clone())?;
    let engine = Arc::downgrade(client.engine()?);
    client.store().notifier().set_waker(Box::new(move |token| {
        // the table of tasks waits for objects as threads of Java do
        if !engine.upgrade().is_some_and(|engine| engine.woken(token)) {
            threads::wake(token);
        }
    }));
    let handle = CLIENTS.insert(client);
    opening.succeeded();
    inject::remember(handle, faults);
    Ok(handle)
}

/// A client that counts as open; no more when this is dropped before it has succeeded.
struct Opening;

impl Opening {
    fn begin() -> Self {
        logging::client_opens();
        Opening
    }

    fn succeeded(self) {
        std::mem::forget(self);
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        logging::client_closed();
    }
}

pub(super) fn connect<'local>(env: &mut Env<'local>, name: JString<'local>) -> Result<jlong> {
    let name = required(env, "the store's name", &name)?;
    let opening = Opening::begin();
    let handle = CLIENTS.insert(Client::connect(&name)?);
    opening.succeeded();
    Ok(handle)
}

/// The handle goes first: no further call finds the client, and those under way finish on their own.
pub(super) fn close<'local>(env: &mut Env<'local>, client: jlong, by: JString<'local>) -> Result<()> {
    let by = actor(env, &by)?;
    inject::forget(client);
    match CLIENTS.remove(client) {
        Some(client) => {
            let closed = client.close(&by);
            logging::client_closed();
            closed
        }
        None => Ok(()),
    }
}

/// Closes the clients that Java has left open.
pub(super) fn close_all() {
    for client in CLIENTS.remove_all() {
        if let Err(error) = client.close("the collection of its class loader") {
            log::warn!("a client could not be closed: {error}");
        }
        logging::client_closed();
    }
}

pub(super) fn info<'local>(env: &mut Env<'local>, client: jlong) -> Result<JLongArray<'local>> {
    let info = with_client(client, |client| {
        let root = client.root();
        Ok([root.id.0, root.life as jlong, jlong::from(client.owns_store()), client.normal_base() as jlong])
    })?;
    longs(env, &info)
}

pub(super) fn store_name<'local>(env: &mut Env<'local>, client: jlong) -> Result<JString<'local>> {
    let name = with_client(client, |client| Ok(client.store_name().to_owned()))?;
    Ok(JString::new(env, name)?)
}

pub(super) fn stats<'local>(env: &mut Env<'local>, client: jlong) -> Result<JLongArray<'local>> {
    let of = |client: &Client| Ok((client.stats()?, client.store().spill_stats(), client.store().records()));
    let (all, spill, records) = with_client(client, |client| of(client))?;
    let s = all.store;
    let figures = [
        s.capacity,
        s.used,
        s.live,
        s.leased,
        s.warm,
        s.largest_free,
        all.objects,
        all.live_batches,
        s.evicted_objects,
        s.evicted_bytes,
        s.backed,
        s.draining,
        spill.objects,
        spill.bytes,
        spill.files,
        spill.written_bytes,
        spill.restored_bytes,
        spill.served,
        spill.errors,
        records,
    ];
    longs(env, &figures.map(figure))
}

pub(super) fn audit(_env: &mut Env<'_>, client: jlong) -> Result<()> {
    with_client(client, |client| client.audit())
}
