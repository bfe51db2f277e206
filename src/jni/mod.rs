//! The boundary to the JVM: what `io.raybatch.Native` declares, and nothing else, is exported here.
//!
//! | file | what |
//! |---|---|
//! | `exports` | one line for each native method |
//! | `policy` | the guard around every one: errors and panics become Java exceptions, in this one place |
//! | `clients` `batches` `objects` `writers` `views` `events` | what the methods do, by the groups of `Native.java` |
//! | `values` `arrays` `direct` | what is passed: ids, text, primitive arrays, direct buffers |
//! | `handles` | numbers that Java holds, and what they stand for |
//! | `java` | what is used of Java, resolved once at load; the three calls into it |
//! | `memory` `journal` | the report about memory; what is recorded of a store |
//! | `mapping` | the arena's memory for Java's own reading and writing |
//! | `threads` | calling Java from a thread that the JVM does not know |
//! | `logging` | where log records go |
//! | `inject` | faults and panics on request, for tests |
//!
//! # Rules
//!
//! - Nothing unwinds into the JVM, not even out of a release or out of the throwing of an exception.
//! - A handle is a key of a registry, never an address: a stale or forged one is an error.
//! - Nothing blocks: Java waits, and is woken by [`java::Java::wake`].
//! - Bytes go straight between a Java array and the arena. No critical section is used, so a collector never waits for a
//!   copy.
//! - No Java code is called while a lock of ours is held: the store calls its waker with none, log records leave through
//!   a thread of their own.
//!
//! Everything here may be called from any thread that the JVM knows.

// The arguments of an export are those of its Java method.
#![allow(clippy::too_many_arguments)]

mod arrays;
mod batches;
mod clients;
mod direct;
mod events;
mod exports;
mod groups;
mod handles;
mod inject;
mod java;
mod journal;
mod logging;
mod mapping;
mod memory;
mod objects;
mod policy;
mod tasks;
mod threads;
mod values;
mod views;
mod waits;
mod writers;
