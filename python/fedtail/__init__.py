"""Live job logs of federated learning: every byte exactly once, through policies that each site owns.

A site streams logs with :class:`Site`, a server takes and stores them with :class:`Server`. Frames travel over gRPC, or over
a channel that the surrounding runtime has: a :class:`Transport`.
"""

import atexit as _atexit

# What the host says goes there, from a thread of its own: imported there, it could be in the middle of a fork.
import logging as _logging  # noqa: F401

from fedtail._native import (
    Chunk,
    Disconnected,
    Finished,
    Gap,
    Incoming,
    Outcome,
    Server,
    Site,
    StoredLog,
    Stream,
    Tail,
    _shut_down,
)
from fedtail.transport import Outgoing, Transport

__all__ = [
    "Chunk",
    "Disconnected",
    "Finished",
    "Gap",
    "Incoming",
    "Outcome",
    "Outgoing",
    "Server",
    "Site",
    "StoredLog",
    "Stream",
    "Tail",
    "Transport",
]

# Streams that nobody has finished are drained for a bounded time, while there is still an interpreter to call back into.
_atexit.register(_shut_down)
