"""Logs of a site at the server, over gRPC with mutual TLS and without."""

from __future__ import annotations

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

import fedtail
from authority import Authority
from conftest import PATIENCE, Place, unraisable, until


def test_a_log_arrives_over_mutual_tls_under_the_name_in_the_certificate(place: Place, authority: Authority) -> None:
    """The log appears late, grows, and is stored whole, also what is written after the stop was requested."""
    with place.server(**authority.files("server", hosts=["127.0.0.1"])) as server:
        assert server.address and server.address.startswith("https://127.0.0.1:")
        with fedtail.Site(server.address, **authority.files("hospital-a")) as site:
            stream = site.stream(place.directory / "log.txt", job="job-1")
            assert stream.outcome is None
            log = place.log("round 1\n")
            until("the first line is stored", lambda: place.stored(site="hospital-a") == "round 1\n")
            stream.request_stop()
            with log.open("a") as more:
                more.write("the last words\n")
            outcome = stream.finish(PATIENCE)
        assert outcome.ending == "complete" and outcome.complete and outcome.reason == "" and outcome.gaps == []
        assert str(outcome) == outcome.text == "complete, 23 bytes at the server"
        assert place.stored(site="hospital-a") == "round 1\nthe last words\n"
        assert stream.stored == outcome.stored == 23
        assert stream.outcome and stream.outcome.text == outcome.text


def test_a_certificate_that_may_not_write_is_refused_in_words(place: Place, authority: Authority) -> None:
    files = authority.files("server", hosts=["127.0.0.1"])
    with place.server(site_names=["site-*"], operators=["admin"], **files) as server:
        assert server.address
        with fedtail.Site(server.address, **authority.files("intruder")) as site:
            outcome = site.stream(place.log("secret\n"), job="job-1").finish(PATIENCE)
    assert outcome.ending == "refused"
    assert "'intruder'" in outcome.reason.replace('"', "'") and "may write" in outcome.reason, outcome.reason
    assert place.stored(site="intruder") is None


def test_a_server_of_another_authority_is_not_trusted(
    place: Place, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Authority(tmp_path_factory.mktemp("other"))
    with place.server(**other.files("server", hosts=["127.0.0.1"])) as server:
        assert server.address
        with fedtail.Site(server.address, **authority.files("site-1")) as site:
            outcome = site.stream(place.log("secret\n"), job="job-1").finish(PATIENCE)
    assert outcome.ending == "refused"
    assert "authority" in outcome.reason, outcome.reason


def test_each_ending_is_told_once_in_order_with_its_place(
    place: Place, server: fedtail.Server, site: fedtail.Site
) -> None:
    """``on_finished`` hears of each stream exactly once, by the time that the server is closed."""
    for number in range(20):
        log = place.log(f"log {number}\n", name=f"log-{number}.txt")
        assert site.stream(log, job="job-1", once=True).finish(PATIENCE).complete
    server.close()
    told = [finished.log for finished in place.finished]
    assert told == [f"log-{number}.txt" for number in range(20)]
    last = place.finished[-1]
    assert (last.job, last.site, last.ending, last.bytes, last.reason) == ("job-1", "site-1", "complete", 7, "")
    assert Path(last.path).read_text() == "log 19\n"
    assert str(last) == "job-1/site-1/log-19.txt complete, 7 bytes"


def test_a_stream_that_nobody_comes_back_to_is_told_as_idle_once(place: Place) -> None:
    """The partial log stays, and the message says where."""
    with place.server() as server:
        assert server.address
        site = fedtail.Site(server.address, site="site-1")
        stream = site.stream(place.log("half\n"), job="job-1")
        until("the line is stored", lambda: stream.stored == 5)
    # The server that comes next listens elsewhere, so the site does not find it.
    assert place.finished == []
    with place.server(idle_timeout=0.1):
        until("the ending is told", lambda: place.finished)
    site.close(0.0)
    assert [finished.ending for finished in place.finished] == ["idle"]
    assert str(place.finished[0]).endswith(f"the partial log stays in {place.store}/job-1/site-1/log.txt")


def test_a_rotated_log_arrives_whole(place: Place, site: fedtail.Site) -> None:
    """Python's own handler rotates by rename, and deletes the oldest."""
    path = place.directory / "log.txt"
    stream = site.stream(path, job="job-1")
    handler = RotatingFileHandler(path, maxBytes=20_000, backupCount=3)
    logger = logging.Logger("rotated")
    logger.addHandler(handler)
    for number in range(5_000):
        logger.info("line %d", number)
        if number % 250 == 0:
            until("the server is not far behind", lambda: stream.stored > 0 and stream.stored > number * 6 - 40_000)
    handler.close()
    outcome = stream.finish(PATIENCE)
    assert outcome.complete, outcome
    assert place.stored() == "".join(f"line {number}\n" for number in range(5_000))


def test_what_the_source_may_have_lost_is_told_as_a_gap(place: Place, site: fedtail.Site) -> None:
    """A log that is cut may have had more in it than anybody has read."""
    log = place.log("one\n" * 100)
    stream = site.stream(log, job="job-1")
    until("all of it is stored", lambda: stream.stored == 400)
    os.truncate(log, 0)
    with log.open("a") as more:
        more.write("two\n")
    outcome = stream.finish(PATIENCE)
    assert (outcome.ending, outcome.complete) == ("incomplete", False)
    assert place.stored() == "one\n" * 100 + "two\n"
    (gap,) = outcome.gaps
    assert (gap.lost, gap.kind, gap.at) == (None, "truncated", 400) and str(log) in gap.words
    assert str(gap) == gap.text and gap.text in str(outcome)


def test_a_snapshot_ends_by_itself_under_another_name(place: Place, site: fedtail.Site) -> None:
    stream = site.stream(place.log("all there is\n"), job="job-1", name="snapshot", once=True)
    until("it ends by itself", lambda: stream.outcome is not None)
    assert place.stored(log="snapshot") == "all there is\n"


def test_the_list_of_logs_is_what_the_program_lists(place: Place, server: fedtail.Server, site: fedtail.Site) -> None:
    ended = site.stream(place.log("one\n", name="a"), job="job-1")
    assert ended.finish(PATIENCE).complete
    stream = site.stream(place.log("two\n", name="b"), job="job-1")
    until("both are stored", lambda: stream.stored == 4)
    first, second = server.logs()
    assert (first.job, first.site, first.log, first.stored, first.ending) == ("job-1", "site-1", "a", 4, "complete")
    assert (second.log, second.stored, second.ending, second.unreadable) == ("b", 4, None, "")
    assert Path(second.path).read_text() == "two\n"
    assert first.last_heard > 1.7e9
    assert [begin for begin, _digest in first.policies] == [0] and len(first.policies[0][1]) == 64


def test_callbacks_of_a_stream_are_called_once_each(place: Place, site: fedtail.Site) -> None:
    """Also one that is added after the end. What one raises does not keep the others from being called."""
    told: list[str] = []
    stream = site.stream(place.log("one\n"), job="job-1")

    def raises(_outcome: fedtail.Outcome) -> None:
        told.append("raises")
        raise RuntimeError("on purpose")

    stream.on_ended(raises)
    stream.on_ended(lambda outcome: told.append(outcome.ending))
    with unraisable() as raised:
        assert stream.finish(PATIENCE).complete
        stream.on_ended(lambda _outcome: told.append("late"))
        until("all are called", lambda: len(told) == 3)
        until("what was raised is shown", lambda: raised)
    assert sorted(told) == ["complete", "late", "raises"]
    assert str(raised[0]) == "on purpose"


def test_logs_are_shown_as_they_are_stored_until_the_server_is_closed(
    place: Place, server: fedtail.Server, site: fedtail.Site
) -> None:
    """Each log in order from its first byte, also one that appears later."""
    tail = server.tail("job-1", follow=True)
    note = next(tail)
    assert (note.site, note.data) == ("", b"") and note.note.endswith("waiting for it"), note.note
    log = place.log("one\n", name="a")
    first = site.stream(log, job="job-1")
    chunk = next(tail)
    assert (chunk.site, chunk.log, chunk.data, chunk.ended, chunk.note) == ("site-1", "a", b"one\n", False, "")
    with log.open("a") as more:
        more.write("two\n")
    assert next(tail).data == b"two\n"
    assert first.finish(PATIENCE).complete
    assert next(tail).ended
    site.stream(place.log("three\n", name="b"), job="job-1")
    chunk = next(tail)
    assert (chunk.log, chunk.data) == ("b", b"three\n")
    assert [(chunk.log, chunk.data) for chunk in server.tail("job-1", log="a") if chunk.data] == [("a", b"one\ntwo\n")]
    with pytest.raises(OSError, match="has no log of job job-2"):
        next(server.tail("job-2"))
    with pytest.raises(ValueError, match="it names a directory"):
        server.tail("job-1", site="..")
    server.close()
    assert list(tail) == []
