//! Who may write and who may read.
//!
//! A certificate that verifies is not enough: NVIDIA FLARE's administrators have certificates of the same authority as
//! its sites.

use std::collections::BTreeSet;

use globset::{Glob, GlobSet, GlobSetBuilder};

/// A pattern that can't be used: quoted, with the reason.
#[derive(Debug, thiserror::Error)]
#[error("the pattern {pattern:?} for site names cannot be used: {reason}")]
pub struct PatternError {
    pattern: String,
    reason: String,
}

/// What names may do.
#[derive(Debug, Clone, Default)]
pub struct Access {
    operators: BTreeSet<String>,
    /// None: every name that is no operator's.
    sites: Option<GlobSet>,
}

impl Access {
    /// Operators read; sites whose names match one of the patterns write. Without patterns every name that is no
    /// operator's may write. In a pattern `*` stands for anything, `?` for one character, `[ab]` for one of several.
    pub fn new(operators: impl IntoIterator<Item = String>, site_names: &[String]) -> Result<Self, PatternError> {
        let mut sites = GlobSetBuilder::new();
        for pattern in site_names {
            let error = |e: globset::Error| PatternError { pattern: pattern.clone(), reason: e.kind().to_string() };
            sites.add(Glob::new(pattern).map_err(error)?);
        }
        let sites =
            sites.build().map_err(|e| PatternError { pattern: site_names.join(", "), reason: e.kind().to_string() })?;
        Ok(Self { operators: operators.into_iter().collect(), sites: (!site_names.is_empty()).then_some(sites) })
    }

    /// Whether this name may read.
    pub fn may_read(&self, name: &str) -> bool {
        self.operators.contains(name)
    }

    /// Whether this name may write its own logs.
    pub fn may_write(&self, name: &str) -> bool {
        match &self.sites {
            Some(sites) => sites.is_match(name),
            None => !self.may_read(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(operators: &[&str], sites: &[&str]) -> Access {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        Access::new(owned(operators), &owned(sites)).unwrap()
    }

    #[test]
    fn without_patterns_everybody_writes_but_operators() {
        let access = access(&["admin@lab.org"], &[]);
        assert!(access.may_write("site-1") && !access.may_read("site-1"));
        assert!(access.may_read("admin@lab.org") && !access.may_write("admin@lab.org"));
    }

    #[test]
    fn with_patterns_only_names_that_match_write() {
        let access = access(&[], &["site-*", "hospital-?"]);
        assert!(access.may_write("site-1") && access.may_write("hospital-a"));
        assert!(!access.may_write("admin@lab.org") && !access.may_write("hospital-aa"));
    }

    #[test]
    fn a_bad_pattern_is_quoted() {
        let error = Access::new([], &["site-[".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"site-[\""), "{error}");
    }
}
