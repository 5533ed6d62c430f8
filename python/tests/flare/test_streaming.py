"""From a site's widget to the server's, over FLARE's cells: each line arrives, and is filed with its job.

The names in brackets are FLARE's own unit tests of its log streaming, whose behaviour the test here covers.
"""

import threading

import pytest
from fedtail.flare import JobLogReceiver, JobLogStreamer
from fedtail.flare.cell import CellTransport, Exchange
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import SystemComponents

from engine import fire
from federation import until

JOB = "job-1"


@pytest.fixture
def server(network):
    """The server's parent process with a receiver, a job, and site-1."""
    server = network.server()
    server.register("site-1")
    server.add_job(JOB)
    server.receiver = JobLogReceiver()
    fire(server.receiver, EventType.SYSTEM_START, server)
    yield server
    fire(server.receiver, EventType.SYSTEM_END, server)


@pytest.fixture
def site(network):
    """A job's process at site-1."""
    return network.site_job("site-1", JOB)


def log_of(network, site, log="log.txt"):
    """The log that the job's process writes."""
    return network.directory / site / JOB / log


def run(streamer, site, write, end=True):
    """A run of a job: its events, and lines at each moment of it."""
    fire(streamer, EventType.START_RUN, site)
    write("while it runs\n")
    fire(streamer, EventType.ABOUT_TO_END_RUN, site)
    write("after it was asked to end\n")
    if end:
        fire(streamer, EventType.END_RUN, site)


def writer(path):
    """Appends text to a log."""

    def write(text):
        with open(path, "a") as log:
            log.write(text)

    return write


@pytest.mark.parametrize(
    "log, component", [("log.txt", "LOG_log.txt"), ("error_log.txt", "ERRORLOG"), ("metrics.out", "LOG_metrics.out")]
)
def test_a_log_is_filed_with_its_job(network, server, site, logs, log, component):
    """Under the name that FLARE's own receiver gives, with the last line that was written before END_RUN.
    (test_job_log_receiver_uses_trusted_peer_identity_for_storage, test_on_job_started_starts_streaming_when_allowed)"""
    run(JobLogStreamer(log), site, writer(log_of(network, "site-1", log)))
    filed = server.jobs / JOB / f"{component}_site-1"
    until(filed.exists, "the filed log")
    assert filed.read_text() == "while it runs\nafter it was asked to end\n"
    until(
        lambda: logs.having(f"{JOB}/site-1/{log} is filed as the job's component {component}_site-1, 40 bytes"), "words"
    )
    live = network.directory / "server" / "live_logs" / JOB / "site-1" / log
    assert live.read_text() == filed.read_text(), "the store's own copy stays"


def test_the_end_is_only_asked_for_and_the_run_then_waits_for_it(network, server, site):
    """ABOUT_TO_END_RUN returns at once, END_RUN when the server has the log."""
    path = log_of(network, "site-1")
    streamer = JobLogStreamer()
    run(streamer, site, writer(path), end=False)
    live = network.directory / "server" / "live_logs" / JOB / "site-1" / "log.txt"
    fire(streamer, EventType.END_RUN, site)
    assert live.read_text() == path.read_text()


def test_several_logs_share_one_connection_and_end_each_for_itself(network, server, site, logs):
    """One ending for each stream. (test_stream_done_callback_is_scoped_per_stream)"""
    streamers = [JobLogStreamer(f"log-{number}.txt") for number in range(5)]
    for number, streamer in enumerate(streamers):
        run(streamer, site, writer(log_of(network, "site-1", f"log-{number}.txt")))
    until(lambda: len(logs.having("is filed as")) == 5, "five logs filed")
    assert len(Exchange.of(site.cell)._lines) <= 1


def test_a_receiver_that_comes_later_gets_everything(network, logs):
    """Nobody listens at the server when the job begins: the stream waits, and loses nothing.
    (test_first_chunk_execution_exception_is_transient_and_retries, test_first_chunk_ok_flips_strict_mode,
    test_first_chunk_execution_exception_on_heartbeat_does_not_seek)"""
    server = network.server()
    server.register("site-1")
    server.add_job(JOB)
    site = network.site_job("site-1", JOB)
    path = log_of(network, "site-1")
    streamer = JobLogStreamer()
    fire(streamer, EventType.START_RUN, site)
    writer(path)("before anybody listens\n")
    until(lambda: logs.having("no log receiver is at server: fedtail.flare.JobLogReceiver belongs into"), "the words")
    fire(JobLogReceiver(), EventType.SYSTEM_START, server)
    fire(streamer, EventType.ABOUT_TO_END_RUN, site)
    fire(streamer, EventType.END_RUN, site)
    until((server.jobs / JOB / "LOG_log.txt_site-1").exists, "the filed log")
    assert (server.jobs / JOB / "LOG_log.txt_site-1").read_text() == "before anybody listens\n"


def test_a_receiver_that_is_started_anew_goes_on_where_it_was(network, server, site):
    """FLARE's own stream ends for good after an error; this one connects again and nothing is there twice.
    (test_execution_exception_after_first_ok_still_ends_stream,
    test_process_replies_tolerates_falsy_replies_after_first_ok)"""
    path = log_of(network, "site-1")
    live = network.directory / "server" / "live_logs" / JOB / "site-1" / "log.txt"
    write = writer(path)
    streamer = JobLogStreamer()
    fire(streamer, EventType.START_RUN, site)
    write("one\n")
    until(lambda: live.exists() and live.read_text() == "one\n", "the first line")
    fire(server.receiver, EventType.SYSTEM_END, server)
    write("two\n")
    server.receiver = JobLogReceiver()
    fire(server.receiver, EventType.SYSTEM_START, server)
    write("three\n")
    fire(streamer, EventType.ABOUT_TO_END_RUN, site)
    fire(streamer, EventType.END_RUN, site)
    assert live.read_text() == "one\ntwo\nthree\n"


def test_a_server_that_never_comes_costs_the_job_its_finish_timeout_and_no_more(network, logs):
    """The words say what is missing and where the log is. (test_persistent_bootstrap_execution_exception_is_capped)"""
    network.server()
    site = network.site_job("site-1", JOB)
    path = log_of(network, "site-1")
    run(JobLogStreamer(finish_timeout=1.0), site, writer(path))
    (line,) = logs.having(f"the log itself stays in {path}")
    assert "timed out" in line


def test_a_job_that_is_finalised_while_a_site_still_drains_gets_the_log(network, server, site):
    """NVFlare issue 5207: the server's job is over, its process too; the parent's receiver still takes the rest."""
    path = log_of(network, "site-1")
    streamer = JobLogStreamer()
    job = network.server_job(JOB)
    job.register("site-1")
    own = JobLogReceiver()
    fire(own, EventType.START_RUN, job)
    fire(streamer, EventType.START_RUN, site)
    writer(path)("while the job runs\n")
    fire(own, EventType.END_RUN, job)
    network.stop(job)
    writer(path)("when the server's job is over\n")
    fire(streamer, EventType.ABOUT_TO_END_RUN, site)
    fire(streamer, EventType.END_RUN, site)
    filed = server.jobs / JOB / "LOG_log.txt_site-1"
    until(filed.exists, "the filed log")
    assert filed.read_text() == "while the job runs\nwhen the server's job is over\n"


def test_without_a_receiver_at_the_server_the_jobs_own_takes_the_log(network, logs):
    """Its process waits in END_RUN for sites that still send, and the log is in the job's folder."""
    network.server()
    job = network.server_job(JOB)
    job.register("site-1")
    site = network.site_job("site-1", JOB)
    receiver, streamer = JobLogReceiver(), JobLogStreamer()
    fire(receiver, EventType.START_RUN, job)
    fire(streamer, EventType.START_RUN, site)
    writer(log_of(network, "site-1"))("a line\n")
    live = network.directory / "server" / JOB / "live_logs" / JOB / "site-1" / "log.txt"
    until(live.exists, "the first bytes at the job's process")
    ending = threading.Thread(target=fire, args=(receiver, EventType.END_RUN, job))
    ending.start()
    ending.join(0.5)
    assert ending.is_alive(), "the job's process went while a site was sending"
    writer(log_of(network, "site-1"))("the last line\n")
    fire(streamer, EventType.ABOUT_TO_END_RUN, site)
    fire(streamer, EventType.END_RUN, site)
    ending.join(60)
    filed = network.directory / "server" / JOB / "site-1" / "log.txt"
    until(filed.exists, "the log in the job's folder")
    assert filed.read_text() == "a line\nthe last line\n"


def test_the_servers_process_of_a_job_is_replaced(network, logs):
    """It dies without a word, and another takes its name and its store: the log goes on."""
    network.server()
    job = network.server_job(JOB)
    job.register("site-1")
    site = network.site_job("site-1", JOB)
    receiver, streamer = JobLogReceiver(), JobLogStreamer()
    fire(receiver, EventType.START_RUN, job)
    fire(streamer, EventType.START_RUN, site)
    write = writer(log_of(network, "site-1"))
    write("one\n")
    live = network.directory / "server" / JOB / "live_logs" / JOB / "site-1" / "log.txt"
    until(lambda: live.exists() and live.read_text() == "one\n", "the first line")
    receiver._close()  # a process that ends gives its store's lock back
    network.stop(job)
    write("two\n")
    job = network.server_job(JOB)
    job.register("site-1")
    fire(JobLogReceiver(), EventType.START_RUN, job)
    fire(streamer, EventType.ABOUT_TO_END_RUN, site)
    fire(streamer, EventType.END_RUN, site)
    assert live.read_text() == "one\ntwo\n"


def test_a_site_that_falls_silent_is_told_of_once_and_its_log_stays(network, logs):
    """Each stream by itself, whether it has sent a byte or not; the words name the path.
    (test_idle_timeout_ends_each_stream_independently, test_idle_timeout_cleans_up_stream_even_without_fl_ctx)"""
    server = network.server()
    server.add_job(JOB)
    receiver = JobLogReceiver(idle_timeout=1.0)
    fire(receiver, EventType.SYSTEM_START, server)
    for number in (1, 2):
        server.register(f"site-{number}")
        site = network.site_job(f"site-{number}", JOB)
        streamer = JobLogStreamer(liveness_interval=0.2)
        fire(streamer, EventType.START_RUN, site)
        if number == 1:
            writer(log_of(network, "site-1"))("the last words\n")
            live = network.directory / "server" / "live_logs" / JOB / "site-1" / "log.txt"
            until(lambda: live.exists() and live.read_text(), "the line")
        until(lambda: len(receiver._server.logs()) == number, "the stream at the server")
        # The process is gone: nothing more of it reaches the network.
        site.cell.core_cell.fire_and_forget = lambda *_, **__: {}
    for number in (1, 2):
        until(lambda: logs.having(f"{JOB}/site-{number}/log.txt ended"), f"the end of site-{number}", 30)
    (line,) = logs.having(f"{JOB}/site-1/log.txt ended")
    assert f"the partial log stays in {live}" in line
    assert live.read_text() == "the last words\n"
    assert not (server.jobs / JOB / "LOG_log.txt_site-1").exists()


def test_a_liveness_interval_that_the_server_would_take_for_silence_is_refused(network, server, site, logs):
    """In words, when the stream opens. (test_stream_log_rejects_liveness_interval_not_less_than_idle_timeout)"""
    streamer = JobLogStreamer(liveness_interval=60.0, finish_timeout=5.0)
    run(streamer, site, writer(log_of(network, "site-1")))
    assert [line for line in logs.having("liveness") if "idle" in line]


def test_an_empty_log_is_a_warning_and_an_empty_error_log_is_not(network, server, site, logs):
    """(test_job_log_receiver_does_not_warn_for_empty_error_log_stream,
    test_job_log_receiver_warns_for_empty_regular_log_stream)"""
    for log in ("log.txt", "error_log.txt"):
        log_of(network, "site-1", log).touch()
        run(JobLogStreamer(log), site, lambda text: None)
    until(lambda: logs.having(f"{JOB}/site-1/log.txt ended without a single byte"), "the warning")
    assert not logs.having("error_log.txt ended without")


def test_a_log_that_can_not_be_filed_stays_and_the_words_say_where(network, server, site, logs):
    """The job was deleted meanwhile, so FLARE's storage refuses.
    (test_job_log_receiver_does_not_log_saved_when_storage_fails)"""
    (server.jobs / JOB / "meta").unlink()
    (server.jobs / JOB).rmdir()
    run(JobLogStreamer(), site, writer(log_of(network, "site-1")))
    (line,) = until(lambda: logs.having("can't be filed with its job"), "the error")
    live = network.directory / "server" / "live_logs" / JOB / "site-1" / "log.txt"
    assert "is not a valid directory" in line and f"it stays in {live}" in line
    assert live.read_text() == "while it runs\nafter it was asked to end\n"
    assert not logs.having("is filed as")


def test_a_receiver_listens_wherever_its_process_gets_a_cell(network, server, site):
    """SYSTEM_START in the server's parent, START_RUN in a job's process, and again when FLARE makes another cell.
    (test_register_fires_on_run_lifecycle_events, test_register_reregisters_on_each_event,
    test_register_event_handlers_cover_server_subprocess_path)"""
    assert {EventType.SYSTEM_START, EventType.ABOUT_TO_START_RUN, EventType.START_RUN} <= set(
        server.receiver.get_event_handlers()
    )
    job = network.server_job(JOB)
    job.register("site-1")
    job.components[SystemComponents.JOB_MANAGER] = None
    fire(server.receiver, EventType.START_RUN, job)
    fire(server.receiver, EventType.START_RUN, job)

    class Nobody:
        def deliver(self, message):
            pass

        def close(self, reason=None):
            pass

    for target in ("server", f"server.{JOB}"):
        CellTransport(site.cell, [target]).connect(Nobody()).close()


def test_the_abort_of_a_run_does_not_cut_the_drain_short(network, server, site):
    """FLARE triggers the run's signal before it ends a run, also a good one; the widget does not look at it."""
    path = log_of(network, "site-1")
    streamer = JobLogStreamer()
    fire(streamer, EventType.START_RUN, site)
    writer(path)("x" * 3_000_000 + "\n")
    fire(streamer, EventType.ABOUT_TO_END_RUN, site)
    fire(streamer, EventType.END_RUN, site)
    live = network.directory / "server" / "live_logs" / JOB / "site-1" / "log.txt"
    assert live.read_bytes() == path.read_bytes()
