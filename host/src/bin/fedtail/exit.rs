//! Exit codes, and the failures that lead to them.

use std::process::ExitCode;

use fedtail::site::Ending;

/// What the codes mean, for `--help`.
pub const HELP: &str = "\
Exit codes:
  0  complete: everything is stored at the server
  1  could not start, or failed; the reason is on standard error
  2  wrong usage, also of a configuration file
  3  refused: by the server, or because one side does not trust the other's certificate
  4  ended incomplete: bytes were lost at the source, or the log was never there
  5  given up before the end: a second signal, or the finish timeout
  6  superseded: another host streams the same log now
  7  the policy failed again and again, or in `policy test`
`fedtail run` exits with the command's code, or 128 and the number of the signal that ended it; 126 and 127 if it could \
not be started. `fedtail tail` and `ls` exit with 3 if the server refuses to be read.";

/// How the program ends. Later variants are worse: of several streams the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Complete,
    Incomplete,
    GivenUp,
    Superseded,
    PolicyFailed,
    Refused,
    Usage,
    Failed,
    /// The code of a command that was run.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Complete => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Incomplete => 4,
            Exit::GivenUp => 5,
            Exit::Superseded => 6,
            Exit::PolicyFailed => 7,
            Exit::Command(code) => code,
        })
    }
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Complete => Self::Complete,
            Ending::Incomplete => Self::Incomplete,
            Ending::Refused => Self::Refused,
            Ending::Superseded => Self::Superseded,
            Ending::Aborted | Ending::TimedOut => Self::GivenUp,
            Ending::Failed => Self::PolicyFailed,
        }
    }
}

/// Why the program ends early: one line that says what, where and what to do.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub words: String,
}

impl Failure {
    pub fn start(words: impl ToString) -> Self {
        Self { exit: Exit::Failed, words: words.to_string() }
    }

    pub fn usage(words: impl ToString) -> Self {
        Self { exit: Exit::Usage, words: words.to_string() }
    }

    pub fn refused(words: impl ToString) -> Self {
        Self { exit: Exit::Refused, words: words.to_string() }
    }
}

macro_rules! fails_at_start {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::start(error)
            }
        })*
    };
}

fails_at_start!(
    fedtail::audit::AuditError,
    fedtail::policy::trust::TrustError,
    fedtail::identity::TlsError,
    fedtail::server::ServerError,
    fedtail::site::SiteError,
    fedtail::store::StoreError,
    fedtail::transport::grpc::ServeError,
);

macro_rules! wrong_usage {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::usage(error)
            }
        })*
    };
}

wrong_usage!(fedtail::identity::PatternError, fedtail::names::NameError, fedtail::transport::grpc::UrlError);
