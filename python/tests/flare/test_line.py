"""One connection over a network that reorders and loses: order, bounds, and words for what can't be repaired."""

import random
import threading

import fedtail
import pytest
from fedtail.flare import line as line_module
from fedtail.flare.line import WINDOW, Line


class Host:
    """Takes messages as the host does: in order, and for as long as it likes."""

    def __init__(self):
        self.messages = []
        self.reason = None
        self.room = threading.Event()
        self.room.set()

    def deliver(self, message):
        self.room.wait()
        self.messages.append(message)

    def close(self, reason=None):
        self.reason = reason


class Network:
    """Carries what a line posts, in an order that the test decides."""

    def __init__(self):
        self.data_posted = []
        self.taken_posted = []
        self.closed = []

    def data(self, number, message):
        self.data_posted.append((number, message))

    def taken(self, number):
        self.taken_posted.append(number)

    def close(self, reason):
        self.closed.append(reason)


@pytest.fixture
def line():
    line = Line("peer", Network(), lambda: None)
    line.host, line.network = Host(), line._post
    line.attach(line.host)
    return line


@pytest.mark.parametrize("seed", range(20))
def test_messages_come_out_in_order_whatever_order_they_come_in(line, seed):
    """FLARE's threads overtake each other; within the window any order is put right, and repeats are dropped."""
    chance = random.Random(seed)
    numbers = list(range(1, 201))
    while numbers:
        # The sender waits for what was taken, so nothing is ahead of the window.
        number = chance.choice([n for n in numbers if n < numbers[0] + WINDOW])
        line.arrived(number, str(number).encode())
        if chance.random() < 0.1:
            line.arrived(number, b"once more")
        numbers.remove(number)
    assert line.host.messages == [str(n).encode() for n in range(1, 201)]
    assert line.host.reason is None


def test_threads_that_bring_messages_at_once_keep_the_order(line):
    """As FLARE calls: many threads, one message each, no order between them."""
    for begin in range(0, 480, WINDOW):
        numbers = range(begin + 1, begin + WINDOW + 1)
        threads = [threading.Thread(target=line.arrived, args=(n, str(n).encode())) for n in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert line.host.messages == [str(n).encode() for n in range(1, 481)]


def test_at_most_one_thread_waits_for_a_host_without_room(line):
    """FLARE has a hundred threads for all that it does; a host that is busy must not take them."""
    line.host.room.clear()
    first = threading.Thread(target=line.arrived, args=(1, b"1"))
    first.start()
    for number in range(2, WINDOW + 1):
        line.arrived(number, str(number).encode())  # returns, or this test hangs
    assert line.host.messages == []
    line.host.room.set()
    first.join()
    assert line.host.messages == [str(n).encode() for n in range(1, WINDOW + 1)]


def test_a_sender_waits_until_the_other_side_has_taken(line):
    """Few messages are on their way: what is ahead of the window waits with its sender."""
    for number in range(WINDOW):
        line.send(b"%d" % number)
    sent = threading.Event()
    thread = threading.Thread(target=lambda: (line.send(b"one more"), sent.set()))
    thread.start()
    assert not sent.wait(0.2)
    line.taken(4)
    assert sent.wait(10)
    thread.join()
    assert [number for number, _ in line.network.data_posted] == list(range(1, WINDOW + 2))


def test_the_other_side_is_told_what_was_taken(line):
    """Often enough that its window never closes while it sends at full speed."""
    for number in range(1, 3 * WINDOW + 1):
        line.arrived(number, b"x")
    told = line.network.taken_posted
    assert told == sorted(told)
    assert 3 * WINDOW - told[-1] < WINDOW // 2


def test_a_sender_that_waits_learns_that_the_line_ended(line):
    """The words are those of whoever ended it."""
    for _ in range(WINDOW):
        line.send(b"x")
    errors = []

    def send():
        try:
            line.send(b"one more")
        except fedtail.Disconnected as error:
            errors.append(str(error))

    thread = threading.Thread(target=send)
    thread.start()
    line.ended("the other side was started anew")
    thread.join(10)
    assert errors == ["the other side was started anew"]
    assert line.host.reason == "the other side was started anew"


def test_a_message_beyond_the_window_ends_the_line(line):
    """The one in between was lost, and the sender does not know: the host must connect again."""
    line.arrived(WINDOW + 1, b"x")
    assert line.host.reason == "message 1 of the connection was lost on its way"
    assert line.network.closed == [line.host.reason]
    with pytest.raises(fedtail.Disconnected, match="message 1 of the connection was lost"):
        line.send(b"x")


def test_a_message_that_does_not_come_ends_the_line_when_time_is_up(line, monkeypatch):
    """A gap is no reason by itself; one that lasts is."""
    now = [100.0]
    monkeypatch.setattr(line_module.time, "monotonic", lambda: now[0])
    line.arrived(1, b"1")
    line.arrived(3, b"3")
    now[0] += 4
    line.arrived(4, b"4")
    assert line.host.reason is None
    now[0] += 2
    line.arrived(5, b"5")
    assert line.host.reason == "message 2 of the connection was lost on its way"
    assert line.host.messages == [b"1"]


def test_what_arrives_before_the_host_is_attached_waits():
    """The other side may send its first message before the opening has returned."""
    line = Line("peer", Network(), lambda: None)
    line.arrived(1, b"early")
    host = Host()
    line.attach(host)
    assert host.messages == [b"early"]


def test_a_network_that_can_not_send_ends_the_line(line, monkeypatch):
    """FLARE's error reaches the host in words."""

    def unreachable(number, message):
        raise ConnectionError("FLARE's cell can't send to server: target_unreachable")

    monkeypatch.setattr(line.network, "data", unreachable)
    with pytest.raises(fedtail.Disconnected, match="can't send to server: target_unreachable"):
        line.send(b"x")
    assert line.host.reason == "FLARE's cell can't send to server: target_unreachable"


def test_a_host_that_is_done_says_so_to_the_other_side(line):
    """Once, with no reason since nothing is wrong; and then nothing more is sent."""
    line.close()
    line.close()
    assert line.network.closed == [None]
    with pytest.raises(fedtail.Disconnected, match="the connection was closed"):
        line.send(b"x")
