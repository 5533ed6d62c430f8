//! `fedtail agent`: a workspace whose jobs are streamed without knowing it.

use std::os::unix::fs::symlink;
use std::time::Duration;

use fedtail_tests::{Place, Process, Server, Signal, append, eventually_holds, fedtail, lines};

use crate::workspace::{Workspace, written_before};

const PLAIN: &str = r#"{"format_version": 2, "executors": [], "components": []}"#;

const DECLARED: &str = r#"{"components": [
    {"path": "fedtail.flare.JobLogStreamer"},
    {"path": "nvflare.app_common.logging.job_log_streamer.JobLogStreamer", "args": {"log_file_name": "log_fl.txt"}}
]}"#;

fn text(count: usize) -> String {
    String::from_utf8(lines(count)).unwrap()
}

/// Both logs that FLARE writes, through a rotation; the job is over when its process has ended, and not before. What comes
/// later is sent too. The site's own log is no job's.
#[test]
fn a_job_that_appears_is_streamed_until_its_process_has_ended() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let workspace = Workspace::new(&place);
    let agent = workspace.agent(&server.target(&place, "site-1"), &["--quiet", "1s"]);

    let job = workspace.deploy("0c9f-1", PLAIN);
    let worker = workspace.worker(&job);
    let (first, second) = (text(500), text(200));
    append(&job.log("log.txt"), &first);
    append(&job.log("error_log.txt"), "one error\n");
    let stored = place.stored("0c9f-1", "site-1", "log.txt");
    eventually_holds(&stored, &first);
    eventually_holds(&place.stored("0c9f-1", "site-1", "error_log.txt"), "one error\n");
    std::fs::rename(job.log("log.txt"), job.log("log.txt.1")).unwrap();
    append(&job.log("log.txt"), &second);
    eventually_holds(&stored, first.clone() + &second);

    // A second job is over by its quiet, so that much time has passed for the first one.
    let other = workspace.deploy("0c9f-2", PLAIN);
    append(&other.log("log.txt"), "short\n");
    agent.says("0c9f-2 is over: it has written nothing for 1s");
    assert!(agent.said("0c9f-1 is over").is_empty(), "its process runs");

    append(&job.log("log.txt"), "the last words\n");
    worker.kill();
    agent.says("0c9f-1 is over: its process has ended");
    agent.says("0c9f-1 log.txt complete");
    agent.says("0c9f-1 error_log.txt complete, 10 bytes at the server");
    server.ended("0c9f-1/site-1/log.txt", "complete");
    eventually_holds(&stored, first.clone() + &second + "the last words\n");

    append(&job.log("log.txt"), "a late line\n");
    eventually_holds(&stored, first + &second + "the last words\na late line\n");
    agent.stop().with_code(0);
    assert_eq!(
        std::fs::read_dir(place.store()).unwrap().filter(|e| e.as_ref().unwrap().file_name() != ".fedtail").count(),
        2
    );
    assert!(!place.stored("0c9f-1", "site-1", "log.txt.1").exists());
    assert_eq!(std::fs::read_to_string(job.config()).unwrap(), PLAIN, "no job is changed");
}

/// SIGKILL in the middle, lines while nobody looks, and a third start when all is over: every byte once.
#[test]
fn an_agent_that_is_started_again_doubles_nothing() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let target = server.target(&place, "site-1");
    let workspace = Workspace::new(&place);
    let agent = workspace.agent(&target, &[]);
    let job = workspace.deploy("job-1", PLAIN);
    append(&job.log("log.txt"), "one\n");
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "one\n");
    agent.kill();

    append(&job.log("log.txt"), "two\n");
    let agent = workspace.agent(&target, &[]);
    eventually_holds(&stored, "one\ntwo\n");
    // What is written at the very end is drained.
    append(&job.log("log.txt"), "three\n");
    agent.stop().with_code(0).line("job-1 log.txt complete, 14 bytes at the server");
    eventually_holds(&stored, "one\ntwo\nthree\n");

    let agent = workspace.agent(&target, &["--quiet", "1ms"]);
    agent.says("job-1 is over: it has written nothing for 1ms");
    agent.says("job-1 log.txt complete, 14 bytes at the server");
    agent.stop().with_code(0);
    eventually_holds(&stored, "one\ntwo\nthree\n");
}

/// From the moment when the site says no, nothing leaves: not of the job that runs, not of one that comes, which loses the
/// streamers that it brought. When the site says yes again, each log goes on from where the server is.
#[test]
fn a_site_can_forbid_and_allow_streaming_while_jobs_run() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let workspace = Workspace::new(&place);
    let agent = workspace.agent(&server.target(&place, "site-1"), &[]);
    let job = workspace.deploy("job-1", PLAIN);
    append(&job.log("log.txt"), "allowed\n");
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "allowed\n");

    workspace.settings(r#"{"allow_log_streaming": false}"#);
    agent.says("nothing is streamed: \"allow_log_streaming\" is false in ");
    agent.says("job-1 log.txt aborted, 8 bytes at the server: \"allow_log_streaming\" is false in ");
    server.ended("job-1/site-1/log.txt", "aborted");
    append(&job.log("log.txt"), "private for now\n");
    let other = workspace.deploy("job-2", r#"{"components": [{"name": "JobLogStreamer"}]}"#);
    append(&other.log("log.txt"), "private for now\n");
    agent.says("job-2 brought 1 log streamer(s) with it, which are removed");
    assert_eq!(std::fs::read_to_string(other.config()).unwrap(), r#"{"components": []}"#);
    assert_eq!(std::fs::read_to_string(&stored).unwrap(), "allowed\n");
    assert!(!place.stored("job-2", "site-1", "log.txt").exists());

    workspace.settings(r#"{"allow_log_streaming": true}"#);
    agent.says("streaming is allowed");
    eventually_holds(&stored, "allowed\nprivate for now\n");
    eventually_holds(&place.stored("job-2", "site-1", "log.txt"), "private for now\n");
    agent.stop().with_code(0);
}

/// In a job's own container the workspace is filled when the job begins: until the site's settings are there, nothing leaves.
#[test]
fn nothing_is_streamed_before_the_sites_settings_are_there() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let workspace = Workspace::new(&place);
    let job = workspace.deploy("job-1", DECLARED);
    append(&job.log("error_log.txt"), "an error\n");
    let local = workspace.directory.join("local");
    std::fs::rename(&local, place.path("local")).unwrap();
    let agent = workspace.agent(&server.target(&place, "site-1"), &[]);
    agent.says("nothing is streamed: the site's settings are not there, ");
    assert!(agent.said("is streamed:").len() == 1 && agent.said("job-1").is_empty());
    std::fs::rename(place.path("local"), local).unwrap();
    agent.says("streaming is allowed");
    eventually_holds(&place.stored("job-1", "site-1", "error_log.txt"), "an error\n");
    assert_eq!(std::fs::read_to_string(job.config()).unwrap(), DECLARED, "the job keeps its streamers");
    agent.stop().with_code(0);
}

/// FLARE deletes a job's directory when its administrator says so: what was read until then is at the server.
#[test]
fn a_job_whose_directory_is_deleted_is_over() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let workspace = Workspace::new(&place);
    let agent = workspace.agent(&server.target(&place, "site-1"), &[]);
    let job = workspace.deploy("job-1", PLAIN);
    append(&job.log("log.txt"), "all of it\n");
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "all of it\n");
    std::fs::remove_dir_all(&job.directory).unwrap();
    agent.says("job-1 is over: its directory is gone");
    agent.says("job-1 log.txt complete, 10 bytes at the server");
    server.ended("job-1/site-1/log.txt", "complete, 10 bytes");
    agent.stop().with_code(0);
}

/// A log that fedtail's streamer in the job sends (FLARE's own sends elsewhere, and is none), one behind a link, one that no pattern names, a job that was old when the agent came:
/// each is said where there is a choice to be understood.
#[test]
fn what_is_not_the_agents_to_send_is_left_alone() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let workspace = Workspace::new(&place);
    let old = workspace.deploy("job-old", PLAIN);
    append(&old.log("log.txt"), "long ago\n");
    written_before(&old.log("log.txt"), Duration::from_hours(25));
    let secret = place.path("secret");
    append(&secret, "not the job's\n");

    let agent = workspace.agent(&server.target(&place, "site-1"), &["--log", "*.txt", "--log", "metrics.csv"]);
    agent.says("job-old is left alone: it has written nothing for 1day");
    let job = workspace.deploy("job-1", DECLARED);
    symlink(&secret, job.log("link.txt")).unwrap();
    append(&job.log("log.txt"), "streamed by the job\n");
    append(&job.log("log.json"), "{}\n");
    append(&job.log("log_fl.txt"), "a pattern's\n");
    append(&job.log("metrics.csv"), "1,2\n");
    agent.says("job-1 log.txt is left to the job, which declares fedtail's own streamer of it");
    eventually_holds(&place.stored("job-1", "site-1", "log_fl.txt"), "a pattern's\n");
    eventually_holds(&place.stored("job-1", "site-1", "metrics.csv"), "1,2\n");
    agent.stop().with_code(0);
    let logs: Vec<_> = std::fs::read_dir(place.store().join("job-1/site-1")).unwrap().collect();
    assert_eq!(logs.len(), 2, "{logs:?}");
    assert!(!place.store().join("job-old").exists());
}

/// The codes of `fedtail stream`, and words that say what to do.
#[test]
fn what_keeps_the_agent_from_working_is_said() {
    let place = Place::new();
    let workspace = Workspace::new(&place);
    let start = |arguments: &[&str]| {
        let mut command = fedtail(["agent", "--server", "http://127.0.0.1:1", "--site", "site-1"]);
        Process::start("the agent", command.args(arguments)).ends()
    };
    let words = start(&["--workspace", "/none"]).with_error(1);
    assert!(words.contains("the workspace /none cannot be read: No such file or directory"), "{words}");
    assert!(words.ends_with("give the directory with `startup` and `local`"), "{words}");
    let kit = workspace.directory.to_str().unwrap();
    start(&["--workspace", kit, "--log", "../log.txt"]).with_code(2).line("without a path");
    let file = place.path("config.toml");
    append(&file, "job = \"job-1\"\n");
    let words = start(&["--workspace", kit, "--config", file.to_str().unwrap()]).with_error(2);
    assert!(words.contains("leave `job` out of the file"), "{words}");
}

/// `fedtail run` around a job's process asks the site too: where it says no, the command runs, and keeps its code.
#[test]
fn a_command_that_is_run_in_a_workspace_is_not_streamed_against_the_sites_word() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let workspace = Workspace::new(&place);
    let job = workspace.deploy("job-1", PLAIN);
    let run = || {
        let mut command = fedtail(["run", "--job", "job-1", "--workspace"]);
        command.arg(&workspace.directory).args(server.target(&place, "site-1").flags());
        command.arg("--log").arg(job.log("log.txt")).args(["--", "sh", "-c", "echo a line >> \"$1\"; exit 3", "sh"]);
        Process::start("the site", command.arg(job.log("log.txt"))).ends().with_code(3)
    };
    workspace.settings(r#"{"allow_log_streaming": false}"#);
    run().line("nothing is streamed: \"allow_log_streaming\" is false in ");
    assert_eq!(std::fs::read_to_string(job.log("log.txt")).unwrap(), "a line\n", "the command ran");
    assert!(!place.stored("job-1", "site-1", "log.txt").exists());
    workspace.settings("{}");
    run().line("log.txt complete, 14 bytes at the server");
}

/// A server that is not there when the agent is told to end: it waits, and leaves at once on a second signal.
#[test]
fn a_second_signal_ends_the_drain() {
    let place = Place::new();
    let target = fedtail_tests::Target::without_tls(fedtail_tests::unused_address(), "site-1");
    let workspace = Workspace::new(&place);
    let job = workspace.deploy("job-1", PLAIN);
    append(&job.log("log.txt"), "a line\n");
    let agent = workspace.agent(&target, &[]);
    agent.says("job-1 log.txt is streamed");
    agent.signal(Signal::TERM);
    agent.says("job-1 ends with the agent");
    agent.signal(Signal::TERM);
    let exit = agent.ends().with_code(5);
    exit.line("fedtail: error: left at once, on a second signal: the server has what it had acknowledged");
}
