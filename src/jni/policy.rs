//! Errors and panics, once for all exports.
//!
//! | what happened | what Java sees |
//! |---|---|
//! | an [`Error`] | the exception that `NativeCallbacks.error` makes of it |
//! | a Java exception is pending already | that one, as it was |
//! | a panic | an internal error that names the export and holds the panic's message |
//! | a JNI function failed | an internal error that says which |
//! | making the exception failed | the Java exception that this threw, else a plain `RuntimeException` |
//!
//! An export never returns to Java as if it had succeeded, and never unwinds into it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jni::errors::ErrorPolicy;
use jni::strings::JNIString;
use jni::{Env, EnvUnowned};

use super::arrays::Jni;
use super::inject;
use super::java::{java, panic_message};
use crate::error::{Error, ErrorCode, Result};

/// Runs the body of an export.
pub(super) fn guard<'local, T: Default>(
    export: &'static str,
    mut unowned: EnvUnowned<'local>,
    body: impl FnOnce(&mut Env<'local>) -> Result<T>,
) -> T {
    unowned
        .with_env(|env| {
            inject::panic_if_armed(export);
            body(env)
        })
        .resolve_with::<Throw, _>(|| export)
}

/// As [`guard`], for the exports that run once per object: it sets up no [`Env`], whose thread-locals cost some ten
/// nanoseconds, before something has failed.
pub(super) fn guard_hot<'local, T: Default>(
    export: &'static str,
    mut unowned: EnvUnowned<'local>,
    body: impl FnOnce(Jni<'local>) -> Result<T>,
) -> T {
    let jni = Jni::new(&unowned);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        inject::panic_if_armed(export);
        body(jni)
    }));
    match outcome {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => unowned.with_env(|_| Err(error)).resolve_with::<Throw, _>(|| export),
        Err(payload) => {
            let again = |_: &mut Env<'local>| -> Result<T> { resume_unwind(payload) };
            unowned.with_env(again).resolve_with::<Throw, _>(|| export)
        }
    }
}

/// Throws what failed, and returns the default value, which Java does not see.
struct Throw;

impl<T: Default> ErrorPolicy<T, Error> for Throw {
    /// The export's name.
    type Captures<'unowned_env_local: 'native_method, 'native_method> = &'static str;

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _export: &mut &'static str,
        error: Error,
    ) -> jni::errors::Result<T> {
        throw(env, &error);
        Ok(T::default())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        export: &mut &'static str,
        payload: Box<dyn Any + Send>,
    ) -> jni::errors::Result<T> {
        throw(env, &panicked(export, payload));
        Ok(T::default())
    }
}

fn panicked(export: &str, payload: Box<dyn Any + Send>) -> Error {
    let message = panic_message(payload);
    Error::new(ErrorCode::Internal, format!("a defect of raybatch: {export} panicked: {message}"))
}

/// Leaves an exception pending, whatever happens.
fn throw(env: &mut Env<'_>, error: &Error) {
    if env.exception_check() {
        return;
    }
    let made = catch_unwind(AssertUnwindSafe(|| -> Result<()> {
        match java()?.exception(env, error)? {
            // "Err: a Java exception was thrown" is what success looks like here
            Some(exception) => env.throw(exception).or(Ok(())),
            None => Ok(()),
        }
    }));
    if env.exception_check() {
        return;
    }
    let why = match made {
        Ok(Ok(())) => "NativeCallbacks.error made nothing of it".to_owned(),
        Ok(Err(why)) => why.to_string(),
        Err(payload) => panic_message(payload),
    };
    log::error!("no exception could be made for \"{error}\": {why}");
    let plain = catch_unwind(AssertUnwindSafe(|| -> Result<()> {
        let message = JNIString::new(format!("{error} (and no better exception could be made: {why})"));
        env.throw_new(java()?.runtime_exception(), message).or(Ok(()))
    }));
    if !env.exception_check() {
        // Going on as if nothing had happened would hand Java a made-up result.
        log::error!("nothing can be thrown: {plain:?}");
        env.fatal_error(jni::jni_str!("raybatch: an error occurred and no exception can be thrown for it"));
    }
}

impl From<jni::errors::Error> for Error {
    /// What the JVM refused. A Java exception that is pending is thrown instead of it.
    fn from(error: jni::errors::Error) -> Self {
        Error::new(ErrorCode::Internal, format!("a call into the JVM failed: {error}"))
    }
}
