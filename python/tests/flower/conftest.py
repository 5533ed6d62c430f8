"""What the tests of Flower's logs share. Flower is installed in an environment of these tests' own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Callable

import pytest

from simulation import Simulation

if importlib.util.find_spec("flwr") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def simulate(tmp_path: Path) -> Callable[[str], Simulation]:
    return lambda app: Simulation(tmp_path, app)
