"""Live logs for a job that is made with a FLARE recipe."""

from __future__ import annotations

from typing import Any

from nvflare.apis.fl_constant import WorkspaceConstants

from .job_log_receiver import JobLogReceiver
from .job_log_streamer import JobLogStreamer

#: The package that sites have installed; FLARE would else copy the widgets' files into the job, as code of its own.
_PACKAGE = "fedtail"


def enable_log_streaming(recipe: Any, *file_names: str) -> None:
    """Streams these logs of the job's sites to its server: what `recipe.enable_log_streaming` does, with our widgets.

    :param recipe: a FLARE recipe, such as `NumpyFedAvgRecipe`
    :param file_names: names of logs in the job's directory; none for `log.txt`
    :raises ValueError: a name is not the name of a file
    """
    streamers = [JobLogStreamer(name) for name in file_names or (WorkspaceConstants.LOG_FILE_NAME,)]
    job = recipe._job
    job.set_app_packages([*job.job.app_packages, _PACKAGE])
    for streamer in streamers:
        recipe._add_to_client_apps(streamer)
    job.to_server(JobLogReceiver())
