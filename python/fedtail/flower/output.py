"""What a ClientApp logs and prints, in a file."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Any, Optional, TextIO, Type, Union

__all__ = ["Copied"]

#: What a line of the log begins with.
FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"


class _Copying(io.TextIOBase):
    """A stream of text that goes where it went, and to the file."""

    def __init__(self, stream: TextIO, file: _File) -> None:
        self._stream = stream
        self._file = file

    def write(self, text: str) -> int:
        self._file.write(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


class _File(logging.Handler):
    """The file, to which whole writes are appended as they come."""

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self._inside = threading.local()
        # For its owner alone, since what a site logs is the site's.
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def emit(self, record: logging.LogRecord) -> None:
        # A record comes by several loggers, of which each may hand it on to the next.
        if getattr(record, "_fedtail_copied", None) is self:
            return
        record._fedtail_copied = self
        self.write(self.format(record) + "\n")

    def write(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        super().close()


class Copied:
    """While it is entered, what this process logs and prints is appended to a file too.

    Flower's logger does not hand its records on to the root in every surrounding, so both are listened to. What a handler of a
    logger writes to the terminal is not copied a second time.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self._path = path
        self._loggers = [logging.getLogger(), logging.getLogger("flwr")]

    def __enter__(self) -> Copied:
        self._file = _File(self._path)
        self._stdout, self._stderr = sys.stdout, sys.stderr
        # Handlers of loggers have the streams themselves, so only what is printed goes this way.
        sys.stdout, sys.stderr = _Copying(sys.stdout, self._file), _Copying(sys.stderr, self._file)
        for logger in self._loggers:
            logger.addHandler(self._file)
        return self

    def write(self, text: str) -> None:
        """Appends this to the file alone."""
        self._file.write(text)

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        for logger in self._loggers:
            logger.removeHandler(self._file)
        sys.stdout, sys.stderr = self._stdout, self._stderr
        self._file.close()
