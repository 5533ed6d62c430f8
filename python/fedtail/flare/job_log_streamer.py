"""Streams a log of a job, from within the job's own process."""

from __future__ import annotations

import logging
import os

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, WorkspaceConstants
from nvflare.apis.fl_context import FLContext
from nvflare.apis.workspace import Workspace
from nvflare.widgets.widget import Widget

import fedtail

from .connections import Connection, Destination, cells_of_job
from .identity import own_site
from .permission import refusal_of_site


class JobLogStreamer(Widget):
    """Streams a job's log file to the server while it grows; to the last line that is written before END_RUN ends.

    Belongs into a job's `config_fed_client.json`, one for each log, in place of FLARE's own `JobLogStreamer`.

    :param log_file_name: the log's name in the job's directory, without a path
    :param liveness_interval: seconds between signs of life while nothing is written; shorter than the receiver's
        `idle_timeout`
    :param poll_interval: seconds between looks at the file where the operating system reports no change
    :param policy: the site's policy: a Wasm component, or a directory of them; None for the one that sends all
    :param finish_timeout: seconds that END_RUN waits until the server has stored the end
    :param server: a server's address for gRPC with the startup kit's certificates; None for FLARE's network
    :param target_parent_server: only the receiver of the server's parent process will do, not one of the job's
    :raises ValueError: the log's name is not the name of a file
    """

    def __init__(
        self,
        log_file_name: str = WorkspaceConstants.LOG_FILE_NAME,
        liveness_interval: float = 10.0,
        poll_interval: float = 0.5,
        policy: str | None = None,
        finish_timeout: float = 60.0,
        server: str | None = None,
        target_parent_server: bool = False,
    ):
        super().__init__()
        self._log_file_name = file_name(log_file_name)
        self._liveness_interval = liveness_interval
        self._poll_interval = poll_interval
        self._policy = policy
        self._finish_timeout = finish_timeout
        self._server = server
        self._target_parent_server = target_parent_server
        self._connection: Connection | None = None
        self._stream: fedtail.Stream | None = None
        self._log_path = ""
        self.register_event_handler(EventType.START_RUN, self._on_start_run)
        self.register_event_handler(EventType.ABOUT_TO_END_RUN, self._on_about_to_end_run)
        self.register_event_handler(EventType.END_RUN, self._on_end_run)

    def _on_start_run(self, event_type: str, fl_ctx: FLContext) -> None:
        refusal = refusal_of_site(fl_ctx)
        if refusal:
            self.log_warning(fl_ctx, f"{self._log_file_name} is not streamed: {refusal}")
            return
        job_id = fl_ctx.get_job_id()
        destination = Destination(self._server, cells_of_job(job_id, self._target_parent_server), self._policy)
        # A job must not fail because its log can't be streamed.
        try:
            self._log_path = log_path(self._log_file_name, fl_ctx)
            self._connection = Connection(destination, fl_ctx)
            self._stream = self._connection.site.stream(
                self._log_path,
                job=job_id,
                name=self._log_file_name,
                liveness_interval=self._liveness_interval,
                poll_interval=self._poll_interval,
            )
        except (ValueError, OSError, RuntimeError) as error:
            self.log_error(fl_ctx, f"{self._log_path or self._log_file_name} is not streamed: {error}")
            self._give_back()
            return
        self.log_info(fl_ctx, f"streaming {self._log_path}")

    def _on_about_to_end_run(self, event_type: str, fl_ctx: FLContext) -> None:
        # Only asked for: what is written from here on still belongs to the log.
        if self._stream is not None:
            self._stream.request_stop()

    def _on_end_run(self, event_type: str, fl_ctx: FLContext) -> None:
        # The process goes on only when the server has the log; else it would end with the last lines still here.
        stream, self._stream = self._stream, None
        if stream is None:
            return
        outcome = stream.finish(timeout=self._finish_timeout)
        self._give_back()
        if outcome.complete:
            self.log_info(fl_ctx, f"{self._log_file_name}: {outcome}")
        else:
            self.log_warning(fl_ctx, f"{self._log_file_name}: {outcome}; the log itself stays in {self._log_path}")

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def file_name(name: str) -> str:
    """The name of a log, checked: one file in the job's directory.

    :raises ValueError: it leads elsewhere
    """
    if not isinstance(name, str) or name in ("", ".", "..") or name != os.path.basename(name):
        raise ValueError(f"log_file_name must be the name of a file in the job's directory, without a path: {name!r}")
    return name


def log_path(name: str, fl_ctx: FLContext) -> str:
    """Where the job's log of this name is, or will be.

    All of a job's logs stand in one directory. Which one depends on how FLARE was set up, so the logging handlers of
    this process are asked first.
    """
    written = [handler.baseFilename for handler in logging.root.handlers if isinstance(handler, logging.FileHandler)]
    for path in written:
        if os.path.basename(path) == name:
            return path
    for path in written:
        if os.path.basename(path) in _FLARE_LOGS:
            return os.path.join(os.path.dirname(path), name)
    workspace = Workspace(root_dir=fl_ctx.get_prop(FLContextKey.WORKSPACE_ROOT), site_name=own_site(fl_ctx))
    return os.path.join(workspace.get_log_root(fl_ctx.get_job_id()), name)


#: Logs that FLARE's own configuration of logging writes. A training script's handlers may stand before them.
_FLARE_LOGS = ("log.txt", "log.json", "log_fl.txt", "error_log.txt", "audit.log")
