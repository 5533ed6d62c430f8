"""The policies of a site and of a server, as arguments of the widgets: components of an older release."""

import shutil
from pathlib import Path

import pytest
from fedtail.flare import JobLogReceiver, JobLogStreamer
from nvflare.apis.event_type import EventType

from engine import fire
from federation import until

JOB = "job-1"
EVENTS = (EventType.START_RUN, EventType.ABOUT_TO_END_RUN, EventType.END_RUN)
COMPONENTS = Path(__file__).parents[3] / "tests" / "fixtures" / "0.1.0"
#: Lets only what is a warning or worse leave.
LEVEL = COMPONENTS / "streamer.wasm"
#: Takes so many bytes and logs of a site and job.
QUOTA = COMPONENTS / "receiver.wasm"

PRIVATE = "2026-11-24 03:31:44,470 - Trainer - INFO - patient 7\n"
ERROR = "2026-11-24 03:31:45,001 - Trainer - ERROR - the loss is not a number\n"


@pytest.fixture
def server(network):
    """A server's parent process that knows site-1 and the job."""
    server = network.server()
    server.register("site-1")
    server.add_job(JOB)
    return server


def run(network, streamer):
    """A run of the job at site-1, with two lines in its log."""
    site = network.site_job("site-1", JOB)
    (network.directory / "site-1" / JOB / "log.txt").write_text(PRIVATE + ERROR)
    for event in EVENTS:
        fire(streamer, event, site)


def test_a_sites_policy_decides_what_leaves(network, server):
    """The line that it holds back is in no file of the server, neither the store's nor the job manager's."""
    fire(JobLogReceiver(), EventType.SYSTEM_START, server)
    run(network, JobLogStreamer(policy=str(LEVEL)))
    filed = server.jobs / JOB / "LOG_log.txt_site-1"
    until(filed.exists, "the filed log")
    assert filed.read_text() == ERROR
    for path in (network.directory / "server").rglob("*"):
        assert not path.is_file() or b"patient 7" not in path.read_bytes(), path


def test_a_policy_that_is_none_lets_nothing_out_and_the_job_run(network, server, logs, tmp_path):
    """The words name the file and what it is not; there is no falling back to the policy that sends all."""
    fire(JobLogReceiver(), EventType.SYSTEM_START, server)
    policy = tmp_path / "policy.wasm"
    policy.write_text("not a component")
    run(network, JobLogStreamer(policy=str(policy)))
    (told,) = logs.having("log.txt is not streamed: ")
    assert str(policy) in told and told.startswith("ERROR")
    assert not list((network.directory / "server").rglob("log.txt"))


def test_a_servers_policy_that_is_none_is_told_of_where_it_is_set(network, server, logs, tmp_path):
    """The site hears that the server can't receive, and tries again; an operator puts it right while the job runs. Here
    the policy is a directory, whose settings belong to it."""
    policy = tmp_path / "policies" / "quota.wasm"
    policy.parent.mkdir()
    policy.write_text("not a component")
    rules = '[[policy]]\nfile = "quota.wasm"\nsettings = { bytes = "1000", logs = "10" }\n'
    (policy.parent / "policies.toml").write_text(rules)
    receiver = JobLogReceiver(policy=str(policy.parent))
    job = network.server_job(JOB)
    job.register("site-1")
    fire(receiver, EventType.START_RUN, job)
    site = network.site_job("site-1", JOB)
    (network.directory / "site-1" / JOB / "log.txt").write_text(ERROR)
    streamer = JobLogStreamer()
    fire(streamer, EventType.START_RUN, site)
    until(lambda: logs.having("logs can't be received: "), "the server's words")
    assert "quota.wasm" in logs.having("logs can't be received: ")[0]
    until(lambda: logs.having("the server can't receive logs: "), "the site's words")
    shutil.copyfile(QUOTA, policy)
    for event in EVENTS[1:]:
        fire(streamer, event, site)
    live = network.directory / "server" / JOB / "live_logs" / JOB / "site-1" / "log.txt"
    assert live.read_text() == ERROR
