"""A policy over lines, and the lines out of bytes."""


class Lines:
    """A policy that changes or drops lines before they leave the site.

    It gets whole lines only, in order, each once: lines that a read cuts in two, or a rotation, are put together first.
    After a reconnect or a fault a fresh object is made, which goes on behind the last line that the server has; so each
    line has to be judged by itself. Lines are bytes, since a log is not always text of one encoding.
    """

    LONGEST = 1 << 20
    """The longest line that is kept in memory, in bytes. A longer one is withheld: what is not seen whole can't be judged."""

    def __init__(self, settings):
        """Takes the site's own settings; see `Settings`. A `ValueError` says which one is wrong."""

    def line(self, line):
        """One line, with its line feed, except for a last line that has none. Returns what leaves the site, line feed
        included; `b""` where the line is dropped."""
        raise NotImplementedError

    def rest(self, rest):
        """The rest of a line whose beginning left before this object was made. By default it is treated as a line."""
        return self.line(rest)

    def too_long(self, length):
        """A line of so many bytes is withheld. By default a line says so in its place."""
        return b"[a line of %d bytes was withheld]\n" % length


class Through:
    """Bytes as they are."""

    pending = b""

    def take(self, data):
        return data

    def finish(self):
        return b""


class Work:
    """Lines out of bytes, through the policy."""

    def __init__(self, policy):
        self.policy = policy
        self.pending = bytearray()  # the beginning of a line
        self.within_line = False  # what comes first is the rest of a line whose beginning has left
        self.withheld = 0  # how much of a line that is too long was passed over

    def take(self, data):
        """Takes bytes that follow those taken before; returns what the policy lets out."""
        end = data.rfind(b"\n") + 1
        out = []
        if end:
            whole = bytes(self.pending) + data[:end]
            self.pending.clear()
            out.extend(self._line(line) for line in _lines(whole))
        self.pending += data[end:]
        if self.withheld or len(self.pending) > self.policy.LONGEST:
            self.withheld += len(self.pending)
            self.pending.clear()
        return b"".join(out)

    def finish(self):
        """Gives the policy a last line without line feed; returns what it lets out."""
        last = bytes(self.pending)
        self.pending.clear()
        if last or self.withheld:
            return self._line(last)
        return b""

    def _line(self, line):
        within_line, self.within_line = self.within_line, False
        withheld, self.withheld = self.withheld, 0
        if withheld or len(line) > self.policy.LONGEST:
            return self.policy.too_long(withheld + len(line))
        if within_line:
            return self.policy.rest(line)
        return self.policy.line(line)


def _lines(text):
    # `splitlines` would also part at what is no line feed, such as a form feed.
    start = 0
    while start < len(text):
        end = text.index(b"\n", start) + 1
        yield text[start:end]
        start = end
