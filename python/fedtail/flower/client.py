"""The ClientApp's side."""

from __future__ import annotations

import logging
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional

import fedtail
from fedtail.flower.output import Copied

if TYPE_CHECKING:
    from flwr.app import Context, Message

__all__ = ["ADDRESS", "ClientLog"]

#: The key of the server's address, in a node's configuration and in the configuration that a message brings.
ADDRESS = "fedtail-server"

#: Seconds between looks at a log when no event came. Finishing waits for one more look, and each message is finished.
POLL_INTERVAL = 0.1

_logger = logging.getLogger("fedtail.flower")


class ClientLog:
    """A mod: ``ClientApp(mods=[ClientLog()])``.

    What the app logs and prints while it handles a message goes to a file of this run and node as well, and live to the server;
    a traceback too, if the app raises. When the app has replied, the rest is sent before the reply is. A later message goes on
    with the same log. Where the log can't be streamed a warning of the logger ``fedtail.flower`` says why, and the app goes on
    as if there were no mod.

    The configuration of the node (``flower-supernode --node-config``) says where the log goes:

    - ``fedtail-server``: the server's URL. Without it the one is taken that the ServerApp sends along, see
      :meth:`fedtail.flower.ServerLogs.config`.
    - ``fedtail-ca``, ``fedtail-cert``, ``fedtail-key``: PEM files, for a server on another machine.
    - ``fedtail-site``: the site's name where there is no certificate; by default ``node-`` and the number of its partition or
      of the node.
    - ``fedtail-policy``, ``fedtail-audit``: as for :class:`fedtail.Site`.
    - ``fedtail-directory``: where the logs are kept, by default ``fedtail/`` in Flower's home. They are not deleted.

    :param name: what the server files the log under, below the run's id and the site.
    :param finish_timeout: how many seconds a reply waits for the server to have everything. What it does not have by then is
        sent with the next message.
    """

    def __init__(self, name: str = "clientapp.log", finish_timeout: float = 10.0) -> None:
        self.name = name
        self.finish_timeout = finish_timeout

    def __call__(
        self, message: Message, context: Context, call_next: Callable[[Message, Context], Message]
    ) -> Message:
        try:
            settings = _settings(message, context)
            if settings is None:
                return call_next(message, context)
            path = _directory(settings, context) / self.name
            copied = Copied(path)
            # For each message, since nobody tells a node that a run is over.
            site = _site(settings)
            stream = site.stream(path, job=str(context.run_id), poll_interval=POLL_INTERVAL)
        except (OSError, RuntimeError, ValueError) as error:
            _logger.warning("the log of this ClientApp is not streamed: %s", error)
            return call_next(message, context)
        try:
            with copied:
                try:
                    return call_next(message, context)
                except BaseException:
                    copied.write(traceback.format_exc())
                    raise
        finally:
            outcome = stream.finish(self.finish_timeout)
            site.close(0.0)
            if not outcome.complete:
                _logger.warning("the log %s is not at the server as it should be: %s", path, outcome)


def _settings(message: Message, context: Context) -> Optional[dict[str, str]]:
    """What this node says of fedtail; none where nobody says where the server is."""
    node: Mapping[str, Any] = context.node_config
    settings = {key: str(value) for key, value in node.items() if key.startswith("fedtail-")}
    if ADDRESS not in settings:
        # Where it goes may come along with the message; what else is the site's to decide may not.
        configs = message.content.config_records.values() if message.has_content() else ()
        sent = next((config[ADDRESS] for config in configs if ADDRESS in config), None)
        if sent is None:
            return None
        settings[ADDRESS] = str(sent)
    if "fedtail-cert" not in settings and "fedtail-site" not in settings:
        settings["fedtail-site"] = f"node-{node.get('partition-id', context.node_id)}"
    return settings


def _site(settings: Mapping[str, str]) -> fedtail.Site:
    """A connection with these settings."""
    get = settings.get
    return fedtail.Site(
        settings[ADDRESS],
        ca=get("fedtail-ca"),
        cert=get("fedtail-cert"),
        key=get("fedtail-key"),
        site=get("fedtail-site"),
        policy=get("fedtail-policy"),
        audit=get("fedtail-audit"),
    )


def _directory(settings: Mapping[str, str], context: Context) -> Path:
    """Where the log of this run and node is, which only its owner may look into."""
    home = Path(os.environ.get("FLWR_HOME") or Path.home() / ".flwr")
    base = Path(settings.get("fedtail-directory") or home / "fedtail")
    directory = base / str(context.run_id) / str(context.node_id)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory
