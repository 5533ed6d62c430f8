"""A log and a store in memory, to test a policy natively."""

from collections import namedtuple

from .gate import Drop, Last
from .host import Found
from .receiver import Receiver
from .streamer import begin


def filter(policy, log, **settings):
    """Runs a policy over a log, and returns what leaves the site, as text.

    The log is read in pieces of several sizes, and a fresh policy takes over at every place where the first one might have
    been interrupted: all have to come to the same, or an `AssertionError` says where they differ.
    """
    log = log.encode()
    whole = _joined(_run(policy, settings, log, 64 << 10, 0))
    for most in (1, 2, 7, 64):
        ranges = _run(policy, settings, log, most, 0)
        assert _joined(ranges) == whole, f"read in pieces of {most} bytes, it lets out {_joined(ranges)}"
        before = 0
        for out, reached in ranges:
            before += len(out)
            if reached < len(log):
                rest = _joined(_run(policy, settings, log, most, reached))
                assert whole[before:] == rest, f"taken over at byte {reached}, a fresh policy lets out {rest}"
    return whole.decode(errors="replace")


def _joined(ranges):
    return b"".join(out for out, _ in ranges)


def _run(policy, settings, log, most, offset):
    host = Log(log, most, offset)
    stream = host.stream(policy, settings)
    at = stream.step(connected=True)
    while at is not None:
        at = stream.step()
    return host.sent


class Log:
    """A log that is all there, at a site whose link takes everything. `time` is its clock, which the test sets, in
    nanoseconds; `sent` has what has left, with the place in the log that it reached."""

    def __init__(self, text, most=64 << 10, offset=0):
        self.text, self.most, self.offset = text, most, offset
        self.time, self.parts, self.sent, self.said = 0, b"", [], []

    def stream(self, policy, settings=()):
        """Begins a stream of it, to be stepped."""
        return begin(policy, self, settings, 500_000_000, 256 << 10, True)

    def now(self):
        return self.time

    def resume(self):
        return Found(self, self.offset)

    def after(self, file):
        return None

    def size(self, file):
        return len(self.text)

    def read(self, file, offset, most):
        return self.text[offset : offset + min(most, self.most)]

    def window(self):
        return 1 << 20

    def send_part(self, data):
        self.parts += data

    def send(self, data, file, reached):
        self.sent.append((self.parts + data, reached))
        self.parts = b""

    def skip(self, file, reached):
        self.send(b"", file, reached)

    def say(self, level, words):
        self.said.append(words)


Caller = namedtuple("Caller", "site job log liveness_interval policy_digest stored idle_timeout custom")
Usage = namedtuple("Usage", "logs bytes")


def receive(gate, pieces, log="log.txt", **settings):
    """Lets a stream of these pieces in through a gate, and returns what is stored, as text. A stream that is refused raises
    `Never` or `Later`; one that the gate ends is stored as far as it was taken."""
    store = Store()
    caller = Caller("site-1", "job-1", log, 10 * 10**9, "sha256:", 0, 30 * 10**9, settings)
    receiver = Receiver(gate, store, caller)
    for piece in pieces:
        data = piece.encode()
        answer = receiver.gate.take(len(data))
        if not isinstance(answer, Drop):
            store.stored += data
        if isinstance(answer, Last):
            break
    return store.stored.decode(errors="replace")


class Store:
    """A server's store that has nothing else of the site and job."""

    def __init__(self):
        self.stored, self.said = b"", []

    def size(self):
        return len(self.stored)

    def others(self):
        return Usage(0, 0)

    def say(self, level, words):
        self.said.append(words)
