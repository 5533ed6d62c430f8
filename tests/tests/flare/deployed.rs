//! The files of `deploy/`, without an engine for containers: manifests against the schemas of Kubernetes, and their very command
//! lines run here, against a real server. What a container has elsewhere is put where the test has it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use fedtail_tests::{Place, Process, Server, append, eventually_holds, fedtail, project};
use serde_json::Value;

use crate::workspace::Workspace;

const CONFIG: &str = r#"{"format_version": 2, "executors": [], "components": []}"#;

/// A training as the examples call it: it writes its log where it is told to, and fails.
const TRAINING: &str = "\
import sys
log = open(sys.argv[1].removeprefix('--log='), 'a')
for line in range(1000):
    print('line', line, file=log)
log.close()
sys.exit(3)
";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    let path = repository(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The folder with a program from PyPI; none where its tests can't be run.
fn installed(variable: &str, what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: {what} is not installed, see `cargo xtask test`");
    }
    folder
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// What stands in a container, and where the test has it.
struct Here(Vec<(&'static str, String)>);

impl Here {
    fn new(server: &Server, places: &[(&'static str, &Path)]) -> Self {
        let mut here = vec![("https://server.example:7443", format!("https://localhost:{}", server.address.port()))];
        here.extend(places.iter().map(|(there, here)| (*there, here.to_str().unwrap().to_owned())));
        Self(here)
    }

    /// The command line of a container, whose image begins `fedtail` where it names no command.
    fn command(&self, container: &Value, labels: &Value) -> Command {
        let words = [texts(&container["command"]), texts(&container["args"])].concat();
        let words = words.into_iter().map(|word| self.replaced(&expanded(word, container, labels)));
        let mut words: Vec<String> = words.collect();
        if container["command"].is_null() {
            return fedtail(words);
        }
        match words.remove(0).as_str() {
            "/usr/local/bin/fedtail" => fedtail(words),
            other => {
                let mut command = Command::new(other);
                command.args(words);
                command
            }
        }
    }

    fn replaced(&self, word: &str) -> String {
        self.0.iter().fold(word.to_owned(), |word, (there, here)| word.replace(there, here))
    }
}

/// As Kubernetes does it: `$(NAME)` is a variable of the container, here one that has the value of a label.
fn expanded(word: String, container: &Value, labels: &Value) -> String {
    container["env"].as_array().into_iter().flatten().fold(word, |word, variable| {
        let field = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str().expect("a field of the pod");
        let label = field.strip_prefix("metadata.labels['").and_then(|rest| rest.strip_suffix("']")).expect("a label");
        let value = labels[label].as_str().unwrap_or_else(|| panic!("the pod has no label {label}"));
        word.replace(&format!("$({})", variable["name"].as_str().unwrap()), value)
    })
}

/// Each manifest is what Kubernetes 1.29 and a current one take, to the last key; so is the pod that FLARE itself makes of the
/// template. One with a key that is misspelt is refused.
#[test]
fn the_manifests_are_what_kubernetes_takes() {
    let Some(validate) = installed("FEDTAIL_KUBERNETES_VALIDATE", "kubernetes-validate") else { return };
    let place = Place::new();
    let valid = |manifest: &Path| {
        ["1.29", "1.37"].map(|version| {
            let mut command = Command::new(validate.join("kubernetes-validate"));
            command.args(["--strict", "-k", version]).arg(manifest);
            Process::start("kubernetes-validate", &mut command).ends()
        })
    };
    let mut manifests: Vec<PathBuf> =
        std::fs::read_dir(repository("deploy/kubernetes")).unwrap().map(|entry| entry.unwrap().path()).collect();
    manifests.push(repository("deploy/flare/pod-template.yaml"));
    if let Some(flare) = installed("FEDTAIL_NVFLARE", "NVIDIA FLARE") {
        let mut command = Command::new(flare.join("python"));
        command.arg(repository("tests/flare/pod.py")).arg(repository("deploy/flare/pod-template.yaml"));
        let pod = Process::start("FLARE", &mut command).ends().with_code(0);
        let made = place.path("pod.json");
        append(&made, pod.out.join("\n"));
        manifests.push(made);
    }
    for manifest in &manifests {
        for exit in valid(manifest) {
            exit.with_code(0).line("passed for resource");
        }
    }
    let misspelt = place.path("misspelt.yaml");
    append(
        &misspelt,
        read("deploy/kubernetes/sidecar.yaml").replace("readOnlyRootFilesystem", "readonlyRootFilesystem"),
    );
    for exit in valid(&misspelt) {
        exit.with_code(1).line("readonlyRootFilesystem");
    }
}

/// The training runs through `fedtail run`: its code is the container's, and its last line is stored.
#[test]
fn the_entry_point_of_the_manifest_runs_here() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let (kit, logs) = (place.path("etc"), place.path("logs"));
    project().member("site-1").site_flags(&kit);
    std::fs::create_dir(&logs).unwrap();
    append(&place.path("train.py"), TRAINING);
    let template = &yaml("deploy/kubernetes/entry-point.yaml")["spec"]["template"];
    let here = Here::new(&server, &[("/etc/fedtail", &kit), ("/var/log/training", &logs)]);
    let mut command = here.command(&template["spec"]["containers"][0], &template["metadata"]["labels"]);
    let exit = Process::start("the pod", command.current_dir(place.path(""))).ends().with_code(3);
    exit.line("log.txt complete");
    let log = std::fs::read(logs.join("log.txt")).unwrap();
    assert!(log.ends_with(b"line 999\n"));
    eventually_holds(&place.stored("training-1", "site-1", "log.txt"), log);
}

/// The sidecar begins before the training, and is told to end when that has ended: all of the log is stored by then, and it
/// ends well.
#[test]
fn the_sidecar_of_the_manifest_runs_here() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let (kit, logs) = (place.path("etc"), place.path("logs"));
    project().member("site-1").site_flags(&kit);
    std::fs::create_dir(&logs).unwrap();
    append(&place.path("train.py"), TRAINING);
    let template = &yaml("deploy/kubernetes/sidecar.yaml")["spec"]["template"];
    let (spec, labels) = (&template["spec"], &template["metadata"]["labels"]);
    let here = Here::new(&server, &[("/etc/fedtail", &kit), ("/var/log/training", &logs)]);
    let sidecar = Process::start("the sidecar", &mut here.command(&spec["initContainers"][0], labels));
    sidecar.says("streaming to https://localhost");
    let mut training = here.command(&spec["containers"][0], labels);
    Process::start("the training", training.current_dir(place.path(""))).ends().with_code(3);
    sidecar.stop().with_code(0).line("log.txt complete");
    let log = std::fs::read(logs.join("log.txt")).unwrap();
    assert!(log.ends_with(b"line 999\n"));
    assert_eq!(std::fs::read(place.stored("training-1", "site-1", "log.txt")).unwrap(), log);
}

/// The agent in a job's pod sees the workspace fill, and has sent everything when the pod is told to end; the agent of
/// Docker's compose sees all jobs of a site.
#[test]
fn the_agents_of_the_manifests_run_here() {
    let compose = yaml("deploy/flare/docker-agent.yaml")["services"]["agent"].clone();
    // What compose calls the command are the arguments of the image's entry point.
    let compose = serde_json::json!({ "args": compose["command"] });
    let pod = yaml("deploy/flare/pod-template.yaml")["spec"]["initContainers"][0].clone();
    for (container, there) in [(pod, "/var/tmp/nvflare/workspace"), (compose, "/workspace")] {
        let place = Place::new();
        let server = Server::with_tls(&place, &[]);
        let workspace = Workspace::new(&place);
        project().member("site-1").site_flags(&workspace.directory.join("startup"));
        let local = workspace.directory.join("local");
        std::fs::rename(&local, place.path("local")).unwrap();
        let kit = workspace.directory.join("startup");
        let here = Here::new(&server, &[(there, &workspace.directory), ("/etc/fedtail", &kit)]);
        let agent = Process::start("the agent", &mut here.command(&container, &Value::Null));
        agent.says("nothing is streamed: the site's settings are not there");
        std::fs::rename(place.path("local"), &local).unwrap();
        let job = workspace.deploy("0c9f-1", CONFIG);
        append(&job.log("log.txt"), "one line\n");
        agent.says("0c9f-1 log.txt is streamed");
        append(&job.log("log.txt"), "the last line\n");
        append(&job.log("error_log.txt"), "an error\n");
        agent.stop().with_code(0).line("0c9f-1 log.txt complete, 23 bytes at the server");
        eventually_holds(&place.stored("0c9f-1", "site-1", "log.txt"), "one line\nthe last line\n");
        eventually_holds(&place.stored("0c9f-1", "site-1", "error_log.txt"), "an error\n");
    }
}

/// The Python that FLARE's Docker launcher is given: it gets the launcher's arguments, the job gets them unchanged, its logs are
/// stored and its code is kept. FLARE takes the launcher's settings.
#[test]
fn the_python_of_flares_docker_launcher_streams_the_job() {
    let launcher: Value = serde_json::from_str(&read("deploy/flare/docker_launcher.json")).unwrap();
    let python = launcher["args"]["default_python_path"].as_str().unwrap();
    assert_eq!(python, "/usr/local/bin/fedtail-python", "where the images have it");
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let workspace = Workspace::new(&place);
    project().member("site-1").site_flags(&workspace.directory.join("startup"));
    let job = workspace.deploy("0c9f-1", CONFIG);
    let log = job.log("log.txt");
    let training = place.path("python");
    std::fs::write(&training, format!("#!/bin/sh\nprintf '%s ' \"$@\" >> '{}'\nexit 9\n", log.display())).unwrap();
    std::fs::set_permissions(&training, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    let given = "-u -m nvflare.private.fed.app.client.worker_process -m WORKSPACE -w WORKSPACE/startup -n 0c9f-1 \
                 -c site-1 -p tcp://site-1:8102 -g localhost:8002 -scheme grpc -s fed_client.json --set -n secure_train=true";
    let given = given.replace("WORKSPACE", workspace.directory.to_str().unwrap());
    let mut command = Command::new(repository("deploy/flare/fedtail-python"));
    let program = fedtail::<&str>([]).get_program().to_owned();
    let path =
        [Path::new(&program).parent().unwrap().as_os_str().to_owned(), OsString::from("/usr/bin"), "/bin".into()];
    command.args(given.split_whitespace()).env("PATH", std::env::join_paths(path).unwrap());
    for (name, value) in launcher["args"]["default_job_env"].as_object().unwrap() {
        command.env(name, Here::new(&server, &[]).replaced(value.as_str().unwrap()));
    }
    command.env("FEDTAIL_PYTHON", &training);
    let exit = Process::start("the container", &mut command).ends().with_code(9);
    exit.line("log.txt complete");
    eventually_holds(
        &place.stored("0c9f-1", "site-1", "log.txt"),
        given.split_whitespace().map(|a| format!("{a} ")).collect::<String>(),
    );

    let mut command = Command::new(repository("deploy/flare/fedtail-python"));
    let exit = Process::start("the container", command.args(["-m", "some.module"])).ends().with_code(2);
    exit.line("fedtail-python: it needs FEDTAIL_SERVER in the environment, and the arguments -m WORKSPACE and -n JOB");

    let Some(flare) = installed("FEDTAIL_NVFLARE", "NVIDIA FLARE") else { return };
    let (module, class) = launcher["path"].as_str().unwrap().rsplit_once('.').unwrap();
    let script =
        format!("import json, sys; from {module} import {class} as L; L(**json.loads(sys.argv[1])); print('taken')");
    let mut command = Command::new(flare.join("python"));
    command.args(["-c", &script]).arg(launcher["args"].to_string());
    Process::start("FLARE", &mut command).ends().with_code(0).line("taken");
}

/// The image that is described: what is copied into it is there, it is built with this project's Rust, it does not run as root,
/// begins the program that it has, and the program needs no library that the image has not.
#[test]
fn the_image_has_what_the_program_needs() {
    let text = read("deploy/Containerfile");
    let lines = || text.lines().filter_map(|line| line.split_once(' '));
    let of = |word: &str| lines().filter(|(first, _)| *first == word).map(|(_, rest)| rest).collect::<Vec<_>>();
    let wanted = read("Cargo.toml")
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"').map(str::to_owned));
    assert!(of("FROM")[0].starts_with(&format!("docker.io/library/rust:{}-", wanted.unwrap())), "{:?}", of("FROM"));
    assert!(of("FROM")[1].contains("/cc-debian12:nonroot"), "{:?}", of("FROM"));
    let [all, program, python] = of("COPY")[..] else { panic!("{:?}", of("COPY")) };
    assert_eq!((all, program), (". .", "--from=build /src/target/release/fedtail /usr/local/bin/fedtail"));
    let (from, to) = python.split_once(' ').unwrap();
    assert!(repository(from).is_file() && to == "/usr/local/bin/fedtail-python");
    assert_eq!(of("ENTRYPOINT"), [r#"["/usr/local/bin/fedtail"]"#]);
    let (user, group) = of("USER")[0].split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);

    // Of the C library's package and of libgcc's, which this image of Google's is made for.
    let has =
        ["linux-vdso.so.1", "libgcc_s.so.1", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
    let program = fedtail::<&str>([]).get_program().to_owned();
    let needed = Process::start("ldd", Command::new("ldd").arg(program)).ends().with_code(0);
    for line in &needed.out {
        let library = line.split_whitespace().next().unwrap_or_default();
        let name = library.rsplit('/').next().unwrap_or_default();
        assert!(has.contains(&name), "the image has no {library}: {needed:#?}");
    }
}
