//! The server's side.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use fedtail::identity::Access;
use fedtail::names::{JobName, LogName, SiteName};
use fedtail::reading;
use fedtail::server::{self, Peer, ServerError};
use fedtail::store::{Durability, Reader};
use fedtail::transport::grpc::{self, ServeError, ServeOptions};
use fedtail::transport::messages;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use tokio::task::JoinHandle;
use tracing::error;

use crate::callbacks::Caller;
use crate::channel::{Incoming, Outgoing};
use crate::ending::Finished;
use crate::logs::StoredLog;
use crate::process::{Kept, Process, hold, process};
use crate::settings::{Cache, credentials, origin, seconds, wrong};
use crate::tail::Tail;
use crate::waiting::wait;

/// See `_native.pyi`.
#[pyclass(frozen, module = "fedtail")]
pub struct Server {
    parts: Kept<Mutex<Option<Parts>>>,
    address: Option<String>,
    store: PathBuf,
}

struct Parts {
    number: u64,
    server: server::Server,
    listener: Option<JoinHandle<()>>,
    finished: Option<Arc<Caller<Finished>>>,
}

impl Parts {
    /// Frees the store. What has ended by then is told before this returns.
    async fn close(self, process: &'static Process, asks: ThreadId) {
        self.server.close().await;
        process.open.server_closed(self.number);
        if let Some(listener) = self.listener {
            listener.abort();
            // An aborted task is an error of the join, and what is wanted.
            let _ = listener.await;
        }
        if let Some(finished) = self.finished {
            // The callbacks have the time that they take.
            let _ = tokio::task::spawn_blocking(move || finished.stop(asks)).await;
        }
    }
}

fn server_error(error: ServerError) -> PyErr {
    match &error {
        ServerError::Store(_) | ServerError::Engine(_) => PyOSError::new_err(error.to_string()),
        ServerError::Policy(_) | ServerError::Setting(_) => wrong(error),
    }
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (store, *, listen = None, ca = None, cert = None, key = None, site_names = Vec::new(),
        operators = Vec::new(), idle_timeout = 30.0, late_grace = 86400.0, durability = "process", policy = None,
        policy_settings = None, cache = Cache::Users, on_finished = None),
        text_signature = "(store, *, listen=None, ca=None, cert=None, key=None, site_names=(), operators=(), \
        idle_timeout=30.0, late_grace=86400.0, durability='process', policy=None, policy_settings=None, cache=..., \
        on_finished=None)")]
    #[expect(clippy::too_many_arguments, reason = "Python's have names")]
    fn new(
        py: Python<'_>,
        store: PathBuf,
        listen: Option<&str>,
        ca: Option<PathBuf>,
        cert: Option<PathBuf>,
        key: Option<PathBuf>,
        site_names: Vec<String>,
        operators: Vec<String>,
        idle_timeout: f64,
        late_grace: f64,
        durability: &str,
        policy: Option<PathBuf>,
        policy_settings: Option<BTreeMap<String, String>>,
        cache: Cache,
        on_finished: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let process = process()?;
        let credentials = credentials(ca, cert, key)?;
        let listen = listen.map(address).transpose()?;
        if listen.is_none() && credentials.is_some() {
            return Err(wrong(
                "ca=, cert= and key= are for a server that listens: give listen= too, like \"0.0.0.0:7443\"",
            ));
        }
        let access = Access::new(operators, &site_names).map_err(wrong)?;
        let mut builder = server::Server::builder(&store)
            .engine(process.engine(cache.directory())?)
            .policies(origin(policy, policy_settings)?)
            .idle_timeout(seconds("idle_timeout", idle_timeout)?)
            .late_grace(seconds("late_grace", late_grace)?)
            .durability(match durability {
                "process" => Durability::Process,
                "flush" => Durability::Flush,
                other => return Err(wrong(format!("durability={other:?} is neither \"process\" nor \"flush\""))),
            });
        let finished = match on_finished {
            None => None,
            Some(callback) => {
                let call = move |py: Python<'_>, finished: Finished| callback.call1(py, (finished,)).map(drop);
                Some(Caller::start("fedtail-finished", call)?)
            }
        };
        if let Some(finished) = finished.clone() {
            builder = builder.on_ended(move |ended| finished.call(ended.into()));
        }
        // Compiling a policy takes a while.
        let server = py.detach(|| {
            let _runtime = process.handle().enter();
            builder.start()
        });
        let server = server.map_err(server_error)?;
        let number = process.open.number();
        process.open.server(number, &server);
        let mut parts = Parts { number, server, listener: None, finished };
        let mut address = None;
        if let Some(listen) = listen {
            let scheme = if credentials.is_some() { "https" } else { "http" };
            let (server, options) = (parts.server.clone(), ServeOptions { listen, credentials, access });
            match wait(py, async move { grpc::serve(&server, options).await })? {
                Ok(listening) => {
                    address = Some(format!("{scheme}://{}", listening.address));
                    parts.listener = Some(process.handle().spawn(async move {
                        if let Err(reason) = listening.ended.await {
                            error!("the listener on {} failed: {reason}", listening.address);
                        }
                    }));
                }
                Err(failed) => {
                    wait(py, parts.close(process, thread::current().id()))?;
                    return Err(match failed {
                        ServeError::Listen { .. } => PyOSError::new_err(failed.to_string()),
                        ServeError::Open(_) => wrong(format!(
                            "{listen} can be reached from other machines, and there is no TLS: give ca=, cert= and key=, or \
                             listen on 127.0.0.1"
                        )),
                        ServeError::Credentials(_) => wrong(failed),
                    });
                }
            }
        }
        Ok(Self { parts: Kept::new(Mutex::new(Some(parts))), address, store })
    }

    #[getter]
    fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    #[getter]
    fn store(&self) -> PathBuf {
        self.store.clone()
    }

    fn connect(&self, site: String, outgoing: Py<PyAny>) -> PyResult<Incoming> {
        let name = SiteName::new(site).map_err(wrong)?;
        let server = self.server()?;
        let _runtime = process()?.handle().enter();
        Incoming::new(messages::serve(&server, Peer::site(name), Box::new(Outgoing::new(outgoing))))
    }

    fn logs(&self, py: Python<'_>) -> PyResult<Vec<StoredLog>> {
        self.server()?;
        let failed = |error: fedtail::store::StoreError| PyOSError::new_err(error.to_string());
        let reader = Reader::open(&self.store).map_err(failed)?;
        let (to, mut entries) = tokio::sync::mpsc::channel(4);
        let listed = wait(py, async move {
            let listing = tokio::spawn(reading::list(reader, to));
            let mut all = Vec::new();
            while let Some(entry) = entries.recv().await {
                all.push(entry);
            }
            // A task that is cancelled was cancelled with the runtime.
            listing.await.unwrap_or(Ok(())).map(|()| all)
        })?;
        let entries = listed.map_err(failed)?.into_iter();
        Ok(entries.map(|entry| StoredLog::new(&self.store, entry)).collect())
    }

    #[pyo3(signature = (job, *, site = None, log = None, follow = false))]
    fn tail(&self, job: String, site: Option<String>, log: Option<String>, follow: bool) -> PyResult<Tail> {
        let job = JobName::new(job).map_err(wrong)?;
        let site = site.map(SiteName::new).transpose().map_err(wrong)?;
        let log = log.map(LogName::new).transpose().map_err(wrong)?;
        Tail::begin(process()?, &self.server()?, (job, site, log), follow)
    }

    fn reload_policies(&self, py: Python<'_>) -> PyResult<bool> {
        let server = self.server()?;
        py.detach(|| server.reload_policies()).map(|reloaded| reloaded.changed).map_err(wrong)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(parts) = hold(self.parts.get()?).take() else { return Ok(()) };
        wait(py, parts.close(process()?, thread::current().id()))
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        let store = self.store.display();
        match &self.address {
            Some(address) => format!("<fedtail.Server: {store} at {address}>"),
            None => format!("<fedtail.Server: {store}>"),
        }
    }
}

impl Server {
    fn server(&self) -> PyResult<server::Server> {
        let parts = hold(self.parts.get()?);
        let parts = parts.as_ref().ok_or_else(|| PyRuntimeError::new_err("this server is closed: make a new one"))?;
        Ok(parts.server.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that nobody can reach would hold its store for ever.
        if let Ok(parts) = self.parts.get()
            && let Some(parts) = hold(parts).take()
            && let Ok(process) = process()
        {
            process.handle().spawn(parts.close(process, thread::current().id()));
        }
    }
}

fn address(listen: &str) -> PyResult<SocketAddr> {
    listen.parse().map_err(|_| {
        wrong(format!("listen={listen:?} is no address and port: give one like \"0.0.0.0:7443\", or \"127.0.0.1:0\" for a free port"))
    })
}
