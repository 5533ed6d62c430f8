//! Arguments of sites and servers, checked and in words.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fedtail::identity::Credentials;
use fedtail::policy::Engine;
use fedtail::policy::set::Origin;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyEllipsis;

/// Seconds, as Python counts time.
pub fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        PyValueError::new_err(format!(
            "{name}={seconds} is no time: give a number of seconds that is not negative, like 10.0"
        ))
    })
}

/// Anything whose words say which argument to change.
pub fn wrong(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Where compiled policies are kept.
pub enum Cache {
    /// The user's directory for such files.
    Users,
    /// Nowhere.
    Nowhere,
    /// There.
    At(PathBuf),
}

impl Cache {
    /// The directory.
    pub fn directory(self) -> Option<PathBuf> {
        match self {
            Self::Users => Engine::user_cache(),
            Self::Nowhere => None,
            Self::At(directory) => Some(directory),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Cache {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if given.is_none() {
            Ok(Self::Nowhere)
        } else if given.is_exact_instance_of::<PyEllipsis>() {
            Ok(Self::Users)
        } else {
            Ok(Self::At(given.extract()?))
        }
    }
}

/// Where a policy comes from; none without one, when it can't have settings.
pub fn origin(policy: Option<PathBuf>, settings: Option<BTreeMap<String, String>>) -> PyResult<Origin> {
    let settings: Vec<_> = settings.unwrap_or_default().into_iter().collect();
    let Some(policy) = policy else {
        return match settings.first() {
            None => Ok(Origin::BuiltIn),
            Some((key, _)) => Err(wrong(format!(
                "policy_settings has {key:?}, and there is no policy=: the built-in policy has no settings"
            ))),
        };
    };
    match (Origin::at(policy), settings.first()) {
        (Origin::File(file, _), _) => Ok(Origin::File(file, settings)),
        (origin, None) => Ok(origin),
        (_, Some((key, _))) => Err(wrong(format!(
            "policy_settings has {key:?}, which is for one policy, and policy= is a directory: put it into its policies.toml"
        ))),
    }
}

/// The files of an identity: all three or none.
pub fn credentials(ca: Option<PathBuf>, cert: Option<PathBuf>, key: Option<PathBuf>) -> PyResult<Option<Credentials>> {
    match (ca, cert, key) {
        (None, None, None) => Ok(None),
        (Some(ca), Some(cert), Some(key)) => Credentials::read(&cert, &key, &ca).map(Some).map_err(wrong),
        _ => Err(wrong("ca=, cert= and key= belong together: give all three PEM files, or none of them")),
    }
}
