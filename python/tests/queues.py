"""A runtime's own channel in one process: a queue of messages in each direction, which can be cut."""

from __future__ import annotations

import queue
import threading
import fedtail


class Queue:
    """The sending half of a connection: a bounded queue, and a thread that hands its messages over at the other end."""

    def __init__(self) -> None:
        self._messages: queue.Queue[bytes] = queue.Queue(maxsize=2)
        self._cut = threading.Event()
        self.closed = threading.Event()
        self.most = 0

    def carry_to(self, incoming: fedtail.Incoming) -> None:
        self.incoming = incoming
        threading.Thread(target=self._carry, daemon=True).start()

    def _carry(self) -> None:
        while not self._cut.is_set():
            try:
                message = self._messages.get(timeout=0.05)
            except queue.Empty:
                if self.closed.is_set():
                    return self.incoming.close("the other end is done")
                continue
            self.most = max(self.most, len(message))
            try:
                self.incoming.deliver(message)
            except fedtail.Disconnected:
                self._cut.set()

    def send(self, message: bytes) -> None:
        while not self._cut.is_set():
            try:
                return self._messages.put(message, timeout=0.05)
            except queue.Full:
                pass
        raise ConnectionError("the cable was cut")

    def close(self) -> None:
        self.closed.set()

    def cut(self) -> None:
        """What is on its way is lost."""
        self._cut.set()
        self.incoming.close("the cable was cut")


class Queues(fedtail.Transport):
    """Connects one site to a server of this process."""

    def __init__(self, server: fedtail.Server, site: str = "site-1") -> None:
        self.server = server
        self.site = site
        self.connections: list[tuple[Queue, Queue]] = []

    @property
    def target(self) -> str:
        return "the server behind the queues"

    def connect(self, incoming: fedtail.Incoming) -> Queue:
        to_site, to_server = Queue(), Queue()
        to_site.carry_to(incoming)
        to_server.carry_to(self.server.connect(self.site, to_site))
        self.connections.append((to_site, to_server))
        return to_server

    def cut(self, end: int) -> None:
        """Breaks the connection that was made last, as one end sees it first."""
        self.connections[-1][end].cut()
