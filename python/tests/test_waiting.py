"""What waits leaves the interpreter to others, and ends with a signal."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

import fedtail
from place import PATIENCE, Place, until

#: Nobody listens there.
NOWHERE = "http://127.0.0.1:9"


def test_other_threads_run_while_finish_waits(place: Place) -> None:
    site = fedtail.Site(NOWHERE, site="site-1")
    stream = site.stream(place.log("one\n"), job="job-1")
    count = 0
    over = threading.Event()

    def counts() -> None:
        nonlocal count
        while not over.is_set():
            count += 1

    thread = threading.Thread(target=counts)
    thread.start()
    before = count
    outcome = stream.finish(1.0)
    progress = count - before
    over.set()
    thread.join()
    site.close(0.0)
    assert outcome.ending == "timed out"
    # Were the interpreter held for the second, the thread would have come to almost nothing.
    assert progress > 10_000, progress


def test_a_stream_that_is_given_up_says_what_it_was_waiting_for(place: Place) -> None:
    with fedtail.Site(NOWHERE, site="site-1") as site:
        stream = site.stream(place.log("one\n"), job="job-1")
        outcome = stream.finish(0.1)
        assert str(outcome) == (
            "timed out, 0 bytes at the server: after 100ms, the server was not to be reached"
        )
        # It is one outcome, whoever asks and how often.
        assert stream.finish(PATIENCE).text == outcome.text
        assert stream.outcome and stream.outcome.text == outcome.text


def test_a_timeout_that_is_no_time_is_refused_and_the_stream_goes_on(
    place: Place, site: fedtail.Site
) -> None:
    stream = site.stream(place.log("one\n"), job="job-1")
    with pytest.raises(ValueError, match="timeout=-1 is no time"):
        stream.finish(-1.0)
    assert stream.outcome is None
    assert stream.finish(None).complete


def test_ctrl_c_ends_the_waiting_and_the_stream_can_be_finished_again(place: Place) -> None:
    with place.server() as server:
        listen = server.address.rsplit("/", 1)[-1] if server.address else ""
    site = fedtail.Site(f"http://{listen}", site="site-1")
    stream = site.stream(place.log("one\n"), job="job-1")
    waits = threading.Event()

    def interrupts() -> None:
        waits.wait(PATIENCE)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupts)
    thread.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        waits.set()
        stream.finish(PATIENCE)
    thread.join()
    assert time.monotonic() - begin < PATIENCE / 2
    assert stream.outcome is None, "nothing was given up"
    with place.server(listen=listen):
        assert stream.finish(PATIENCE).complete
    site.close()


def test_several_threads_wait_for_the_same_outcome(place: Place, site: fedtail.Site) -> None:
    stream = site.stream(place.log("one\n"), job="job-1")
    outcomes: list[str] = []
    threads = [threading.Thread(target=lambda: outcomes.append(str(stream.finish(PATIENCE)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["complete, 4 bytes at the server"] * 8


def test_a_stream_that_nobody_keeps_goes_on_until_the_site_is_closed(place: Place, server: fedtail.Server) -> None:
    assert server.address
    with fedtail.Site(server.address, site="site-1") as site:
        site.stream(place.log("one\n"), job="job-1")
        until("it is stored", lambda: place.stored() == "one\n")
        with (place.directory / "log.txt").open("a") as more:
            more.write("two\n")
    # Closing the site has finished it.
    server.close()
    assert [str(finished) for finished in place.finished] == ["job-1/site-1/log.txt complete, 8 bytes"]
    assert place.stored() == "one\ntwo\n"


def test_a_callback_may_close_its_own_server(place: Place) -> None:
    """It runs on the thread that closing waits for."""
    closed = threading.Event()

    def close(_finished: fedtail.Finished) -> None:
        server.close()
        closed.set()

    server = place.server(on_finished=close)
    assert server.address
    with fedtail.Site(server.address, site="site-1") as site:
        site.stream(place.log("one\n"), job="job-1").finish(PATIENCE)
    assert closed.wait(PATIENCE)
    fedtail.Server(place.store).close()
