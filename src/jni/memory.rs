//! The report about memory.

use jni::Env;
use jni::objects::{JLongArray, JObjectArray};
use jni::sys::jlong;

use super::groups;
use super::handles::with_client;
use super::values::{figure, longs, objects, texts};
use crate::batch::Records;
use crate::error::Result;

pub(super) fn report<'local>(env: &mut Env<'local>, client: jlong) -> Result<JObjectArray<'local>> {
    let report = with_client(client, |client| client.memory())?;
    let (s, t, f) = (&report.store, &report.table, &report.spill);
    let whole = [
        report.at_ms,
        s.capacity,
        s.bookkeeping,
        s.draining,
        s.free,
        s.warm,
        s.largest_free,
        t.held,
        t.normal,
        t.kept,
        t.pinned,
        t.unused,
        t.spilled,
        t.objects,
        t.spilled_objects,
        f.files,
        f.objects,
        f.bytes,
        f.written_bytes,
        f.restored_bytes,
        f.served,
        f.errors,
        report.records.0,
    ];
    let mut fields = Vec::new();
    let mut words: Vec<Option<&str>> = Vec::new();
    for b in &report.batches {
        let r = &b.region;
        fields.extend_from_slice(&[
            b.key.id.0,
            b.parent.0,
            jlong::from(b.is_root) | jlong::from(b.latency_sensitive) << 1,
            b.state as jlong,
            figure(b.started_ms),
            jlong::from(b.priority),
        ]);
        let figures = [
            r.held,
            r.index,
            r.live,
            r.pinned,
            r.unused,
            r.spilled,
            r.objects,
            r.spilled_objects,
            r.pins,
            b.kept.0,
            b.kept.1,
        ];
        fields.extend(figures.map(figure));
        words.extend([b.name.as_deref(), Some(&b.started_by), b.group.as_deref()]);
    }
    let mut leaving = Vec::new();
    let mut names = Vec::new();
    for d in &report.draining {
        leaving.push(d.key.id.0);
        leaving.extend([d.started_ms, d.held, d.pins].map(figure));
        names.extend([d.name.as_deref(), d.started_by.as_deref(), d.group.as_deref()]);
    }
    let (whose, known) = holders(&report.records.1);
    let (whose, known) = (longs(env, &whose)?, texts(env, &known)?);
    let whole = longs(env, &whole.map(figure))?;
    let fields = longs(env, &fields)?;
    let words = texts(env, &words)?;
    let (groups, paths) = groups::parts(env, &report.groups)?;
    let (leaving, names) = (longs(env, &leaving)?, texts(env, &names)?);
    objects(env, &[&whole, &fields, &words, &groups, &paths, &leaving, &names, &whose, &known])
}

/// Kind (1: an actor, 0: a batch), number and bytes of each for whom records are held, and what errors call it.
fn holders(records: &Records) -> (Vec<jlong>, Vec<Option<&str>>) {
    let actors = records.actors.iter().map(|it| (1, it));
    let all: Vec<_> = actors.chain(records.batches.iter().map(|it| (0, it))).collect();
    let figures = all.iter().flat_map(|(kind, it)| [*kind, it.number, figure(it.bytes)]).collect();
    (figures, all.iter().map(|(_, it)| Some(it.name.as_str())).collect())
}

pub(super) fn used<'local>(env: &mut Env<'local>, client: jlong) -> Result<JLongArray<'local>> {
    let figures = with_client(client, |client| {
        client.check_open()?;
        Ok([client.store().used(), client.store().config().capacity])
    })?;
    longs(env, &figures.map(figure))
}

pub(super) fn spill(_env: &mut Env<'_>, client: jlong) -> Result<jlong> {
    with_client(client, |client| Ok(figure(client.spill()?)))
}
