//! Calling Java from any thread.

use std::cell::Cell;
use std::ffi::c_void;

use jni::Env;
use jni::errors::jni_error_code_to_result;
use jni::errors::{Error as JniError, Result as JniResult};
use jni::strings::JNIString;
use jni::sys;
use jni::vm::JavaVM;

use super::java::java;

thread_local! {
    /// Set while this thread is attached by us; detaches it when it ends.
    static ATTACHED: Cell<Option<Attached>> = const { Cell::new(None) };
}

struct Attached(JavaVM);

impl Drop for Attached {
    fn drop(&mut self) {
        let vm = self.0.get_raw();
        // SAFETY: the JVM's own functions, for a thread of ours that is ending and has no Java frames.
        unsafe { ((**vm).v1_1.DetachCurrentThread)(vm) };
    }
}

/// Runs `f` with this thread's environment. A thread that the JVM does not know becomes a daemon of its, by the name it
/// has in Rust, until it ends: as an ordinary Java thread it would keep the JVM from exiting.
///
/// An exception that is pending already is put aside meanwhile; one that `f` leaves is cleared and returned as an error.
pub(super) fn with_java<R>(f: impl FnOnce(&mut Env<'_>) -> JniResult<R>) -> JniResult<R> {
    let vm = JavaVM::singleton()?;
    if !vm.is_thread_attached()? {
        attach(&vm)?;
    }
    vm.attach_current_thread(f)
}

fn attach(vm: &JavaVM) -> JniResult<()> {
    let name = JNIString::new(std::thread::current().name().unwrap_or("raybatch"));
    let mut args = sys::JavaVMAttachArgs {
        version: sys::JNI_VERSION_1_8,
        name: name.borrowed().as_ptr().cast_mut(),
        group: std::ptr::null_mut(),
    };
    let mut env: *mut c_void = std::ptr::null_mut();
    let raw = vm.get_raw();
    // SAFETY: the JVM's own functions; the arguments live during the call.
    let code = unsafe { ((**raw).v1_4.AttachCurrentThreadAsDaemon)(raw, &mut env, (&raw mut args).cast()) };
    jni_error_code_to_result(code)?;
    ATTACHED.try_with(|cell| cell.set(Some(Attached(vm.clone())))).map_err(|_| {
        // The thread is ending and nothing would detach it.
        drop(Attached(vm.clone()));
        JniError::JniCall(jni::errors::JniError::ThreadDetached)
    })
}

/// Wakes whoever waits in Java under `token`. Called by the store with no lock held, from threads of Java inside of a
/// call and from its own.
pub(super) fn wake(token: u64) {
    let outcome = match java() {
        Ok(java) => with_java(|env| java.wake(env, token)),
        Err(error) => return log::error!("nobody can be woken: {error}"),
    };
    if let Err(error) = outcome {
        log::error!("waking {token} failed: {error}");
    }
}
