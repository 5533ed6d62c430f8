"""A real federation for tests: `nvflare poc`, a process for each participant, mutual TLS, a port of its own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[2] / "examples" / "flare"

#: Seconds for what a busy machine may take long for.
PATIENCE = 180.0

ADMIN = "admin@nvidia.com"


def until(condition, what, seconds=30.0):
    """Waits until this is true, and returns what it returned; the words are for a test that waited in vain."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def write_job(directory, name, sites, executor=None, client=(), server=(), wait_for_file=""):
    """Writes a job folder: each site runs `talkative.Talk` once, beside the given components."""
    app = Path(directory) / name / "app"
    for folder in ("config", "custom"):
        (app / folder).mkdir(parents=True)
    shutil.copy(HERE / "talkative.py", app / "custom")
    (app.parent / "meta.json").write_text(
        json.dumps({"name": name, "resource_spec": {}, "min_clients": sites, "deploy_map": {"app": ["@ALL"]}})
    )
    ask = {"sites": sites, "wait_for_file": str(wait_for_file)}
    config = {
        "format_version": 2,
        "workflows": [{"id": "ask", "path": "talkative.Ask", "args": ask}],
        "components": list(server),
    }
    (app / "config" / "config_fed_server.json").write_text(json.dumps(config, indent=2))
    talk = {"path": "talkative.Talk", "args": executor or {}}
    config = {"format_version": 2, "executors": [{"tasks": ["talk"], "executor": talk}], "components": list(client)}
    (app / "config" / "config_fed_client.json").write_text(json.dumps(config, indent=2))
    return app.parent


class Federation:
    """A server and its sites, provisioned as `examples/flare` says, each a process that the test started."""

    def __init__(self, directory, sites=2, logs=("log.txt", "error_log.txt"), streamer=None, receiver=None, forbid=()):
        self.directory = Path(directory)
        self.sites = [f"site-{number}" for number in range(1, sites + 1)]
        self.processes = {}
        project = yaml.safe_load((EXAMPLES / "project.yml").read_text())
        clients = [{"name": name, "type": "client", "org": "nvidia"} for name in self.sites]
        for client in clients:
            if client["name"] in forbid:
                client["allow_log_streaming"] = False
        others = [participant for participant in project["participants"] if participant["type"] != "client"]
        others[0]["fed_learn_port"] = free_port()
        project["participants"] = others + clients
        builder = next(b for b in project["builders"] if b["path"].startswith("fedtail"))
        builder["args"] = {"logs": list(logs), "streamer": streamer or {}, "receiver": receiver or {}}
        (self.directory / "project.yml").write_text(yaml.safe_dump(project))
        self.environment = {
            **os.environ,
            "HOME": str(self.directory),
            "NVFLARE_POC_WORKSPACE": str(self.directory / "poc"),
        }
        self._run("poc", "prepare", "-i", str(self.directory / "project.yml"), "--force")
        self.kits = self.directory / "poc" / project["name"] / "prod_00"

    def _run(self, *arguments):
        command = [sys.executable, "-m", "nvflare.cli", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, *names):
        """Starts these participants, or all."""
        for name in names or ["localhost", *self.sites]:
            kit = self.kits / name
            server = name == "localhost"
            module = "server.server_train" if server else "client.client_train"
            command = [sys.executable, "-u", "-m", f"nvflare.private.fed.app.{module}", "-m", str(kit)]
            command += ["-s", "fed_server.json" if server else "fed_client.json", "--set", "secure_train=true"]
            command += ["org=nvidia", "config_folder=config"] + ([] if server else [f"uid={name}"])
            output = open(self.directory / f"{name}.out", "ab")
            # A group of its own, so that the processes of its jobs end with it.
            self.processes[name] = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
            if server:
                # A connection that comes before the server has read its key makes FLARE 2.9.0 sign nothing, for ever.
                until(lambda: "Server started" in self.output("localhost"), "FLARE's server has started", PATIENCE)

    def stop(self):
        """Ends all processes that the test started, and those of their jobs."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def kill_job(self, name, job_id):
        """Kills the process of a job at a participant, which the test's own process of it has started."""
        for child in psutil.Process(self.processes[name].pid).children(recursive=True):
            if job_id in child.cmdline():
                child.kill()
                return
        raise AssertionError(f"no process of job {job_id} at {name}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def output(self, name):
        """All that a participant and its jobs' processes have printed."""
        return (self.directory / f"{name}.out").read_text(errors="replace")

    @contextlib.contextmanager
    def session(self):
        """An administrator's session, when the server and all sites are there."""
        from nvflare.fuel.flare_api.flare_api import new_secure_session

        # One attempt with time enough: FLARE leaves cells of one that failed behind, and the next trips over them.
        session = new_secure_session(ADMIN, str(self.kits / ADMIN), timeout=PATIENCE)
        try:

            def all_there():
                return len(session.get_system_info().client_info) == len(self.sites)

            until(all_there, "all sites at the server", PATIENCE)
            yield session
        finally:
            session.close()

    def site_log(self, site, job_id, log="log.txt"):
        """All that a site's job wrote to a log: FLARE rotates it at 20 MB, the newest copy is `.1`."""
        files = list((self.kits / site / job_id).glob(log + "*"))
        files.sort(key=lambda path: -int(path.suffix[1:]) if path.name != log else 1)
        return b"".join(path.read_bytes() for path in files)

    def stored(self, job_id, site, log="log.txt"):
        """The component that the job manager keeps of it."""
        kind = "ERRORLOG" if log == "error_log.txt" else f"LOG_{log}"
        return self.directory / "poc" / "jobs-storage" / job_id / f"{kind}_{site}"

    def live(self, job_id, site, log="log.txt"):
        """What the server's store has of it."""
        return self.kits / "localhost" / "live_logs" / job_id / site / log
