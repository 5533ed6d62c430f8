"""Flower's simulation engine, as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest

#: Seconds until something hangs.
PATIENCE = 150.0

RUN = """
from flwr.simulation import run_simulation
from app import client_app, server_app

resources = {"client_resources": {"num_cpus": 1}, "init_args": {"num_cpus": 2, "include_dashboard": False}}
run_simulation(server_app=server_app, client_app=client_app, num_supernodes=2, backend_config=resources)
"""


class Simulation:
    """A run of the app with two virtual nodes."""

    def __init__(self, directory: Path, app: str) -> None:
        self.directory = directory
        self.store = directory / "store"
        self.seen = directory / "seen"
        self.output = directory / "output"
        environment = {
            **os.environ,
            "APP": app,
            "APP_STORE": str(self.store),
            "APP_SEEN": str(self.seen),
            "FLWR_HOME": str(directory / "flower"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "PYTHONPATH": str(Path(__file__).parent),
            # Ray leaves out lines that are like others.
            "RAY_DEDUP_LOGS": "0",
        }
        with self.output.open("wb") as output:
            command = [sys.executable, "-c", RUN]
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)

    def finish(self) -> str:
        """Waits for the end, and gives what was shown, without colours."""
        try:
            code = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
        shown = re.sub(r"\x1b\[\d+m", "", self.output.read_text(errors="replace"))
        assert code == 0, shown
        return shown

    def log(self, node: int) -> str:
        """What the store has of a node's log."""
        found = list(self.store.glob(f"*/node-{node}/clientapp.log"))
        return found[0].read_text() if found else ""

    def written(self) -> list[str]:
        """What the nodes' own files have."""
        return [path.read_text() for path in (self.directory / "flower").glob("fedtail/*/*/clientapp.log")]


@pytest.fixture
def simulate(tmp_path: Path) -> Callable[[str], Simulation]:
    return lambda app: Simulation(tmp_path, app)


def until(what: str, holds: Callable[[], object]) -> None:
    """Looks again and again whether something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(0.05)
