//! Groups of batches.

use jni::Env;
use jni::objects::{JLongArray, JObjectArray, JString};
use jni::sys::{jint, jlong};

use super::handles::with_client;
use super::values::{figure, longs, objects, required, text, texts};
use crate::batch::{GroupLimit, GroupStatus};
use crate::error::{Error, ErrorCode, Result};

/// Where a limit could be and is none.
const NONE: jlong = jlong::MIN;

pub(super) fn open<'local>(env: &mut Env<'local>, client: jlong, path: JString<'local>) -> Result<()> {
    let path = required(env, "the group's path", &path)?;
    with_client(client, |client| client.open_group(&path))
}

pub(super) fn limit<'local>(
    env: &mut Env<'local>,
    client: jlong,
    path: JString<'local>,
    which: jint,
    most: jlong,
) -> Result<()> {
    let path = required(env, "the group's path", &path)?;
    let invalid = |text: String| Error::new(ErrorCode::InvalidArgument, text);
    let count = |what: &str| match most {
        NONE => Ok(None),
        most => {
            u64::try_from(most).map(Some).map_err(|_| invalid(format!("{what} is {most}, and must not be negative")))
        }
    };
    let limit = match which {
        0 => GroupLimit::Bytes(count("maxBytes")?),
        1 => GroupLimit::Objects(count("maxObjects")?),
        2 => GroupLimit::Tasks(count("maxTasks")?),
        3 => GroupLimit::Priority(i32::try_from(most).ok()),
        other => return Err(invalid(format!("there is no limit {other} of a group"))),
    };
    with_client(client, |client| client.limit_group(&path, limit))
}

pub(super) fn remove<'local>(env: &mut Env<'local>, client: jlong, path: JString<'local>) -> Result<()> {
    let path = required(env, "the group's path", &path)?;
    with_client(client, |client| client.remove_group(&path))
}

/// The group of that path, or all for null.
pub(super) fn statuses<'local>(
    env: &mut Env<'local>,
    client: jlong,
    path: JString<'local>,
) -> Result<JObjectArray<'local>> {
    let groups = match text(env, &path)? {
        Some(path) => vec![with_client(client, |client| client.group(&path))?],
        None => with_client(client, |client| client.groups())?,
    };
    let (figures, paths) = parts(env, &groups)?;
    objects(env, &[&figures, &paths])
}

/// Figures and paths of groups.
pub(super) fn parts<'local>(
    env: &mut Env<'local>,
    groups: &[GroupStatus],
) -> Result<(JLongArray<'local>, JObjectArray<'local>)> {
    let mut figures = Vec::new();
    for g in groups {
        let most = |most: Option<u64>| most.map_or(NONE, figure);
        figures.extend([most(g.max_bytes), most(g.max_objects), most(g.max_tasks)]);
        figures.push(g.max_priority.map_or(NONE, jlong::from));
        figures.extend([g.bytes, g.objects, g.held, g.share, g.batches, g.tasks, g.refused].map(figure));
    }
    let paths: Vec<Option<&str>> = groups.iter().map(|g| Some(&*g.path)).collect();
    Ok((longs(env, &figures)?, texts(env, &paths)?))
}
