//! What is recorded of a store.

use std::sync::Arc;

use jni::Env;
use jni::objects::JObjectArray;
use jni::sys::jlong;

use super::handles::{JOURNALS, with_client};
use super::values::{figure, longs, objects, texts};
use crate::error::Result;

/// Notes that Java gets at once.
const MOST: usize = 1024;

pub(super) fn open(_env: &mut Env<'_>, client: jlong) -> Result<jlong> {
    with_client(client, |client| {
        client.check_open()?;
        let journal = Arc::clone(client.store().notifier().journal());
        journal.turn(true);
        Ok(JOURNALS.insert(journal))
    })
}

/// Nothing for a journal that was dropped.
pub(super) fn take<'local>(env: &mut Env<'local>, journal: jlong) -> Result<JObjectArray<'local>> {
    let (notes, lost) = JOURNALS.get(journal).map(|journal| journal.take(MOST)).unwrap_or_default();
    let mut figures = vec![figure(lost)];
    let mut words = Vec::with_capacity(2 * notes.len());
    for note in &notes {
        figures.extend_from_slice(&[
            note.what as jlong,
            note.batch.0,
            note.reason.into(),
            figure(note.objects),
            figure(note.bytes),
            figure(note.nanos),
            figure(note.at_ms),
        ]);
        words.extend([note.name.as_deref(), note.by.as_deref()]);
    }
    let figures = longs(env, &figures)?;
    let words = texts(env, &words)?;
    objects(env, &[&figures, &words])
}

pub(super) fn drop(_env: &mut Env<'_>, journal: jlong) -> Result<()> {
    if let Some(journal) = JOURNALS.remove(journal) {
        journal.turn(false);
    }
    Ok(())
}
