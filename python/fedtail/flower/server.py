"""The ServerApp's side."""

from __future__ import annotations

import logging
import os
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Type, Union

import fedtail
from fedtail.flower.client import ADDRESS

if TYPE_CHECKING:
    from flwr.app import ConfigRecord, Context

__all__ = ["ServerLogs"]

#: Seconds that showing the last lines may take.
PATIENCE = 10.0


class ServerLogs:
    """Takes the logs of a run's ClientApps while it is entered::

        with ServerLogs(context, "/var/lib/fedtail") as logs:
            strategy.start(grid, arrays, train_config=logs.config(), evaluate_config=logs.config())

    They are stored as ``STORE/<run id>/<site>/<name>``. Their lines are shown as they come, behind the site's name, by Flower's
    own logger: so they are in the ServerApp's log, which is what ``flwr log`` shows.

    A store has one server at a time: where several runs go on at once, give each a store, or let one ``fedtail server`` take all
    of them, and name it in the configuration of the nodes.

    :param context: the ServerApp's.
    :param store: the directory.
    :param listen: where to listen; nodes on other machines need an address that they can reach, and certificates.
    :param show: whether lines are shown.
    :param url: how the nodes reach this server, where that is not the address that it listens on.
    :param arguments: further ones of :class:`fedtail.Server`, such as ``ca``, ``cert`` and ``key``.
    """

    def __init__(
        self,
        context: Context,
        store: Union[str, "os.PathLike[str]"],
        *,
        listen: str = "127.0.0.1:0",
        show: bool = True,
        url: Optional[str] = None,
        **arguments: Any,
    ) -> None:
        self._job = str(context.run_id)
        self._server = fedtail.Server(store, listen=listen, **arguments)
        self.url = url or self._server.address
        self._shown: dict[tuple[str, str], int] = {}
        self._shows: Optional[threading.Thread] = None
        if show:
            self._shows = threading.Thread(target=self._show, name="fedtail-flower", daemon=True)
            self._shows.start()

    @property
    def server(self) -> fedtail.Server:
        """The server, for all else that it can do."""
        return self._server

    def config(self, config: Optional[ConfigRecord] = None) -> ConfigRecord:
        """The configuration of a strategy's messages, with this server's address for nodes that have none of their own."""
        from flwr.app import ConfigRecord

        config = ConfigRecord() if config is None else config
        config[ADDRESS] = str(self.url)
        return config

    def __enter__(self) -> ServerLogs:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], traceback: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Shows what has been stored, and ends the server."""
        deadline = time.monotonic() + PATIENCE
        while self._shows and not self._all_shown() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._server.close()
        if self._shows:
            self._shows.join(PATIENCE)

    def _all_shown(self) -> bool:
        logs = [log for log in self._server.logs() if log.job == self._job]
        return all(self._shown.get((log.site, log.log), 0) >= log.stored for log in logs)

    def _show(self) -> None:
        logger = logging.getLogger("flwr")
        held: dict[tuple[str, str], bytes] = {}
        for chunk in self._server.tail(self._job, follow=True):
            key = (chunk.site, chunk.log)
            *lines, rest = (held.pop(key, b"") + chunk.data).split(b"\n")
            if chunk.ended and rest:
                lines, rest = [*lines, rest], b""
            held[key] = rest
            for line in lines:
                # What a site sends can't steer the terminal of who reads it.
                text = line.decode("utf-8", "backslashreplace")
                logger.info("%s | %s", chunk.site, "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text))
            self._shown[key] = self._shown.get(key, 0) + len(chunk.data)
