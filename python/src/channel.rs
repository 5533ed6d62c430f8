//! A runtime's own channel: Python's objects that carry the messages of connections.

use bytes::Bytes;
use fedtail::transport::ConnectError;
use fedtail::transport::messages::{Delivery, MessageChannel, MessageSender, Opening, Sending};
use pyo3::create_exception;
use pyo3::exceptions::{PyConnectionError, PyPermissionError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::callbacks::in_python;
use crate::process::{Kept, process};
use crate::waiting::wait;

create_exception!(fedtail, Disconnected, PyConnectionError, "The connection is gone; the words say why.");

/// What a call says that is not made since the interpreter shuts down.
const SHUTTING_DOWN: &str = "the interpreter is shutting down";

/// See `_native.pyi`.
#[pyclass(frozen, module = "fedtail")]
pub struct Incoming {
    delivery: Kept<Delivery>,
}

impl Incoming {
    /// For the messages of one connection. It is over when the interpreter is.
    pub fn new(delivery: Delivery) -> PyResult<Self> {
        process()?.open.connection(&delivery);
        Ok(Self { delivery: Kept::new(delivery) })
    }
}

#[pymethods]
impl Incoming {
    fn deliver(&self, py: Python<'_>, message: &[u8]) -> PyResult<()> {
        let delivery = self.delivery.get()?;
        let message = Bytes::copy_from_slice(message);
        let gone = |error: fedtail::transport::messages::Disconnected| Disconnected::new_err(error.to_string());
        // Mostly there is room, and no thread has to be woken.
        let message = match delivery.try_deliver(message) {
            Ok(None) => return Ok(()),
            Ok(Some(message)) => message,
            Err(error) => return Err(gone(error)),
        };
        let delivery = delivery.clone();
        wait(py, async move { delivery.deliver(message).await })?.map_err(gone)
    }

    #[pyo3(signature = (reason = None))]
    fn close(&self, reason: Option<&str>) -> PyResult<()> {
        self.delivery.get()?.close(reason.unwrap_or("the channel was closed"));
        Ok(())
    }

    #[getter]
    fn closed(&self) -> PyResult<bool> {
        Ok(self.delivery.get()?.is_closed())
    }
}

/// Words for an exception: what it says, and of which kind it is where that says more.
pub fn words(py: Python<'_>, error: &PyErr) -> String {
    let said = error.value(py).to_string();
    match error.get_type(py).name() {
        Ok(kind) if said.is_empty() => kind.to_string(),
        Ok(kind) if !error.is_instance_of::<PyConnectionError>(py) => format!("{kind}: {said}"),
        _ => said,
    }
}

/// The sending half of a connection, which is Python's.
pub struct Outgoing {
    object: Option<Py<PyAny>>,
}

impl Outgoing {
    /// Sends with this object's `send`, and calls its `close` when it is done with it.
    pub fn new(object: Py<PyAny>) -> Self {
        Self { object: Some(object) }
    }
}

impl MessageSender for Outgoing {
    fn send(&mut self, message: Bytes) -> Sending<'_> {
        Box::pin(async move {
            let Some(object) = in_python(|py| self.object.as_ref().map(|object| object.clone_ref(py))).flatten() else {
                return Err(SHUTTING_DOWN.into());
            };
            // It may block, so it has a thread of its own for as long.
            let Ok(process) = process() else { return Err(SHUTTING_DOWN.into()) };
            let sent = process.call(move || {
                let sent = in_python(|py| {
                    let sent = object.call_method1(py, "send", (PyBytes::new(py, &message),));
                    let sent = sent.map(drop).map_err(|error| words(py, &error));
                    drop(object);
                    sent
                });
                sent.unwrap_or_else(|| Err(SHUTTING_DOWN.into()))
            });
            sent.await.unwrap_or_else(|_| Err(SHUTTING_DOWN.into()))
        })
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let close = move || {
            in_python(|py| {
                if let Err(error) = object.call_method0(py, "close") {
                    error.write_unraisable(py, Some(object.bind(py)));
                }
                drop(object);
            });
        };
        if let Ok(process) = process() {
            process.call(close);
        }
    }
}

/// A site's transport that is written in Python.
pub struct Channel {
    transport: std::sync::Arc<Py<PyAny>>,
    target: String,
}

impl Channel {
    /// Asks the object where it leads to. `connect` is called for each connection.
    pub fn new(transport: &Bound<'_, PyAny>) -> PyResult<Self> {
        let target = transport.getattr("target")?.extract()?;
        Ok(Self { transport: std::sync::Arc::new(transport.clone().unbind()), target })
    }
}

impl MessageChannel for Channel {
    fn open(&self, delivery: Delivery) -> Opening<'_> {
        let transport = self.transport.clone();
        Box::pin(async move {
            let Ok(process) = process() else { return Err(ConnectError::Unreachable(SHUTTING_DOWN.into())) };
            let connected = process.call(move || {
                in_python(|py| {
                    let connect = || {
                        let incoming = Incoming::new(delivery)?;
                        let outgoing = transport.call_method1(py, "connect", (incoming,))?;
                        outgoing.bind(py).getattr("send")?;
                        Ok(Outgoing::new(outgoing))
                    };
                    connect().map_err(|error: PyErr| {
                        if error.is_instance_of::<PyPermissionError>(py) {
                            ConnectError::Untrusted(error.value(py).to_string())
                        } else {
                            ConnectError::Unreachable(words(py, &error))
                        }
                    })
                })
            });
            match connected.await {
                Ok(Some(Ok(outgoing))) => Ok(Box::new(outgoing) as Box<dyn MessageSender>),
                Ok(Some(Err(error))) => Err(error),
                Ok(None) | Err(_) => Err(ConnectError::Unreachable(SHUTTING_DOWN.into())),
            }
        })
    }

    fn target(&self) -> String {
        self.target.clone()
    }
}
