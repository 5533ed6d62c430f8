"""The types that editors and checkers are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy checks the types")

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "fedtail"


def check(tmp_path: Path, *arguments: object) -> None:
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_the_package_keeps_its_types(tmp_path: Path) -> None:
    """In its strict mode, so that whoever checks strictly can use the package; without the systems that it works with."""
    names = ["__init__.py", "_native.pyi", "transport.py", "logging.py", "flower"]
    sources = [PACKAGE / name for name in names]
    check(tmp_path, "mypy", "--strict", "--no-warn-unused-ignores", "--ignore-missing-imports", *sources)


@pytest.mark.timeout(600)
def test_the_stubs_say_what_is_there(tmp_path: Path) -> None:
    check(tmp_path, "mypy.stubtest", "fedtail._native")
