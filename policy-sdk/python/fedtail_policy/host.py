"""What a policy sees of the world, in plain Python: the words that the state machine and its hosts have in common."""


class Found:
    """A file to go on with, where in it, and what was lost on the way to it."""

    def __init__(self, file, offset, lost=None):
        self.file = file
        self.offset = offset
        self.lost = lost


UNREAD = object()
"""There is a successor, and the file that was asked about has bytes that were not read."""


class SourceError(Exception):
    """The log can't be read now, in words."""


class WindowFull(Exception):
    """More than the window takes now."""


class Disconnected(Exception):
    """The link is down; the host wakes the policy when the server is there again."""


class Refused(Exception):
    """The host does not take what was sent, in words."""
