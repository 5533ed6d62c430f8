//! `fedtail run`: the job's command with its logs.

use fedtail_tests::{
    Place, Process, Server, Signal, Target, append, contents, eventually_holds, fedtail, run, unused_address,
};

/// A command that fails: its code is kept, its output is its own, and its very last lines are stored.
#[test]
fn a_failing_command_keeps_its_code_and_its_last_lines_arrive() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let log = place.path("log.txt");
    let script = "echo training > \"$1\"; echo on standard output; echo the last words >> \"$1\"; exit 42";
    let exit = run(&server.target(&place, "site-1"), "job-1", &log, script).ends().with_code(42);
    assert_eq!(exit.out, ["on standard output"], "standard output is the command's");
    exit.line("log.txt complete, 24 bytes at the server");
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "training\nthe last words\n");
    server.ended("job-1/site-1/log.txt", "complete");
}

/// A command that a signal ends: the code is the shell's for it, and what it wrote is stored.
#[test]
fn a_command_killed_by_a_signal_is_told_as_a_shell_does() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    let script = "echo about to die > \"$1\"; kill -KILL $$";
    run(&server.target(&place, "site-1"), "job-1", &log, script).ends().with_code(128 + 9);
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "about to die\n");
    server.ended("job-1/site-1/log.txt", "complete");
}

/// Signals are the command's: it decides what they mean, and what it says after one still arrives.
#[test]
fn signals_are_passed_on_to_the_command() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    let script = "trap 'echo caught USR1 >> \"$1\"' USR1; trap 'echo caught TERM >> \"$1\"; exit 7' TERM; \
                  echo ready >> \"$1\"; while :; do sleep 0.05; done";
    let site = run(&server.target(&place, "site-1"), "job-1", &log, script);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "ready\n");
    site.signal(Signal::USR1);
    eventually_holds(&stored, "ready\ncaught USR1\n");
    site.signal(Signal::TERM);
    site.ends().with_code(7);
    eventually_holds(&stored, "ready\ncaught USR1\ncaught TERM\n");
    server.ended("job-1/site-1/log.txt", "complete");
}

/// A command that is not there, or can't be run, has the shell's code and words that name it.
#[test]
fn a_command_that_cannot_be_started_is_said() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let start = |command: &str| {
        let mut run = fedtail(["run", "--job", "job-1"]);
        run.args(server.target(&place, "site-1").flags()).arg("--log").arg(place.path("log.txt")).args(["--", command]);
        let exit = Process::start("the site", &mut run).ends();
        assert!(exit.out.is_empty(), "standard output is the command's: {exit:#?}");
        exit
    };
    let exit = start("/no/such/command").with_code(127);
    exit.line("fedtail: error: the command \"/no/such/command\" cannot be started: No such file or directory");
    append(&place.path("no-program"), "text");
    let no_program = place.path("no-program").display().to_string();
    start(&no_program).with_code(126).line(&format!("the command {no_program:?} cannot be started: Permission denied"));
}

/// Without its server the job runs all the same and keeps its code; what could not be sent is said with what to do.
#[test]
fn a_job_runs_also_when_no_server_takes_its_logs() {
    let place = Place::new();
    let log = place.path("log.txt");
    let mut command = fedtail(["run", "--job", "job-1", "--finish-timeout", "500ms"]);
    command.args(Target::without_tls(unused_address(), "site-1").flags()).arg("--log").arg(&log);
    command.args(["--", "sh", "-c", "echo done > \"$1\"; exit 3", "sh"]).arg(&log);
    let exit = Process::start("the site", &mut command).ends().with_code(3);
    exit.line("log.txt timed out, 0 bytes at the server: after 500ms, the server was not to be reached");
    exit.line("not all logs are complete at the server; send what is left with `fedtail stream --once`");
    assert!(contents(&place.store()).is_empty());
}
