"""Names lead nowhere but into the folder that is meant for them: of logs, of jobs, and of the store itself.

FLARE's tests of its file retriever are about the same; the names in brackets are theirs. A log is a file of the job's
directory, so nested paths, which FLARE's retriever allows, name none.
"""

import os

import fedtail
import pytest
from fedtail.flare import JobLogReceiver, JobLogStreamer
from fedtail.flare.cell import CellTransport
from nvflare.apis.event_type import EventType

from engine import fire
from federation import until

JOB = "job-1"
EVENTS = (EventType.START_RUN, EventType.ABOUT_TO_END_RUN, EventType.END_RUN)
ELSEWHERE = ["..", ".", "", "../x.txt", "../../x.txt", "a/../../x.txt", "/..", "/etc/passwd", "a/b.txt", "./log.txt"]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_streamer_takes_the_name_of_a_file_only(name):
    """(test_missing_file_name_returns_bad_request, test_path_traversal_parent_parent_rejected,
    test_path_traversal_single_parent_rejected, test_path_traversal_subdir_escape_rejected,
    test_path_traversal_dot_dot_only_rejected, test_path_traversal_slash_dot_dot_rejected, test_absolute_path_rejected;
    unlike test_valid_nested_path_returns_ok and test_normalized_inside_source_allowed)"""
    with pytest.raises(ValueError, match="must be the name of a file in the job's directory, without a path"):
        JobLogStreamer(name)


@pytest.mark.parametrize("name", ["log.txt", "error_log.txt", "metrics-1.csv", "…unicode", "..two-dots"])
def test_an_ordinary_name_is_a_log(name):
    """(test_valid_file_name_returns_ok)"""
    JobLogStreamer(name)


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize("part", ["job", "name"])
def test_the_host_takes_no_such_name_from_whoever_calls_it(network, tmp_path, name, part):
    """A program at the site that leaves the widget out meets the host's own type."""
    network.server()
    site = network.site_job("site-1", JOB)
    (tmp_path / "log.txt").write_text("a line\n")
    with fedtail.Site(CellTransport(site.cell, ["server"])) as host:
        with pytest.raises(ValueError) as refused:
            host.stream(tmp_path / "log.txt", **{"job": JOB, "name": "log.txt", part: name})
        assert str(refused.value), "without a word"


@pytest.mark.parametrize("dest_dir", ["received", ".", "received/../received"])
def test_a_relative_store_stays_where_it_was_made(network, monkeypatch, dest_dir):
    """Below the directory that the process was in, also when the process goes elsewhere.
    (test_relative_source_dir_valid_file_returns_ok, test_relative_source_dir_valid_nested_returns_ok,
    test_relative_source_dir_normalized_inside_allowed, test_dot_source_valid_file_returns_ok)"""
    (network.directory / "here" / "received").mkdir(parents=True)
    monkeypatch.chdir(network.directory / "here")
    server = network.server()
    server.register("site-1")
    server.add_job(JOB)
    fire(JobLogReceiver(dest_dir=dest_dir), EventType.SYSTEM_START, server)
    os.chdir(network.directory)
    site = network.site_job("site-1", JOB)
    (network.directory / "site-1" / JOB / "log.txt").write_text("a line\n")
    streamer = JobLogStreamer()
    for event in EVENTS:
        fire(streamer, event, site)
    stored = network.directory / "here" / dest_dir / JOB / "site-1" / "log.txt"
    assert stored.read_text() == "a line\n"
    until((server.jobs / JOB / "LOG_log.txt_site-1").exists, "the filed log")


@pytest.mark.parametrize("site_name", ["..", "../site-1", "a/b", "/etc"])
def test_a_site_whose_name_leads_elsewhere_reaches_no_other_folder(network, logs, site_name):
    """Whatever FLARE has registered: the name meets the host's own type, and the site learns why.
    (test_relative_source_dir_traversal_parent_rejected, test_relative_source_dir_traversal_multiple_parents_rejected,
    test_relative_source_dir_traversal_subdir_escape_rejected, test_relative_source_dir_dot_dot_only_rejected,
    test_dot_source_traversal_rejected)"""
    server = network.server()
    server.register(site_name, fqcn="site-1")
    server.add_job(JOB)
    fire(JobLogReceiver(), EventType.SYSTEM_START, server)
    site = network.site_job("site-1", JOB)
    (network.directory / "site-1" / JOB / "log.txt").write_text("a line\n")
    streamer = JobLogStreamer(finish_timeout=20.0)
    for event in EVENTS:
        fire(streamer, event, site)
    assert logs.having("log.txt: refused") and logs.having("ERROR")
    found = {path.name for path in (network.directory / "server").rglob("*.txt")}
    assert not found


def test_a_job_whose_name_leads_elsewhere_reaches_no_other_folder(network, logs):
    """Its run goes on, and says that its log is not streamed."""
    server = network.server()
    server.register("site-1")
    fire(JobLogReceiver(), EventType.SYSTEM_START, server)
    site = network.site_job("site-1", JOB)
    site._contexts.job_id = ".."
    fire(JobLogStreamer(), EventType.START_RUN, site)
    assert logs.having("log.txt is not streamed: invalid job_id '..'")
    assert not list((network.directory / "server").rglob("*.txt"))


def test_a_log_that_is_never_written_ends_in_words(network, logs):
    """Nothing is made up for it. (test_nonexistent_file_inside_source_rejected)"""
    server = network.server()
    server.register("site-1")
    server.add_job(JOB)
    fire(JobLogReceiver(), EventType.SYSTEM_START, server)
    site = network.site_job("site-1", JOB)
    streamer = JobLogStreamer("never.txt", finish_timeout=20.0)
    for event in EVENTS:
        fire(streamer, event, site)
    assert logs.having("never.txt: ")
    assert not (server.jobs / JOB / "LOG_never.txt_site-1").exists()
