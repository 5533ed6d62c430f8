"""The component around a policy: it translates between the contract's bindings and plain Python."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import tailing
from wit_world.imports import chunks, clock, diagnostics, gaps, log_source, transport

from .host import UNREAD, Disconnected, Found, Refused, SourceError, WindowFull
from .in_words import in_words
from .streamer import begin

LEVELS = {
    "debug": diagnostics.Level.DEBUG,
    "info": diagnostics.Level.INFO,
    "warn": diagnostics.Level.WARN,
    "error": diagnostics.Level.ERROR,
}


def export(policy):
    """The class that makes a component of a policy. Its place is a module that `componentize-py` is given:

        Tailing = export(MyPolicy)
    """

    class Tailing(exports.Tailing):
        # Each call is made on an object of its own, so the one stream of this instance is the class's.
        stream = None

        def start(self, settings):
            with in_words():
                Tailing.stream = begin(
                    policy, Site(), settings.custom, settings.poll_interval, settings.max_chunk_size, settings.once
                )

        def step(self, wake):
            with in_words():
                at = Tailing.stream.step(
                    connected=isinstance(wake, tailing.Wake_Connected),
                    stop=isinstance(wake, tailing.Wake_Stop),
                )
            return tailing.Next_Finished() if at is None else tailing.Next_Wait(at)

    return Tailing


class sending:
    """Answers of the host that nothing was queued become exceptions of plain Python."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if not isinstance(error, Err):
            return False
        value = error.value
        if isinstance(value, transport.SendError_WindowFull):
            raise WindowFull from None
        if isinstance(value, transport.SendError_Disconnected):
            raise Disconnected from None
        raise Refused(f"the host does not take what was sent: {value}") from None


class reading:
    """Answers of the host that the source can't be read become exceptions of plain Python."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Err):
            raise SourceError(error.value.value) from None
        return False


class Site:
    """The host, through the component's imports."""

    def now(self):
        return clock.now()

    def resume(self):
        with reading():
            return successor(log_source.resume())

    def after(self, file):
        with reading():
            return successor(log_source.after(file))

    def size(self, file):
        with reading():
            return file.stat().size

    def read(self, file, offset, most):
        with reading(), file.read(offset, most) as chunk:
            return chunk.bytes()

    def window(self):
        return transport.window()

    def send(self, data, file, reached):
        with sending(), chunks.Chunk(data) as chunk:
            transport.send(chunk, file, reached)

    def send_part(self, data):
        with sending(), chunks.Chunk(data) as chunk:
            transport.send_part(chunk)

    def skip(self, file, reached):
        with sending():
            transport.skip(file, reached)

    def report_gap(self, gap):
        with sending():
            transport.report_gap(gap)

    def gap(self, words):
        return gaps.Gap(None, gaps.GapReason_Other(words))

    def say(self, level, words):
        diagnostics.say(LEVELS[level], words)


def successor(found):
    if isinstance(found, log_source.Successor_Next):
        found = found.value
        return Found(found.file, found.offset, found.lost)
    if isinstance(found, log_source.Successor_Unread):
        return UNREAD
    if isinstance(found, log_source.Successor_NoneYet):
        return None
    raise SourceError(f"the host says something that this policy does not know: {found.value}")
