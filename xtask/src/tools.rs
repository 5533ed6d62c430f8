//! Debian's programs that some tests use: they rotate, trace and set clocks as it is done in use.

use std::path::Path;

use anyhow::{Context, Result};

use crate::apt::Apt;

/// One of them.
struct Tool {
    package: &'static str,
    /// A file of it on each processor it is packaged for; by path, since who is not root has no /usr/sbin on the PATH.
    files: &'static [&'static str],
    /// What is skipped without it.
    tests: &'static str,
}

const TOOLS: [Tool; 3] = [
    Tool { package: "logrotate", files: &["/usr/sbin/logrotate"], tests: "the tests of a log that logrotate rotates" },
    Tool {
        package: "libfaketime",
        files: &[
            "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
            "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
        ],
        tests: "the tests of clocks that are wrong and that jump",
    },
    Tool { package: "strace", files: &["/usr/bin/strace"], tests: "the test of what is flushed when" },
];

/// Installs those that are missing. Returns in words what is skipped since something can't be had.
pub fn install() -> Vec<String> {
    let missing: Vec<&Tool> =
        TOOLS.iter().filter(|tool| !tool.files.iter().any(|file| Path::new(file).exists())).collect();
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    if packages.is_empty() {
        return Vec::new();
    }
    println!("setup: installing {}, for some of the tests", packages.join(", "));
    let Err(error) = together(&packages) else { return Vec::new() };
    let skipped = |tool: &&Tool| {
        let Tool { package, tests, .. } = tool;
        format!("skipped: {tests}: {package} is not installed (on Debian: apt-get install {package}): {error:#}")
    };
    missing.iter().map(skipped).collect()
}

fn together(packages: &[&str]) -> Result<()> {
    Apt::new().and_then(|mut apt| apt.install(packages)).context("it can't be installed here")
}
