"""One connection over messages that may overtake each other: put in order, bounded, with credit for the sender.

FLARE hands each message to one of a hundred threads, so two that were sent one after the other may arrive in any
order, and one that a cell on the way could not forward is gone without a word. A line numbers its messages, hands them
on in order, and lets few be on their way. What it can't repair it ends, in words: the host connects again, and asks the
server where it stands.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import fedtail

#: Messages of one direction that are on their way and not yet taken. A message holds up to a megabyte, so this is also
#: what a line may hold in memory, at either end.
WINDOW = 16

#: The other side is told so many messages at a time what was taken: few enough to keep the sender going.
_TOLD_EACH = WINDOW // 4

#: Seconds for which the message that is next in order may be missing while later ones are there. The network delivers
#: each within milliseconds or not at all.
_OVERDUE = 5.0


class Incoming(Protocol):
    """What the host takes messages with; :class:`fedtail.Incoming` is one."""

    def deliver(self, message: bytes) -> None:
        """Hands over the next message; waits while there is no room, raises `fedtail.Disconnected` when it is over."""

    def close(self, reason: str | None = None) -> None:
        """Says that no more will come, and why."""


class Post(Protocol):
    """How a line gets its own messages to the other side. Each may block for a moment, and raises `ConnectionError`."""

    def data(self, number: int, message: bytes) -> None:
        """A message of the host."""

    def taken(self, number: int) -> None:
        """All messages up to this one have been taken."""

    def close(self, reason: str | None) -> None:
        """The line is over; with no reason because the host is done with it."""


class Line:
    """Both directions of one connection. The host sends with it; its owner hands it what arrives.

    `on_closed` is called once, when the line is over, whoever ended it.
    """

    def __init__(self, peer: str, post: Post, on_closed: Callable[[], None]):
        self.peer = peer
        self._post = post
        self._on_closed = on_closed
        self._incoming: Incoming | None = None
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._over = False
        self._reason: str | None = None
        # To the other side.
        self._sent = 0
        self._sent_taken = 0
        # From the other side.
        self._waiting: dict[int, bytes] = {}
        self._waits_since = 0.0
        self._delivering = False
        self._delivered = 0
        self._told = 0

    def attach(self, incoming: Incoming) -> None:
        """Names whom messages go to. Until then they wait."""
        with self._lock:
            self._incoming = incoming
            over = self._over
        if over:
            incoming.close(self._reason)
        self._deliver()

    # What the host calls: the line is its way out.

    def send(self, message: bytes) -> None:
        """Sends the host's next message; waits while the window is full.

        :raises fedtail.Disconnected: the line is over
        """
        with self._room:
            while not self._over and self._sent - self._sent_taken >= WINDOW:
                self._room.wait()
            if self._over:
                raise fedtail.Disconnected(self._reason or "the connection was closed")
            self._sent += 1
            number = self._sent
        try:
            self._post.data(number, message)
        except ConnectionError as error:
            self.ended(str(error))
            raise fedtail.Disconnected(str(error)) from None

    def close(self) -> None:
        """The host is done with the line."""
        # It needs no word about what it did itself.
        with self._lock:
            self._incoming = None
        self._end(None, tell=True)

    # What arrives.

    def arrived(self, number: int, message: bytes) -> None:
        """Takes a message of the other side, in whatever order."""
        with self._lock:
            if self._over or number <= self._delivered or number in self._waiting:
                return
            now = time.monotonic()
            if not self._waiting:
                self._waits_since = now
            self._waiting[number] = message
            missing = self._delivered + 1
            ahead = number - self._delivered > WINDOW
            lost = ahead or (
                not self._delivering and missing not in self._waiting and now - self._waits_since > _OVERDUE
            )
        if lost:
            self._end(f"message {missing} of the connection was lost on its way", tell=True)
        else:
            self._deliver()

    def taken(self, number: int) -> None:
        """The other side has taken all messages up to this one."""
        with self._room:
            self._sent_taken = max(self._sent_taken, min(number, self._sent))
            self._room.notify_all()

    def ended(self, reason: str | None) -> None:
        """The other side, or the network, ended the line; with no reason the other host is done with it."""
        self._end(reason, tell=False)

    def _deliver(self) -> None:
        # Whoever brings the next message hands on all that are in order by then; others leave theirs and go. So the
        # order holds without a thread per line, and at most one of FLARE's threads waits for a host without room.
        with self._lock:
            if self._delivering or self._incoming is None:
                return
            self._delivering = True
            incoming = self._incoming
        while True:
            with self._lock:
                message = self._waiting.pop(self._delivered + 1, None)
                if message is None or self._over:
                    self._delivering = False
                    return
                self._waits_since = time.monotonic()
            try:
                incoming.deliver(message)
            except fedtail.Disconnected as error:
                with self._lock:
                    self._delivering = False
                self._end(str(error), tell=True)
                return
            with self._lock:
                self._delivered += 1
                delivered = self._delivered
                tell = delivered - self._told >= _TOLD_EACH
                if tell:
                    self._told = delivered
            if tell:
                try:
                    self._post.taken(delivered)
                except ConnectionError as error:
                    with self._lock:
                        self._delivering = False
                    self.ended(str(error))
                    return

    def _end(self, reason: str | None, tell: bool) -> None:
        with self._room:
            if self._over:
                return
            self._over = True
            self._reason = reason
            self._waiting.clear()
            incoming = self._incoming
            self._room.notify_all()
        self._on_closed()
        if tell:
            try:
                self._post.close(reason)
            except ConnectionError:
                # Whoever can't be reached finds out by the silence.
                pass
        if incoming is not None:
            incoming.close(reason)
