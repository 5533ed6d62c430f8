"""What a fedtail policy in Python is written with: one class over lines.

    from fedtail_policy import Lines

    class Without(Lines):
        def __init__(self, settings):
            self.word = settings.need("word", "the word that no line with it leaves the site for").encode()

        def line(self, line):
            return b"" if self.word in line else line

Everything else is done here: waiting for the log, rotation, gaps, the window, reconnects, the end of the job. `component`
makes a component of such a class, `testing` tries it natively.
"""

from .lines import Lines
from .settings import Settings

__all__ = ["Lines", "Settings"]
