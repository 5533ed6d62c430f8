"""A channel that the surrounding runtime has, in place of gRPC.

The host at each end sees opaque messages of bytes, at most 1 MiB each. They must arrive in order, each once and whole; a
channel that can't say that of one any more ends the connection, and the site makes another: nothing is lost by it.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    from fedtail._native import Incoming
else:
    Protocol = object

__all__ = ["Outgoing", "Transport"]


class Outgoing(Protocol):
    """The sending half of one connection: any object with these two methods.

    Both are called on threads of the host, never two at the same time for one connection.
    """

    def send(self, message: bytes) -> None:
        """Sends one message behind those before it.

        May block while the channel has no room; the host sends the next one when this has returned.

        :raises Exception: the channel is gone. Its words are the reason that the connection ended.
        """

    def close(self) -> None:
        """The host is done with the connection. Called once, also after an error."""


class Transport(abc.ABC):
    """Opens connections to one server, for a :class:`fedtail.Site`."""

    @property
    def target(self) -> str:
        """Where it leads to, for messages to people."""
        return type(self).__name__

    @abc.abstractmethod
    def connect(self, incoming: Incoming) -> Outgoing:
        """Opens a connection. Called again, after a pause, whenever the one before is gone.

        The runtime hands what the server sends to ``incoming.deliver``, and calls ``incoming.close`` when the channel breaks.
        May block, for at most 20 seconds; called on a thread of the host.

        :raises PermissionError: the two sides do not trust each other. It is not tried again, and the words are the outcome.
        :raises ConnectionError: the server is not there. It is tried again.
        """
