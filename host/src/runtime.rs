//! The runtime that sites and servers run on best.

use tokio::runtime::Builder;

/// A tokio runtime as the program has it, to be built. Any other multi-threaded one does as well; this one has a worker more
/// than there are processors. Looking into a log and stepping its policy are done by workers themselves, for as long as it
/// is a matter of some lines, and one worker always stays free for the rest, in case that a disk hangs.
pub fn runtime() -> Builder {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(processors + 1).thread_name("fedtail").enable_all();
    runtime
}
