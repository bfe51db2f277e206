//! What is used of Java: resolved once, when the library is loaded, by the class loader that loads it.
//!
//! Two class loaders can each load a copy of the library, with its own statics. The classes are held for good. That
//! keeps their loader alive and the library mapped, which it has to be: threads of the store run in it.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use jni::errors::Result as JniResult;
use jni::ids::{JMethodID, JStaticMethodID};
use jni::objects::{JByteArray, JByteBuffer, JClass, JLongArray, JString, JThrowable};
use jni::refs::Global;
use jni::signature::{Primitive, ReturnType};
use jni::strings::{JNIStr, JNIString};
use jni::sys::{self, jint, jlong};
use jni::vm::JavaVM;
use jni::{Env, JNIVersion, JValue, jni_sig, jni_str};

use super::arrays::Element;
use super::logging;
use crate::error::{Error, ErrorCode, Result};

/// Classes and methods of Java, valid on every thread.
pub(super) struct Java {
    callbacks: Global<JClass<'static>>,
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

static JAVA: OnceLock<Java> = OnceLock::new();

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
            Ok(Err(error)) => error.to_string(),
            Err(payload) => panic_message(payload),
        };
        refuse(env, &why);
        Ok(sys::JNI_ERR)
    });
    loaded.unwrap_or(sys::JNI_ERR)
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
    JAVA.get().ok_or_else(|| Error::new(ErrorCode::Internal, "the JVM has not loaded this library"))
}

impl Java {
    fn resolve(env: &mut Env<'_>) -> JniResult<()> {
        let callbacks = class(env, jni_str!("io/raybatch/NativeCallbacks"))?;
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
            callbacks,
        };
        // a second call to JNI_OnLoad in one copy of the library would find the same
        let _ = JAVA.set(java);
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
        // SAFETY: the id was resolved for this class, with these arguments and an object for result.
        let made = unsafe { env.call_static_method_unchecked(&self.callbacks, self.error, ReturnType::Object, &args) }?;
        let made = made.l()?;
        if made.is_null() {
            return Ok(None);
        }
        Ok(Some(env.cast_local::<JThrowable<'_>>(made)?))
    }

    /// `NativeCallbacks.wake`.
    pub(super) fn wake(&self, env: &mut Env<'_>, token: u64) -> JniResult<()> {
        let args = [JValue::Long(token as jlong).as_jni()];
        // SAFETY: the id was resolved for this class, with this argument and no result.
        unsafe {
            env.call_static_method_unchecked(&self.callbacks, self.wake, ReturnType::Primitive(Primitive::Void), &args)
        }?;
        Ok(())
    }

    /// `NativeCallbacks.log`.
    pub(super) fn log(&self, env: &mut Env<'_>, level: jint, target: &str, message: &str) -> JniResult<()> {
        let target = JString::new(env, target)?;
        let message = JString::new(env, message)?;
        let args = [JValue::Int(level).as_jni(), JValue::Object(&target).as_jni(), JValue::Object(&message).as_jni()];
        // SAFETY: the id was resolved for this class, with these arguments and no result.
        unsafe {
            env.call_static_method_unchecked(&self.callbacks, self.log, ReturnType::Primitive(Primitive::Void), &args)
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
