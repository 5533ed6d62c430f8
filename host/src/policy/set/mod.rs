//! Which policy is for which log, now: read from a file or a directory, and read again when that changes.

mod event;
mod rules;
mod watching;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;

pub use self::event::PolicyEvent;
pub use self::rules::OnFailure;
use self::rules::{FILE, Rule, Rules, STRIKES};
use self::watching::Stamps;
use super::admission::{Admission, Admitted, Applicant, Custom, Linked};
use super::component::Digest;
use super::error::PolicyError;
use super::trust::{PublicKey, Trust, signature_file};
use crate::source::Subscription;

/// Good policies that are remembered of one rule: the one before the last may be as broken as the last.
const REMEMBERED: usize = 4;

/// Where policies come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The program itself: the built-in policy, for all logs.
    BuiltIn,
    /// One component for all logs, with its settings.
    File(PathBuf, Vec<(String, String)>),
    /// A directory with a `policies.toml`.
    Directory(PathBuf),
}

impl Origin {
    /// What is at a path: a directory of policies, or one component.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if path.is_dir() { Self::Directory(path) } else { Self::File(path, Vec::new()) }
    }

    /// What is watched for changes.
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::BuiltIn => None,
            Self::File(file, _) => {
                Some(file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
            }
            Self::Directory(directory) => Some(directory),
        }
    }
}

/// The policy of one log, ready to be used.
#[derive(Clone)]
pub struct Assigned<P> {
    /// The policy.
    pub policy: P,
    /// Its settings.
    pub custom: Custom,
    /// After how many failures in a row another one is asked for.
    pub strikes: u32,
    lineage: String,
    signed_by: Option<PublicKey>,
}

impl<P: Linked> Assigned<P> {
    /// A policy without a set, for all logs: nothing ever takes its place.
    pub fn alone(policy: P, custom: Custom) -> Self {
        Self { policy, custom, strikes: STRIKES, lineage: String::new(), signed_by: None }
    }

    /// Whether it is the same component with the same settings.
    pub fn is_same(&self, other: &Self) -> bool {
        self.policy.digest() == other.policy.digest() && self.custom == other.custom
    }
}

/// All rules with their policies: one version of what was read.
pub struct Assignment<P> {
    rules: Vec<(Rule, Assigned<P>)>,
    trust: Trust,
    fallback: Option<P>,
    /// For words.
    file: PathBuf,
}

impl<P: Linked> Assignment<P> {
    /// The policy of a log. `site` is asked for at a server.
    ///
    /// # Errors
    ///
    /// No rule is for the log. There is no policy for it then, rather than one that was not meant for it.
    pub fn of(&self, job: &str, log: &str, site: Option<&str>) -> Result<Assigned<P>, PolicyError> {
        let found = self.rules.iter().find(|(rule, _)| rule.matches(job, log, site));
        found.map(|(_, assigned)| assigned.clone()).ok_or_else(|| PolicyError::NoRule {
            file: self.file.clone(),
            log: site.map_or_else(|| format!("{job}/{log}"), |site| format!("{job}/{site}/{log}")),
        })
    }

    /// Each policy once, as its file's name and digest.
    fn policies(&self) -> Vec<(String, Digest)> {
        let mut policies = Vec::new();
        for (rule, assigned) in &self.rules {
            let file = rule.applicant.as_ref().and_then(|applicant| applicant.file.file_name());
            let file = file.map_or("built-in".into(), |file| file.to_string_lossy().into_owned());
            let policy = (file, assigned.policy.digest());
            if !policies.contains(&policy) {
                policies.push(policy);
            }
        }
        policies
    }

    /// Whether streams have nothing to do about another version.
    fn is_same(&self, other: &Self) -> bool {
        let same = |a: &(Rule, Assigned<P>), b: &(Rule, Assigned<P>)| {
            a.0.lineage == b.0.lineage && a.1.is_same(&b.1) && a.1.strikes == b.1.strikes
        };
        self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(a, b)| same(a, b))
            && self.trust == other.trust
            && self.fallback.is_some() == other.fallback.is_some()
    }
}

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Whether anything is other than before.
    pub changed: bool,
    /// What is in use now: each policy as its file's name and digest.
    pub policies: Vec<(String, Digest)>,
}

type Told = Arc<dyn Fn(&PolicyEvent) + Send + Sync>;

/// The policies of a site or a server.
pub struct PolicySet<P> {
    origin: Origin,
    admission: Admission,
    current: watch::Sender<Arc<Assignment<P>>>,
    /// Policies that have had bytes acknowledged, by rule, newest last.
    good: Mutex<HashMap<String, Vec<Assigned<P>>>>,
    /// What the files looked like when they were read last, well or not. One reads at a time.
    read: Mutex<Stamps>,
    /// Keeps the directory watched.
    watched: OnceLock<Subscription>,
    told: Told,
}

impl<P: Linked> PolicySet<P> {
    /// Reads the policies for the first time. `told` is called with everything that happens to them.
    pub fn load(origin: Origin, admission: Admission, told: Told) -> Result<Arc<Self>, PolicyError> {
        let read = Stamps::of(watched(&origin, &[]));
        let (named, assignment) = assignment::<P>(&origin, &admission, |_, _| None);
        let assignment = assignment?;
        let current = watch::Sender::new(Arc::new(assignment));
        let read = read.now_of(named);
        told(&PolicyEvent::Loaded { policies: current.borrow().policies() });
        let (good, read, watched) = (Mutex::default(), Mutex::new(read), OnceLock::new());
        Ok(Arc::new(Self { origin, admission, current, good, read, watched, told }))
    }

    /// One that is ready, for all logs. Reading it again finds the built-in one.
    pub(crate) fn alone(assigned: Assigned<P>, admission: Admission, told: Told) -> Arc<Self> {
        let rule = Rule::for_all(None);
        let assigned = Assigned { lineage: rule.lineage.clone(), ..assigned };
        let rules = vec![(rule, assigned)];
        let assignment = Assignment { rules, trust: Trust::default(), fallback: None, file: "the only policy".into() };
        let (current, read) = (watch::Sender::new(Arc::new(assignment)), Mutex::default());
        let (good, watched) = (Mutex::default(), OnceLock::new());
        Arc::new(Self { origin: Origin::BuiltIn, admission, current, good, read, watched, told })
    }

    /// What is in use now, and a way to learn when that changes.
    pub fn current(&self) -> watch::Receiver<Arc<Assignment<P>>> {
        self.current.subscribe()
    }

    /// Reads the policies again. What does not pass every stage changes nothing. Blocks: on files, and while a component
    /// is compiled.
    pub fn reload(&self) -> Result<Reloaded, PolicyError> {
        let mut read = lock(&self.read);
        let before = read.look_again();
        self.take(&mut read, before).inspect_err(|error| {
            (self.told)(&PolicyEvent::Refused { reason: error.to_string() });
        })
    }

    /// As [`reload`](Self::reload), where the files are other than when they were read last, and as `settled` says.
    /// Returns whether they were.
    fn reload_settled(&self, settled: &Stamps) -> bool {
        let mut read = lock(&self.read);
        if read.look_again() != *settled {
            return false;
        }
        let taken = self.take(&mut read, settled.clone());
        if read.look_again() != *settled && taken.is_err() {
            // It changed while it was read.
            return false;
        }
        if let Err(error) = taken {
            (self.told)(&PolicyEvent::Refused { reason: error.to_string() });
        }
        true
    }

    fn take(&self, read: &mut Stamps, before: Stamps) -> Result<Reloaded, PolicyError> {
        let now = self.current.borrow().clone();
        let known = |digest: Digest, custom: &[(String, String)]| {
            let mut assigned = now.rules.iter().map(|(_, assigned)| assigned);
            assigned
                .find(|assigned| assigned.policy.digest() == digest && *assigned.custom == *custom)
                .map(|assigned| assigned.policy.clone())
        };
        let (named, assignment) = assignment(&self.origin, &self.admission, known);
        *read = before.now_of(named);
        let assignment = assignment?;
        let reloaded = Reloaded { changed: !now.is_same(&assignment), policies: assignment.policies() };
        if reloaded.changed {
            (self.told)(&PolicyEvent::Loaded { policies: reloaded.policies.clone() });
            self.current.send_replace(Arc::new(assignment));
        }
        Ok(reloaded)
    }

    /// A policy has had bytes acknowledged: it is one to come back to.
    pub fn is_good(&self, assigned: &Assigned<P>) {
        let mut good = lock(&self.good);
        let of_rule = good.entry(assigned.lineage.clone()).or_default();
        of_rule.retain(|earlier| !earlier.is_same(assigned));
        of_rule.push(assigned.clone());
        let surplus = of_rule.len().saturating_sub(REMEMBERED);
        of_rule.drain(..surplus);
    }

    /// What takes the place of a policy that failed again and again. `failed` are the digests that this log has tried.
    /// Only what would be let in today counts: a policy whose key is not trusted any more, or which is not pinned, stays
    /// out.
    pub fn instead_of(&self, assigned: &Assigned<P>, failed: &[Digest]) -> Option<Assigned<P>> {
        let now = self.current.borrow().clone();
        let rule = now.rules.iter().map(|(rule, _)| rule).find(|rule| rule.lineage == assigned.lineage)?;
        let pins = rule.applicant.as_ref().map_or(&[][..], |applicant| &applicant.pins);
        let allowed = |earlier: &&Assigned<P>| {
            let digest = earlier.policy.digest();
            !failed.contains(&digest)
                && now.trust.trusts(earlier.signed_by)
                && (pins.is_empty() || pins.contains(&digest))
        };
        let good = lock(&self.good);
        let earlier = good.get(&assigned.lineage).and_then(|good| good.iter().rev().find(allowed)).cloned();
        drop(good);
        earlier.or_else(|| {
            let policy = now.fallback.clone().filter(|policy| !failed.contains(&policy.digest()))?;
            Some(Assigned { policy, custom: [].into(), signed_by: None, ..assigned.clone() })
        })
    }

    /// Tells of something that happened to a stream's policy.
    pub fn tell(&self, event: &PolicyEvent) {
        (self.told)(event);
    }
}

/// The files that decide what is read: those of the origin itself, and the components that it names.
fn watched(origin: &Origin, components: &[&Path]) -> Vec<PathBuf> {
    let mut files = match origin {
        Origin::BuiltIn => Vec::new(),
        Origin::File(file, _) => vec![file.clone()],
        Origin::Directory(directory) => vec![directory.join(FILE)],
    };
    files.extend(components.iter().flat_map(|file| [file.to_path_buf(), signature_file(file)]));
    files
}

/// Reads what the origin has, through all stages. Returns also, well or not, the files that that hung on.
fn assignment<P: Linked>(
    origin: &Origin,
    admission: &Admission,
    known: impl Fn(Digest, &[(String, String)]) -> Option<P>,
) -> (Stamps, Result<Assignment<P>, PolicyError>) {
    let (file, rules) = match origin {
        Origin::BuiltIn => ("the program".into(), Ok(for_all(None))),
        Origin::File(file, custom) => {
            let applicant =
                Applicant { file: file.clone(), pins: Vec::new(), custom: custom.clone().into(), promise: None };
            (file.clone(), Ok(for_all(Some(applicant))))
        }
        Origin::Directory(directory) => (directory.join(FILE), Rules::read(directory, P::KIND)),
    };
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => return (Stamps::default(), Err(error)),
    };
    let components: Vec<&Path> =
        rules.rules.iter().filter_map(|rule| Some(rule.applicant.as_ref()?.file.as_path())).collect();
    // Looked at before they are read: what changes in between is read again.
    let named = Stamps::of(watched(origin, &components));
    (named, admit(rules, file, admission, known))
}

fn for_all(applicant: Option<Applicant>) -> Rules {
    let rules = vec![Rule::for_all(applicant)];
    Rules { rules, trust: Trust::default(), on_failure: OnFailure::Closed, strikes: STRIKES }
}

fn admit<P: Linked>(
    rules: Rules,
    file: PathBuf,
    admission: &Admission,
    known: impl Fn(Digest, &[(String, String)]) -> Option<P>,
) -> Result<Assignment<P>, PolicyError> {
    let Rules { rules, trust, on_failure, strikes } = rules;
    let fallback = match on_failure {
        OnFailure::Closed => None,
        OnFailure::Default => Some(admission.embedded()?),
    };
    let admitted = |rule: Rule| {
        let (Admitted { policy, signed_by }, custom) = match &rule.applicant {
            Some(applicant) => (admission.admit(applicant, &trust, &known)?, applicant.custom.clone()),
            None => (Admitted { policy: admission.embedded()?, signed_by: None }, [].into()),
        };
        let lineage = rule.lineage.clone();
        Ok((rule, Assigned { policy, custom, strikes, lineage, signed_by }))
    };
    let rules = rules.into_iter().map(admitted).collect::<Result<_, PolicyError>>()?;
    Ok(Assignment { rules, trust, fallback, file })
}

/// A panic elsewhere leaves these as they are between two statements, which is always whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
