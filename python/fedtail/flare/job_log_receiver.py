"""Receives and files the logs of jobs, at the server."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ProcessType, SiteType, WorkspaceConstants
from nvflare.apis.fl_context import FLContext
from nvflare.fuel.f3.message import Message
from nvflare.widgets.widget import Widget

import fedtail

from .cell import Exchange
from .filing import file_log
from .identity import job_of, site_of
from .line import Line
from .permission import refusal_of
from .startup_kit import certificates

#: The store's folder, in the workspace of the server or in the folder of the job.
_FOLDER = "live_logs"

#: Refusals that are remembered, so that the operator reads of each once: of a site, once for a job. The oldest is
#: forgotten first, since a server runs for months.
_REMEMBERED = 4096


class JobLogReceiver(Widget):
    """Stores the logs that sites stream, and files each with its job when it has ended.

    Belongs into the server's `resources.json`, where it serves all jobs and outlives each of them, or into a job's
    `config_fed_server.json`. Where both are, the server's serves.

    While a log comes in it can be followed with `tail -F` on `DEST_DIR/<job>/<site>/<log>`. What ended is handed to the
    job manager as `ERRORLOG` or `LOG_<name>`, or without a job manager, as in the simulator and in a job's own process,
    it is copied to `<site>/<log>` in the folder of the job.

    :param dest_dir: where logs are stored; None for the folder `live_logs` in the server's workspace, or in the job's
        folder. One process has it at a time.
    :param idle_timeout: seconds without a sign of life after which a site's log is closed as idle; 0 for never
    :param policy: the server's policy, a Wasm component, or a directory of them; None for the one that stores all
    :param finish_timeout: in a job's own process: seconds that END_RUN waits for sites that still send
    :param listen: address and port for sites that send over gRPC (`server=`), with the startup kit's certificates
    """

    def __init__(
        self,
        dest_dir: str | None = None,
        idle_timeout: float = 30.0,
        policy: str | None = None,
        finish_timeout: float = 60.0,
        listen: str | None = None,
    ):
        super().__init__()
        self._dest_dir = dest_dir
        self._idle_timeout = idle_timeout
        self._policy = policy
        self._finish_timeout = finish_timeout
        self._listen = listen
        self._lock = threading.Lock()
        self._server: fedtail.Server | None = None
        self._engine: Any = None
        self._store = ""
        self._exchanges: list[Exchange] = []
        self._told: dict[tuple[str, str], None] = {}
        # The events at which a process may have become ready to receive: SYSTEM_START in the server's parent process,
        # START_RUN in a job's. The simulator gives the same process another cell with each.
        self.register_event_handler(
            [EventType.SYSTEM_START, EventType.ABOUT_TO_START_RUN, EventType.START_RUN], self._on_start
        )
        self.register_event_handler(EventType.END_RUN, self._on_end_run)
        self.register_event_handler(EventType.SYSTEM_END, self._on_system_end)

    def _on_start(self, event_type: str, fl_ctx: FLContext) -> None:
        self._engine = fl_ctx.get_engine()
        # FLARE's processes change their directory, and what is told to people and to the job manager must stay true.
        self._store = os.path.abspath(self._dest_dir or _default_store(self._engine, fl_ctx))
        exchange = Exchange.of(self._engine.get_cell())
        # A job's receiver makes its store when the first site comes: where the server's own serves, nobody does.
        if event_type == EventType.SYSTEM_START or self._listen:
            self._open_store(fl_ctx)
        exchange.listen(self._accept)
        if exchange not in self._exchanges:
            self._exchanges.append(exchange)

    def _accept(self, request: Message, line: Line) -> fedtail.Incoming:
        try:
            site = site_of(request, self._engine.get_clients())
        except PermissionError as refused:
            self._tell_once("", str(refused), f"refused a connection: {refused}")
            raise
        self._check_permission(site, job_of(request))
        with self._engine.new_context() as fl_ctx:
            try:
                server = self._open_store(fl_ctx)
            except (ValueError, OSError, RuntimeError) as error:
                # The site tries again: an operator can put this right while the job runs.
                self.log_error(fl_ctx, f"logs can't be received: {error}")
                raise ConnectionError(f"the server can't receive logs: {error}") from error
        try:
            return server.connect(site, line)
        except ValueError as error:
            # The name of a site is a folder of the store, which not each name that FLARE takes can be.
            self._tell_once(site, str(error), f"refused the logs of {site}: {error}")
            raise PermissionError(f"the server can't store logs of {site}: {error}") from error

    def _check_permission(self, site: str, job: str) -> None:
        client = self._engine.get_client_from_name(site) if site != SiteType.SERVER else None
        refusal = refusal_of((client and client.get_site_config()) or {}, f"the resources.json of {site}")
        if not refusal:
            return
        self._tell_once(site, job, f"refused the logs of {site} for job {job or '(none)'}: {refusal}")
        raise PermissionError(f"the server takes no logs of {site}: {refusal}")

    def _tell_once(self, site: str, about: str, words: str) -> None:
        with self._lock:
            first = (site, about) not in self._told
            self._told[(site, about)] = None
            while len(self._told) > _REMEMBERED:
                del self._told[next(iter(self._told))]
        if first:
            with self._engine.new_context() as fl_ctx:
                self.log_error(fl_ctx, words)

    def _open_store(self, fl_ctx: FLContext) -> fedtail.Server:
        with self._lock:
            if self._server is None:
                os.makedirs(self._store, exist_ok=True)
                options: dict[str, Any] = {}
                if self._listen:
                    kit = certificates(self._engine.get_workspace(), server=True)
                    options = {"listen": self._listen, "ca": kit.ca, "cert": kit.cert, "key": kit.key}
                    options["site_names"] = [client.name for client in self._engine.get_clients()]
                self._server = fedtail.Server(
                    self._store,
                    idle_timeout=self._idle_timeout or _NEVER,
                    policy=self._policy,
                    on_finished=self._on_finished,
                    **options,
                )
                self.log_info(fl_ctx, f"receiving logs into {self._store}")
            return self._server

    def _on_finished(self, finished: fedtail.Finished) -> None:
        name = f"{finished.job}/{finished.site}/{finished.log}"
        with self._engine.new_context() as fl_ctx:
            if finished.ending not in (_COMPLETE, _INCOMPLETE):
                self.log_warning(
                    fl_ctx,
                    f"{name} ended {finished.ending}: {finished.reason}; the partial log stays in {finished.path}",
                )
                return
            if finished.bytes == 0:
                # An error log without a line is good news.
                if finished.log != WorkspaceConstants.ERROR_LOG_FILE_NAME:
                    self.log_warning(fl_ctx, f"{name} ended without a single byte")
                return
            try:
                where = file_log(self._engine, finished.job, finished.site, finished.log, finished.path)
            except Exception as error:
                # FLARE's storage raises errors of many types, and none of them may stop the next log.
                self.log_error(
                    fl_ctx, f"{name} is received and can't be filed with its job: {error}; it stays in {finished.path}"
                )
                return
            if finished.ending == _INCOMPLETE:
                self.log_warning(fl_ctx, f"{name} is filed as {where}, with gaps: {finished.reason}")
            else:
                self.log_info(fl_ctx, f"{name} is filed as {where}, {finished.bytes} bytes")

    def _on_end_run(self, event_type: str, fl_ctx: FLContext) -> None:
        # Sites end their runs at the same time, and send the last of their logs now. When this process is gone nobody
        # takes them. Until it is gone the receiver goes on: the simulator ends the runs of sites after the server's.
        server = self._server
        if server is None or fl_ctx.get_process_type() == ProcessType.SERVER_PARENT:
            return
        deadline = time.monotonic() + self._finish_timeout
        while (open_logs := _open_logs(server)) and time.monotonic() < deadline:
            time.sleep(_LOOK)
        if open_logs:
            self.log_warning(
                fl_ctx,
                f"the job ends after {self._finish_timeout:g} s while logs still come in: {', '.join(open_logs)}; "
                f"what has come stays in {self._store}",
            )

    def _on_system_end(self, event_type: str, fl_ctx: FLContext) -> None:
        self._close()

    def _close(self) -> None:
        for exchange in self._exchanges:
            exchange.stop_listening(self._accept)
        self._exchanges.clear()
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()


_COMPLETE, _INCOMPLETE = "complete", "incomplete"
#: Seconds of an idle timeout that never comes: ten years.
_NEVER = 10 * 365 * 86400.0
#: Seconds between looks at what still comes in, while a job ends.
_LOOK = 0.1


def _default_store(engine: Any, fl_ctx: FLContext) -> str:
    workspace = engine.get_workspace()
    job_id = fl_ctx.get_job_id()
    return os.path.join(workspace.get_run_dir(job_id) if job_id else workspace.get_root_dir(), _FOLDER)


def _open_logs(server: fedtail.Server) -> list[str]:
    return [f"{log.job}/{log.site}/{log.log}" for log in server.logs() if log.ending is None and not log.unreadable]
