//! Which logs are read.

use std::fmt;

use crate::names::{JobName, LogKey, LogName, NameError, SiteName};
use crate::wire::TailRequest;

/// Logs of one job: all, or those of one site, of one name, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The job.
    pub job: JobName,
    /// The site; none for all.
    pub site: Option<SiteName>,
    /// The log; none for all.
    pub log: Option<LogName>,
}

impl Selection {
    /// All logs of a job.
    pub fn of_job(job: JobName) -> Self {
        Self { job, site: None, log: None }
    }

    /// What a request asks for; refused where a name can be none.
    pub fn asked_for(request: &TailRequest) -> Result<Self, NameError> {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Ok(Self {
            job: JobName::new(&request.job)?,
            site: named(&request.site).map(SiteName::new).transpose()?,
            log: named(&request.log).map(LogName::new).transpose()?,
        })
    }

    /// Whether this log is among them.
    pub fn takes(&self, key: &LogKey) -> bool {
        self.job == key.job
            && self.site.as_ref().is_none_or(|site| *site == key.site)
            && self.log.as_ref().is_none_or(|log| *log == key.log)
    }
}

/// "log log.txt of job job-1 at site site-1"
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("log ")?;
        if let Some(log) = &self.log {
            write!(f, "{log} ")?;
        }
        write!(f, "of job {}", self.job)?;
        if let Some(site) = &self.site {
            write!(f, " at site {site}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(job: &str, site: &str, log: &str) -> TailRequest {
        TailRequest { job: job.into(), site: site.into(), log: log.into(), ..TailRequest::default() }
    }

    #[test]
    fn what_is_not_named_is_all() {
        let key = |job: &str, site: &str, log: &str| LogKey {
            job: JobName::new(job).unwrap(),
            site: SiteName::new(site).unwrap(),
            log: LogName::new(log).unwrap(),
        };
        let all = Selection::asked_for(&request("j", "", "")).unwrap();
        assert!(all.takes(&key("j", "a", "x")) && all.takes(&key("j", "b", "y")) && !all.takes(&key("k", "a", "x")));
        let one = Selection::asked_for(&request("j", "a", "x")).unwrap();
        assert!(one.takes(&key("j", "a", "x")) && !one.takes(&key("j", "b", "x")) && !one.takes(&key("j", "a", "y")));
        assert_eq!(one.to_string(), "log x of job j at site a");
        assert_eq!(all.to_string(), "log of job j");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for (job, site, log) in [("", "", ""), ("..", "", ""), (".fedtail", "", ""), ("j", "../k", ""), ("j", "", "..")]
        {
            assert!(Selection::asked_for(&request(job, site, log)).is_err(), "{job} {site} {log}");
        }
    }
}
