//! How the kernel shares a processor between the host and the job beside it.

use std::time::Duration;

/// The shortest slice that Linux grants. A line takes about as long at either side.
const SLICE: Duration = Duration::from_micros(100);

/// Asks for a short slice for the calling thread. The kernel then lets it run as soon as it is woken, for as long as it
/// uses no more of the processor than its share; with the default slice, a job that writes a line and goes on computing on
/// the same processor keeps it for some milliseconds first. What the thread starts, such as a job's command, begins with
/// the default again.
///
/// Since Linux 6.12; older kernels take no notice.
pub fn ask_for_a_short_one() {
    // SAFETY: it takes no memory; 0 is the calling thread.
    #[allow(unsafe_code, reason = "no library has this call; see SAFETY")]
    let policy = unsafe { libc::sched_getscheduler(0) };
    // Whoever started the program may have chosen another way to schedule it; that stays.
    if policy & !libc::SCHED_RESET_ON_FORK != libc::SCHED_OTHER {
        return;
    }
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: libc::SCHED_FLAG_RESET_ON_FORK as u64,
        // The call would set it to 0.
        sched_nice: rustix::process::getpriority_process(None).unwrap_or(0),
        sched_priority: 0,
        sched_runtime: SLICE.as_nanos() as u64,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the attributes are as long as their `size` says, and the kernel only reads them.
    #[allow(unsafe_code, reason = "no library has this call; see SAFETY")]
    let refused = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } != 0;
    if refused {
        tracing::debug!(error = %std::io::Error::last_os_error(), "the kernel grants no slice of its own to this thread");
    }
}
