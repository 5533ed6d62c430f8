"""Hands finished logs to FLARE: to its job manager, or to the job's workspace where there is none."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from nvflare.apis.fl_constant import SystemComponents, WorkspaceConstants
from nvflare.apis.storage import DataTypes


def component_of(log: str) -> str:
    """The name under which the job manager keeps a log, as FLARE's own receiver gives it: without the site's name."""
    if log == WorkspaceConstants.ERROR_LOG_FILE_NAME:
        return str(DataTypes.ERRORLOG.value)
    return f"{DataTypes.LOG.value}_{log}"


def file_log(engine: Any, job: str, site: str, log: str, path: str) -> str:
    """Files a finished log, of which `path` is the store's copy and stays as it is. Says where it is now.

    A log that is filed again, since late lines came, replaces what was filed before.

    :raises Exception: whatever FLARE's storage raises; the store's copy stays
    """
    job_manager = engine.get_component(SystemComponents.JOB_MANAGER)
    if job_manager is not None:
        with engine.new_context() as fl_ctx:
            _give(job_manager, job, site, log, path, fl_ctx)
        return f"the job's component {component_of(log)}_{site}"
    run_directory = engine.get_workspace().get_run_dir(job)
    filed = os.path.join(run_directory, site, log)
    os.makedirs(os.path.dirname(filed), exist_ok=True)
    _copy(path, filed)
    return filed


def _give(job_manager: Any, job: str, site: str, log: str, path: str, fl_ctx: Any) -> None:
    # FLARE's storage moves a file that it is given; the store's own must stay, since late lines may still come.
    with tempfile.TemporaryDirectory(prefix="fedtail-filing-") as directory:
        copy = os.path.join(directory, log)
        shutil.copyfile(path, copy)
        job_manager.set_client_data(job, copy, site, component_of(log), fl_ctx)


def _copy(path: str, filed: str) -> None:
    # By a rename, so that nobody reads half of it.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(filed)}.", dir=os.path.dirname(filed))
    os.close(descriptor)
    try:
        shutil.copyfile(path, temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, filed)
    except BaseException:
        os.unlink(temporary)
        raise
