"""Widgets for NVIDIA FLARE 2.9: the logs of jobs stream live to the server, over FLARE's own network.

They take the place of FLARE's widgets of the same names, with the same arguments and events:

- :class:`JobLogStreamer` in a job's client configuration streams one log of the job,
- :class:`SiteLogStreamer` in a site's `resources.json` gives each job such a streamer,
- :class:`JobLogReceiver` in the server's `resources.json`, or in a job's server configuration, receives them.

For a job that is made by a recipe, :func:`enable_log_streaming` adds both. In other code that makes jobs::

    job.to_clients(JobLogStreamer("log.txt"))
    job.to_server(JobLogReceiver())
    job.set_app_packages(["fedtail"])  # it is installed at the sites, and not to be copied into the job

:class:`fedtail.flare.provision.LogStreamingBuilder` puts them into startup kits.
"""

from .job_log_receiver import JobLogReceiver
from .job_log_streamer import JobLogStreamer
from .recipe import enable_log_streaming
from .site_log_streamer import SiteLogStreamer

__all__ = ["JobLogReceiver", "JobLogStreamer", "SiteLogStreamer", "enable_log_streaming"]
