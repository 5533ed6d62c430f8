"""Live logs for a program without a log file of its own to care for."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Optional, Union

if TYPE_CHECKING:
    from fedtail import Outcome, Site

__all__ = ["Handler"]


class Handler(logging.FileHandler):
    """A handler of :mod:`logging` whose records are streamed to the server.

    The records are lines of a file, so that they outlive a server that is away for a while. By default the file is in a
    temporary directory that is deleted when the handler is closed and the server has everything; it stays, and the handler
    says where, when the server does not.

    :param site: where the log is streamed from; it must stay open for longer than the handler.
    :param job: the job that the log belongs to.
    :param name: what the server files it under.
    :param directory: where the file is kept, under that name, and left; it is created if it is not there.
    :param finish_timeout: how many seconds :meth:`close` waits for the server to have everything; none: for ever.
    """

    def __init__(
        self,
        site: Site,
        *,
        job: str,
        name: str = "log.txt",
        directory: Optional[Union[str, "os.PathLike[str]"]] = None,
        finish_timeout: Optional[float] = 60.0,
        level: int = logging.NOTSET,
    ) -> None:
        self.outcome: Optional[Outcome] = None
        self.finish_timeout = finish_timeout
        self._temporary = directory is None
        self._directory = tempfile.mkdtemp(prefix="fedtail-") if directory is None else os.fspath(directory)
        os.makedirs(self._directory, exist_ok=True)
        try:
            # The name is checked before a file is made under it.
            self._stream = site.stream(os.path.join(self._directory, name), job=job, name=name)
            super().__init__(os.path.join(self._directory, name), encoding="utf-8")
        except BaseException:
            if self._temporary:
                shutil.rmtree(self._directory, ignore_errors=True)
            raise
        self.setLevel(level)

    def close(self) -> None:
        """Closes the file, and waits until the server has all of it; then :attr:`outcome` says how that went."""
        super().close()
        if self.outcome is not None:
            return
        self.outcome = self._stream.finish(self.finish_timeout)
        if not self._temporary:
            return
        if self.outcome.complete:
            shutil.rmtree(self._directory, ignore_errors=True)
        else:
            logging.getLogger("fedtail").warning(
                "a log is not at the server as it should be (%s); it stays in %s", self.outcome, self.baseFilename
            )
