//! NVIDIA FLARE itself runs a job, in its simulator and as a federation of processes, and an agent watches a site of it.
//!
//! They need FLARE, which `cargo xtask test` installs from PyPI where it can, and says so where it can't. Then
//! `FEDTAIL_NVFLARE` names the folder that its programs are in; without it these tests do nothing, and say so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fedtail_tests::{PATIENCE, Place, Process, Server, eventually_holds, fedtail};

/// Where FLARE's programs are; none where these tests can't be run.
fn flare() -> Option<PathBuf> {
    let folder = std::env::var_os("FEDTAIL_NVFLARE").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: NVIDIA FLARE is not installed, see `cargo xtask test`");
    }
    folder
}

/// Waits until a directory is there. It is made by another program, and its parents too, so there is no event to wait for.
fn eventually_there(directory: &Path) {
    let start = Instant::now();
    while !directory.is_dir() {
        assert!(start.elapsed() < PATIENCE, "{} was not made", directory.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A job whose logs are written, rotated and named by FLARE: both of them are at the server, byte for byte, and the job's
/// configuration is as FLARE deployed it.
#[test]
fn a_job_of_the_simulator_is_at_the_server_byte_for_byte() {
    let Some(flare) = flare() else { return };
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let workspace = place.path("simulation");
    let site = workspace.join("site-1");
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("flare/talk");

    let mut command = Command::new(flare.join("nvflare"));
    command.arg("simulator").arg(&job).arg("-w").arg(&workspace).args(["-n", "1", "-t", "1"]);
    // It keeps settings of its own in the user's home.
    let simulator = Process::start("the simulator", command.env("HOME", place.path("home")));
    eventually_there(&site.join("simulate_job"));
    let mut command = fedtail(["agent", "--workspace"]);
    command.arg(&site).args(server.target(&place, "site-1").flags());
    let agent = Process::start("the agent", &mut command);
    agent.says("simulate_job log.txt is streamed");
    simulator.ends().with_code(0);

    for log in ["log.txt", "error_log.txt"] {
        let written = std::fs::read(site.join(log)).unwrap();
        eventually_holds(&place.stored("simulate_job", "site-1", log), &written);
    }
    let log = std::fs::read_to_string(site.join("log.txt")).unwrap();
    assert!(log.contains("line 1999 of a training that is none"), "the job ran");
    agent.stop().with_code(0);
    server.ended("simulate_job/site-1/log.txt", "complete");
    let deployed = std::fs::read(site.join("simulate_job/app_site-1/config/config_fed_client.json")).unwrap();
    assert_eq!(deployed, std::fs::read(job.join("app/config/config_fed_client.json")).unwrap());
}

/// FLARE's own launcher starts the job's process with the site's certificates from FLARE's own provisioning: the agent knows
/// when it has ended, and then both logs are at the server to the last line that FLARE wrote.
#[test]
fn a_job_of_a_federation_is_over_when_its_process_has_ended() {
    let Some(flare) = flare() else { return };
    let place = Place::new();
    let directory = place.path("federation");
    std::fs::create_dir(&directory).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("flare");
    let mut command = Command::new(flare.join("python"));
    command.arg(tests.join("federation.py")).arg(&directory).arg(tests.join("talk"));
    let federation = Process::start("the federation", &mut command);
    let workspace = PathBuf::from(federation.says("workspace ").trim_start_matches("workspace "));
    let kit = |member: &str, file: &str| workspace.with_file_name(member).join("startup").join(file);

    let mut command = fedtail(["server", "--listen", "127.0.0.1:0", "--site-names", "site-*", "--store"]);
    command.arg(place.store()).arg("--tls-cert").arg(kit("localhost", "server.crt"));
    command.arg("--tls-key").arg(kit("localhost", "server.key"));
    command.arg("--client-ca").arg(kit("localhost", "rootCA.pem"));
    let server = Server::listening(Process::start("the server", &mut command));
    let mut command = fedtail(["agent", "--server", &format!("https://localhost:{}", server.address.port())]);
    command.arg("--workspace").arg(&workspace).arg("--ca").arg(kit("site-1", "rootCA.pem"));
    command.arg("--cert").arg(kit("site-1", "client.crt")).arg("--key").arg(kit("site-1", "client.key"));
    let agent = Process::start("the agent", &mut command);
    agent.says("as site-1");

    let id = federation.says("job is ").trim_start_matches("job is ").to_owned();
    federation.says("job ended JOB_FINISHED");
    federation.says("process ended");
    agent.says(&format!("{id} is over: its process has ended"));
    for log in ["log.txt", "error_log.txt"] {
        server.ended(&format!("{id}/site-1/{log}"), "complete");
        let written = std::fs::read(workspace.join(&id).join(log)).unwrap();
        eventually_holds(&place.stored(&id, "site-1", log), written);
    }
    agent.stop().with_code(0);
    std::fs::write(directory.join("done"), "").unwrap();
    federation.ends().with_code(0);
}
