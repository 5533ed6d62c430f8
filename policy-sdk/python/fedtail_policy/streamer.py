"""When and from where: the default streamer's state machine, with a policy over lines in it or without. It never blocks."""

from .host import UNREAD, Disconnected, Found, SourceError, WindowFull
from .lines import Through, Work
from .settings import Settings
from .stepped import Stepped

# How many pieces or files one step handles at most, which keeps a step finite.
TURNS_PER_STEP = 64
# How often a source that can't be read is tried, one poll interval apart, once the stream is ending.
TRIES_AT_THE_END = 3
# There may be more to do at once.
MORE = object()


def begin(policy, host, custom, poll_interval, chunk_size, once):
    """What is stepped, for a policy of either kind: over `Lines`, or `Stepped`."""
    if issubclass(policy, Stepped):
        settings = Settings(custom)
        made = policy(host, Streamer(host, Through, poll_interval, chunk_size, once), settings)
        settings.done()
        return made

    def fresh():
        settings = Settings(custom)
        made = policy(settings)
        settings.done()
        return Work(made)

    return Streamer(host, fresh, poll_interval, chunk_size, once)


class Streamer:
    """One stream. `fresh` makes what bytes go through; `host` is what it sees of the world."""

    def __init__(self, host, fresh, poll_interval, chunk_size, once):
        self.host = host
        self.fresh = fresh
        self.poll_interval = poll_interval
        self.chunk_size = chunk_size
        self.once = once
        self.work = fresh()
        self.connected = self.stopping = self.finished = False
        self.file = None
        self.last_look = None
        self.tries = self.next_try = 0
        self.said = []

    def step(self, connected=False, stop=False):
        """Does what can be done now. Returns the instant to be woken at, or None where all is sent."""
        if connected:
            # What was sent may be lost; where to go on is known when the host is asked.
            self.connected, self.finished, self.file = True, False, None
        self.stopping = self.stopping or stop
        if self.finished:
            return None
        if not self.connected:
            return self._wait()
        for _ in range(TURNS_PER_STEP):
            done = self._turn()
            if done is not MORE:
                return done
        return self.host.now()

    def _turn(self):
        """Enters a file, or sends one piece of it."""
        try:
            if self.file is None:
                return self._resume()
            if self.lost is not None:
                self.host.report_gap(self.lost)
                self.lost = None
            # A wait is only right after the host has said 0, since only then does it owe a wake.
            if self.host.window() == 0:
                return self._wait()
            if self.unsent is None and not self._read():
                return self._go_on()
            self._send()
        except SourceError as error:
            return self._trouble(f"the log can't be read: {error}")
        except WindowFull:
            return self._wait()
        except Disconnected:
            self.connected, self.file = False, None
            return self._wait()
        return MORE

    def _resume(self):
        # What was read is read again from where the server stands, so what the policy remembers is of no use.
        self.work = self.fresh()
        found = self.host.resume()
        if not isinstance(found, Found):
            return self._sent_all()
        if found.offset:
            self.work.within_line = self.host.read(found.file, found.offset - 1, 1) not in (b"\n", b"")
        self.before = None
        self._enter(found)
        return MORE

    def _enter(self, found):
        self.file, self.offset, self.lost = found.file, found.offset, found.lost
        self.settled = found.offset
        self.unread_at = None
        self.until = self.host.size(found.file) if self.once else None
        self.unsent, self.parts_sent = None, 0

    def _read(self):
        """Reads a piece of the file; false where there is nothing more of it now."""
        most = self.chunk_size if self.until is None else min(self.chunk_size, self.until - self.offset)
        data = self.host.read(self.file, self.offset, most) if most > 0 else b""
        if not data:
            return False
        self.offset += len(data)
        out = self.work.take(data)
        # What is kept is the end of what was read, so its length tells where the stream is.
        reached = self.offset - len(self.work.pending)
        if reached > self.settled:
            self.unsent = (out, self.file, reached)
        return True

    def _send(self):
        """Sends what a piece came to, in as many parts as it needs. After an error it goes on with the part that was not
        taken."""
        if self.unsent is None:
            return
        out, file, reached = self.unsent
        parts = [out[at : at + self.chunk_size] for at in range(0, len(out), self.chunk_size)]
        if not parts:
            self.host.skip(file, reached)
        for number, part in enumerate(parts):
            if number < self.parts_sent:
                continue
            if number + 1 < len(parts):
                self.host.send_part(part)
            else:
                self.host.send(part, file, reached)
            self.parts_sent = number + 1
        self.unsent, self.parts_sent = None, 0
        self.settled = reached
        self.tries = 0
        if self.said:
            self.said.clear()
            self.host.say("info", "the log can be read again")

    def _go_on(self):
        """Asks what comes after the current file, which has been sent to its end."""
        found = self.host.after(self.file)
        if found is None:
            return self._sent_all()
        if found is UNREAD:
            if self.unread_at == self.offset:
                return self._trouble("a rotated file of the log has a rest that can't be read")
            # It has a successor, so it does not grow for ever.
            self.unread_at, self.until = self.offset, None
            return MORE
        # A line that the old file ends within goes on in the next one.
        if self.offset > 0:
            self.before = (self.file, self.offset)
        self._enter(found)
        return MORE

    def _sent_all(self):
        """All that is there has been sent."""
        if not self.once:
            if not self.stopping:
                return self._wait()
            now = self.host.now()
            if self.last_look is None:
                self.last_look = now + self.poll_interval
            if now < self.last_look:
                return self.last_look
        return self._finish()

    def _finish(self):
        if self.file is not None:
            # A file is entered with its first byte: until then the position is at the end of the one before it.
            file, reached = (self.file, self.offset) if self.offset or not self.before else self.before
            out = self.work.finish()
            if out or self.offset > self.settled:
                self.unsent = (out, file, reached)
                return MORE
        self.finished, self.file = True, None
        return None

    def _wait(self):
        return self.host.now() + self.poll_interval

    def _trouble(self, words):
        """The source can't be read. While the job runs this is tried again for ever; at the end only a few times, and then it
        is a gap, so that the outcome says it and the stream ends."""
        if words not in self.said:
            self.host.say("warn", words)
            self.said = self.said[-7:] + [words]
        if not self.stopping and not self.once:
            return self._wait()
        now = self.host.now()
        if now >= self.next_try:
            self.tries += 1
            self.next_try = now + self.poll_interval
        if self.tries < TRIES_AT_THE_END:
            return self.next_try
        try:
            self.host.report_gap(self.host.gap(f"the end of the log was not sent: {words}"))
        except WindowFull:
            return self._wait()
        except Disconnected:
            self.connected, self.file = False, None
            return self._wait()
        self.finished, self.file = True, None
        return None
