"""A place for a site and a server, and patience."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Callable, Iterator, Optional

import fedtail

#: Seconds until something hangs.
PATIENCE = 60.0


def until(what: str, holds: Callable[[], object]) -> None:
    """Looks again and again whether something holds, for things that tell nobody when they change."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(0.01)


@contextlib.contextmanager
def unraisable() -> Iterator[list[BaseException]]:
    """What callbacks raise, which nobody can catch."""
    raised: list[BaseException] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda shown: raised.append(shown.exc_value or shown.exc_type())
    try:
        yield raised
    finally:
        sys.unraisablehook = before


class Place:
    """One directory with a store and logs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = directory / "store"
        #: What the server told of endings.
        self.finished: list[fedtail.Finished] = []

    def log(self, text: str = "", name: str = "log.txt") -> Path:
        """A log with this in it."""
        path = self.directory / name
        path.write_text(text)
        return path

    def server(self, **arguments: object) -> fedtail.Server:
        """A server that listens without TLS, unless it is told otherwise."""
        arguments.setdefault("listen", "127.0.0.1:0")
        arguments.setdefault("on_finished", self.finished.append)
        return fedtail.Server(self.store, **arguments)  # type: ignore[arg-type]

    def stored(self, job: str = "job-1", site: str = "site-1", log: str = "log.txt") -> Optional[str]:
        """What the store has of a log."""
        path = self.store / job / site / log
        return path.read_text() if path.exists() else None
