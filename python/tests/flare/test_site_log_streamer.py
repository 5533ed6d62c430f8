"""The widget of a site: each of its jobs streams, and what a job's process could not send is sent when it has ended."""

import json

from fedtail.flare import JobLogReceiver, JobLogStreamer, SiteLogStreamer
from fedtail.flare.connections import cells_of_job
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, JobConstants
from nvflare.apis.job_def import JobMetaKey

from engine import fire
from federation import until

JOB = "job-1"


def deployed(network, site, text):
    """A job's configuration where FLARE puts it."""
    path = network.directory / site / JOB / f"app_{site}" / "config" / JobConstants.CLIENT_JOB_CONFIG
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def launch(widget, site):
    """FLARE is about to launch the job."""
    fire(widget, EventType.BEFORE_JOB_LAUNCH, site, **{FLContextKey.JOB_META: {JobMetaKey.JOB_ID: JOB}})


def completed(widget, site):
    """The job's process has ended."""
    fire(widget, EventType.JOB_COMPLETED, site, **{FLContextKey.CURRENT_JOB_ID: JOB})


def receiving(network):
    """The server's parent process with a receiver, the job, and site-1."""
    server = network.server()
    server.register("site-1")
    server.add_job(JOB)
    fire(JobLogReceiver(), EventType.SYSTEM_START, server)
    return server


def test_each_of_a_sites_widgets_declares_its_log(network, logs):
    """With the arguments that differ from what a streamer does without them, and for the server's own receiver.
    (test_before_job_launch_injects_when_enabled, test_system_injected_streamer_targets_parent_server)"""
    site = network.site("site-1")
    path = deployed(network, "site-1", '{\n  "format_version": 2\n}\n')
    for widget in (
        SiteLogStreamer(),
        SiteLogStreamer("error_log.txt", liveness_interval=5.0, policy="/etc/policy.wasm"),
    ):
        launch(widget, site)
        launch(widget, site)
    components = json.loads(path.read_text())["components"]
    assert components == [
        {"id": "job_log_streamer", "path": "fedtail.flare.JobLogStreamer", "args": {"target_parent_server": True}},
        {
            "id": "job_log_streamer_2",
            "path": "fedtail.flare.JobLogStreamer",
            "args": {
                "log_file_name": "error_log.txt",
                "liveness_interval": 5.0,
                "policy": "/etc/policy.wasm",
                "target_parent_server": True,
            },
        },
    ]
    assert cells_of_job(JOB, parent_only=True) == ("server",)
    JobLogStreamer(**components[1]["args"])  # FLARE makes it of exactly these


def test_a_job_that_can_not_be_changed_is_told_of_and_runs(network, logs):
    """Its configuration is not JSON, or not there at all: words for the operator, no error for FLARE."""
    site = network.site("site-1")
    launch(SiteLogStreamer(), site)
    path = deployed(network, "site-1", "not JSON")
    launch(SiteLogStreamer(), site)
    told = logs.having(f"log.txt of job {JOB} is sent only when the job has ended")
    assert "No such file" in told[0] and "it is not JSON" in told[1] and str(path) in told[1]
    assert path.read_text() == "not JSON"


def test_a_job_that_failed_before_its_run_began_reports(network, logs):
    """Nothing streamed; the error log is filed under the site's name and the job's, from the parent's process.
    (test_site_log_streamer_uploads_completed_error_log_snapshot,
    test_completed_upload_seeds_run_num_and_identity_on_fresh_context)"""
    server, site = receiving(network), network.site("site-1")
    (network.directory / "site-1" / JOB).mkdir()
    (network.directory / "site-1" / JOB / "error_log.txt").write_text("ModuleNotFoundError: torch\n")
    completed(SiteLogStreamer("error_log.txt"), site)
    filed = server.jobs / JOB / "ERRORLOG_site-1"
    until(filed.exists, "the error log")
    assert filed.read_text() == "ModuleNotFoundError: torch\n"


def test_what_the_jobs_process_wrote_last_is_added(network, logs):
    """Lines after END_RUN: the log is filed again, whole, and nothing is there twice. (FLARE sends error logs only:
    test_site_log_streamer_skips_completed_upload_for_non_error_logs)"""
    server = receiving(network)
    job = network.site_job("site-1", JOB)
    path = network.directory / "site-1" / JOB / "log.txt"
    path.write_text("while it runs\n")
    streamer = JobLogStreamer()
    for event in (EventType.START_RUN, EventType.ABOUT_TO_END_RUN, EventType.END_RUN):
        fire(streamer, event, job)
    filed = server.jobs / JOB / "LOG_log.txt_site-1"
    until(lambda: filed.exists() and filed.read_text() == "while it runs\n", "the log until END_RUN")
    network.stop(job)
    path.write_text("while it runs\nEND_RUN fired\n")
    completed(SiteLogStreamer(), network.site("site-1"))
    until(lambda: filed.read_text() == "while it runs\nEND_RUN fired\n", "the whole log")


def test_a_job_without_the_log_is_told_of_and_no_error(network, logs):
    """Many jobs have no error."""
    receiving(network)
    (network.directory / "site-1" / JOB).mkdir(parents=True)
    completed(SiteLogStreamer("error_log.txt"), network.site("site-1"))
    assert logs.having("INFO") and logs.having(f"job {JOB} wrote no error_log.txt")
