//! One log on its way.

use std::sync::{Arc, Mutex};

use fedtail::site;
use pyo3::prelude::*;

use crate::callbacks::in_python;
use crate::ending::Outcome;
use crate::process::{Kept, hold, process};
use crate::settings::seconds;
use crate::waiting::wait;

/// See `_native.pyi`.
#[pyclass(frozen, module = "fedtail")]
pub struct Stream {
    stream: Kept<site::Stream>,
    /// What `finish` said first: it is one outcome, also where the stream was given up.
    outcome: Arc<Mutex<Option<site::Outcome>>>,
    name: String,
}

impl Stream {
    /// A stream that was begun, with its name for `repr`.
    pub fn new(stream: site::Stream, name: String) -> Self {
        Self { stream: Kept::new(stream), outcome: Arc::default(), name }
    }

    /// How it ended, if that is known.
    fn known(&self) -> Option<Outcome> {
        let stream = self.stream.get_at_the_end()?;
        let given = hold(&self.outcome).clone();
        given.or_else(|| stream.outcome()).as_ref().map(Outcome::from)
    }
}

#[pymethods]
impl Stream {
    fn request_stop(&self) -> PyResult<()> {
        self.stream.get()?.request_stop();
        Ok(())
    }

    #[pyo3(signature = (timeout = Some(60.0)), text_signature = "($self, timeout=60.0)")]
    fn finish(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Outcome> {
        let timeout = timeout.map(|timeout| seconds("timeout", timeout)).transpose()?;
        if let Some(outcome) = self.known() {
            return Ok(outcome);
        }
        let mut stream = self.stream.get()?.clone();
        let first = self.outcome.clone();
        wait(py, async move {
            let outcome = match timeout {
                Some(timeout) => stream.finish(timeout).await,
                None => {
                    stream.request_stop();
                    stream.ended().await
                }
            };
            Outcome::from(&*hold(&first).get_or_insert(outcome))
        })
    }

    #[getter]
    fn outcome(&self) -> PyResult<Option<Outcome>> {
        match self.known() {
            Some(outcome) => Ok(Some(outcome)),
            None => self.stream.get().map(|_| None),
        }
    }

    #[getter]
    fn stored(&self) -> PyResult<u64> {
        Ok(self.stream.get()?.stored())
    }

    fn on_ended(&self, callback: Py<PyAny>) -> PyResult<()> {
        let mut stream = self.stream.get()?.clone();
        let first = self.outcome.clone();
        let process = process()?;
        process.handle().spawn(async move {
            let ended = stream.ended().await;
            // The stream is not held for as long as the callback takes.
            drop(stream);
            let outcome = Outcome::from(hold(&first).as_ref().unwrap_or(&ended));
            process.call(move || {
                in_python(|py| {
                    if let Err(error) = callback.call1(py, (outcome,)) {
                        error.write_unraisable(py, Some(callback.bind(py)));
                    }
                })
            });
        });
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!("<fedtail.Stream: {}>", self.name)
    }
}
