//! The extension module `fedtail._native`: the host for programs in Python. Its manual is `fedtail/_native.pyi`.
//!
//! All of a process shares one tokio runtime, made when it is first needed. Whatever waits does so without the GIL, and
//! Python's code is called on threads that are not the runtime's workers.

#![deny(missing_docs)]
#![deny(unsafe_code)]

mod callbacks;
mod channel;
mod ending;
mod logs;
mod process;
mod server;
mod settings;
mod shutdown;
mod site;
mod stream;
mod tail;
mod tracing_to_logging;
mod waiting;

/// What Python imports.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::channel::{Disconnected, Incoming};
    #[pymodule_export]
    use crate::ending::{Finished, Gap, Outcome};
    #[pymodule_export]
    use crate::logs::StoredLog;
    #[pymodule_export]
    use crate::server::Server;
    #[pymodule_export]
    use crate::shutdown::shut_down;
    #[pymodule_export]
    use crate::site::Site;
    #[pymodule_export]
    use crate::stream::Stream;
    #[pymodule_export]
    use crate::tail::{Chunk, Tail};
}
