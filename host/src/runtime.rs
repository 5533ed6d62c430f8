//! The runtime that sites and servers run on best.

use tokio::runtime::Builder;

use crate::slice;

/// A tokio runtime as the program has it, to be built. Any other multi-threaded one does as well; this one has a worker more
/// than there are processors. Looking into a log and stepping its policy are done by workers themselves, for as long as it
/// is a matter of some lines, and one worker always stays free for the rest, in case that a disk hangs. Its threads ask the kernel for short slices, so that a line
/// goes out at once although the job that wrote it computes on.
pub fn runtime() -> Builder {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(processors + 1).thread_name("fedtail").enable_all();
    runtime.on_thread_start(slice::ask_for_a_short_one);
    runtime
}
