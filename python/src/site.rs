//! The site's side.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fedtail::audit::Audit;
use fedtail::names::{JobName, LogName, SiteName};
use fedtail::site::{self, LogFile, SiteError};
use fedtail::source::SourceError;
use fedtail::transport::grpc::GrpcTransport;
use fedtail::transport::messages::MessageTransport;
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyPermissionError, PyRuntimeError};
use pyo3::prelude::*;

use crate::channel::Channel;
use crate::process::{Kept, hold, process};
use crate::settings::{Cache, credentials, origin, seconds, wrong};
use crate::shutdown::finish;
use crate::stream::Stream;
use crate::waiting::wait;

/// How long a connection may take to end that has nothing to do any more.
const FAREWELL: Duration = Duration::from_secs(2);

/// See `_native.pyi`.
#[pyclass(frozen, module = "fedtail")]
pub struct Site {
    parts: Kept<Mutex<Option<Parts>>>,
    target: String,
}

struct Parts {
    site: site::Site,
    streams: Vec<site::Stream>,
    audit: Option<Arc<Audit>>,
}

fn site_error(error: SiteError) -> PyErr {
    match &error {
        SiteError::Source(SourceError::NotFound { .. }) => PyFileNotFoundError::new_err(error.to_string()),
        SiteError::Source(SourceError::Denied { .. }) => PyPermissionError::new_err(error.to_string()),
        SiteError::Source(_) | SiteError::Watch(_) | SiteError::Engine(_) => PyOSError::new_err(error.to_string()),
        SiteError::Policy(_) | SiteError::Name(_) | SiteError::Setting(_) => wrong(error),
    }
}

#[pymethods]
impl Site {
    #[new]
    #[pyo3(signature = (server, *, ca = None, cert = None, key = None, site = None, policy = None, policy_settings = None,
        audit = None, cache = Cache::Users, liveness_interval = 10.0, poll_interval = 0.5),
        text_signature = "(server, *, ca=None, cert=None, key=None, site=None, policy=None, policy_settings=None, \
        audit=None, cache=..., liveness_interval=10.0, poll_interval=0.5)")]
    #[expect(clippy::too_many_arguments, reason = "Python's have names")]
    fn new(
        py: Python<'_>,
        server: &Bound<'_, PyAny>,
        ca: Option<PathBuf>,
        cert: Option<PathBuf>,
        key: Option<PathBuf>,
        site: Option<String>,
        policy: Option<PathBuf>,
        policy_settings: Option<BTreeMap<String, String>>,
        audit: Option<PathBuf>,
        cache: Cache,
        liveness_interval: f64,
        poll_interval: f64,
    ) -> PyResult<Self> {
        let process = process()?;
        let name = site.map(SiteName::new).transpose().map_err(wrong)?;
        let (builder, target) = match server.extract::<String>() {
            Ok(url) => over_grpc(&url, ca, cert, key, name)?,
            Err(_) => over_channel(server, ca, cert, key, name)?,
        };
        let mut builder = builder
            .engine(process.engine(cache.directory())?)
            .policies(origin(policy, policy_settings)?)
            .liveness_interval(seconds("liveness_interval", liveness_interval)?)
            .poll_interval(seconds("poll_interval", poll_interval)?);
        let audit = audit.as_deref().map(Audit::open).transpose();
        let audit = audit.map_err(|error| PyOSError::new_err(error.to_string()))?;
        if let Some(audit) = &audit {
            process.open.audit(audit);
            builder = builder.audit(audit.clone());
        }
        // Compiling a policy takes a while.
        let site = py.detach(|| {
            let _runtime = process.handle().enter();
            builder.start()
        });
        let parts = Parts { site: site.map_err(site_error)?, streams: Vec::new(), audit };
        Ok(Self { parts: Kept::new(Mutex::new(Some(parts))), target })
    }

    #[pyo3(signature = (path, *, job, name = None, once = false, liveness_interval = None, poll_interval = None))]
    #[expect(clippy::too_many_arguments, reason = "Python's have names")]
    fn stream(
        &self,
        py: Python<'_>,
        path: PathBuf,
        job: String,
        name: Option<String>,
        once: bool,
        liveness_interval: Option<f64>,
        poll_interval: Option<f64>,
    ) -> PyResult<Stream> {
        let site = self.with(|parts| parts.site.clone())?;
        let shown = format!("{job} {}", path.display());
        let mut log = LogFile::new(path, JobName::new(job).map_err(wrong)?);
        if let Some(name) = name {
            log = log.name(LogName::new(name).map_err(wrong)?);
        }
        if once {
            log = log.once();
        }
        if let Some(interval) = liveness_interval {
            log = log.liveness_interval(seconds("liveness_interval", interval)?);
        }
        if let Some(interval) = poll_interval {
            log = log.poll_interval(seconds("poll_interval", interval)?);
        }
        let process = process()?;
        let stream = py.detach(|| {
            let _runtime = process.handle().enter();
            let stream = site.stream(log)?;
            process.open.stream(&stream);
            Ok(stream)
        });
        let stream = stream.map_err(site_error)?;
        self.with(|parts| {
            parts.streams.retain(|stream| stream.outcome().is_none());
            parts.streams.push(stream.clone());
        })?;
        Ok(Stream::new(stream, shown))
    }

    fn reload_policies(&self, py: Python<'_>) -> PyResult<bool> {
        let site = self.with(|parts| parts.site.clone())?;
        py.detach(|| site.reload_policies()).map(|reloaded| reloaded.changed).map_err(wrong)
    }

    #[pyo3(signature = (timeout = 60.0))]
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds("timeout", timeout)?;
        let Some(parts) = hold(self.parts.get()?).take() else { return Ok(()) };
        let Parts { site, streams, audit } = parts;
        let finished = wait(py, async move {
            finish(streams, timeout).await;
            // Streams that were given up are over in a moment; a channel of Python's may take longer to let go.
            let _ = tokio::time::timeout(FAREWELL, site.close()).await;
        });
        py.detach(|| {
            if let Some(audit) = &audit {
                audit.flush();
            }
            drop(audit);
        });
        finished
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
        self.close(py, 60.0)
    }

    fn __repr__(&self) -> String {
        format!("<fedtail.Site: to {}>", self.target)
    }
}

impl Site {
    fn with<T>(&self, act: impl FnOnce(&mut Parts) -> T) -> PyResult<T> {
        let mut parts = hold(self.parts.get()?);
        parts.as_mut().map(act).ok_or_else(|| PyRuntimeError::new_err("this site is closed: make a new one"))
    }
}

fn over_grpc(
    url: &str,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    name: Option<SiteName>,
) -> PyResult<(site::SiteBuilder, String)> {
    let credentials = credentials(ca, cert, key)?;
    let transport = GrpcTransport::new(url, credentials.as_ref()).map_err(wrong)?;
    let builder = site::Site::builder(transport);
    let builder = match (&credentials, name) {
        (Some(credentials), None) => builder.anchor_secret(credentials.secret()),
        (None, Some(name)) => builder.site(name),
        (Some(_), Some(_)) => {
            return Err(wrong("site= is for connections without TLS; the certificate says the site's name"));
        }
        (None, None) => return Err(wrong("without TLS the site says its own name: give site=")),
    };
    Ok((builder, url.into()))
}

fn over_channel(
    transport: &Bound<'_, PyAny>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    name: Option<SiteName>,
) -> PyResult<(site::SiteBuilder, String)> {
    if ca.is_some() || cert.is_some() {
        return Err(wrong("ca= and cert= are for a server's URL: a transport of your own has its own way to trust"));
    }
    let channel = Channel::new(transport).map_err(|error| {
        let words = format!("server= is neither a URL nor a fedtail.Transport: {error}");
        pyo3::exceptions::PyTypeError::new_err(words)
    })?;
    let target = fedtail::transport::messages::MessageChannel::target(&channel);
    let mut builder = site::Site::builder(MessageTransport::new(channel));
    if let Some(key) = key {
        let secret = std::fs::read(&key).map_err(|e| wrong(format!("the key {}: {e}", key.display())))?;
        builder = builder.anchor_secret(&secret);
    }
    if let Some(name) = name {
        builder = builder.site(name);
    }
    Ok((builder, target))
}
