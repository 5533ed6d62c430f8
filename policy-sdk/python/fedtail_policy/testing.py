"""A log in memory, to test a policy natively."""

from .host import Found
from .settings import Settings
from .streamer import Streamer


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

    def fresh():
        custom = Settings(settings)
        made = policy(custom)
        custom.done()
        return made

    streamer = Streamer(host, fresh, 500_000_000, 256 << 10, True)
    at = streamer.step(connected=True)
    while at is not None:
        at = streamer.step()
    return host.sent


class Log:
    """A log that is all there, at a site whose link takes everything."""

    def __init__(self, text, most, offset):
        self.text, self.most, self.offset = text, most, offset
        self.parts, self.sent, self.said = b"", [], []

    def now(self):
        return 0

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
