"""Puts the widgets into the startup kits that FLARE's provisioning makes."""

from __future__ import annotations

import json
import os
from typing import Any

from nvflare.lighter.constants import ProvFileName
from nvflare.lighter.spec import Builder, Project, ProvisionContext

from .permission import ALLOW_LOG_STREAMING

#: Prefix of the class paths that a site must allow, since a job without code of its own may use no others.
ALLOWED = "fedtail.flare"
#: FLARE's own widgets, which ours take the place of.
_REPLACED = ("SiteLogStreamer", "JobLogReceiver")


class LogStreamingBuilder(Builder):
    """A builder for `project.yml`: after `StaticFileBuilder`, before `SignatureBuilder`.

    It takes FLARE's log widgets out of each kit's `resources.json.default` and puts :class:`SiteLogStreamer` and
    :class:`JobLogReceiver` in, and allows their classes. A site with `allow_log_streaming: false` in `project.yml` gets
    the streamers too: they keep what jobs bring with them from streaming.

    :param logs: names of the logs that each site streams
    :param streamer: further arguments of each `SiteLogStreamer`
    :param receiver: arguments of the `JobLogReceiver`
    """

    def __init__(
        self,
        logs: list[str] | None = None,
        streamer: dict[str, Any] | None = None,
        receiver: dict[str, Any] | None = None,
    ):
        super().__init__()
        self._logs = logs or ["log.txt", "error_log.txt"]
        self._streamer = streamer or {}
        self._receiver = receiver or {}

    def build(self, project: Project, ctx: ProvisionContext) -> None:
        for client in project.get_clients():
            streamers = [
                _component(f"site_log_streamer_{number}", "SiteLogStreamer", {"log_file_name": log, **self._streamer})
                for number, log in enumerate(self._logs, start=1)
            ]
            # FLARE 2.9.0 takes a false in project.yml for nothing said, and writes true into the kit.
            forbidden = client.get_prop(ALLOW_LOG_STREAMING) is False
            _add(ctx.get_local_dir(client), streamers, {ALLOW_LOG_STREAMING: False} if forbidden else {})
        server = project.get_server()
        if server is not None:
            _add(ctx.get_local_dir(server), [_component("log_receiver", "JobLogReceiver", self._receiver)], {})


def _component(component_id: str, name: str, args: dict[str, Any]) -> dict[str, Any]:
    return {"id": component_id, "path": f"{ALLOWED}.{name}", "args": args}


def _add(directory: str, components: list[dict[str, Any]], settings: dict[str, Any]) -> None:
    path = os.path.join(directory, ProvFileName.RESOURCES_JSON_DEFAULT)
    try:
        with open(path, encoding="utf-8") as file:
            resources = json.load(file)
    except OSError as error:
        raise RuntimeError(
            f"{path} is not there: LogStreamingBuilder must stand after StaticFileBuilder in project.yml"
        ) from error
    kept = [
        component
        for component in resources.get("components", [])
        if component.get("path", "").rpartition(".")[2] not in _REPLACED
    ]
    resources["components"] = kept + components
    resources.update(settings)
    allowed = resources.setdefault("class_allow_list", [])
    if ALLOWED not in allowed:
        allowed.append(ALLOWED)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(resources, file, indent=2)
