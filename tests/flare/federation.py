"""A federation of FLARE on this machine: a server, a site, and one job, each a process, with mutual TLS.

`python federation.py DIRECTORY JOB` provisions it below the directory, prints the site's workspace, starts the server and the
site, runs the job, and prints its end. When there is a file `done` in the directory, it ends what it started.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from nvflare.fuel.flare_api.flare_api import new_secure_session

PROJECT = """\
api_version: 3
name: federation
participants:
  - {name: localhost, type: server, org: nvidia, fed_learn_port: PORT}
  - {name: site-1, type: client, org: nvidia}
  - {name: admin@nvidia.com, type: admin, org: nvidia, role: project_admin}
builders:
  - path: nvflare.lighter.impl.workspace.WorkspaceBuilder
  - path: nvflare.lighter.impl.static_file.StaticFileBuilder
    args: {config_folder: config, scheme: grpc}
  - path: nvflare.lighter.impl.cert.CertBuilder
  - path: nvflare.lighter.impl.signature.SignatureBuilder
"""
PATIENCE = 60.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def until(attempt, what):
    """What an attempt returns once it returns something; what it raises until then is of a server that begins."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(Exception):
            result = attempt()
            if result:
                return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE:g} s: {what}")
        time.sleep(0.1)


def without_flares_streamer(resources):
    """FLARE's own streamer of the error log keeps a job's process for a minute where the server's part of the job is over
    before it has sent everything."""
    settings = json.loads(resources.read_text())
    settings["components"] = [c for c in settings["components"] if not c["path"].endswith("SiteLogStreamer")]
    resources.write_text(json.dumps(settings))


def end_with_parent():
    """Has the kernel end this process when this program is killed; those of FLARE's jobs look for their parent themselves."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main(directory, job):
    project = directory / "project.yml"
    project.write_text(PROJECT.replace("PORT", str(free_port())))
    # FLARE keeps settings of its own in the home.
    environment = {**os.environ, "HOME": str(directory), "NVFLARE_POC_WORKSPACE": str(directory / "poc")}
    prepare = [sys.executable, "-m", "nvflare.cli", "poc", "prepare", "-i", str(project), "--force"]
    subprocess.run(prepare, env=environment, check=True, stdout=subprocess.DEVNULL)
    kits = directory / "poc" / "federation" / "prod_00"
    without_flares_streamer(kits / "site-1" / "local" / "resources.json.default")
    print(f"workspace {kits / 'site-1'}", flush=True)
    processes = []
    try:
        for name, module, settings in [
            ("localhost", "server.server_train", "fed_server.json"),
            ("site-1", "client.client_train", "fed_client.json"),
        ]:
            command = [sys.executable, "-u", "-m", f"nvflare.private.fed.app.{module}", "-m", str(kits / name), "-s", settings]
            command += ["--set", "secure_train=true", "org=nvidia", "config_folder=config", f"uid={name}"]
            output = open(directory / f"{name}.out", "wb")
            # A group of its own, so that the processes of its jobs end with it.
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=output, start_new_session=True, preexec_fn=end_with_parent
            )
            processes.append(process)
        session = until(lambda: new_secure_session("admin@nvidia.com", str(kits / "admin@nvidia.com")), "a session")
        try:
            until(lambda: session.get_system_info().client_info, "the site at the server")
            # FLARE signs what is submitted, in its place.
            number = session.submit_job(str(shutil.copytree(job, directory / "job")))
            print(f"job is {number}", flush=True)
            print(f"job ended {session.monitor_job(number, timeout=PATIENCE).name}", flush=True)
        finally:
            session.close()
        # The job's process ends after the job has; so FLARE's client says it.
        site = directory / "site-1.out"
        until(lambda: "child worker process finished" in site.read_text(errors="replace"), "the end of the job's process")
        print("process ended", flush=True)
        until(lambda: (directory / "done").exists(), "the word that all was seen")
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
