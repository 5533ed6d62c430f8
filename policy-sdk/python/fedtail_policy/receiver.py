"""The default receiver with a gate in it: it agrees the times, closes idle streams, and says what becomes of a log."""

from .gate import Never
from .settings import Settings


class Receiver:
    """One stream. `gate` makes a gate, or refuses; see `Gate`."""

    def __init__(self, gate, store, caller):
        if caller.liveness_interval == 0:
            raise Never("the site does not say how often it will be heard; set its liveness interval")
        if caller.liveness_interval >= caller.idle_timeout:
            raise Never(
                f"liveness interval {_in_words(caller.liveness_interval)} is not shorter than the idle timeout "
                f"{_in_words(caller.idle_timeout)}: the server would take a quiet log for a dead one; set the site's liveness "
                "interval to a third of the server's idle timeout or less, or raise that timeout"
            )
        settings = Settings(caller.custom)
        try:
            self.gate = gate(caller, store, settings)
            # A setting that has no effect could be one that somebody relies on, such as what to store.
            settings.done()
        except ValueError as error:
            raise Never(f"the server's receiver policy is set up wrong, tell its operator: {error}") from error
        self.store = store
        self.gaps = 0

    def finish(self, sent_to_end):
        """The stream has ended. Returns whether the log is handed over; a log with gaps is too, but not without a word."""
        if sent_to_end and self.gaps:
            self.store.say("warn", f"kept, though bytes are missing that the site lost; gaps: {self.gaps}")
        return sent_to_end


def _in_words(nanoseconds):
    """In the longest unit of which it is a whole number, as in a configuration: `30s`, `1500ms`."""
    for unit, length in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if nanoseconds % length == 0:
            return f"{nanoseconds // length}{unit}"
    return f"{nanoseconds}ns"
