"""Logs of ClientApps in a federation of processes: a SuperLink, two SuperNodes, and ``flwr log``."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from app import STEPS
from authority import Authority
from conftest import PATIENCE, until

pytestmark = pytest.mark.timeout(400)

PROJECT = """
[project]
name = "app"
version = "1.0.0"
description = "Logs and prints"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "tests"

[tool.flwr.app.components]
serverapp = "app:server_app"
clientapp = "app:client_app"

[tool.flwr.app.config]
"""

CONNECTION = """
[superlink]
default = "local"

[superlink.local]
address = "127.0.0.1:{port}"
insecure = true
"""


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Federation:
    """The processes of a federation, each with its output in a file."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        self.directory = directory
        self.store = directory / "store"
        self.home = directory / "flower"
        self.home.mkdir()
        port = free_port()
        (self.home / "config.toml").write_text(CONNECTION.format(port=port))
        self.project = directory / "app"
        self.project.mkdir()
        (self.project / "pyproject.toml").write_text(PROJECT)
        shutil.copy(Path(__file__).parent / "app.py", self.project)
        tls = {name: str(file) for name, file in authority.files("server", hosts=["127.0.0.1"]).items()}
        self.environment = {
            **os.environ,
            "APP_STORE": str(self.store),
            "APP_TLS": json.dumps(tls),
            "FLWR_HOME": str(self.home),
            "FLWR_TELEMETRY_ENABLED": "0",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        link = ["flower-superlink", "--insecure", "--port", str(port), "--health-server-address"]
        self.start("superlink", *link, f"127.0.0.1:{free_port()}")
        until("the SuperLink listens", lambda: "Uvicorn running" in self.output("superlink"))
        for number, site in enumerate(("hospital-a", "hospital-b")):
            files = authority.files(site)
            words = [f'fedtail-{name}="{file}"' for name, file in files.items()]
            words.append(f'partition-id={number} fedtail-directory="{directory / site}"')
            node = ["flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{port}"]
            self.start(site, *node, "--port", str(free_port()), "--node-config", " ".join(words))

    def start(self, name: str, *command: str) -> None:
        with (self.directory / f"{name}.output").open("wb") as output:
            self.processes.append(subprocess.Popen(command, env=self.environment, stdout=output, stderr=output))

    def output(self, name: str) -> str:
        return (self.directory / f"{name}.output").read_text(errors="replace")

    def flwr(self, *arguments: str) -> str:
        """What Flower's own program says, without colours."""
        command = ["flwr", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return re.sub(r"\x1b\[\d+m", "", done.stdout)

    def end(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def federation(tmp_path: Path, authority: Authority) -> Iterator[Federation]:
    federation = Federation(tmp_path, authority)
    try:
        yield federation
    finally:
        federation.end()


def test_flwr_log_shows_what_the_clientapps_log_at_their_nodes(federation: Federation) -> None:
    """Over mutual TLS, each site under the name in its certificate; the store has the same bytes as the sites."""
    said = federation.flwr("run", str(federation.project), "local", "--format", "json")
    run = str(json.loads(said[said.index("{") :])["run-id"])
    shown = federation.flwr("log", run, "local")
    for number, site in enumerate(("hospital-a", "hospital-b")):
        stored = (federation.store / run / site / "clientapp.log").read_text()
        (written,) = (federation.directory / site).glob(f"{run}/*/clientapp.log")
        assert stored == written.read_text()
        of_site = re.findall(rf"{site} \| (.*)$", shown, re.MULTILINE)
        assert of_site == stored.splitlines()
        for round_ in (1, 2):
            steps = [f"round {round_} step {step} of node {number}" for step in range(STEPS)]
            assert [line.rsplit(" - ", 1)[-1] for line in of_site if f"- round {round_} step" in line] == steps
            assert of_site.count(f"printed in round {round_}") == 1
