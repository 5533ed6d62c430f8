"""A policy at the server: which streams and which bytes are taken."""


class Never(Exception):
    """The stream is not taken, for good; in words for the site's operator."""


class Later(Exception):
    """The stream is not taken now; in words for the site's operator. The site comes again, after `after` nanoseconds if
    given."""

    def __init__(self, words, after=None):
        super().__init__(words)
        self.after = after


class Drop:
    """These bytes are not stored, for this reason, and the stream goes on."""

    def __init__(self, why):
        self.why = why


class Last:
    """These bytes are stored, and are the last: the stream ends as failed, with these words."""

    def __init__(self, why):
        self.why = why


class Gate:
    """One object serves one stream."""

    def __init__(self, caller, store, settings):
        """Takes the stream, or raises `Never` or `Later`. `caller` has `site`, `job` and `log`, as the connection was verified,
        and more; `store` has `size()` of this log, `others()` of the site and job with `logs` and `bytes`, and
        `say(level, words)`; `settings` are the server's own, see `Settings`."""

    def take(self, length):
        """Decides about the next bytes, so many of them: None to store them, or `Drop` or `Last`."""
        return None
