//! What is used of Java: resolved when the library is loaded, by the class loader that loads it, and released when it is unloaded,
//! which the JVM does once that loader is unreachable.
//!
//! Two class loaders can each load a copy of the library, with its own statics. Of raybatch's own classes only a weak reference is
//! held, so that nothing native keeps their loader reachable. The package is that of the class which loads the library: a tool that
//! relocates the jar gives it another name.
//!
//! **Unloading.** The JVM closes the library when its loader is collected; no Java code can call it then. [`JNI_OnUnload`] closes
//! what clients are open still, and waits for the threads of the stores. A thread that Rust has begun, and one of Java's for which
//! the library keeps a thread-local, has a destructor registered for its end; glibc keeps the library mapped until that has run, and
//! musl never unmaps one. So none of them runs code that is no longer there.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use jni::errors::Result as JniResult;
use jni::ids::{JMethodID, JStaticMethodID};
use jni::objects::{JByteArray, JByteBuffer, JClass, JLongArray, JObject, JObjectArray, JString, JThrowable};
use jni::refs::{Global, IntoAuto as _, Weak};
use jni::signature::{Primitive, ReturnType};
use jni::strings::{JNIStr, JNIString};
use jni::sys::{self, jint, jlong};
use jni::vm::JavaVM;
use jni::{Env, JNIVersion, JValue, NativeMethod, jni_sig, jni_str};

use super::arrays::Element;
use super::exports::exports;
use super::{clients, logging};
use crate::error::{Error, ErrorCode, Result};

/// Classes and methods of Java, valid on every thread.
pub(super) struct Java {
    /// Weak, so that it does not keep its class loader reachable. Its methods are valid while it is there.
    callbacks: Weak<JClass<'static>>,
    error: JStaticMethodID,
    wake: JStaticMethodID,
    log: JStaticMethodID,
    /// `ByteBuffer.isReadOnly()`; `ByteBuffer` is never unloaded.
    is_read_only: JMethodID,
    runtime_exception: Global<JClass<'static>>,
    object: Global<JClass<'static>>,
    string: Global<JClass<'static>>,
    /// The class of the arrays of each element, by its number.
    arrays: [Global<JClass<'static>>; Element::ALL.len()],
}

/// From [`JNI_OnLoad`] to [`JNI_OnUnload`].
static JAVA: AtomicPtr<Java> = AtomicPtr::new(ptr::null_mut());

/// How long unloading waits for the threads of stores that have closed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the class is called that loads the library, within its package.
const LOADER: &str = ".NativeLibrary";

/// The package where the stack does not show it (`-XX:-StackTraceInThrowable`).
const PACKAGE: &str = "io.raybatch";

/// Called by the JVM before any export. What fails here fails the loading, with an exception that says what it was.
#[unsafe(no_mangle)]
extern "system" fn JNI_OnLoad(vm: *mut sys::JavaVM, _reserved: *mut c_void) -> jint {
    // SAFETY: the JVM passes its own, valid for the life of the process.
    let vm = unsafe { JavaVM::from_raw(vm) };
    let loaded = vm.with_top_local_frame(|env| -> JniResult<jint> {
        let resolved = catch_unwind(AssertUnwindSafe(|| {
            logging::install();
            Java::resolve(env)
        }));
        let why = match resolved {
            Ok(Ok(())) => return Ok(JNIVersion::V1_8.into()),
            Ok(Err(error)) => error.message().to_owned(),
            Err(payload) => panic_message(payload),
        };
        refuse(env, &why);
        Ok(sys::JNI_ERR)
    });
    loaded.unwrap_or(sys::JNI_ERR)
}

/// Called by the JVM when the class loader of the library is collected, in a thread of its own.
#[unsafe(no_mangle)]
extern "system" fn JNI_OnUnload(_vm: *mut sys::JavaVM, _reserved: *mut c_void) {
    let unloaded = catch_unwind(|| {
        clients::close_all();
        logging::rest();
        let java = JAVA.swap(ptr::null_mut(), Ordering::AcqRel);
        if !java.is_null() && crate::threads::join_all(PATIENCE) {
            // SAFETY: it came from a Box. The exports, which no Java code can call any more, and the store's threads, which have
            // ended, were all that used it.
            drop(unsafe { Box::from_raw(java) });
        }
    });
    if unloaded.is_err() {
        log::error!("unloading the library panicked; this is a defect of raybatch");
    }
}

/// Leaves an `UnsatisfiedLinkError` pending, caused by what was thrown meanwhile, if anything was.
fn refuse(env: &mut Env<'_>, why: &str) {
    if env.exception_check() {
        return;
    }
    let message = JNIString::new(format!("raybatch's native library cannot be set up: {why}"));
    // Err also when it was thrown
    let _ = env.throw_new(jni_str!("java/lang/UnsatisfiedLinkError"), message);
}

/// What was resolved at load. An export cannot run before that.
pub(super) fn java() -> Result<&'static Java> {
    let java = JAVA.load(Ordering::Acquire);
    // SAFETY: null, or from a Box that is dropped when the library is unloaded, after all that can come here.
    unsafe { java.as_ref() }.ok_or_else(|| Error::new(ErrorCode::Internal, "the JVM has not loaded this library"))
}

impl Java {
    fn resolve(env: &mut Env<'_>) -> Result<()> {
        let package = package(env)?;
        let natives = env.find_class(JNIString::new(format!("{package}.Native").replace('.', "/")))?;
        register(env, &natives)?;
        let callbacks = env.find_class(JNIString::new(format!("{package}.NativeCallbacks").replace('.', "/")))?;
        let buffer = class(env, jni_str!("java/nio/ByteBuffer"))?;
        let java = Java {
            error: env.get_static_method_id(
                &callbacks,
                jni_str!("error"),
                jni_sig!("(ILjava/lang/String;J[B[J)Ljava/lang/RuntimeException;"),
            )?,
            wake: env.get_static_method_id(&callbacks, jni_str!("wake"), jni_sig!("(J)V"))?,
            log: env.get_static_method_id(
                &callbacks,
                jni_str!("log"),
                jni_sig!("(ILjava/lang/String;Ljava/lang/String;)V"),
            )?,
            is_read_only: env.get_method_id(&buffer, jni_str!("isReadOnly"), jni_sig!("()Z"))?,
            runtime_exception: class(env, jni_str!("java/lang/RuntimeException"))?,
            object: class(env, jni_str!("java/lang/Object"))?,
            string: class(env, jni_str!("java/lang/String"))?,
            arrays: [
                class(env, Element::ALL[0].class_name())?,
                class(env, Element::ALL[1].class_name())?,
                class(env, Element::ALL[2].class_name())?,
                class(env, Element::ALL[3].class_name())?,
                class(env, Element::ALL[4].class_name())?,
                class(env, Element::ALL[5].class_name())?,
                class(env, Element::ALL[6].class_name())?,
                class(env, Element::ALL[7].class_name())?,
            ],
            callbacks: env.new_weak_ref(&callbacks)?,
        };
        let before = JAVA.swap(Box::into_raw(Box::new(java)), Ordering::AcqRel);
        // One there was is not dropped: nothing was unloaded, so it may be in use.
        debug_assert!(before.is_null());
        Ok(())
    }

    /// The class of the arrays of this element.
    pub(super) fn array_class(&self, element: Element) -> sys::jclass {
        self.arrays[element as usize].as_raw()
    }

    /// `java.lang.Object`.
    pub(super) fn object_class(&self) -> &Global<JClass<'static>> {
        &self.object
    }

    /// `java.lang.String`.
    pub(super) fn string_class(&self) -> &Global<JClass<'static>> {
        &self.string
    }

    /// `java.lang.RuntimeException`, for when no better one can be made.
    pub(super) fn runtime_exception(&self) -> &Global<JClass<'static>> {
        &self.runtime_exception
    }

    /// The exception for an error: `NativeCallbacks.error`. `None` if that returned null.
    pub(super) fn exception<'local>(
        &self,
        env: &mut Env<'local>,
        error: &Error,
    ) -> JniResult<Option<JThrowable<'local>>> {
        let message = JString::new(env, error.message())?;
        let object = match error.object_id() {
            Some(id) => env.byte_array_from_slice(&id.to_bytes())?,
            None => JByteArray::null(),
        };
        let facts = if error.figures().is_empty() {
            JLongArray::null()
        } else {
            let facts = JLongArray::new(env, error.figures().len())?;
            facts.set_region(env, 0, error.figures())?;
            facts
        };
        let args = [
            JValue::Int(error.code() as jint).as_jni(),
            JValue::Object(&message).as_jni(),
            JValue::Long(error.batch_id().map_or(0, |batch| batch.0)).as_jni(),
            JValue::Object(&object).as_jni(),
            JValue::Object(&facts).as_jni(),
        ];
        let Some(callbacks) = self.callbacks.upgrade_local(env)? else { return Ok(None) };
        // SAFETY: the id was resolved for this class, with these arguments and an object for result.
        let made = unsafe { env.call_static_method_unchecked(&callbacks, self.error, ReturnType::Object, &args) }?;
        let made = made.l()?;
        if made.is_null() {
            return Ok(None);
        }
        Ok(Some(env.cast_local::<JThrowable<'_>>(made)?))
    }

    /// `NativeCallbacks.wake`; nobody waits any more when its class loader was collected.
    pub(super) fn wake(&self, env: &mut Env<'_>, token: u64) -> JniResult<()> {
        let Some(callbacks) = self.callbacks.upgrade_local(env)? else { return Ok(()) };
        let callbacks = callbacks.auto();
        let args = [JValue::Long(token as jlong).as_jni()];
        // SAFETY: the id was resolved for this class, with this argument and no result.
        unsafe {
            env.call_static_method_unchecked(&*callbacks, self.wake, ReturnType::Primitive(Primitive::Void), &args)
        }?;
        Ok(())
    }

    /// `NativeCallbacks.log`.
    pub(super) fn log(&self, env: &mut Env<'_>, level: jint, target: &str, message: &str) -> JniResult<()> {
        let Some(callbacks) = self.callbacks.upgrade_local(env)? else { return Ok(()) };
        let target = JString::new(env, target)?;
        let message = JString::new(env, message)?;
        let args = [JValue::Int(level).as_jni(), JValue::Object(&target).as_jni(), JValue::Object(&message).as_jni()];
        // SAFETY: the id was resolved for this class, with these arguments and no result.
        unsafe {
            env.call_static_method_unchecked(&callbacks, self.log, ReturnType::Primitive(Primitive::Void), &args)
        }?;
        Ok(())
    }

    /// `buffer.isReadOnly()`; `buffer` is not null.
    pub(super) fn is_read_only(&self, env: &mut Env<'_>, buffer: &JByteBuffer<'_>) -> JniResult<bool> {
        // SAFETY: the id was resolved for ByteBuffer, without arguments and with a boolean for result.
        unsafe { env.call_method_unchecked(buffer, self.is_read_only, ReturnType::Primitive(Primitive::Boolean), &[]) }?
            .z()
    }
}

/// The package of the class that is loading the library, which is the topmost of that name on the stack but the JVM's own.
fn package(env: &mut Env<'_>) -> JniResult<String> {
    let here = env.new_object(jni_str!("java/lang/Throwable"), jni_sig!("()V"), &[])?;
    let frames =
        env.call_method(&here, jni_str!("getStackTrace"), jni_sig!("()[Ljava/lang/StackTraceElement;"), &[])?.l()?;
    let frames = env.cast_local::<JObjectArray<'_, JObject<'_>>>(frames)?;
    for n in 0..frames.len(env)? {
        let found = env.with_local_frame(8, |env| -> JniResult<Option<String>> {
            let frame = frames.get_element(env, n)?;
            let name = env.call_method(&frame, jni_str!("getClassName"), jni_sig!("()Ljava/lang/String;"), &[])?.l()?;
            let name = env.cast_local::<JString<'_>>(name)?.try_to_string(env)?;
            let own = !name.starts_with("java.") && !name.starts_with("jdk.");
            Ok(name.strip_suffix(LOADER).filter(|_| own).map(str::to_owned))
        })?;
        if let Some(package) = found {
            return Ok(package);
        }
    }
    Ok(PACKAGE.to_owned())
}

/// Gives the class its native methods.
fn register(env: &mut Env<'_>, natives: &JClass<'_>) -> Result<()> {
    for export in exports() {
        let (name, descriptor) = (JNIString::new(export.name), JNIString::new(&export.descriptor));
        // SAFETY: the function takes and returns what the descriptor says, which is made of its own types.
        let registered = unsafe {
            let method = NativeMethod::from_raw_parts(&name, &descriptor, export.function);
            env.register_native_methods(natives, &[method])
        };
        if let Err(error) = registered {
            if env.exception_check() {
                env.exception_clear();
            }
            let what = format!(
                "it has version {}, and the jar declares no native method {}{} ({error}): use those of one release",
                env!("CARGO_PKG_VERSION"),
                export.name,
                export.descriptor
            );
            return Err(Error::new(ErrorCode::Internal, what));
        }
    }
    Ok(())
}

fn class(env: &mut Env<'_>, name: &JNIStr) -> JniResult<Global<JClass<'static>>> {
    let found = env.find_class(name)?;
    env.new_global_ref(&found)
}

/// The message of a panic.
pub(super) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return (*text).to_owned();
    }
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => {
            // not dropped: that could panic once more
            std::mem::forget(other);
            "a panic without a message".to_owned()
        }
    }
}
