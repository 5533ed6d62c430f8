//! Names of jobs, sites and logs, and of rotated files: a name that is taken is one plain component of a path, no two logs
//! share a place in the store, and rotated files of any names have one order with the log last.
#![no_main]

use std::path::{Component, Path};

use arbitrary::Arbitrary;
use fedtail_fuzz::names::{JobName, LogKey, LogName, MAX_NAME, SiteName};
use fedtail_fuzz::rotated;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    job: String,
    site: String,
    log: String,
    /// Endings of rotated files, with the times of the files.
    endings: Vec<(Vec<u8>, u64)>,
    others: Vec<(Vec<u8>, u64)>,
}

fuzz_target!(|input: Input| {
    let Input { job, site, log, endings, others } = input;
    let names = (JobName::new(&*job), SiteName::new(&*site), LogName::new(&*log));
    plain(&job, names.0.as_ref().ok().map(JobName::as_str), names.0.as_ref().err().map(ToString::to_string));
    plain(&site, names.1.as_ref().ok().map(SiteName::as_str), names.1.as_ref().err().map(ToString::to_string));
    plain(&log, names.2.as_ref().ok().map(LogName::as_str), names.2.as_ref().err().map(ToString::to_string));
    if let (Ok(job), Ok(site), Ok(log)) = names {
        // As it stands in a configuration or comes from one.
        let text = serde_json::to_string(&job).expect("a name has a form in JSON");
        assert_eq!(serde_json::from_str::<JobName>(&text).expect("and is read back"), job);
        let key = LogKey { job, site, log };
        let path: std::path::PathBuf = [key.job.as_ref(), key.site.as_ref(), key.log.as_ref()].iter().collect();
        assert_eq!(path.components().count(), 3, "{path:?}");
        assert!(!path.starts_with(".fedtail"), "the store's own directory: {path:?}");
        assert_eq!(key.to_string(), path.to_str().expect("names are text"));
    }
    let mut files: Vec<_> = others;
    files.push((log.clone().into_bytes(), 1));
    files.extend(endings.into_iter().map(|(ending, time)| ([log.as_bytes(), &ending].concat(), time)));
    rotated::ordered(log.as_bytes(), &files);
});

/// A name is taken as it is, and is then a single component; or it is refused in words.
fn plain(name: &str, taken: Option<&str>, refused: Option<String>) {
    let Some(taken) = taken else {
        let words = refused.expect("a name is taken or refused");
        assert!(words.contains(" is refused: ") && words.len() < 8 * 300 + 200, "{words}");
        return;
    };
    assert_eq!(taken, name);
    assert!(taken.len() <= MAX_NAME && !taken.contains('\0'));
    let components: Vec<_> = Path::new(taken).components().collect();
    assert!(matches!(components[..], [Component::Normal(only)] if only == taken), "{taken:?} is {components:?}");
}
