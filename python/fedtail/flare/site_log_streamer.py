"""Streams the logs of all jobs of a site, without a change to any job."""

from __future__ import annotations

import os
import threading
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, JobConstants, ProcessType, WorkspaceConstants
from nvflare.apis.fl_context import FLContext
from nvflare.apis.job_def import JobMetaKey
from nvflare.apis.workspace import Workspace
from nvflare.widgets.widget import Widget

from . import job_config
from .connections import Connection, Destination, cells_of_job
from .identity import own_site
from .job_log_streamer import file_name
from .permission import refusal_of_site


class SiteLogStreamer(Widget):
    """Declares a :class:`JobLogStreamer` in each job of a site that has none for this log.

    Belongs into the client's `resources.json`, once for each log. When a job has ended it sends what its own process
    could not: the lines that it wrote after END_RUN, and all of the log where it failed before START_RUN.

    With `allow_log_streaming: false` in the same file it removes the streamers that jobs bring with them, FLARE's too.

    :param log_file_name: the log's name in the job's directory, without a path
    :param liveness_interval: as :class:`JobLogStreamer` has it, and so the others
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
    ):
        super().__init__()
        self._log_file_name = file_name(log_file_name)
        self._liveness_interval = liveness_interval
        self._poll_interval = poll_interval
        self._policy = policy
        self._finish_timeout = finish_timeout
        self._server = server
        self.register_event_handler(EventType.BEFORE_JOB_LAUNCH, self._on_before_job_launch)
        self.register_event_handler(EventType.JOB_COMPLETED, self._on_job_completed)

    def _on_before_job_launch(self, event_type: str, fl_ctx: FLContext) -> None:
        job_meta = fl_ctx.get_prop(FLContextKey.JOB_META) or {}
        job_id = job_meta.get(JobMetaKey.JOB_ID) or job_meta.get(JobMetaKey.JOB_ID.value)
        workspace = _workspace(fl_ctx)
        if not job_id or workspace is None:
            return
        path = os.path.join(workspace.get_app_config_dir(job_id), JobConstants.CLIENT_JOB_CONFIG)
        refusal = refusal_of_site(fl_ctx)
        if refusal:
            self._remove(path, job_id, refusal, fl_ctx)
        else:
            self._declare(path, job_id, fl_ctx)

    def _declare(self, path: str, job_id: str, fl_ctx: FLContext) -> None:
        try:
            config = job_config.read(path)
            if not config.add(self._args()):
                self.log_debug(fl_ctx, f"job {job_id} streams {self._log_file_name} by itself")
                return
            job_config.rewrite(path, config.text)
        except (OSError, ValueError) as error:
            self.log_error(
                fl_ctx,
                f"{self._log_file_name} of job {job_id} is sent only when the job has ended, since no streamer can be "
                f"declared in {path}: {error}",
            )
            return
        self.log_info(fl_ctx, f"job {job_id} streams {self._log_file_name}")

    def _remove(self, path: str, job_id: str, refusal: str, fl_ctx: FLContext) -> None:
        if not os.path.exists(path):
            return
        # An error here is not caught: FLARE records it, and a job that would stream against the site's word is not
        # passed over in silence.
        config = job_config.read(path)
        count = config.remove_streamers()
        if count:
            job_config.rewrite(path, config.text)
            self.log_warning(fl_ctx, f"removed {count} log streamer(s) from job {job_id}: {refusal}")

    def _args(self) -> dict[str, Any]:
        """The arguments of the streamer in the job: those that differ from what it does without them."""
        given = {
            "log_file_name": (self._log_file_name, WorkspaceConstants.LOG_FILE_NAME),
            "liveness_interval": (self._liveness_interval, 10.0),
            "poll_interval": (self._poll_interval, 0.5),
            "policy": (self._policy, None),
            "finish_timeout": (self._finish_timeout, 60.0),
            "server": (self._server, None),
        }
        args = {name: value for name, (value, default) in given.items() if value != default}
        return {**args, "target_parent_server": True}

    def _on_job_completed(self, event_type: str, fl_ctx: FLContext) -> None:
        if fl_ctx.get_process_type() != ProcessType.CLIENT_PARENT or refusal_of_site(fl_ctx):
            return
        workspace = _workspace(fl_ctx)
        job_id = fl_ctx.get_prop(FLContextKey.CURRENT_JOB_ID) or fl_ctx.get_job_id()
        if not job_id or workspace is None:
            return
        path = os.path.join(workspace.get_log_root(job_id), self._log_file_name)
        if not os.path.exists(path):
            self.log_info(fl_ctx, f"job {job_id} wrote no {self._log_file_name}")
            return
        try:
            connection = Connection(Destination(self._server, cells_of_job(job_id, True), self._policy), fl_ctx)
        except (ValueError, OSError, RuntimeError) as error:
            self.log_error(fl_ctx, f"{path} is not sent: {error}")
            return
        engine = fl_ctx.get_engine()
        # The event is FLARE's own thread that looks after the job, so the rest is sent beside it.
        threading.Thread(
            target=self._send_rest, args=(engine, connection, path, job_id), name="fedtail_rest", daemon=True
        ).start()

    def _send_rest(self, engine: Any, connection: Connection, path: str, job_id: str) -> None:
        with engine.new_context() as fl_ctx:
            try:
                stream = connection.site.stream(path, job=job_id, name=self._log_file_name, once=True)
                outcome = stream.finish(timeout=self._finish_timeout)
            except (ValueError, OSError, RuntimeError) as error:
                self.log_error(fl_ctx, f"{path} is not sent: {error}")
                return
            finally:
                connection.close()
            if outcome.complete:
                self.log_info(fl_ctx, f"{self._log_file_name} of job {job_id}: {outcome}")
            else:
                self.log_warning(
                    fl_ctx, f"{self._log_file_name} of job {job_id}: {outcome}; the log itself stays in {path}"
                )


def _workspace(fl_ctx: FLContext) -> Workspace | None:
    root, site = fl_ctx.get_prop(FLContextKey.WORKSPACE_ROOT), own_site(fl_ctx)
    return Workspace(root_dir=root, site_name=site) if root and site else None
