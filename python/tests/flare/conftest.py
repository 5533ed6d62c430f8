"""What the tests of the FLARE widgets share. They need nvflare, which is installed in an environment of their own."""

import importlib.util
import logging

import pytest

if importlib.util.find_spec("nvflare") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def network(tmp_path):
    """An empty network of FLARE's cells."""
    from network import Network

    network = Network(tmp_path)
    yield network
    network.close()


class Logs(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(f"{record.levelname} {record.getMessage()}")

    def having(self, words):
        """The lines with these words."""
        return [line for line in self.lines if words in line]


@pytest.fixture
def logs():
    """What FLARE and the host log during the test."""
    handler = Logs()
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)
