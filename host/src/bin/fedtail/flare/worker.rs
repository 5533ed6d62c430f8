//! The process that FLARE starts for each job, and which writes the job's logs until its very end.
//!
//! It is found by its arguments, as the launcher gives them: `-m nvflare.private.fed.app.client.worker_process`, with the
//! workspace as `-m` and the job's id as `-n`. In another process namespace (a container's), or where /proc shows only one's
//! own processes and FLARE is another user's, there is none to be seen.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The modules that run a job: of a client, and of a server.
const MODULES: [&[u8]; 2] =
    [b"nvflare.private.fed.app.client.worker_process", b"nvflare.private.fed.app.server.runner_process"];

/// The jobs of a workspace that have such a process now.
pub fn running(workspace: &Path) -> HashSet<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return HashSet::new() };
    let arguments = processes.flatten().filter_map(|process| {
        let is_process = process.file_name().as_bytes().iter().all(u8::is_ascii_digit);
        // One that has ended meanwhile runs no job.
        is_process.then(|| std::fs::read(process.path().join("cmdline")).ok()).flatten()
    });
    arguments.filter_map(|arguments| job(&arguments, workspace)).collect()
}

/// The job that a process with these arguments, each ended by a NUL, runs in a workspace.
fn job(arguments: &[u8], workspace: &Path) -> Option<String> {
    let arguments: Vec<&[u8]> = arguments.split(|&byte| byte == 0).collect();
    let module = arguments.iter().position(|argument| MODULES.contains(argument))?;
    let of =
        |flags: [&[u8]; 2]| arguments[module..].windows(2).find(|pair| flags.contains(&pair[0])).map(|pair| pair[1]);
    let its = Path::new(std::ffi::OsStr::from_bytes(of([b"-m", b"--workspace"])?));
    // Given in another way, it may still be the same directory.
    let is_here = its == workspace || its.canonicalize().ok()? == workspace.canonicalize().ok()?;
    let id = std::str::from_utf8(of([b"-n", b"--job_id"])?).ok()?;
    is_here.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As FLARE 2.9 starts it, in the site's own workspace only: two sites of one machine run the same job.
    #[test]
    fn a_worker_is_known_by_its_arguments() {
        let workspace = tempfile::tempdir().unwrap();
        let path = workspace.path().to_str().unwrap();
        let command = |workspace: &str, module: &str| {
            let line =
                format!("/usr/bin/python3 -u -m {module} -n job-1 -c site-1 -m {workspace} -w {workspace}/startup");
            line.replace(' ', "\0").into_bytes()
        };
        let module = "nvflare.private.fed.app.client.worker_process";
        assert_eq!(job(&command(path, module), workspace.path()).as_deref(), Some("job-1"));
        assert_eq!(job(&command(&format!("{path}/."), module), workspace.path()).as_deref(), Some("job-1"));
        assert_eq!(job(&command("/elsewhere", module), workspace.path()), None);
        assert_eq!(job(&command(path, "nvflare.private.fed.app.client.client_train"), workspace.path()), None);
        assert_eq!(job(b"", workspace.path()), None);
    }
}
