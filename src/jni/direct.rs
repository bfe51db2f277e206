//! Direct buffers of Java.

use jni::Env;
use jni::objects::{JByteBuffer, JLongArray};
use jni::sys::jint;

use super::arrays::inside;
use super::handles::HOLDS;
use super::java::java;
use crate::error::{Error, ErrorCode, Result};
use crate::store::{Hold, Kind, Sink, Source, Span, SpanMut};

/// A range of a direct buffer, checked. Java keeps the buffer reachable during the call it was passed to.
///
/// As with any buffer, bytes that another thread of Java's changes meanwhile are copied in any mixture. So to Rust that memory
/// is never more than an address, read and written in atomic words and bytes.
pub(super) struct Direct {
    at: *mut u8,
    len: usize,
}

impl Direct {
    /// `length` bytes from `offset` on, whatever the buffer's position and limit, for reading.
    ///
    /// # Errors
    /// `InvalidArgument` for null and for a buffer on the heap, `OutOfBounds`.
    pub(super) fn source(env: &Env<'_>, buffer: &JByteBuffer<'_>, offset: jint, length: jint) -> Result<Self> {
        let invalid = |what| Error::new(ErrorCode::InvalidArgument, what);
        if buffer.is_null() {
            return Err(invalid("the buffer is null"));
        }
        let Ok(capacity) = env.get_direct_buffer_capacity(buffer) else {
            return Err(invalid("the buffer is not direct: pass the array of a buffer on the heap"));
        };
        let (at, len) = inside("direct buffer", capacity as u64, offset.into(), length.into())?;
        if len == 0 {
            return Ok(Direct { at: std::ptr::NonNull::dangling().as_ptr(), len });
        }
        let start = env.get_direct_buffer_address(buffer)?;
        // SAFETY: inside of the buffer, as checked.
        Ok(Direct { at: unsafe { start.add(at as usize) }, len })
    }

    /// The same for writing.
    ///
    /// # Errors
    /// Also `InvalidArgument` for a read-only buffer: it may lie over a sealed object.
    pub(super) fn target(env: &mut Env<'_>, buffer: &JByteBuffer<'_>, offset: jint, length: jint) -> Result<Self> {
        let direct = Self::source(env, buffer, offset, length)?;
        if java()?.is_read_only(env, buffer)? {
            return Err(Error::new(ErrorCode::InvalidArgument, "the buffer is read-only"));
        }
        Ok(direct)
    }
}

impl Source for Direct {
    fn len(&self) -> usize {
        self.len
    }

    fn copy_to(&self, target: &SpanMut<'_>) -> Result<()> {
        assert_eq!(target.len(), self.len, "a source is copied whole");
        // SAFETY: the range lies in a buffer that is alive during the call.
        unsafe { target.copy_from_foreign(self.at) };
        Ok(())
    }
}

impl Sink for Direct {
    fn prepare(&mut self, _kind: Kind, len: usize) -> Result<()> {
        if len != self.len {
            return Err(Error::new(
                ErrorCode::OutOfBounds,
                format!("{len} bytes do not fit into {} of a buffer", self.len),
            ));
        }
        Ok(())
    }

    fn copy_from(&mut self, source: &Span<'_>) -> Result<()> {
        assert_eq!(source.len(), self.len, "prepare was called for this length");
        // SAFETY: the range lies in a buffer that is alive during the call and may be written.
        unsafe { source.copy_to_foreign(self.at) };
        Ok(())
    }
}

/// A direct buffer over `len` bytes of the arena at `at`, which `hold` keeps; `out[0]` becomes the hold's handle.
///
/// # Errors
/// `InvalidArgument` when `out` has no element 0; `OutOfBounds` for more than 2^31 - 1 bytes.
pub(super) fn over<'local>(
    env: &mut Env<'local>,
    at: *const u8,
    len: usize,
    hold: Hold,
    out: &JLongArray<'_>,
) -> Result<JByteBuffer<'local>> {
    if out.is_null() || out.len(env)? == 0 {
        return Err(Error::new(ErrorCode::InvalidArgument, "the array for the hold is null or empty"));
    }
    if jint::try_from(len).is_err() {
        return Err(Error::new(
            ErrorCode::OutOfBounds,
            format!("the object has {len} bytes, and a ByteBuffer holds no more than {}: read it in parts", jint::MAX),
        ));
    }
    let handle = HOLDS.insert(hold);
    let at = if at.is_null() { std::ptr::NonNull::dangling().as_ptr() } else { at.cast_mut() };
    // SAFETY: the memory stays mapped, and is not given to anybody else, until the hold is released, which Java does once
    // the buffer is unreachable.
    let made = unsafe { env.new_direct_byte_buffer(at, len) };
    let made = made.and_then(|buffer| out.set_region(env, 0, &[handle]).map(|()| buffer));
    if made.is_err() {
        HOLDS.remove(handle);
    }
    Ok(made?)
}
