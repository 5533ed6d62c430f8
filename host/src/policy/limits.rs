//! Every limit on a policy, in one table. They are always on: there is no unlimited store, not even in tests.

use std::time::Duration;

use super::machine::Room;

/// How often the epoch moves on, which is how finely the time of a step is measured.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);

/// The longest a step may take, host calls included. A step moves about a megabyte, which takes a millisecond; but a
/// read from a disk that is asleep or busy takes seconds, and is not the guest's fault.
pub const STEP_TIME: Duration = Duration::from_secs(10);

/// Instructions of one step where they are counted instead: in the simulation, whose logs are small.
pub const STEP_FUEL: u64 = 200_000_000;

/// The same for an instance with a system interface: an interpreter takes some hundred of them for one of its guest's.
pub const STEP_FUEL_WITH_SYSTEM: u64 = 5_000_000_000;

/// Memory of one instance. The default policies need a little over one megabyte of it; redaction of a chunk needs a few
/// copies of the chunk.
pub const MEMORY: usize = 32 << 20;

/// Memory of one instance with a system interface. A Python interpreter begins with some 20 MiB.
pub const MEMORY_WITH_SYSTEM: usize = 64 << 20;

/// What an instance may have. The default policies have some tens of functions in their table; a guest in Rust is one module
/// and two small adapters.
pub(super) const ROOM: Room = Room { memory: MEMORY, table_elements: 20_000, tables: 4, memories: 2, instances: 8 };

/// What an instance with a system interface may have. A Python interpreter is linked of a dozen modules.
pub(super) const ROOM_WITH_SYSTEM: Room = Room { memory: MEMORY_WITH_SYSTEM, instances: 16, ..ROOM };

/// The stack of Wasm code, in bytes.
pub const STACK: usize = 512 << 10;

/// Live handles of chunks and files. A policy needs a handful.
pub const HANDLES: usize = 64;

/// Host calls in one step. At the largest chunk size a step of a megabyte needs some tens; small lines that are sent
/// one by one need more.
pub const CALLS_PER_STEP: u32 = 10_000;

/// The most bytes that one chunk holds, one read returns, and one frame on the wire carries.
pub const CHUNK: u32 = 256 << 10;

/// The most bytes that the parts of one source range add up to.
pub const RANGE: u32 = 4 << 20;

/// Bytes that the live chunks of one instance pin, counted by the buffers they keep alive.
pub const PINNED: usize = 8 << 20;

/// What one host call may bring across the boundary as lists and strings: a chunk, and a little.
pub const CALL_BYTES: usize = CHUNK as usize + (64 << 10);

/// The size of a component's file. A policy in Rust has some tens of kilobytes, one in Python 18 MB.
pub const COMPONENT: u64 = 32 << 20;

/// Bytes of one message of a policy, after which it is cut.
pub const MESSAGE: usize = 1 << 10;

/// Lines that a guest with a system interface may print in one step; enough for the report of an error.
pub const LINES_PRINTED: u32 = 64;

/// The most random bytes that a guest with a system interface gets at once.
pub const RANDOM: u64 = 64 << 10;

/// Messages of one step; what is beyond is counted and not shown.
pub const MESSAGES_PER_STEP: u32 = 16;
