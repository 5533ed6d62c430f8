"""A runtime's own channel: a queue in memory for each direction, which breaks."""

from __future__ import annotations

import threading
from typing import Callable

import pytest

import fedtail
from place import PATIENCE, Place, until
from queues import Queue, Queues


def lines(count: int) -> str:
    return "".join(f"line {number} of a log that is long enough to be on its way for a while\n" for number in range(count))


def test_a_log_arrives_whole_over_a_channel_that_is_cut_at_either_end(place: Place, server: fedtail.Server) -> None:
    """What is in the queues when they are cut is lost; the store has every byte once."""
    queues = Queues(server, "hospital-a")
    part = lines(50_000)
    log = place.log("")
    with fedtail.Site(queues, poll_interval=0.05) as site:
        stream = site.stream(log, job="job-1")
        for number, end in enumerate((0, 1, 0)):
            with log.open("a") as more:
                more.write(part)
            stored = number * len(part)
            until("some of it is stored", lambda: len(queues.connections) == number + 1 and stream.stored > stored)
            queues.cut(end)
        with log.open("a") as more:
            more.write(part)
        outcome = stream.finish(PATIENCE)
    assert outcome.complete, outcome
    assert place.stored(site="hospital-a") == 4 * part
    assert len(queues.connections) == 4
    # A frame holds a chunk, and none is larger than what is promised to channels.
    assert 100_000 < max(to_server.most for _, to_server in queues.connections) <= 1 << 20
    until("all is closed", lambda: all(q.closed.is_set() for connection in queues.connections for q in connection))


def test_the_server_takes_the_name_that_the_runtime_has_authenticated(place: Place, server: fedtail.Server) -> None:
    """What the site says of itself is not looked at."""
    with fedtail.Site(Queues(server, "real"), site="claimed") as site:
        assert site.stream(place.log("one\n"), job="job-1").finish(PATIENCE).complete
    assert place.stored(site="real") == "one\n" and place.stored(site="claimed") is None


def test_a_server_that_is_replaced_goes_on_where_the_one_before_was(place: Place) -> None:
    """Closed with the connection open, the first frees its store at once; the site finds the next."""
    first = place.server(listen=None)
    queues = Queues(first)
    log = place.log("one\n")
    with fedtail.Site(queues, poll_interval=0.02) as site:
        stream = site.stream(log, job="job-1")
        until("the first line is stored", lambda: place.stored() == "one\n")
        first.close()
        with place.server(listen=None) as second:
            with log.open("a") as more:
                more.write("two\n")
            queues.server = second
            assert stream.finish(PATIENCE).complete
    assert place.stored() == "one\ntwo\n"
    assert [finished.ending for finished in place.finished] == ["complete"]


class Refusing(fedtail.Transport):
    """Raises until it has raised often enough."""

    def __init__(self, error: Callable[[], Exception], times: int, then: Queues) -> None:
        self.error, self.times, self.then = error, times, then

    def connect(self, incoming: fedtail.Incoming) -> Queue:
        if self.times > 0:
            self.times -= 1
            raise self.error()
        return self.then.connect(incoming)


@pytest.mark.parametrize("error", [lambda: ConnectionError("no route"), lambda: KeyError("cell")])
def test_a_channel_that_is_not_there_yet_is_tried_again(
    place: Place, server: fedtail.Server, error: Callable[[], Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises; why is said once, by the logger ``fedtail``."""
    with fedtail.Site(Refusing(error, 2, Queues(server))) as site:
        assert site.stream(place.log("one\n"), job="job-1").finish(PATIENCE).complete
        words = "Refusing: no route; trying again" if isinstance(error(), ConnectionError) else "KeyError: 'cell'; trying"
        until("it is said", lambda: any(words in record.getMessage() for record in caplog.records))
        said = [record for record in caplog.records if "trying again" in record.getMessage()]
    assert [(record.name, record.levelname) for record in said] == [("fedtail", "WARNING")]


def test_a_channel_that_does_not_trust_is_not_tried_again(place: Place, server: fedtail.Server) -> None:
    refusing = Refusing(lambda: PermissionError("the cell is not one of this job's"), 99, Queues(server))
    with fedtail.Site(refusing) as site:
        outcome = site.stream(place.log("one\n"), job="job-1").finish(PATIENCE)
    assert (outcome.ending, outcome.reason) == ("refused", "the cell is not one of this job's")
    assert refusing.times == 98


def test_what_is_no_message_of_the_host_ends_the_connection_in_words(server: fedtail.Server) -> None:
    outgoing = Queue()
    incoming = server.connect("site-1", outgoing)
    assert not incoming.closed
    incoming.deliver(b"")
    until("it is over", lambda: incoming.closed)
    with pytest.raises(fedtail.Disconnected, match="the connection is gone"):
        incoming.deliver(b"\xff")
    assert outgoing.closed.wait(PATIENCE)

    incoming = server.connect("site-1", Queue())
    incoming.deliver(b"\xff\xff")
    until("it is over", lambda: incoming.closed)
    with pytest.raises(ConnectionError, match="a message of 2 bytes came that is no frame of fedtail"):
        incoming.deliver(b"\xff")

    incoming = server.connect("site-1", Queue())
    incoming.close("the cell is gone")
    with pytest.raises(fedtail.Disconnected, match="the connection is gone: the cell is gone"):
        incoming.deliver(b"")


class Deaf:
    """Takes nothing until it is told to."""

    def __init__(self) -> None:
        self.sending = threading.Event()
        self.hears = threading.Event()
        self.closed = threading.Event()

    def send(self, message: bytes) -> None:
        self.sending.set()
        assert self.hears.wait(PATIENCE)

    def close(self) -> None:
        self.closed.set()


def test_a_channel_that_has_no_room_holds_up_its_own_site_and_nothing_else(
    place: Place, server: fedtail.Server
) -> None:
    """Its messages wait in its ``send``; another site's log arrives, and the server can be closed."""
    deaf = Deaf()

    class Stuck(fedtail.Transport):
        def connect(self, incoming: fedtail.Incoming) -> Deaf:
            return deaf

    stuck = fedtail.Site(Stuck())
    stream = stuck.stream(place.log("one\n", name="stuck"), job="job-1")
    assert deaf.sending.wait(PATIENCE)
    with fedtail.Site(Queues(server)) as site:
        assert site.stream(place.log("one\n"), job="job-1").finish(PATIENCE).complete
    outcome = stream.finish(0.2)
    assert (outcome.ending, outcome.stored) == ("timed out", 0)
    assert outcome.reason.startswith("after 200ms, ") and outcome.reason.endswith("the server was not to be reached")
    deaf.hears.set()
    stuck.close()
    assert deaf.closed.wait(PATIENCE)


def test_a_thread_that_delivers_waits_for_room_without_the_gil(server: fedtail.Server) -> None:
    """A site that sends more than the server can take in is held up in ``deliver``, alone."""
    incoming = server.connect("site-1", Deaf())
    hello = b"\x0a\x02\x08\x01"
    incoming.deliver(hello)
    # Openings of streams, each answered in words that nobody takes: then the server reads no further.
    opening = b"\x12\x04\x08\x07\x12\x00"
    delivered: list[int] = []
    gone = threading.Event()

    def deliver() -> None:
        try:
            for number in range(10_000):
                incoming.deliver(opening)
                delivered.append(number)
        except fedtail.Disconnected:
            gone.set()

    thread = threading.Thread(target=deliver)
    thread.start()
    last = -1

    def stands_still() -> bool:
        nonlocal last
        thread.join(0.3)
        stands, last = len(delivered) == last, len(delivered)
        return stands

    until("there is no room", stands_still)
    assert len(delivered) < 9_000 and thread.is_alive()
    incoming.close("enough")
    assert gone.wait(PATIENCE)
