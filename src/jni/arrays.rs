//! Primitive arrays of Java, copied straight to and from the arena.
//!
//! These are the calls that run once per object, so they go to the JNI function table directly: the wrappers of the
//! `jni` crate ask for a pending exception before each call and take slices, which memory that others may read or reuse
//! meanwhile must not be. The JVM does the copying; to Rust that memory is never more than an address.

use std::marker::PhantomData;

use jni::EnvUnowned;
use jni::jni_str;
use jni::objects::{JByteArray, JLongArray, JObject, JObjectArray};
use jni::strings::JNIStr;
use jni::sys::{self, jint, jlong, jsize};

use super::java::java;
use crate::error::{Error, ErrorCode, Result};
use crate::store::{Kind, Sink, Source, Span, SpanMut};

/// The element types of primitive arrays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(super) enum Element {
    Byte = 0,
    Boolean = 1,
    Char = 2,
    Short = 3,
    Int = 4,
    Long = 5,
    Float = 6,
    Double = 7,
}

impl Element {
    pub(super) const ALL: [Element; 8] = [
        Element::Byte,
        Element::Boolean,
        Element::Char,
        Element::Short,
        Element::Int,
        Element::Long,
        Element::Float,
        Element::Double,
    ];

    /// The element of the arrays in which objects of this kind travel.
    pub(super) fn of(kind: Kind) -> Element {
        match kind {
            Kind::Bytes
            | Kind::Serialized
            | Kind::Str
            | Kind::Buffer
            | Kind::LittleEndianBuffer
            | Kind::Null
            | Kind::Failure => Element::Byte,
            Kind::Booleans => Element::Boolean,
            Kind::Chars => Element::Char,
            Kind::Shorts => Element::Short,
            Kind::Ints => Element::Int,
            Kind::Longs => Element::Long,
            Kind::Floats => Element::Float,
            Kind::Doubles => Element::Double,
        }
    }

    /// Bytes of one.
    pub(super) fn size(self) -> usize {
        match self {
            Element::Byte | Element::Boolean => 1,
            Element::Char | Element::Short => 2,
            Element::Int | Element::Float => 4,
            Element::Long | Element::Double => 8,
        }
    }

    /// The arrays' class, as JNI names it.
    pub(super) fn class_name(self) -> &'static JNIStr {
        match self {
            Element::Byte => jni_str!("[B"),
            Element::Boolean => jni_str!("[Z"),
            Element::Char => jni_str!("[C"),
            Element::Short => jni_str!("[S"),
            Element::Int => jni_str!("[I"),
            Element::Long => jni_str!("[J"),
            Element::Float => jni_str!("[F"),
            Element::Double => jni_str!("[D"),
        }
    }

    /// The arrays' type, as Java names it.
    pub(super) fn array_name(self) -> &'static str {
        match self {
            Element::Byte => "byte[]",
            Element::Boolean => "boolean[]",
            Element::Char => "char[]",
            Element::Short => "short[]",
            Element::Int => "int[]",
            Element::Long => "long[]",
            Element::Float => "float[]",
            Element::Double => "double[]",
        }
    }
}

/// The JNI functions of the thread that an export runs on, during its call.
#[derive(Clone, Copy)]
pub(super) struct Jni<'local> {
    env: *mut sys::JNIEnv,
    call: PhantomData<&'local ()>,
}

macro_rules! call {
    ($jni:expr, $function:ident $(, $argument:expr)*) => {{
        let env = $jni.env;
        ((**env).v1_1.$function)(env $(, $argument)*)
    }};
}

impl<'local> Jni<'local> {
    pub(super) fn new(unowned: &EnvUnowned<'local>) -> Self {
        Jni { env: unowned.as_raw(), call: PhantomData }
    }

    /// The length of an array that is not null.
    fn length(self, array: sys::jarray) -> jsize {
        // SAFETY: any array will do, and the callers' types or a check of its class say that it is one.
        unsafe { call!(self, GetArrayLength, array) }
    }

    /// # Errors
    /// `InvalidArgument` unless the array has so many elements.
    pub(super) fn has_room(self, out: &JLongArray<'_>, count: jsize) -> Result<()> {
        if out.is_null() || self.length(out.as_raw()) < count {
            return Err(Error::new(ErrorCode::InvalidArgument, "the array for the result is null or too short"));
        }
        Ok(())
    }

    /// Sets the first elements of an array that has room for them.
    pub(super) fn set_longs(self, out: &JLongArray<'_>, values: &[jlong]) {
        // SAFETY: a long[] by Java's types; if it is too short, an exception is pending.
        unsafe { call!(self, SetLongArrayRegion, out.as_raw(), 0, values.len() as jsize, values.as_ptr()) };
    }

    /// The first elements of an array.
    ///
    /// # Errors
    /// `InvalidArgument` for null or a shorter one.
    pub(super) fn longs(self, array: &JLongArray<'_>, count: usize) -> Result<Vec<jlong>> {
        let count = jsize::try_from(count).unwrap_or(jsize::MAX);
        self.has_room(array, count)?;
        let mut all = vec![0; count as usize];
        // SAFETY: a long[] by Java's types that is as long, copied to memory that has room for it.
        unsafe { call!(self, GetLongArrayRegion, array.as_raw(), 0, count, all.as_mut_ptr()) };
        Ok(all)
    }

    /// The first so many elements of an array, or all.
    ///
    /// # Errors
    /// `InvalidArgument` for null or a shorter one.
    pub(super) fn bytes(self, array: &JByteArray<'_>, count: Option<jint>) -> Result<Vec<u8>> {
        let has = if array.is_null() { 0 } else { self.length(array.as_raw()) };
        let count = count.unwrap_or(has);
        if count < 0 || count > has {
            return Err(Error::new(ErrorCode::InvalidArgument, "the array of bytes is null or too short"));
        }
        let mut all = vec![0u8; count as usize];
        // SAFETY: a byte[] by Java's types that is as long, copied to memory that has room for it.
        unsafe { call!(self, GetByteArrayRegion, array.as_raw(), 0, count, all.as_mut_ptr().cast()) };
        Ok(all)
    }

    /// Fails if a Java exception is pending, which is then thrown instead of this error.
    fn check(self) -> Result<()> {
        let env = self.env;
        // SAFETY: always allowed.
        if unsafe { ((**env).v1_2.ExceptionCheck)(env) } {
            return Err(Error::new(ErrorCode::Internal, "a Java exception is pending"));
        }
        Ok(())
    }

    /// A new array; its local reference belongs to the caller.
    fn new_array(self, element: Element, length: jsize) -> Result<sys::jarray> {
        // SAFETY: the length is not negative.
        let array = unsafe {
            match element {
                Element::Byte => call!(self, NewByteArray, length),
                Element::Boolean => call!(self, NewBooleanArray, length),
                Element::Char => call!(self, NewCharArray, length),
                Element::Short => call!(self, NewShortArray, length),
                Element::Int => call!(self, NewIntArray, length),
                Element::Long => call!(self, NewLongArray, length),
                Element::Float => call!(self, NewFloatArray, length),
                Element::Double => call!(self, NewDoubleArray, length),
            }
        };
        if array.is_null() {
            // an OutOfMemoryError is pending
            return Err(Error::new(ErrorCode::Internal, format!("no {} of {length}", element.array_name())));
        }
        Ok(array)
    }
}

/// Text that Java passed as UTF-8; mostly short, and then not on the heap.
pub(super) struct Utf8 {
    short: [u8; Self::SHORT],
    len: usize,
    long: Vec<u8>,
}

impl Utf8 {
    const SHORT: usize = 64;

    /// Empty for null.
    pub(super) fn read(jni: Jni<'_>, array: &JByteArray<'_>) -> Result<Self> {
        let mut text = Utf8 { short: [0; Self::SHORT], len: 0, long: Vec::new() };
        if array.is_null() {
            return Ok(text);
        }
        let len = jni.length(array.as_raw());
        text.len = len as usize;
        let to = if text.len <= Self::SHORT {
            text.short.as_mut_ptr()
        } else {
            text.long.resize(text.len, 0);
            text.long.as_mut_ptr()
        };
        // SAFETY: a byte[] by Java's types, copied whole to memory that has room for it.
        unsafe { call!(jni, GetByteArrayRegion, array.as_raw(), 0, len, to.cast()) };
        Ok(text)
    }

    /// # Errors
    /// `InvalidArgument` when it is no UTF-8.
    pub(super) fn text(&self) -> Result<&str> {
        let bytes = if self.len <= Self::SHORT { &self.short[..self.len] } else { &self.long };
        std::str::from_utf8(bytes)
            .map_err(|e| Error::new(ErrorCode::InvalidArgument, format!("a text is not valid UTF-8: {e}")))
    }
}

/// A range of a Java array, checked to be of that element and to hold that range.
pub(super) struct Window<'local> {
    jni: Jni<'local>,
    array: sys::jarray,
    element: Element,
    start: jsize,
    count: jsize,
}

impl<'local> Window<'local> {
    /// `length` elements from `offset` on of an array whose type has to be that of `element`.
    ///
    /// # Errors
    /// `InvalidArgument` for null or another type, `OutOfBounds`.
    pub(super) fn of(
        jni: Jni<'local>,
        array: &JObject<'_>,
        element: Element,
        offset: jint,
        length: jint,
    ) -> Result<Self> {
        let raw = array.as_raw();
        // SAFETY: both are references valid during this call, and the object is not null.
        if raw.is_null() || !unsafe { call!(jni, IsInstanceOf, raw, java()?.array_class(element)) } {
            let what = if raw.is_null() { "null" } else { "an object of another type" };
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                format!("a value of this kind is passed as {}, but {what} was given", element.array_name()),
            ));
        }
        Self::checked(jni, raw, element, offset, length)
    }

    /// The same of an array that Java's own types say to be a `byte[]`.
    ///
    /// # Errors
    /// `InvalidArgument` for null, `OutOfBounds`.
    pub(super) fn of_bytes(jni: Jni<'local>, array: &JByteArray<'_>, offset: jint, length: jint) -> Result<Self> {
        if array.is_null() {
            return Err(Error::new(ErrorCode::InvalidArgument, "the array is null"));
        }
        Self::checked(jni, array.as_raw(), Element::Byte, offset, length)
    }

    fn checked(jni: Jni<'local>, array: sys::jarray, element: Element, start: jint, count: jint) -> Result<Self> {
        let has = jni.length(array);
        if start < 0 || count < 0 || start > has - count {
            return Err(outside(element.array_name(), has.into(), start.into(), count.into()));
        }
        Ok(Window { jni, array, element, start, count })
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> usize {
        self.count as usize * self.element.size()
    }

    /// Copies the first `count` elements' worth from `from`.
    ///
    /// # Safety
    /// `from` has that many bytes, in memory that is mapped, and aligned to the element.
    unsafe fn fill(&self, count: jsize, from: *const u8) {
        let (jni, array, start) = (self.jni, self.array, self.start);
        // SAFETY: the array is of this element and holds this range, as checked when the window was made (an array's
        // length never changes); the memory is the caller's promise. Nothing is thrown then.
        unsafe {
            match self.element {
                Element::Byte => call!(jni, SetByteArrayRegion, array, start, count, from.cast()),
                Element::Boolean => call!(jni, SetBooleanArrayRegion, array, start, count, from.cast()),
                Element::Char => call!(jni, SetCharArrayRegion, array, start, count, from.cast()),
                Element::Short => call!(jni, SetShortArrayRegion, array, start, count, from.cast()),
                Element::Int => call!(jni, SetIntArrayRegion, array, start, count, from.cast()),
                Element::Long => call!(jni, SetLongArrayRegion, array, start, count, from.cast()),
                Element::Float => call!(jni, SetFloatArrayRegion, array, start, count, from.cast()),
                Element::Double => call!(jni, SetDoubleArrayRegion, array, start, count, from.cast()),
            }
        }
    }
}

impl Source for Window<'_> {
    fn len(&self) -> usize {
        self.bytes()
    }

    fn copy_to(&self, target: &SpanMut<'_>) -> Result<()> {
        assert_eq!(target.len(), self.bytes(), "a source is copied whole");
        let (jni, array, start, count) = (self.jni, self.array, self.start, self.count);
        let to = target.as_mut_ptr();
        // SAFETY: as for `fill`; the span is arena memory of just this size, to which nobody else writes.
        unsafe {
            match self.element {
                Element::Byte => call!(jni, GetByteArrayRegion, array, start, count, to.cast()),
                Element::Boolean => call!(jni, GetBooleanArrayRegion, array, start, count, to.cast()),
                Element::Char => call!(jni, GetCharArrayRegion, array, start, count, to.cast()),
                Element::Short => call!(jni, GetShortArrayRegion, array, start, count, to.cast()),
                Element::Int => call!(jni, GetIntArrayRegion, array, start, count, to.cast()),
                Element::Long => call!(jni, GetLongArrayRegion, array, start, count, to.cast()),
                Element::Float => call!(jni, GetFloatArrayRegion, array, start, count, to.cast()),
                Element::Double => call!(jni, GetDoubleArrayRegion, array, start, count, to.cast()),
            }
        }
        Ok(())
    }
}

/// Copies an object whole into a `byte[]` of Java's.
pub(super) struct Into<'local> {
    window: Window<'local>,
    /// Bytes of the object.
    len: usize,
}

impl<'local> Into<'local> {
    pub(super) fn new(window: Window<'local>) -> Self {
        Into { window, len: 0 }
    }

    /// Bytes copied.
    pub(super) fn len(&self) -> jint {
        // never more than the window has, which is a jint
        self.len as jint
    }
}

impl Sink for Into<'_> {
    fn prepare(&mut self, _kind: Kind, len: usize) -> Result<()> {
        let room = self.window.bytes();
        if len > room {
            return Err(Error::new(
                ErrorCode::OutOfBounds,
                format!("the object has {len} bytes, and the array has room for {room}"),
            ));
        }
        self.len = len;
        Ok(())
    }

    fn copy_from(&mut self, source: &Span<'_>) -> Result<()> {
        assert_eq!(source.len(), self.len, "prepare was called for this length");
        // SAFETY: the length was prepared for, and the span is mapped; bytes need no alignment.
        unsafe { self.window.fill(self.len as jsize, source.as_ptr()) };
        Ok(())
    }

    fn discard(&mut self) {
        let zeros = vec![0; self.len];
        // SAFETY: the length was prepared for, and the zeros are as many.
        unsafe { self.window.fill(self.len as jsize, zeros.as_ptr()) };
    }
}

/// Copies an object whole into a new array of its kind.
pub(super) struct Fresh<'local> {
    jni: Jni<'local>,
    made: Option<Window<'local>>,
}

impl<'local> Fresh<'local> {
    pub(super) fn new(jni: Jni<'local>) -> Self {
        Fresh { jni, made: None }
    }

    /// Puts the array into `out[0]`.
    ///
    /// # Errors
    /// When `out` cannot hold it: an `ArrayStoreException` is pending then.
    pub(super) fn store(self, out: &JObjectArray<'_>) -> Result<()> {
        let Some(window) = &self.made else {
            return Err(Error::new(ErrorCode::Internal, "an object was found and not copied"));
        };
        // SAFETY: `out` is an Object[] by Java's types and has an element (see `has_room`); both references are valid.
        unsafe { call!(self.jni, SetObjectArrayElement, out.as_raw(), 0, window.array) };
        self.jni.check()
    }

    /// # Errors
    /// `InvalidArgument` unless `out` has an element 0.
    pub(super) fn has_room(&self, out: &JObjectArray<'_>) -> Result<()> {
        if out.is_null() || self.jni.length(out.as_raw()) == 0 {
            return Err(Error::new(ErrorCode::InvalidArgument, "the array for the result is null or empty"));
        }
        Ok(())
    }

    fn forget(&mut self) {
        if let Some(window) = self.made.take() {
            // SAFETY: a local reference of this call, not used again.
            unsafe { call!(self.jni, DeleteLocalRef, window.array) };
        }
    }
}

impl Sink for Fresh<'_> {
    fn prepare(&mut self, kind: Kind, len: usize) -> Result<()> {
        let element = Element::of(kind);
        let count = array_length(len, element)?;
        // a retry mostly finds what it expected
        if self.made.as_ref().is_some_and(|made| made.element == element && made.count == count) {
            return Ok(());
        }
        self.forget();
        let array = self.jni.new_array(element, count)?;
        self.made = Some(Window { jni: self.jni, array, element, start: 0, count });
        Ok(())
    }

    fn copy_from(&mut self, source: &Span<'_>) -> Result<()> {
        let Some(window) = &self.made else {
            return Err(Error::new(ErrorCode::Internal, "an object was copied unprepared"));
        };
        assert_eq!(source.len(), window.bytes(), "prepare was called for this length");
        // SAFETY: the array was made for this length; the span is mapped, and objects begin at multiples of 8.
        unsafe { window.fill(window.count, source.as_ptr()) };
        Ok(())
    }
}

/// The longest array that every JVM gives.
const LONGEST: usize = jsize::MAX as usize - 8;

/// Elements of an object of `len` bytes: looked at before there is an array, since a length that no JVM gives is an error of the
/// machine's.
fn array_length(len: usize, element: Element) -> Result<jsize> {
    let name = element.array_name();
    if !len.is_multiple_of(element.size()) {
        return Err(Error::new(
            ErrorCode::InvalidArgument,
            format!("an object of {len} bytes is no {name}: read it through a view"),
        ));
    }
    let count = len / element.size();
    jsize::try_from(count).ok().filter(|_| count <= LONGEST).ok_or_else(|| {
        Error::new(
            ErrorCode::OutOfBounds,
            format!("an object of {len} bytes is too long for a {name}: read it through a view"),
        )
    })
}

/// The error for a range that is not inside of `what`, which has `len`.
pub(super) fn outside(what: &str, len: i64, at: i64, count: i64) -> Error {
    Error::new(ErrorCode::OutOfBounds, format!("offset {at} and length {count} are outside of a {what} of {len}"))
}

/// `at` and `count` as a range of something of `len`.
///
/// # Errors
/// `OutOfBounds`, with the figures.
pub(super) fn inside(what: &str, len: u64, at: i64, count: i64) -> Result<(u64, usize)> {
    match (u64::try_from(at), u64::try_from(count)) {
        (Ok(from), Ok(n)) if from <= len && n <= len - from => Ok((from, n as usize)),
        _ => Err(outside(what, i64::try_from(len).unwrap_or(i64::MAX), at, count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_inside_or_its_figures_are_named() {
        assert_eq!(inside("byte[]", 8, 0, 8).unwrap_or_default(), (0, 8));
        assert_eq!(inside("byte[]", 8, 8, 0).unwrap_or_default(), (8, 0));
        for (at, count) in [(0, 9), (8, 1), (9, 0), (-1, 1), (0, -1), (i64::MAX, i64::MAX), (i64::MIN, i64::MIN)] {
            let Err(error) = inside("byte[]", 8, at, count) else { panic!("{at}+{count} was let through") };
            assert_eq!(error.code(), ErrorCode::OutOfBounds);
            let expected = format!("offset {at} and length {count} are outside of a byte[] of 8");
            assert_eq!(error.message(), expected);
        }
    }

    #[test]
    fn an_object_is_an_array_when_its_bytes_are_whole_elements() {
        assert_eq!(array_length(0, Element::Long).ok(), Some(0));
        assert_eq!(array_length(24, Element::Long).ok(), Some(3));
        let code = |r: Result<jsize>| r.err().map(|e| e.code());
        assert_eq!(code(array_length(5, Element::Int)), Some(ErrorCode::InvalidArgument));
        assert_eq!(code(array_length(1 << 31, Element::Byte)), Some(ErrorCode::OutOfBounds));
        assert_eq!(
            code(array_length(jsize::MAX as usize, Element::Byte)),
            Some(ErrorCode::OutOfBounds),
            "no JVM gives it"
        );
        assert_eq!(array_length(LONGEST, Element::Byte).ok(), Some(jsize::MAX - 8));
        assert_eq!(array_length(1 << 31, Element::Int).ok(), Some(1 << 29));
    }

    #[test]
    fn kinds_and_elements_agree_on_sizes() {
        for n in 0..=13 {
            if let Ok(kind) = Kind::try_from(n) {
                assert_eq!(Element::of(kind).size(), kind.unit());
            }
        }
        for (n, element) in Element::ALL.into_iter().enumerate() {
            assert_eq!(element as usize, n);
        }
    }
}
