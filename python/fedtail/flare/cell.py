"""fedtail's connections over FLARE's cell network: no port to open, FLARE's own authentication, its own route.

A cell is one process's place in FLARE's network. All connections of a cell share one :class:`Exchange`, since FLARE
knows one callback for each topic. A connection begins with a request that the other side answers; from then on both
sides send messages that need no answer, so that a far link is kept full.
"""

from __future__ import annotations

import threading
import uuid
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.fuel.f3.message import Message

import fedtail

from .line import Incoming, Line

#: FLARE's name for what a message is about; nobody else's begins so.
CHANNEL = "fedtail"
#: Version of what this module sends. A side that does not know it says so.
VERSION = 1

_OPEN, _DATA, _TAKEN, _CLOSE = "open", "data", "taken", "close"
_CONNECTION, _NUMBER, _VERSION, _REASON, _FINAL = (
    "fedtail_connection",
    "fedtail_number",
    "fedtail_version",
    "fedtail_reason",
    "fedtail_final",
)

#: Seconds to wait for the answer to an opening. The host gives a new connection twenty.
_ANSWER = 8.0

#: Ended connections that a cell remembers. Each is asked about for a moment only.
_ENDED = 256

#: Lets a new connection in: given the opening message and the way to its sender, returns what the sender's messages go
#: to. Raises `PermissionError` to refuse for good and `ConnectionError` to refuse for now, in words.
Accept = Callable[[Message, Line], Incoming]

#: What FLARE answers where nobody has registered for a topic.
_NOBODY = "no callback"


class Exchange:
    """The connections of one cell. There is one for each cell: ask :meth:`of`."""

    _exchanges: weakref.WeakKeyDictionary[Any, Exchange] = weakref.WeakKeyDictionary()
    _exchanges_lock = threading.Lock()

    def __init__(self, core_cell: Any):
        self._cell = weakref.proxy(core_cell)
        self._lines: dict[str, Line] = {}
        # Connections that ended here a moment ago: what the other side sent before it heard of that is no surprise.
        self._ended: deque[str] = deque(maxlen=_ENDED)
        self._lock = threading.Lock()
        self._accept: Accept | None = None

    @classmethod
    def of(cls, cell: Any) -> Exchange:
        """The exchange of a FLARE cell (a `Cell` or its `CoreCell`)."""
        # FLARE's Cell sends by its own streaming of large objects, which has a window of its own and starts a stream
        # for each message. The core cell's messages are the network's own.
        core_cell = getattr(cell, "core_cell", cell)
        with cls._exchanges_lock:
            exchange = cls._exchanges.get(core_cell)
            if exchange is None:
                exchange = cls(core_cell)
                cls._exchanges[core_cell] = exchange
                for topic, callback in (
                    (_DATA, exchange._on_data),
                    (_TAKEN, exchange._on_taken),
                    (_CLOSE, exchange._on_close),
                ):
                    core_cell.register_request_cb(CHANNEL, topic, callback)
        return exchange

    def listen(self, accept: Accept) -> None:
        """Lets others connect to this cell; the newest listener is the one."""
        self._accept = accept
        self._cell.register_request_cb(CHANNEL, _OPEN, self._on_open)

    def stop_listening(self, accept: Accept) -> None:
        """No more connections for this listener. Those who come are told to try again."""
        if self._accept == accept:
            self._accept = None

    def connect(self, target: str, incoming: Incoming) -> Line | None:
        """Connects to the cell of this name.

        :returns: the way out; None when nobody listens there
        :raises PermissionError: refused for good
        :raises ConnectionError: there is no such cell now, or it asks to try again
        """
        connection = uuid.uuid4().hex
        line = self._line(target, connection)
        line.attach(incoming)
        request = Message({_CONNECTION: connection, _VERSION: VERSION}, b"")
        try:
            answer = self._cell.send_request(CHANNEL, _OPEN, target, request, timeout=_ANSWER, optional=True)
        except Exception as error:
            self._forget(connection)
            raise ConnectionError(f"FLARE's cell {self._cell.get_fqcn()} can't send: {error}") from error
        code = answer.get_header(MessageHeaderKey.RETURN_CODE, ReturnCode.OK)
        if code == ReturnCode.OK:
            return line
        self._forget(connection)
        reason = answer.get_header(_REASON)
        if reason:
            raise PermissionError(reason) if answer.get_header(_FINAL) else ConnectionError(reason)
        if answer.get_header(MessageHeaderKey.ERROR) == _NOBODY:
            return None
        said = answer.get_header(MessageHeaderKey.ERROR) or code
        raise ConnectionError(f"FLARE's cell {target} can't be reached from {self._cell.get_fqcn()}: {said}")

    def _line(self, peer: str, connection: str) -> Line:
        line = Line(peer, _CellPost(self._cell, peer, connection), lambda: self._forget(connection))
        with self._lock:
            self._lines[connection] = line
        return line

    def _forget(self, connection: str) -> None:
        with self._lock:
            if self._lines.pop(connection, None) is not None:
                self._ended.append(connection)

    # Callbacks of the cell. FLARE answers a request with what they return, and the others have no answer.

    def _on_open(self, request: Message) -> Message:
        accept = self._accept
        if accept is None:
            return _refusal("the log receiver has stopped", final=False)
        version = request.get_header(_VERSION)
        if version != VERSION:
            return _refusal(
                f"the server speaks version {VERSION} of fedtail's messages over FLARE's network, and this site "
                f"{version}: install the same release of fedtail at both",
                final=True,
            )
        connection = str(request.get_header(_CONNECTION))
        with self._lock:
            known = connection in self._lines
        if known:
            return _refusal("this connection exists already", final=False)
        line = self._line(request.get_header(MessageHeaderKey.ORIGIN), connection)
        try:
            line.attach(accept(request, line))
        except (PermissionError, ConnectionError) as refused:
            self._forget(connection)
            return _refusal(str(refused), final=isinstance(refused, PermissionError))
        return make_reply(ReturnCode.OK)

    def _on_data(self, message: Message) -> None:
        line = self._line_of(message)
        if line is not None:
            line.arrived(message.get_header(_NUMBER), bytes(message.payload or b""))

    def _on_taken(self, message: Message) -> None:
        line = self._line_of(message)
        if line is not None:
            line.taken(message.get_header(_NUMBER))

    def _on_close(self, message: Message) -> None:
        line = self._line_of(message, answer=False)
        if line is not None:
            line.ended(message.get_header(_REASON))

    def _line_of(self, message: Message, answer: bool = True) -> Line | None:
        connection = message.get_header(_CONNECTION)
        origin = message.get_header(MessageHeaderKey.ORIGIN)
        with self._lock:
            line = self._lines.get(connection)
            answer = answer and connection not in self._ended
        if line is None:
            # The process behind this cell was started anew, and the other side does not know yet.
            if answer:
                try:
                    _CellPost(self._cell, origin, connection).close("the other side was started anew")
                except ConnectionError:
                    pass
            return None
        # A connection is its two cells' alone: a third that learnt its number can't write to it.
        return line if line.peer == origin else None


class _CellPost:
    """Sends the messages of one line."""

    def __init__(self, core_cell: Any, peer: str, connection: str):
        self._cell = core_cell
        self._peer = peer
        self._connection = connection

    def data(self, number: int, message: bytes) -> None:
        self._send(_DATA, {_NUMBER: number}, message)

    def taken(self, number: int) -> None:
        self._send(_TAKEN, {_NUMBER: number}, b"")

    def close(self, reason: str | None) -> None:
        self._send(_CLOSE, {_REASON: reason}, b"")

    def _send(self, topic: str, headers: dict[str, Any], payload: bytes) -> None:
        headers[_CONNECTION] = self._connection
        try:
            errors = self._cell.fire_and_forget(CHANNEL, topic, self._peer, Message(headers, payload), optional=True)
        except Exception as error:
            # The cell was stopped or is gone, for which FLARE has several types of error.
            raise ConnectionError(f"FLARE's cell can't send to {self._peer}: {error}") from error
        if errors and errors.get(self._peer):
            raise ConnectionError(f"FLARE's cell can't send to {self._peer}: {errors[self._peer]}")


def _refusal(reason: str, final: bool) -> Message:
    reply = make_reply(ReturnCode.SERVICE_UNAVAILABLE, error=reason)
    reply.add_headers({_REASON: reason, _FINAL: final})
    return reply


class CellTransport(fedtail.Transport):
    """A site's way to its server over FLARE's cells.

    :param cell: the cell of this process
    :param targets: names of cells to try, in this order; the first where a receiver listens is used
    """

    def __init__(self, cell: Any, targets: list[str]):
        self._cell = cell
        self._targets = targets

    @property
    def target(self) -> str:
        return "FLARE's cell " + " or ".join(self._targets)

    def connect(self, incoming: Incoming) -> Line:
        exchange = Exchange.of(self._cell)
        nobody: list[str] = []
        for target in self._targets:
            try:
                line = exchange.connect(target, incoming)
            except ConnectionError as error:
                raise ConnectionError(f"{error}{_nobody_at(nobody)}") from None
            if line is not None:
                return line
            nobody.append(target)
        raise ConnectionError(f"FLARE's server can be reached{_nobody_at(nobody)}")


def _nobody_at(targets: list[str]) -> str:
    if not targets:
        return ""
    return (
        f"; no log receiver is at {' or '.join(targets)}: fedtail.flare.JobLogReceiver belongs into the server's "
        "resources.json or into the job"
    )
