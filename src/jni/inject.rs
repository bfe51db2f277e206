//! Panics and faults on request, for tests: only in a library built with the feature `fault-injection`.

#[cfg(feature = "fault-injection")]
mod enabled {
    use std::collections::HashMap;
    use std::sync::{Arc, LazyLock};

    use jni::Env;
    use jni::objects::JString;
    use jni::sys::jlong;
    use parking_lot::Mutex;

    use super::super::values::{required, size};
    use crate::error::{Error, ErrorCode, Result};
    use crate::store::{FaultPoint, NthFault};

    /// The export whose next call panics.
    static ARMED: Mutex<Option<String>> = Mutex::new(None);
    /// client → the faults of its store
    static FAULTS: LazyLock<Mutex<HashMap<jlong, Arc<NthFault>>>> = LazyLock::new(Mutex::default);

    pub(in super::super) fn panic_if_armed(export: &'static str) {
        let mut armed = ARMED.lock();
        if armed.as_deref() == Some(export) {
            *armed = None;
            drop(armed);
            panic!("injected: {export}");
        }
    }

    pub(in super::super) fn faults() -> Arc<NthFault> {
        Arc::new(NthFault::new())
    }

    pub(in super::super) fn remember(client: jlong, faults: Arc<NthFault>) {
        FAULTS.lock().insert(client, faults);
    }

    pub(in super::super) fn forget(client: jlong) {
        FAULTS.lock().remove(&client);
    }

    pub(in super::super) fn panic<'local>(env: &mut Env<'local>, export: JString<'local>) -> Result<()> {
        *ARMED.lock() = Some(required(env, "the export", &export)?);
        Ok(())
    }

    pub(in super::super) fn fault<'local>(
        env: &mut Env<'local>,
        client: jlong,
        point: JString<'local>,
        nth: jlong,
    ) -> Result<()> {
        let point: FaultPoint = required(env, "the point", &point)?.parse()?;
        let faults = FAULTS.lock().get(&client).cloned();
        let faults = faults.ok_or_else(|| Error::new(ErrorCode::Closed, "no open store has this handle"))?;
        faults.arm(point, size("nth", nth)?);
        Ok(())
    }
}

#[cfg(not(feature = "fault-injection"))]
mod disabled {
    use std::sync::Arc;

    use jni::Env;
    use jni::objects::JString;
    use jni::sys::jlong;

    use crate::error::{Error, ErrorCode, Result};
    use crate::store::NoFaults;

    #[inline]
    pub(in super::super) fn panic_if_armed(_export: &'static str) {}

    pub(in super::super) fn faults() -> Arc<NoFaults> {
        Arc::new(NoFaults)
    }

    pub(in super::super) fn remember(_client: jlong, _faults: Arc<NoFaults>) {}

    pub(in super::super) fn forget(_client: jlong) {}

    pub(in super::super) fn panic<'local>(_env: &mut Env<'local>, _export: JString<'local>) -> Result<()> {
        Err(without())
    }

    pub(in super::super) fn fault<'local>(
        _env: &mut Env<'local>,
        _client: jlong,
        _point: JString<'local>,
        _nth: jlong,
    ) -> Result<()> {
        Err(without())
    }

    fn without() -> Error {
        Error::new(ErrorCode::InvalidArgument, "this library was built without the feature fault-injection")
    }
}

#[cfg(not(feature = "fault-injection"))]
pub(super) use disabled::{fault, faults, forget, panic, panic_if_armed, remember};
#[cfg(feature = "fault-injection")]
pub(super) use enabled::{fault, faults, forget, panic, panic_if_armed, remember};
