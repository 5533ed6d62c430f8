"""The host. Whatever waits here does so without the GIL; signals such as Ctrl-C end the waiting.

After a fork every call in the child raises ``RuntimeError``, if fedtail was used in the parent before.
"""

import os
import sys
from types import TracebackType
from typing import Callable, Literal, Mapping, Optional, Sequence, Type, Union, final

from typing_extensions import Self, TypeAlias

from fedtail.transport import Outgoing, Transport

if sys.version_info >= (3, 10):
    from types import EllipsisType as _Ellipsis
else:
    import builtins

    _Ellipsis: TypeAlias = builtins.ellipsis

__all__ = [
    "Chunk",
    "Disconnected",
    "Finished",
    "Gap",
    "Incoming",
    "Outcome",
    "Server",
    "Site",
    "StoredLog",
    "Stream",
    "Tail",
    "_shut_down",
]

_Path: TypeAlias = Union[str, "os.PathLike[str]"]

class Disconnected(ConnectionError):
    """The connection is gone; the words say why."""

@final
class Gap:
    """Bytes of a log that were lost at its source before they could be read."""

    @property
    def lost(self) -> Optional[int]:
        """How many bytes, where that is known."""
    @property
    def kind(self) -> Literal["truncated", "deleted", "ambiguous", "unproven", "late", "other"]:
        """What happened to them."""
    @property
    def words(self) -> str:
        """What happened to which file."""
    @property
    def at(self) -> int:
        """Where in the server's log they are missing, in bytes."""
    @property
    def text(self) -> str:
        """All of it in words."""

@final
class Outcome:
    """How a stream ended, as the site knows it. ``str`` gives the sentence that the program prints."""

    @property
    def ending(
        self,
    ) -> Literal["complete", "incomplete", "refused", "superseded", "aborted", "failed", "timed out"]:
        """How.

        ``complete``: all of the log is stored. ``incomplete``: the end is stored, and bytes were lost at the source, see
        :attr:`gaps`. ``refused``: the server does not take it. ``superseded``: another host streams this log now. ``aborted``:
        it was given up. ``failed``: the policy failed again and again. ``timed out``: the server had not stored everything
        in time; what it has stays there.
        """
    @property
    def complete(self) -> bool:
        """Whether all of the log is stored."""
    @property
    def reason(self) -> str:
        """Why, in words; empty where there is nothing to say."""
    @property
    def stored(self) -> int:
        """Bytes of the log in the server's store, as far as this side was told."""
    @property
    def gaps(self) -> list[Gap]:
        """What was lost at the source, over the log's whole life."""
    @property
    def text(self) -> str:
        """All of it in words."""

@final
class Finished:
    """How a stream ended, as the server knows it. ``str`` gives the sentence that the program prints."""

    @property
    def job(self) -> str:
        """The job that wrote the log."""
    @property
    def site(self) -> str:
        """The site where it was written."""
    @property
    def log(self) -> str:
        """Its name."""
    @property
    def ending(self) -> Literal["complete", "incomplete", "idle", "aborted", "superseded", "failed", "ended"]:
        """How. ``idle``: it was silent for the idle timeout; a site that comes back goes on where it was."""
    @property
    def reason(self) -> str:
        """Why, in words; empty where there is nothing to say."""
    @property
    def bytes(self) -> int:
        """Bytes in the store."""
    @property
    def gaps(self) -> list[Gap]:
        """What was lost at the source, over the log's whole life."""
    @property
    def path(self) -> str:
        """Where the log is; a partial one stays there too."""
    @property
    def text(self) -> str:
        """All of it in words."""

@final
class StoredLog:
    """What the server knows of one log."""

    @property
    def job(self) -> str:
        """The job that wrote it."""
    @property
    def site(self) -> str:
        """The site where it was written."""
    @property
    def log(self) -> str:
        """Its name."""
    @property
    def stored(self) -> int:
        """Bytes in the store."""
    @property
    def last_heard(self) -> float:
        """The site's last sign of life for this log, in seconds since the Unix epoch."""
    @property
    def ending(self) -> Optional[Literal["complete", "incomplete", "idle", "aborted", "superseded", "failed", "ended"]]:
        """How it ended; none while it is open."""
    @property
    def reason(self) -> str:
        """Why it ended, in words; empty where there is nothing to say."""
    @property
    def gaps(self) -> list[Gap]:
        """What was lost at the source."""
    @property
    def policies(self) -> list[tuple[int, str]]:
        """Which streamer policy sent what: the first byte of each range, and the policy's SHA-256."""
    @property
    def unreadable(self) -> str:
        """Why nothing is known of it but its name, in words; empty where it can be read."""
    @property
    def path(self) -> str:
        """Where it is."""

@final
class Site:
    """One site's connection to one server, for all logs that it streams.

    The connection is made in the background, and made again whenever it is gone: a server that is not there yet is no error.
    Streams stay open until they end, also where nobody keeps the :class:`Stream`.

    :param server: ``https://HOST:PORT`` with ``ca``, ``cert`` and ``key``; ``http://`` to a server on this machine, with
        ``site``; or a :class:`fedtail.Transport`.
    :param ca: the authority that the server's certificate has to come from, a PEM file; FLARE: ``rootCA.pem``.
    :param cert: this site's certificate, a PEM file; FLARE: ``client.crt``.
    :param key: its key, a PEM file; FLARE: ``client.key``. With a transport it may be given alone: the marks that tell files
        apart are keyed with it, so that the server can't guess at what it was not sent.
    :param site: this site's name, where the connection has no identity of its own.
    :param policy: a component, or a directory with a ``policies.toml``, instead of the built-in policy that sends everything.
        It is watched, and streams go over to what changes there.
    :param policy_settings: settings of a policy that is one file.
    :param audit: a file where it is written down which bytes of which log leave, and under which policy.
    :param cache: where compiled policies are kept; the user's cache directory if it is not given, nowhere if it is none.
    :param liveness_interval: seconds; how often the server hears of this site at least. Must be shorter than the server's
        idle timeout.
    :param poll_interval: seconds; how often to look at a log when no event came.
    :raises ValueError: an argument can't be used, or the policy is not taken.
    """

    def __new__(
        cls,
        server: Union[str, Transport],
        *,
        ca: Optional[_Path] = None,
        cert: Optional[_Path] = None,
        key: Optional[_Path] = None,
        site: Optional[str] = None,
        policy: Optional[_Path] = None,
        policy_settings: Optional[Mapping[str, str]] = None,
        audit: Optional[_Path] = None,
        cache: Union[_Path, None, _Ellipsis] = ...,
        liveness_interval: float = 10.0,
        poll_interval: float = 0.5,
    ) -> Self: ...
    def stream(
        self,
        path: _Path,
        *,
        job: str,
        name: Optional[str] = None,
        once: bool = False,
        liveness_interval: Optional[float] = None,
        poll_interval: Optional[float] = None,
    ) -> Stream:
        """Streams a log, from its first byte or from where the server stands.

        :param path: the log; it need not exist yet, but its directory has to.
        :param name: what the server files it under, if not the file's own name.
        :param once: send what is there now, and end: a snapshot.
        :param liveness_interval: as for the site; for this log alone.
        :param poll_interval: as for the site; for this log alone.
        :raises ValueError: a name can't be used.
        :raises FileNotFoundError: the log's directory is not there.
        :raises RuntimeError: the site is closed.
        """
    def reload_policies(self) -> bool:
        """Reads the policies again, now. Says whether anything changed.

        :raises ValueError: what is there is not taken; what was in use goes on.
        """
    def close(self, timeout: float = 60.0) -> None:
        """Finishes all streams, each within ``timeout`` seconds, and ends the connection. Does nothing the second time."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _kind: Optional[Type[BaseException]],
        _error: Optional[BaseException],
        _traceback: Optional[TracebackType],
    ) -> None:
        """Closes the site."""

@final
class Stream:
    """One log on its way. Made by :meth:`Site.stream`."""

    def request_stop(self) -> None:
        """The job is about to end. Returns at once: lines that are written afterwards are still sent."""
    def finish(self, timeout: Optional[float] = 60.0) -> Outcome:
        """Requests the stop, and waits until the server has stored the end. After ``timeout`` seconds the stream is given up,
        and the outcome says what it was waiting for; with none it waits for ever.

        May be called again, and by several threads: the outcome is the same.
        """
    @property
    def outcome(self) -> Optional[Outcome]:
        """How the stream ended; none while it runs."""
    @property
    def stored(self) -> int:
        """Bytes of the log in the server's store, as far as this side was told."""
    def on_ended(self, callback: Callable[[Outcome], object]) -> None:
        """Has this called once, on a thread of the host, when the stream has ended; at once if it has already."""

@final
class Server:
    """Takes logs from sites and stores them as ``STORE/<job>/<site>/<log>``. A store has one server at a time.

    :param store: the directory.
    :param listen: where to listen for gRPC, like ``"0.0.0.0:7443"``; port 0 takes a free one. Without it only
        :meth:`connect` brings connections.
    :param ca: the authority that sites' certificates have to come from, a PEM file. Without the three files only this
        machine's loopback is served.
    :param cert: the server's certificate, a PEM file.
    :param key: its key, a PEM file.
    :param site_names: names in certificates that may write, with ``*`` and ``?``; by default all that are no operator's.
    :param operators: names in certificates that may read everything over the network, and write nothing.
    :param idle_timeout: seconds; after how much silence a stream is closed.
    :param late_grace: seconds; how long after its end a log still takes late lines.
    :param durability: what an acknowledged byte outlives: ``"process"``, or a power loss too, ``"flush"``.
    :param policy: a receiver policy instead of the built-in one: a component, or a directory with a ``policies.toml``.
    :param policy_settings: settings of a policy that is one file.
    :param cache: as for :class:`Site`.
    :param on_finished: called once for each stream that has ended, in order, on a thread of its own. What it raises is shown
        by :func:`sys.unraisablehook`.
    :raises OSError: the store can't be used, for example because another server has it, or the address is taken.
    :raises ValueError: an argument can't be used, or the policy is not taken.
    """

    def __new__(
        cls,
        store: _Path,
        *,
        listen: Optional[str] = None,
        ca: Optional[_Path] = None,
        cert: Optional[_Path] = None,
        key: Optional[_Path] = None,
        site_names: Sequence[str] = (),
        operators: Sequence[str] = (),
        idle_timeout: float = 30.0,
        late_grace: float = 86400.0,
        durability: Literal["process", "flush"] = "process",
        policy: Optional[_Path] = None,
        policy_settings: Optional[Mapping[str, str]] = None,
        cache: Union[_Path, None, _Ellipsis] = ...,
        on_finished: Optional[Callable[[Finished], object]] = None,
    ) -> Self: ...
    @property
    def address(self) -> Optional[str]:
        """Its URL, such as ``https://127.0.0.1:7443``; none where it does not listen."""
    @property
    def store(self) -> str:
        """The store's directory."""
    def connect(self, site: str, outgoing: Outgoing) -> Incoming:
        """Serves a connection over the runtime's own channel.

        :param site: the name of the site at the other end, as the runtime has *authenticated* it; never what a message says.
        :param outgoing: sends to the site.
        :returns: where to hand what the site sends.
        :raises ValueError: the name can't be used.
        """
    def logs(self) -> list[StoredLog]:
        """All logs of the store, in order of job, site and name."""
    def tail(
        self, job: str, *, site: Optional[str] = None, log: Optional[str] = None, follow: bool = False
    ) -> Tail:
        """The bytes of a job's logs, from the first, as they are stored: all logs, or those of a site, of a name, or both.

        :param follow: go on with what is stored later, also of logs that appear later, until the server is closed.
        :raises ValueError: a name can't be used.
        """
    def reload_policies(self) -> bool:
        """As :meth:`Site.reload_policies`."""
    def close(self) -> None:
        """Ends the connections, waits for the callbacks that are due, and frees the store for the next server. Streams that are
        open stay open in the store: their sites go on at the next server. Does nothing the second time.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _kind: Optional[Type[BaseException]],
        _error: Optional[BaseException],
        _traceback: Optional[TracebackType],
    ) -> None:
        """Closes the server."""

@final
class Chunk:
    """Bytes of one log, in order; or words about it."""

    @property
    def site(self) -> str:
        """The site where the log is written."""
    @property
    def log(self) -> str:
        """The log."""
    @property
    def data(self) -> bytes:
        """The bytes."""
    @property
    def ended(self) -> bool:
        """Whether the stream of this log has ended behind them. It can go on all the same."""
    @property
    def note(self) -> str:
        """For the person who reads: why this log can't be shown now; empty otherwise."""

@final
class Tail:
    """Gives the chunks of logs. Made by :meth:`Server.tail`."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Chunk:
        """The next chunk. Waits for it, without the GIL.

        :raises OSError: the store can't be read, or there is no such log and nobody waits for one.
        """

@final
class Incoming:
    """Takes what the other side sends on one connection of the runtime's own channel."""

    def deliver(self, message: bytes) -> None:
        """Hands over the next message, in order. Waits while there is no room.

        :raises Disconnected: the connection is gone.
        """
    def close(self, reason: Optional[str] = None) -> None:
        """Says that the channel broke, and why."""
    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""

def _shut_down() -> None: ...
