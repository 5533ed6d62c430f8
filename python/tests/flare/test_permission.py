"""`allow_log_streaming: false` in a site's `resources.json`, wherever a log could leave."""

import json
import re

import pytest
from fedtail.flare import JobLogReceiver, JobLogStreamer, SiteLogStreamer
from fedtail.flare.cell import Exchange
from fedtail.flare.permission import refusal_of_site
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.job_def import JobMetaKey

from engine import fire
from federation import until

JOB = "job-1"
FLARES_OWN = "nvflare.app_common.logging.job_log_streamer.JobLogStreamer"


def settings(network, site, **values):
    """Writes a site's settings, as its administrator does."""
    (network.directory / site / "local" / "resources.json").write_text(json.dumps(values))


def job_config(network, site, components):
    """The configuration of a job that FLARE has deployed at a site."""
    path = network.directory / site / JOB / f"app_{site}" / "config" / "config_fed_client.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"components": components}, indent=2))
    return path


def launch(widget, site):
    """FLARE is about to launch a job."""
    return fire(widget, EventType.BEFORE_JOB_LAUNCH, site, **{FLContextKey.JOB_META: {JobMetaKey.JOB_ID: JOB}})


@pytest.fixture
def server(network):
    """A server that receives, and knows site-1."""
    server = network.server()
    server.register("site-1")
    server.add_job(JOB)
    receiver = JobLogReceiver()
    fire(receiver, EventType.SYSTEM_START, server)
    yield server
    fire(receiver, EventType.SYSTEM_END, server)


@pytest.mark.parametrize(
    "content, words",
    [
        ('{"allow_log_streaming": false}', "'allow_log_streaming' is false in"),
        ('{"allow_log_streaming": "false"}', "'allow_log_streaming' is 'false' in .* neither true nor false"),
        ('{"allow_log_streaming": 0}', "neither true nor false"),
        ("{", "can't be read, so whether the site allows log streaming is not known"),
        ("[]", "is not a JSON object"),
    ],
)
def test_what_is_not_a_clear_yes_is_a_no(network, content, words):
    """FLARE takes `"false"`, and a file that it can't read, for yes."""
    site = network.site_job("site-1", JOB)
    (network.directory / "site-1" / "local" / "resources.json").write_text(content)

    assert re.search(words, refusal_of_site(site.new_context()))


@pytest.mark.parametrize("content", ['{"allow_log_streaming": true}', "{}", None])
def test_nothing_said_is_a_yes(network, content):
    """As in FLARE: also without a file."""
    site = network.site_job("site-1", JOB)
    if content is not None:
        (network.directory / "site-1" / "local" / "resources.json").write_text(content)
    assert refusal_of_site(site.new_context()) is None


def test_a_declared_streamer_does_nothing(network, server, logs):
    """Its events are registered, it says why, and no connection is made.
    (test_handlers_registered_unconditionally, test_on_job_started_is_noop_when_streaming_not_allowed)"""
    site = network.site_job("site-1", JOB)
    settings(network, "site-1", allow_log_streaming=False)
    (network.directory / "site-1" / JOB / "log.txt").write_text("private\n")
    streamer = JobLogStreamer()
    assert {EventType.START_RUN, EventType.ABOUT_TO_END_RUN, EventType.END_RUN} <= set(streamer.get_event_handlers())
    for event in (EventType.START_RUN, EventType.ABOUT_TO_END_RUN, EventType.END_RUN):
        fire(streamer, event, site)
    assert logs.having("log.txt is not streamed: 'allow_log_streaming' is false in")
    assert not Exchange.of(server.cell)._lines
    assert not (network.directory / "server" / "live_logs" / JOB).exists()


def test_streamers_that_a_job_brings_are_removed(network, logs):
    """Ours and FLARE's, and nothing else. (test_before_job_launch_strips_existing_streamer_when_disabled)"""
    site = network.site("site-1")
    settings(network, "site-1", allow_log_streaming=False)
    other = {"id": "x", "path": "some.Thing"}
    path = job_config(
        network, "site-1", [{"id": "a", "path": FLARES_OWN}, other, {"id": "b", "path": "fedtail.flare.JobLogStreamer"}]
    )
    launch(SiteLogStreamer(), site)
    assert json.loads(path.read_text()) == {"components": [other]}
    assert logs.having(f"removed 2 log streamer(s) from job {JOB}: 'allow_log_streaming' is false in")


def test_a_job_without_streamers_stays_without(network):
    """Byte for byte. (test_before_job_launch_skips_injection_when_disabled)"""
    site = network.site("site-1")
    settings(network, "site-1", allow_log_streaming=False)
    path = job_config(network, "site-1", [])
    before = path.read_bytes()
    launch(SiteLogStreamer(), site)
    assert path.read_bytes() == before


def test_a_streamer_that_can_not_be_removed_is_not_passed_over(network):
    """FLARE records the error of the event; the job's streamer asks once more for itself."""
    site = network.site("site-1")
    settings(network, "site-1", allow_log_streaming=False)
    path = job_config(network, "site-1", [])
    path.write_text("{ no JSON")
    with pytest.raises(ValueError, match="it is not JSON"):
        launch(SiteLogStreamer(), site)


def test_nothing_is_sent_when_the_job_has_ended(network, server):
    """(test_on_job_completed_skips_upload_when_streaming_disabled)"""
    site = network.site("site-1")
    settings(network, "site-1", allow_log_streaming=False)
    (network.directory / "site-1" / JOB).mkdir()
    (network.directory / "site-1" / JOB / "error_log.txt").write_text("private\n")
    fire(SiteLogStreamer("error_log.txt"), EventType.JOB_COMPLETED, site, **{FLContextKey.CURRENT_JOB_ID: JOB})
    assert not Exchange.of(server.cell)._lines


def test_the_server_refuses_a_site_that_said_no_and_tells_once_a_job(network, server, logs):
    """The site registered with it, and sends all the same, with two streams: one line for the operator, words for the
    site, no file. (test_job_log_receiver_logs_error_once_when_site_does_not_allow)"""
    server.register("site-1", site_config={"allow_log_streaming": False})
    site = network.site_job("site-1", JOB)
    for log in ("log.txt", "error_log.txt"):
        (network.directory / "site-1" / JOB / log).write_text("private\n")
        streamer = JobLogStreamer(log, finish_timeout=20.0)
        for event in (EventType.START_RUN, EventType.ABOUT_TO_END_RUN, EventType.END_RUN):
            fire(streamer, event, site)
    (told,) = logs.having("refused the logs of site-1")
    assert told.startswith("ERROR")
    assert f"for job {JOB}: 'allow_log_streaming' is false in the resources.json of site-1" in told
    assert logs.having("the server takes no logs of site-1: 'allow_log_streaming' is false")
    assert not (network.directory / "server" / "live_logs" / JOB).exists()


@pytest.mark.parametrize("site_config", [{"allow_log_streaming": True}, {}, None])
def test_the_server_takes_a_site_that_did_not_say_no(network, server, logs, site_config):
    """(test_job_log_receiver_does_not_warn_when_site_allows)"""
    server.register("site-1", site_config=site_config)
    site = network.site_job("site-1", JOB)
    (network.directory / "site-1" / JOB / "log.txt").write_text("a line\n")
    streamer = JobLogStreamer()
    for event in (EventType.START_RUN, EventType.ABOUT_TO_END_RUN, EventType.END_RUN):
        fire(streamer, event, site)
    until((server.jobs / JOB / "LOG_log.txt_site-1").exists, "the filed log")
    assert not logs.having("ERROR")
